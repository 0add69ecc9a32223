"""Pair: two images of one field, at low and at high light dose."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import TrainingError
from care_runtime.pixels import chunks
from care_runtime.resample import Samples, samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VALIDATION = 0.15
"""Part of the images (or of a single image) that is held back."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two registered images of one field.

    Parameters
    ----------
    name
        The name they share.
    low, high
        Input and target, both of shape (C, [Z,] Y, X). The target of a projection lacks
        Z; the input of an upsampling has fewer pixels along one axis.
    field
        What they show, if several pairs show the same; by default the name.
    labels
        Number of the object that each pixel of the high image belongs to, from 1, where
        that is known: ([Z,] Y, X).
    clean
        The high image as it would be without noise, where a simulation knows it.
    ready
        Whether they are a patch that was cut and normalized before it was published: it
        is learnt from, and restored, as it is.
    """

    name: str
    low: NDArray[Any]
    high: NDArray[Any]
    field: str = ""
    labels: NDArray[Any] | None = None
    clean: NDArray[Any] | None = None
    ready: bool = False


def lines(pair: Pair) -> list[Samples]:
    """Place the pixels of the high image in the low one, along each of its space axes.

    Where the high image has more pixels, the low one is stretched as the runtime does;
    an axis Z that the high image lacks keeps its own pixels.
    """
    sizes, wanted = pair.low.shape[1:], pair.high.shape[1:]
    wanted = sizes[: len(sizes) - len(wanted)] + wanted
    return [samples(n, m / n) for n, m in zip(sizes, wanted, strict=True)]


def linear_fit(low: NDArray[Any], high: NDArray[Any]) -> tuple[float, float]:
    """Fit one channel of the low image by ``slope * high + offset``.

    The noise is in the low image, which is the one fitted, so it does not bias the fit.

    Returns
    -------
    slope, offset
        Of least squares.
    """
    x_mean, y_mean = (float(image.mean(dtype=np.float64)) for image in (high, low))
    together = alone = 0.0
    for x_part, y_part in zip(high, low, strict=True):  # no copy of all is held
        x = x_part.astype(np.float64) - x_mean
        together += float(np.sum(x * (y_part.astype(np.float64) - y_mean)))
        alone += float(np.sum(x * x))
    slope = together / alone
    return slope, y_mean - slope * x_mean


def require_contrast(pairs: Sequence[Pair]) -> None:
    """Refuse a target of one grey value: nothing fits it, or everything does.

    Raises
    ------
    TrainingError
        With the name of the pair.
    """
    for pair in pairs:
        if any(channel.min() == channel.max() for channel in pair.high):
            msg = (
                f"expected something to see in the high image of {pair.name}, found "
                "one grey value in a channel: leave the pair out"
            )
            raise TrainingError(msg)


@dataclass(frozen=True, slots=True)
class Split:
    """Pairs to train on and pairs held back, which share no pixel.

    Parameters
    ----------
    training, validation
        The pairs.
    fingerprint
        What they are known by without reading them; by default all their pixels.
    """

    training: Sequence[Pair]
    validation: Sequence[Pair]
    fingerprint: str = ""

    @property
    def ready(self) -> bool:
        """Whether the pairs are patches that were cut and normalized already."""
        return bool(self.training) and self.training[0].ready

    def digest(self) -> str:
        """Hash of all names and pixels, by which a checkpoint knows its data."""
        if self.fingerprint:
            return self.fingerprint
        found = hashlib.sha256()
        for side in (self.training, self.validation):
            for pair in side:
                shapes = (pair.low.shape, pair.high.shape)
                found.update(f"{pair.name} {shapes} {pair.low.dtype}".encode())
                for image in (pair.low, pair.high):
                    for part in chunks(image):
                        found.update(part.tobytes())
            found.update(b"|")
        return found.hexdigest()


def split(
    pairs: Sequence[Pair],
    *,
    patch: tuple[int, ...],
    fraction: float = VALIDATION,
    seed: int = 0,
) -> Split:
    """Hold back whole fields; of a single field, a block beyond a gap.

    Neighbouring patches of one image look alike, so a split by patch would report a
    memory, not a restoration.

    Parameters
    ----------
    pairs
        All image pairs.
    patch
        Patch size in pixels; a single image keeps a gap of half a patch between the
        blocks where it has room.
    fraction
        Part to hold back; at least one field.
    seed
        Of the choice of fields.

    Raises
    ------
    TrainingError
        If the only field is too small for two blocks and a gap.
    """
    fields = sorted({pair.field or pair.name for pair in pairs})
    if len(fields) == 1:
        cut = [_split_block(pair, patch, fraction) for pair in pairs]
        return Split(
            tuple(p for part in cut for p in part.training),
            tuple(p for part in cut for p in part.validation),
        )
    held = max(1, round(fraction * len(fields)))
    order = np.random.default_rng([seed, 2]).permutation(len(fields))
    chosen = {fields[i] for i in order[:held]}
    return Split(
        tuple(p for p in pairs if (p.field or p.name) not in chosen),
        tuple(p for p in pairs if (p.field or p.name) in chosen),
    )


def _split_block(pair: Pair, patch: tuple[int, ...], fraction: float) -> Split:
    """Cut the lateral axis with the most room: training, gap, validation.

    An axis along which the low image is to be stretched is never cut.
    """
    sizes, patches = pair.high.shape[-2:], patch[-2:]
    room = [n / p for n, p in zip(sizes, patches, strict=True)]
    alike = [n == m for n, m in zip(sizes, pair.low.shape[-2:], strict=True)]
    axis = int(np.argmax([r * same for r, same in zip(room, alike, strict=True)]))
    size, least = sizes[axis], patches[axis]
    held = max(least, round(fraction * size))
    gap = min(least // 2, size - held - least)
    if gap < 1:
        msg = (
            f"{pair.name} shows the only field and measures {sizes} pixels (Y, X): "
            f"too small for a training patch of {patches}, a gap and a validation "
            f"block beside each other. Give more pairs or a smaller patch"
        )
        raise TrainingError(msg)
    start = size - held
    training, validation = (
        replace(
            pair,
            name=f"{pair.name} [{what}]",
            low=_cut(pair.low, axis, a, b),
            high=_cut(pair.high, axis, a, b),
            field="",
            labels=None if pair.labels is None else _cut(pair.labels, axis, a, b),
            clean=None if pair.clean is None else _cut(pair.clean, axis, a, b),
        )
        for what, a, b in (("training", 0, start - gap), ("validation", start, size))
    )
    return Split((training,), (validation,))


def _cut(image: NDArray[Any], axis: int, start: int, stop: int) -> NDArray[Any]:
    return image[(..., slice(start, stop)) + (slice(None),) * (1 - axis)]
