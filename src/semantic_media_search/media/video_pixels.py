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
        rgb = self._scaled(frame, "rgb24", Colorspace.DEFAULT, ColorRange.JPEG, step=1)
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), quarter_turns(frame.rotation)))

    def to_yuv420(self, frame: VideoFrame) -> VideoFrame:
        """The frame as 4:2:0 video in BT.709, with even sides, otherwise as `to_rgb` makes it."""
        yuv = self._scaled(frame, "yuv420p", Colorspace.ITU709, ColorRange.MPEG, step=2)
        turns = quarter_turns(frame.rotation)
        if turns == 0:
            return yuv
        height, width = yuv.height, yuv.width
        luma, chroma = np.split(yuv.to_ndarray(), [height])
        halves = chroma.reshape(2, height // 2, width // 2)
        turned = [np.rot90(plane, turns) for plane in (luma, *halves)]
        stacked = np.concatenate([plane.ravel() for plane in turned])
        return VideoFrame.from_ndarray(stacked.reshape(-1, turned[0].shape[1]), format="yuv420p")

    def _scaled(
        self, frame: VideoFrame, pixel_format: str, colours: Colorspace, levels: ColorRange, step: int
    ) -> VideoFrame:
        """The frame in another format, its sides within the bound and multiples of `step`."""
        width, height = self.displayed_size(frame.width, frame.height, 0)
        longest = max(width, height)
        scale = 1.0 if self._max_side is None else min(1.0, self._max_side / longest)
        return self._reformatter.reformat(
            frame,
            width=max(1, round(width * scale / step)) * step,
            height=max(1, round(height * scale / step)) * step,
            format=pixel_format,
            src_colorspace=_colorspace(frame),
            dst_colorspace=colours,
            src_color_range=frame.color_range or ColorRange.MPEG,
            dst_color_range=levels,
            interpolation=_HOW,
            threads=1,
        )


def quarter_turns(rotation: float) -> int:
    """How many quarter turns counterclockwise this many degrees are, to the nearest."""
    return round(rotation / 90) % 4


def _colorspace(frame: VideoFrame) -> int:
    """The matrix that the frame names; else, as players do, BT.709 for high definition and BT.601 below."""
    if frame.colorspace != _UNSPECIFIED:
        return int(frame.colorspace)
    return int(Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601)
