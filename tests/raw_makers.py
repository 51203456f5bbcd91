"""A small but valid DNG: a raw mosaic, and a JPEG preview as cameras embed it (Adobe DNG 1.4, TIFF 6.0)."""

import struct
from pathlib import Path

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
_SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, SRATIONAL: 8}
_CODES = {BYTE: "B", SHORT: "H", LONG: "I"}


def _packed(kind: int, values: tuple | bytes) -> bytes:
    if isinstance(values, bytes):
        return values
    if kind in (RATIONAL, SRATIONAL):
        return b"".join(struct.pack("<ii", round(value * 10_000), 10_000) for value in values)
    return struct.pack(f"<{len(values)}{_CODES[kind]}", *values)


def _directory(at: int, entries: list[tuple[int, int, tuple | bytes]]) -> bytes:
    """One image file directory to lie at offset `at`, followed by the values that do not fit into it."""
    entries = sorted(entries)
    beyond = at + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for tag, kind, value in entries:
        data = _packed(kind, value)
        table += struct.pack("<HHI", tag, kind, len(data) // _SIZES[kind])
        if len(data) <= 4:
            table += data.ljust(4, b"\0")
        else:
            table += struct.pack("<I", beyond + len(values))
            values += data + b"\0" * (len(data) % 2)
    return table + struct.pack("<I", 0) + values


def write_dng(path: Path, preview: bytes | None, preview_size: tuple[int, int], orientation: int = 1) -> Path:
    """A DNG of a grey 256 x 192 mosaic with `preview`, a JPEG file's bytes, embedded."""
    width, height = 256, 192
    mosaic = np.full((height, width), 2000, "<u2").tobytes()
    raw_at = 8
    preview_at = raw_at + len(mosaic)
    sub_at = preview_at + len(preview or b"")
    sub_at += sub_at % 2
    raw = [
        (254, LONG, (0,)), (256, LONG, (width,)), (257, LONG, (height,)), (258, SHORT, (16,)), (259, SHORT, (1,)),
        (262, SHORT, (32803,)), (273, LONG, (raw_at,)), (277, SHORT, (1,)), (278, LONG, (height,)),
        (279, LONG, (len(mosaic),)), (284, SHORT, (1,)), (33421, SHORT, (2, 2)), (33422, BYTE, (0, 1, 1, 2)),
        (50714, SHORT, (0,)), (50717, SHORT, (4095,)),
    ]  # fmt: skip
    sub = _directory(sub_at, raw)
    main_at = sub_at + len(sub)
    main = [
        (254, LONG, (1,)), (271, ASCII, b"Maker\0"), (272, ASCII, b"Maker R1\0"), (274, SHORT, (orientation,)),
        (306, ASCII, b"2022:03:04 05:06:07\0"), (330, LONG, (sub_at,)), (50706, BYTE, (1, 4, 0, 0)),
        (50707, BYTE, (1, 1, 0, 0)), (50708, ASCII, b"Maker R1\0"),
        (50721, SRATIONAL, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)), (50728, RATIONAL, (1.0, 1.0, 1.0)),
        (50778, SHORT, (21,)),
    ]  # fmt: skip
    if preview is not None:
        main += [
            (256, LONG, (preview_size[0],)), (257, LONG, (preview_size[1],)), (258, SHORT, (8, 8, 8)),
            (259, SHORT, (7,)), (262, SHORT, (6,)), (273, LONG, (preview_at,)), (277, SHORT, (3,)),
            (278, LONG, (preview_size[1],)), (279, LONG, (len(preview),)),
        ]  # fmt: skip
    start = struct.pack("<2sHI", b"II", 42, main_at) + mosaic + (preview or b"")
    path.write_bytes(start.ljust(sub_at, b"\0") + sub + _directory(main_at, main))
    return path
