"""Averaging: frames of a movie that become one, before anything else is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from care_runtime.output import Empty
    from care_runtime.source import Source, Window


def averaged(source: Source, count: int) -> Source:
    """Take the mean of every so many frames; nothing is read.

    The paper restores microtubules from the mean of ten frames (Fig. 4c, d), each of
    which is too noisy.

    Parameters
    ----------
    source
        A movie.
    count
        Frames to a mean. What remains at the end and is fewer is left out.

    Returns
    -------
    Source
        float32, with `count` times fewer frames, as many times further apart.

    Raises
    ------
    OptionError
        If it has no time axis, or fewer frames.
    """
    if count < 1:
        msg = f"expected 1 or more frames for --average, found {count}"
        raise OptionError(msg)
    if count == 1:
        return source
    if "T" not in source.axes:
        msg = (
            f"--average asks for frames, but {source.where} has the axes "
            f"{source.axes}: leave it out, or name the axes with --axes, such as TYX"
        )
        raise OptionError(msg)
    at = source.axes.index("T")
    frames = source.shape[at] // count
    if frames < 1:
        msg = (
            f"expected {count} frames or more for --average {count}, found "
            f"{source.shape[at]} in {source.where}"
        )
        raise OptionError(msg)

    def load(part: Window, empty: Empty) -> NDArray[Any]:
        shape = tuple(p.stop - p.start for p in part)
        out = empty(shape, np.dtype(np.float32))
        means = np.moveaxis(out, at, 0)
        for mean, frame in zip(means, range(*part[at].indices(frames)), strict=True):
            total = np.zeros(mean.shape)
            for number in range(frame * count, (frame + 1) * count):
                one = (*part[:at], slice(number, number + 1), *part[at + 1 :])
                total += np.moveaxis(source.window(one), at, 0)[0]
            mean[...] = total / count
        return out

    interval = source.calibration.interval
    rest = source.shape[at] - frames * count
    left = f", the last {rest} left out" if rest else ""
    words = f"means of {count} frames{left}"
    return replace(
        source,
        shape=(*source.shape[:at], frames, *source.shape[at + 1 :]),
        dtype=np.dtype(np.float32),
        load=load,
        calibration=replace(source.calibration, interval=interval and interval * count),
        cut=", ".join(filter(None, (source.cut, words))),
    )
