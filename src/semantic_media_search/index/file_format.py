"""`hnsw_index.bin`: a header, a table of sections, and the sections, each with a checksum.

Little-endian. Header, 192 bytes: magic, version, N, D, M, efConstruction, seed, entry, top, scale, fingerprint,
and the CRC-32 of all that. Table: for each section its name, dtype, shape, offset, length and CRC-32, closed by
the CRC-32 of the table. Sections begin at multiples of 64 bytes, so that they can be used in place by memory map.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semantic_media_search.errors import IndexFormatError

MAGIC = b"SMSHNSW\x00"
VERSION = 2
"""What is written. Version 1 had codes of a byte a dimension; its graph is still read, its codes are made anew."""
_READ = (1, VERSION)
_HEADER = struct.Struct("<8sIQIIIqqIf128s")
_SECTION = struct.Struct("<16s8sQQQQI")
_CRC = struct.Struct("<I")
_ALIGN = 64
REBUILD = "run `media-search index` to make it anew"


@dataclass(frozen=True, slots=True)
class Header:
    """What an index file says of itself; `version` is that of the file that it was read from."""

    count: int
    dim: int
    m: int
    ef_construction: int
    seed: int
    entry: int
    top: int
    scale: float
    fingerprint: str
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Section:
    """One array of the file: where it lies, and its checksum."""

    name: str
    offset: int
    length: int
    checksum: int
    array: npt.NDArray[Any]


def write(path: Path, header: Header, sections: dict[str, npt.NDArray[Any]]) -> None:
    """Write an index file beside its place, bring it to the disk, and move it there."""
    fingerprint = header.fingerprint.encode("utf-8")
    if len(fingerprint) > 128:
        raise IndexFormatError(f"the model's fingerprint has {len(fingerprint)} bytes; the file holds 128")
    head = _HEADER.pack(
        MAGIC, VERSION, header.count, header.dim, header.m, header.ef_construction, header.seed, header.entry,
        header.top, header.scale, fingerprint,
    )  # fmt: skip
    table, offset = b"", _aligned(_HEADER.size + 2 * _CRC.size + 4 + len(sections) * _SECTION.size)
    places = []
    for name, array in sections.items():
        held = np.ascontiguousarray(array)
        rows, columns = held.shape[0], held.shape[1] if held.ndim == 2 else 0
        data = held.reshape(-1).view(np.uint8).data
        table += _SECTION.pack(
            name.encode(), held.dtype.str.encode(), rows, columns, offset, len(data), zlib.crc32(data)
        )
        places.append((offset, data))
        offset = _aligned(offset + len(data))
    table = _CRC.pack(len(sections)) + table
    beside = path.with_name(path.name + ".new")
    try:
        with beside.open("wb") as file:
            file.write(head + _CRC.pack(zlib.crc32(head)) + table + _CRC.pack(zlib.crc32(table)))
            for place, data in places:
                file.write(b"\0" * (place - file.tell()))
                file.write(data)
            file.write(b"\0" * (offset - file.tell()))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)  # it may be what filled the disk
        raise
    _bring_name_to_disk(path.parent)


def _bring_name_to_disk(folder: Path) -> None:
    """Have a folder's names on the disk, where the system can: before that a file's new name may not last."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> tuple[Header, dict[str, Section]]:
    """Map an index file: its header and its sections, whose checksums are not looked at yet.

    Raises IndexFormatError where the file is missing, header, table or the zeros between sections are damaged, or it
    is shorter or longer than they say.
    """
    try:
        data = np.memmap(path, np.uint8, mode="r")
    except FileNotFoundError as error:
        raise IndexFormatError(f"{path} is missing; {REBUILD}") from error
    except ValueError as error:
        raise IndexFormatError(f"{path} is empty; {REBUILD}") from error
    if len(data) < _HEADER.size + _CRC.size or bytes(data[: len(MAGIC)]) != MAGIC:
        raise IndexFormatError(f"{path} is no index file; {REBUILD}")
    _, version, *numbers, fingerprint = _HEADER.unpack(data[: _HEADER.size].tobytes())
    if version not in _READ:
        raise IndexFormatError(
            f"{path} is of version {version}; this program reads {_READ[0]} to {VERSION}; {REBUILD}"
        )
    _check_crc(path, "header", data, 0, _HEADER.size)
    at = _HEADER.size + _CRC.size
    (parts,) = _CRC.unpack(_bytes(path, data, at, _CRC.size))
    end = at + _CRC.size + parts * _SECTION.size
    if parts > 64 or end + _CRC.size > len(data):
        raise IndexFormatError(f"{path} is cut off in its table of sections; {REBUILD}")
    _check_crc(path, "table of sections", data, at, end - at)
    count, dim, m, ef_construction, seed, entry, top, scale = numbers
    text = fingerprint.rstrip(b"\0").decode("utf-8", "replace")
    header = Header(count, dim, m, ef_construction, seed, entry, top, scale, text, version)
    sections = {}
    filled = end + _CRC.size
    expected = _aligned(filled)
    for number in range(parts):
        raw = data[at + _CRC.size + number * _SECTION.size :][: _SECTION.size].tobytes()
        name, dtype, rows, columns, offset, length, checksum = _SECTION.unpack(raw)
        if offset != expected or offset + length > len(data):
            raise IndexFormatError(f"{path} is cut off after {len(data)} bytes; {REBUILD}")
        _check_gap(path, data, filled, offset)
        filled = offset + length
        expected = _aligned(filled)
        section = name.rstrip(b"\0").decode("utf-8", "replace")
        try:
            array = data[offset : offset + length].view(dtype.rstrip(b"\0").decode())
            held = array.reshape((rows, columns) if columns else (rows,))
        except (TypeError, ValueError, OverflowError) as error:
            raise IndexFormatError(f"{path} has a section {section!r} of no shape; {REBUILD}") from error
        sections[section] = Section(section, offset, length, checksum, held)
    if len(data) != expected:
        raise IndexFormatError(f"{path} has {len(data)} bytes where {expected} were written; {REBUILD}")
    _check_gap(path, data, filled, expected)
    return header, sections


def verify(path: Path, section: Section) -> None:
    """Raise IndexFormatError unless a section's bytes are those that were written."""
    data = section.array.reshape(-1).view(np.uint8)
    if zlib.crc32(data.data) != section.checksum:
        raise IndexFormatError(f"{path} is damaged in its section {section.name!r}; {REBUILD}")


def _check_gap(path: Path, data: npt.NDArray[np.uint8], start: int, stop: int) -> None:
    if data[start:stop].any():
        raise IndexFormatError(f"{path} is damaged between its sections, at byte {start}; {REBUILD}")


def _check_crc(path: Path, what: str, data: npt.NDArray[np.uint8], start: int, length: int) -> None:
    (stored,) = _CRC.unpack(_bytes(path, data, start + length, _CRC.size))
    if zlib.crc32(data[start : start + length].tobytes()) != stored:
        raise IndexFormatError(f"{path} is damaged in its {what}; {REBUILD}")


def _bytes(path: Path, data: npt.NDArray[np.uint8], start: int, length: int) -> bytes:
    if start + length > len(data):
        raise IndexFormatError(f"{path} is cut off after {len(data)} bytes; {REBUILD}")
    return data[start : start + length].tobytes()


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGN) * _ALIGN
