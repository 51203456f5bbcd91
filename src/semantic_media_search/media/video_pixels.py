"""A decoded video frame -> upright RGB pixels of bounded size."""

import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from semantic_media_search.records import U8

_HOW = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_UNSPECIFIED = 2


class FrameConverter:
    """Converts the frames of one video; keeps the scaler between frames, so not for several threads at once.

    `shape` is the sample aspect ratio of a stored pixel, width by height.
    """

    def __init__(self, shape: float, max_side: int | None) -> None:
        self._shape = shape if 0.05 < shape < 20 else 1.0
        self._max_side = max_side
        self._reformatter = VideoReformatter()

    def displayed_size(self, width: int, height: int, rotation: int) -> tuple[int, int]:
        """Width and height as shown, in square pixels, of a stored picture of this size."""
        size = (max(1, round(width * self._shape)), height)
        return size if rotation % 180 == 0 else size[::-1]

    def to_rgb(self, frame: VideoFrame) -> U8:
        """The frame as uint8 RGB [H, W, 3]: scaled down to the bound, in square pixels, upright."""
        width, height = self.displayed_size(frame.width, frame.height, 0)
        longest = max(width, height)
        if self._max_side is not None and longest > self._max_side:
            width = max(1, round(width * self._max_side / longest))
            height = max(1, round(height * self._max_side / longest))
        rgb = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=_colorspace(frame),
            dst_colorspace=Colorspace.DEFAULT,
            src_color_range=frame.color_range or ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_HOW,
            threads=1,
        )
        pixels = np.rot90(rgb.to_ndarray(), quarter_turns(frame.rotation))
        return np.ascontiguousarray(pixels)


def quarter_turns(rotation: float) -> int:
    """How many quarter turns counterclockwise this many degrees are, to the nearest."""
    return round(rotation / 90) % 4


def _colorspace(frame: VideoFrame) -> int:
    """The matrix that the frame names; else, as players do, BT.709 for high definition and BT.601 below."""
    if frame.colorspace != _UNSPECIFIED:
        return int(frame.colorspace)
    return int(Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601)
