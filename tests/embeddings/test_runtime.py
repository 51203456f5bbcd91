"""Which device a session runs on, and how many threads."""

import ctypes
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest

from clip_export import Oracle
from semantic_media_search.embeddings import OnnxEncoder, runtime
from semantic_media_search.embeddings.runtime import (
    CPU,
    CUDA,
    Session,
    cuda_device_count,
    providers,
    usable_cores,
)


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    providers.cache_clear()
    yield
    providers.cache_clear()


def driver(status: int, devices: int) -> Any:
    """A CUDA driver that starts with this status and reports so many devices."""

    def count(out: Any) -> int:
        ctypes.cast(out, ctypes.POINTER(ctypes.c_int))[0] = devices
        return 0

    return SimpleNamespace(cuInit=lambda _: status, cuDeviceGetCount=count)


@pytest.mark.parametrize(("status", "devices", "expected"), [(0, 2, 2), (0, 0, 0), (100, 1, 0)])
def test_devices_are_what_the_driver_reports(
    monkeypatch: pytest.MonkeyPatch, status: int, devices: int, expected: int
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: driver(status, devices))
    assert cuda_device_count() == expected


def test_no_driver_is_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert cuda_device_count() == 0


@pytest.mark.parametrize(
    ("built_with", "devices", "first"),
    [
        ([CUDA, CPU], 1, CUDA),
        ([CUDA, CPU], 0, CPU),
        ([CPU], 1, CPU),
        (["CoreMLExecutionProvider", CPU], 0, CPU),
    ],
)
def test_a_gpu_is_used_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, built_with: list[str], devices: int, first: str
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built_with)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(runtime, "cuda_device_count", lambda: devices)
    chosen = [provider if isinstance(provider, str) else provider[0] for provider in providers()]
    assert chosen[0] == first
    assert chosen[-1] == CPU


def test_a_cpu_takes_eight_pictures_at_a_time_and_a_gpu_more(
    tiny_clip: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "cuda_device_count", lambda: 0)
    encoder = OnnxEncoder(tiny_clip.folder, threads=1)
    assert encoder.image_batch == 8
    monkeypatch.setattr(encoder._vision_session(), "on_gpu", True)
    assert encoder.image_batch == 64
    assert OnnxEncoder(tiny_clip.folder, batch_size=3).image_batch == 3


def test_the_threads_asked_for_are_used(tiny_clip: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = onnxruntime.InferenceSession

    def record(path: str, options: Any, **rest: Any) -> Any:
        asked.append(options.intra_op_num_threads)
        return original(path, options, **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    for threads in (1, 3, 0):
        Session(tiny_clip.folder / "onnx/vision_model.onnx", threads=threads)
    assert asked == [1, 3, usable_cores()]
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
