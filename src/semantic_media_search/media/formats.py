"""Which files are pictures and which are videos: by name, and by their first bytes.

The name decides whether a file is looked at; the first bytes decide whether it is what the name says, so that
a wrong extension is reported in words that help.
"""

import os
from dataclasses import dataclass

from semantic_media_search.media.raw import RAW_EXTENSIONS
from semantic_media_search.records import IMAGE, VIDEO

IMAGE_EXTENSIONS = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".heic",
        ".heif", ".hif", ".gif", ".tif", ".tiff", ".bmp", ".dib", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf",
        ".jpx", ".ppm", ".pgm", ".pbm", ".pnm",
    }
)  # fmt: skip
VIDEO_EXTENSIONS = frozenset(
    {
        ".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".ts", ".mts",
        ".m2t", ".m2ts", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".m2p", ".vob", ".3gp", ".3gpp", ".3g2", ".wmv",
        ".asf", ".flv", ".f4v", ".ogv", ".ogm", ".mxf", ".mjpg", ".mjpeg",
    }
)  # fmt: skip
MOTION_JPEG_EXTENSIONS = frozenset({".mjpg", ".mjpeg"})
"""Videos that are nothing but JPEG files one after the other, so that only their name tells them from pictures."""
NOT_READ_EXTENSIONS = frozenset(
    {
        ".jxl", ".jxr", ".wdp", ".hdp", ".svg", ".svgz", ".eps", ".ai", ".wmf", ".emf", ".psd", ".psb", ".xcf", ".kra",
        ".afphoto", ".cdr", ".tga", ".exr", ".hdr", ".dds", ".pcx", ".pct", ".pict", ".ico", ".djvu",
        ".x3f", ".3fr", ".fff", ".iiq", ".erf", ".mrw", ".kdc", ".dcr", ".mos", ".mef", ".rwl", ".gpr",
        ".rm", ".rmvb", ".dv", ".y4m", ".wtv", ".swf", ".mod", ".tod", ".insv", ".braw", ".r3d", ".ivf", ".amv",
    }
)  # fmt: skip
"""Pictures and videos to a person, but of no format that is read: they are counted, so that nobody misses them."""
HEADER_BYTES = 64

_STILL_BRANDS = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"hevc": "HEIC", b"hevx": "HEIC",
    b"mif1": "HEIF", b"mif2": "HEIF", b"msf1": "HEIF", b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
_PREFIXES = (
    (b"\xff\xd8\xff", IMAGE, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", IMAGE, "PNG"),
    (b"GIF87a", IMAGE, "GIF"),
    (b"GIF89a", IMAGE, "GIF"),
    (b"II*\x00", IMAGE, "TIFF"),
    (b"MM\x00*", IMAGE, "TIFF"),
    (b"II+\x00", IMAGE, "BigTIFF"),
    (b"MM\x00+", IMAGE, "BigTIFF"),
    (b"BM", IMAGE, "BMP"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", IMAGE, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", IMAGE, "JPEG 2000"),
    (b"\x1aE\xdf\xa3", VIDEO, "Matroska or WebM"),
    (b"FLV\x01", VIDEO, "FLV"),
    (b"OggS", VIDEO, "Ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", VIDEO, "ASF (WMV)"),
    (b"\x00\x00\x01\xba", VIDEO, "MPEG program stream"),
    (b"\x00\x00\x01\xb3", VIDEO, "MPEG video"),
    (b"\x06\x0e\x2b\x34", VIDEO, "MXF"),
)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What the first bytes of a file say: `kind` is IMAGE or VIDEO, `format` its name for a person."""

    kind: str
    format: str


def kind_by_name(name: str) -> str | None:
    """IMAGE, VIDEO, or None for a file whose extension is that of neither."""
    extension = os.path.splitext(name)[1].lower()  # noqa: PTH122 - asked of each of very many files
    if extension in IMAGE_EXTENSIONS or extension in RAW_EXTENSIONS:
        return IMAGE
    return VIDEO if extension in VIDEO_EXTENSIONS else None


def is_not_read(name: str) -> bool:
    """Whether a person would take a file of this name for a picture or video, but its format is not read."""
    return os.path.splitext(name)[1].lower() in NOT_READ_EXTENSIONS  # noqa: PTH122 - as above


def sniff(header: bytes) -> Sniffed | None:
    """The kind and format that the first HEADER_BYTES of a file announce; None where they say nothing known.

    MPEG transport streams and a few raw video streams have no signature that could not be chance, so that
    None does not mean that a file is no video.
    """
    if header[4:8] == b"ftyp":
        # The major brand may be the neutral `mif1`; the compatible brands then tell HEIC from AVIF.
        brands = [header[8:12], *(header[at : at + 4] for at in range(16, len(header) - 3, 4))]
        still = _STILL_BRANDS.get(brands[0])
        if still == "HEIF":
            still = next((_STILL_BRANDS[b] for b in brands if _STILL_BRANDS.get(b, "HEIF") != "HEIF"), still)
        return Sniffed(IMAGE, still) if still else Sniffed(VIDEO, "MP4 or QuickTime")
    if header[4:8] in (b"moov", b"mdat", b"wide", b"skip"):
        return Sniffed(VIDEO, "QuickTime")
    if header[:4] == b"RIFF":
        inner = {b"WEBP": Sniffed(IMAGE, "WebP"), b"AVI ": Sniffed(VIDEO, "AVI")}
        return inner.get(header[8:12])
    if header[:1] == b"P" and header[1:2] in b"123456" and header[2:3].isspace():
        return Sniffed(IMAGE, "PNM")
    return next((Sniffed(kind, name) for prefix, kind, name in _PREFIXES if header.startswith(prefix)), None)
