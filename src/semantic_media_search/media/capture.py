"""What the camera wrote beside the picture: when, with what, where.

EXIF 2.32 (CIPA DC-008): DateTimeOriginal 0x9003 and its zone OffsetTimeOriginal 0x9011, Make 0x010F, Model
0x0110, and the GPS directory 0x8825. Cameras write much of it wrongly; what makes no sense counts as unknown.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image

_EXIF_DIRECTORY, _GPS_DIRECTORY = 0x8769, 0x8825
_MAKE, _MODEL, _DATE_TIME = 0x010F, 0x0110, 0x0132
_ORIGINAL, _DIGITIZED, _OFFSET, _OFFSET_ORIGINAL, _OFFSET_DIGITIZED = 0x9003, 0x9004, 0x9010, 0x9011, 0x9012
_ZONE = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d|Z")
# What reading a damaged EXIF block can raise in Pillow.
EXIF_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    ArithmeticError,
    UserWarning,
)


@dataclass(frozen=True, slots=True)
class CaptureData:
    """Facts about a picture or video as it was taken; None where the file does not say.

    `captured_at` is ISO 8601 to the second, with the zone where the file names one (else local time of the
    camera); `gps` is (latitude, longitude) in degrees, north and east positive.
    """

    captured_at: str | None = None
    camera: str | None = None
    gps: tuple[float, float] | None = None


def capture_from_exif(exif: Image.Exif) -> CaptureData:
    """Read the fields that people search by. Never raises for damaged or absurd values: they become None."""
    try:
        details: Mapping[int, Any] = exif.get_ifd(_EXIF_DIRECTORY)
    except EXIF_FAULTS:
        details = {}
    try:
        gps: Mapping[int, Any] = exif.get_ifd(_GPS_DIRECTORY)
    except EXIF_FAULTS:
        gps = {}
    times = (
        (details.get(_ORIGINAL), details.get(_OFFSET_ORIGINAL)),
        (details.get(_DIGITIZED), details.get(_OFFSET_DIGITIZED)),
        (exif.get(_DATE_TIME), details.get(_OFFSET)),
    )
    captured = (parse_exif_time(time, zone) for time, zone in times)
    return CaptureData(
        captured_at=next((time for time in captured if time), None),
        camera=camera_name(exif.get(_MAKE), exif.get(_MODEL)),
        gps=_position(gps),
    )


def parse_exif_time(value: object, zone: object = None) -> str | None:
    """`2019:07:14 12:30:05` and its zone as ISO 8601, or None for blanks, zeros and impossible dates."""
    try:
        time = datetime.strptime(_text(value)[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    if time.year < 1826:
        return None
    offset = _text(zone)
    return time.isoformat() + (offset if _ZONE.fullmatch(offset) else "")


def camera_name(make: object, model: object) -> str | None:
    """`Canon` and `Canon EOS 5D` make `Canon EOS 5D`; `Apple` and `iPhone 12` make `Apple iPhone 12`."""
    maker, name = _text(make), _text(model)
    if maker and name and not name.lower().startswith(maker.lower().split()[0]):
        return f"{maker} {name}"
    return name or maker or None


def checked_position(latitude: float, longitude: float) -> tuple[float, float] | None:
    """The position, rounded to about 10 cm; None off the globe or at the (0, 0) of a lost receiver."""
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return None
    if abs(latitude) > 90 or abs(longitude) > 180 or (latitude == 0 and longitude == 0):
        return None
    return round(latitude, 6), round(longitude, 6)


def _position(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    try:
        latitude = _degrees(gps[2]) * (-1 if _text(gps.get(1)).upper() == "S" else 1)
        longitude = _degrees(gps[4]) * (-1 if _text(gps.get(3)).upper() == "W" else 1)
    except EXIF_FAULTS:
        return None
    return checked_position(latitude, longitude)


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    return degrees + minutes / 60 + seconds / 3600


def _text(value: object) -> str:
    """EXIF text without its padding; anything that is not text becomes empty."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.replace("\0", " ").strip() if isinstance(value, str) else ""
