"""Put newly trained maps into a model folder whose towers stay as they are: seconds, where `export.py` takes minutes.

Gives the graphs that `export.py` would: the maps are stored as they are there, int8 with one scale an output.

Run: python training/starter/replace_head.py CACHE MODEL_FOLDER
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from export import VERSION
from ingredients import ADDED_WEIGHT, LEAST_WEIGHT
from onnx import numpy_helper

Array = npt.NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    head = np.load(args.cache / "head.npz")

    vision = onnx.load(args.folder / "onnx/vision_model.onnx")
    rounded, scale = to_int8(head["image"])
    replace(vision, "image_map.weight_int8", rounded)
    replace(vision, "image_map.weight_scale", scale)
    replace(vision, "image_map.bias", head["bias"])
    onnx.save(vision, args.folder / "onnx/vision_model.onnx")

    text = onnx.load(args.folder / "onnx/text_model.onnx")
    rounded, scale = to_int8(head["text"])
    name = text_map_name(text)
    replace(text, f"{name}_quantized", np.ascontiguousarray(rounded.T))
    replace(text, f"{name}_scale", scale)
    for node, value in (("/Mul", ADDED_WEIGHT), ("/Add", LEAST_WEIGHT)):
        replace(text, constant_of(text, node), np.array(value, dtype=np.float32))
    onnx.save(text, args.folder / "onnx/text_model.onnx")

    config = json.loads((args.folder / "config.json").read_text(encoding="utf-8"))
    config["version"] = VERSION
    (args.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def to_int8(matrix: Array) -> tuple[npt.NDArray[np.int8], Array]:
    """Rows of float32 [out, in] as int8, and the scale of each."""
    scale = (np.abs(matrix).max(axis=1) / 127 + 1e-12).astype(np.float32)
    return np.round(matrix / scale[:, None]).astype(np.int8), scale


def text_map_name(model: onnx.ModelProto) -> str:
    """The constant that the text map's product reads; the exporter numbers its constants."""
    for node in model.graph.node:
        if node.op_type == "MatMulInteger" and node.output[0].startswith("/text_map/"):
            return str(node.input[1]).removesuffix("_quantized")
    raise LookupError(
        "the text graph has no int8 product named /text_map/; write the folder anew with export.py"
    )


def constant_of(model: onnx.ModelProto, node: str) -> str:
    """The constant among the inputs of the node whose output is named after `node`."""
    inputs = next(found.input for found in model.graph.node if found.output[0] == f"{node}_output_0")
    return next(str(name) for name in inputs if name.startswith("/Constant"))


def replace(model: onnx.ModelProto, name: str, values: npt.NDArray[np.generic]) -> None:
    """Give a constant of the graph new values of its own shape and type."""
    tensors = [tensor for tensor in model.graph.initializer if tensor.name == name]
    tensors += [
        node.attribute[0].t for node in model.graph.node if node.op_type == "Constant" and name in node.output
    ]
    tensor = tensors[0]
    old = numpy_helper.to_array(tensor)
    if old.shape != values.shape or old.dtype != values.dtype:
        raise ValueError(f"{name} is {old.dtype} {old.shape}, not {values.dtype} {values.shape}")
    tensor.CopyFrom(numpy_helper.from_array(values, name))


if __name__ == "__main__":
    main()
