"""Make exported graphs small: int8 convolutions (QDQ, per channel), int8 words and matrices of the text tower."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

CHANNELS = 4  # ONNX Runtime's fast int8 convolutions take so many channels at a time
LARGE = 100_000  # elements: constants from this size on are stored as int8


class _Photographs(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: Sequence[npt.NDArray[np.float32]]) -> None:
        self._feeds: Iterator[dict[str, npt.NDArray[np.float32]]] = iter([{name: x[None]} for x in inputs])

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        return next(self._feeds, None)


def quantise_vision(source: Path, target: Path, name: str, inputs: Sequence[npt.NDArray[np.float32]]) -> None:
    """Convolutions and the matrices that follow to int8, calibrated on `inputs`, each float32 [3, 260, 260].

    What the matrices give stays float: eight bits are too few for the classes' logits.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        quantize_static(
            str(prepared),
            str(target),
            _Photographs(name, inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Add", "Clip", "Gemm", "MatMul"],
            nodes_to_exclude=[n.name for n in nodes if n.op_type == "Add" and n.name.startswith("/maps/")],
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},
        )
    add_channel(target, name)
    simplify(target)


def add_channel(path: Path, name: str) -> None:
    """Give the first convolution an empty fourth channel, which halves its time.

    The channel is added to the int8 pixels of the input `name`; its weights are 0.
    """
    model = onnx.load(path)
    graph = model.graph
    maker = {output: node for node in graph.node for output in node.output}
    user = {value: node for node in graph.node for value in node.input}
    pixels = user[user[name].output[0]]
    weight = maker[user[pixels.output[0]].input[1]].input[0]
    tensor = next(tensor for tensor in graph.initializer if tensor.name == weight)
    values = numpy_helper.to_array(tensor)
    missing = CHANNELS - values.shape[1]
    tensor.CopyFrom(numpy_helper.from_array(np.pad(values, ((0, 0), (0, missing), (0, 0), (0, 0))), weight))
    amounts = np.array([0, 0, 0, 0, 0, missing, 0, 0], dtype=np.int64)
    graph.initializer.append(numpy_helper.from_array(amounts, "missing_channels"))
    pad = helper.make_node("Pad", [pixels.input[0], "missing_channels"], ["four_channels"])
    pixels.input[0] = pad.output[0]
    graph.node.insert(list(graph.node).index(pixels), pad)
    del graph.value_info[:]  # the shapes noted there are of three channels
    onnx.save(model, path)


def quantise_text(source: Path, target: Path) -> None:
    """Words and matrices of the text tower to int8; activations are scaled as they come."""
    quantize_dynamic(
        str(source),
        str(target),
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gather"],
        extra_options={"MatMulConstBOnly": True},
    )
    shrink_constants(target)
    simplify(target)


def shrink_constants(path: Path) -> None:
    """Store large float matrices as int8, one scale for each row, and multiply out when the graph is loaded."""
    model = onnx.load(path)
    graph = model.graph
    nodes = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2 or np.prod(tensor.dims) < LARGE:
            continue
        matrix = numpy_helper.to_array(tensor)
        scale = (np.abs(matrix).max(1) / 127 + 1e-12).astype(np.float32)
        rounded = np.round(matrix / scale[:, None]).astype(np.int8)
        name = tensor.name
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(rounded, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        graph.initializer.append(numpy_helper.from_array(np.zeros(len(scale), np.int8), f"{name}_zero"))
        inputs = [f"{name}_int8", f"{name}_scale", f"{name}_zero"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [name], axis=0))
    for node in reversed(nodes):
        graph.node.insert(0, node)
    onnx.save(model, path)


def simplify(path: Path) -> None:
    """Fold constants and drop what does nothing once, instead of each time the graph is loaded.

    Only ONNX Runtime's basic steps: the further ones choose what suits the processor they run on.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    simple = path.with_suffix(".simple.onnx")
    options.optimized_model_filepath = str(simple)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    simple.replace(path)
