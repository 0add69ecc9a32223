"""Operations: bioimage.io's steps before and after a network, on whole frames.

What they mean is said at
https://bioimage-io.github.io/spec-bioimage-io/ (model 0.5, preprocessing and
postprocessing). A sample of theirs is one frame that the network sees: (C, [Z,] Y, X).
Each step measures what the step before it made; bioimageio.core 0.11 measures the image
before all steps, so that two steps that both measure have another outcome there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import SpecError
from care_runtime.percentiles import percentiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.tensor import Operation

    Frame = NDArray[Any]
    Step = Callable[[Frame, "Given"], Frame]

POINTWISE = ("ensure_dtype",)
"""Steps that change every pixel by itself, and so may be taken on tiles."""

EPS = 1e-6
"""What is added to a width, unless a step says otherwise."""

LETTERS = {name: name[0].upper() for name in ("channel", "batch", *"bczyx")}
"""Axes as steps name them; those of format 0.4 are letters."""


class Given:
    """What a step is told: its own words, the frame's axes, and other tensors.

    Parameters
    ----------
    kwargs
        As the description has them.
    shape
        Of the frame, (C, [Z,] Y, X).
    others
        Frames of other tensors by id, before any step, of the same axes.
    """

    def __init__(
        self,
        kwargs: Mapping[str, Any],
        shape: tuple[int, ...],
        others: Mapping[str, Frame],
    ) -> None:
        self.kwargs, self.shape, self.others = kwargs, shape, others
        self.letters = "CZYX" if len(shape) == 4 else "CYX"

    def number(self, key: str, default: float) -> float:
        """Take a number."""
        value = self.kwargs.get(key)
        return default if value is None else float(value)

    @property
    def axes(self) -> tuple[int, ...]:
        """Places of the axes that are measured over, all by default."""
        named = self.kwargs.get("axes")
        if named is None:
            return tuple(range(len(self.letters)))
        found = {LETTERS.get(str(a), "?") for a in named}
        return tuple(i for i, a in enumerate(self.letters) if a in found)

    def along(self, key: str, default: float | None = None) -> Any:
        """Take a number, or one for each place along an axis."""
        value = self.kwargs.get(key)
        value = default if value is None else value
        if not isinstance(value, list):
            return float(value)  # type: ignore[arg-type]
        if len(value) == 1:
            return float(value[0])
        place = self.axis
        if len(value) != self.shape[place]:
            msg = (
                f"expected a number {key!r} for each of {self.shape[place]} places "
                f"along {self.letters[place]}, found {len(value)}"
            )
            raise SpecError(msg)
        shape = [-1 if i == place else 1 for i in range(len(self.letters))]
        return np.array(value, np.float64).reshape(shape)

    @property
    def axis(self) -> int:
        """Place of the one axis that is named, by default that of the channels."""
        letter = LETTERS.get(str(self.kwargs.get("axis") or "channel"), "?")
        if letter not in self.letters:
            msg = f"expected an axis of {self.letters}, found {self.kwargs['axis']!r}"
            raise SpecError(msg)
        return self.letters.index(letter)

    def reference(self, own: Frame) -> Frame:
        """Take the frame that is measured."""
        return self.others.get(str(self.kwargs.get("reference_tensor")), own)


def apply(
    steps: Sequence[Operation],
    frame: Frame,
    others: Mapping[str, Frame] | None = None,
) -> Frame:
    """Take the steps one after the other.

    Parameters
    ----------
    steps
        Pre- or postprocessing of a tensor, of which `stepcheck` approves.
    frame
        (C, [Z,] Y, X).
    others
        Frames of other tensors by id, for the steps that refer to them.

    Returns
    -------
    numpy.ndarray
        As float32, unless there are no steps.
    """
    if not steps:
        return frame
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for step in steps:
            frame = STEPS[step.id](frame, Given(step.kwargs, frame.shape, others or {}))
        return frame.astype(np.float32, copy=False)


# the steps


def _ensure_dtype(x: Frame, given: Given) -> Frame:
    return x.astype(str(given.kwargs["dtype"]))


def _scale_linear(x: Frame, given: Given) -> Frame:
    scaled = _wide(x) * given.along("gain", 1.0) + given.along("offset", 0.0)
    return np.asarray(scaled)


def _clip(x: Frame, given: Given) -> Frame:
    # As bioimageio.core does: a set of images has quantiles between its values, and
    # one image some of its values.
    named = given.kwargs.get("axes")
    of_all = named is None or any(LETTERS.get(str(a)) == "B" for a in named)
    method = "linear" if of_all else "inverted_cdf"
    limits: list[Any] = []
    for side in ("min", "max"):
        value, percentile = (
            given.kwargs.get(side),
            given.kwargs.get(f"{side}_percentile"),
        )
        if value is None and percentile is not None:
            value = np.percentile(
                x.view(np.uint8) if x.dtype == bool else x,
                percentile,
                given.axes,
                keepdims=True,
                method=method,  # type: ignore[call-overload]
            )
        limits.append(value)
    if all(limit is None for limit in limits):
        return x
    return np.asarray(np.clip(_wide(x), *limits))


def _binarize(x: Frame, given: Given) -> Frame:
    return np.asarray(x > given.along("threshold"))


def _sigmoid(x: Frame, given: Given) -> Frame:
    return np.asarray(1 / (1 + np.exp(-_wide(x))))


def _softmax(x: Frame, given: Given) -> Frame:
    axis = given.axis
    grown = np.exp(_wide(x) - x.max(axis, keepdims=True))
    return np.asarray(grown / grown.sum(axis, keepdims=True))


def _fixed(x: Frame, given: Given) -> Frame:
    width = given.along("std") + given.number("eps", EPS)
    return np.asarray((_wide(x) - given.along("mean")) / width)


def _zero_mean(x: Frame, given: Given) -> Frame:
    if given.kwargs.get("mean") is not None and given.kwargs.get("std") is not None:
        return _fixed(x, given)  # mode "fixed", as the first 0.4 wrote it
    mean, std = _moments(x, given.axes)
    return np.asarray((_wide(x) - mean) / (std + given.number("eps", EPS)))


def _scale_range(x: Frame, given: Given) -> Frame:
    q = given.number("min_percentile", 0.0), given.number("max_percentile", 100.0)
    low, high = percentiles(given.reference(x), q, given.axes)
    return np.asarray((_wide(x) - low) / (high - low + given.number("eps", EPS)))


def _scale_mean_variance(x: Frame, given: Given) -> Frame:
    eps = given.number("eps", EPS)
    (mean, std), (goal, width) = (
        _moments(frame, given.axes) for frame in (x, given.reference(x))
    )
    return np.asarray((_wide(x) - mean) / (std + eps) * (width + eps) + goal)


def _moments(x: Frame, axes: tuple[int, ...]) -> tuple[Frame, Frame]:
    options: dict[str, Any] = {"axis": axes, "dtype": np.float64, "keepdims": True}
    return x.mean(**options), x.std(**options)


def _wide(x: Frame) -> Frame:
    """Compute in a type that holds sums and products of the values."""
    return x.astype(np.result_type(x.dtype, np.float32), copy=False)


STEPS: Mapping[str, Step] = {
    "ensure_dtype": _ensure_dtype,
    "scale_linear": _scale_linear,
    "clip": _clip,
    "binarize": _binarize,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "zero_mean_unit_variance": _zero_mean,
    "fixed_zero_mean_unit_variance": _fixed,
    "scale_range": _scale_range,
    "scale_mean_variance": _scale_mean_variance,
}
"""What each step does, by the name that bioimage.io gives it."""
