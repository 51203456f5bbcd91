"""Whether a key frame of H.264 or HEVC starts afresh, or leans on what was decoded before it.

An IDR picture resets the decoder's picture numbering; the key frames of an "open" group of pictures do not,
and a decoder that was not given what lies before them may order or drop them wrongly unless it is flushed.
Picture types are in the headers of the NAL units: ITU-T H.264, 7.3.1; ITU-T H.265, 7.3.1.2 and table 7-1.
"""

from collections.abc import Iterator

_H264_SLICE, _H264_IDR = range(1, 6), 5
_HEVC_SLICE, _HEVC_IDR = range(32), range(16, 21)


def starts_afresh(codec: str, packet: memoryview, extradata: bytes | None) -> bool:
    """True for an IDR picture, and for every key frame of codecs other than H.264 and HEVC.

    `extradata` is the stream's; it says whether lengths (MP4) or start codes (Annex B) part the units.
    """
    if codec not in ("h264", "hevc"):
        return True
    for first in _first_bytes(packet, _length_size(codec, extradata)):
        kind = first & 31 if codec == "h264" else first >> 1 & 63
        if kind in (_H264_SLICE if codec == "h264" else _HEVC_SLICE):
            return kind == _H264_IDR if codec == "h264" else kind in _HEVC_IDR
    return False


def _length_size(codec: str, extradata: bytes | None) -> int:
    """How many bytes give a unit's length; 0 where start codes part the units."""
    at = 4 if codec == "h264" else 21
    if not extradata or extradata[0] != 1 or len(extradata) <= at:
        return 0
    return (extradata[at] & 3) + 1


def _first_bytes(packet: memoryview, length_size: int) -> Iterator[int]:
    """The first header byte of each unit in the packet."""
    if length_size:
        at = 0
        while at + length_size < len(packet):
            yield packet[at + length_size]
            at += length_size + int.from_bytes(packet[at : at + length_size])
        return
    data = bytes(packet)
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        yield data[at + 3]
        at = data.find(b"\0\0\1", at + 3)
