"""Patches: normalized crops of image pairs, drawn by number so that runs can resume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import TrainingError
from care_runtime.percentiles import percentiles
from care_runtime.resample import Samples, gather
from care_training import window
from care_training.noise import Noise
from care_training.pairs import linear_fit, lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_training.pairs import Pair

LOW_RANGE = (1.0, 3.0)
HIGH_RANGE = (99.5, 99.9)
"""Percentiles are drawn from these for every patch (Methods, "Normalization")."""

KNOTS = 9
"""Points at which each range of percentiles is measured; between them it is linear."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One pair, with what drawing from it needs."""

    pair: Pair
    lines: list[Samples]  # where the pixels of the low image come from, by axis
    bright: float  # above it is more than background
    low: tuple[NDArray[np.float64], NDArray[np.float64]]  # percentile tables, low image
    high: tuple[NDArray[np.float64], NDArray[np.float64]]  # ... and high image
    noise: tuple[Noise, ...]  # by channel, empty where noise is never drawn anew


class Patches:
    """Normalized training patches of image pairs.

    Each patch is a pure function of the seed and its number, so neither the number of
    worker processes nor an interruption changes what a network sees.

    Parameters
    ----------
    pairs
        High images of shape (C, [Z,] Y, X). Low images are as large; or have fewer
        pixels along an axis, along which they are stretched; or have an axis Z that the
        high ones lack, which stays whole.
    patch
        Size in pixels of the high image, one number a space axis.
    seed
        Of all draws.
    augment
        Flip patches in the lateral plane and, where both its axes are alike, turn them.
    fresh_noise
        Share of patches whose noise is drawn anew.
    fitted
        Normalize the target as the low image that it is fitted to, so that brightness
        is kept and only noise is to be removed; else by percentiles of its own, as the
        paper does.
    pool
        Draw only this many patches an image, again and again in new orders; 0 draws
        new ones for ever.
    planes
        Drop the first space axis of patches, which is 1 pixel long, and never turn
        them: low images are degraded along the last axis.
    stretch_first
        Measure the percentiles of low images after they were stretched.

    Raises
    ------
    TrainingError
        If an image is smaller than a patch or has no contrast.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        patch: tuple[int, ...],
        *,
        seed: int = 0,
        augment: bool = False,
        fresh_noise: float = 0.0,
        fitted: bool = False,
        pool: int = 0,
        planes: bool = False,
        stretch_first: bool = False,
    ) -> None:
        self.patch = patch
        self.seed = seed
        self.augment = augment
        self.fresh_noise = fresh_noise
        self.pool = pool * len(pairs)
        self.planes = planes
        self._sources = [
            _source(
                pair,
                patch,
                fitted=fitted,
                noisy=fresh_noise > 0,
                stretch_first=stretch_first,
            )
            for pair in pairs
        ]

    def batch(self, step: int, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Draw the batch of one optimizer step.

        Returns
        -------
        low, high
            Float32 of shape (size, C, [Z,] Y, X).
        """
        drawn = [self[step * size + i] for i in range(size)]
        low, high = zip(*drawn, strict=True)
        return np.stack(low), np.stack(high)

    def __getitem__(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Draw one patch by its number."""
        if self.pool:
            turn, turns_place = divmod(number, self.pool)
            number = int(order(self.seed, turn, self.pool)[turns_place])
        rng = np.random.default_rng([self.seed, 0, number])
        source = self._sources[number % len(self._sources)]
        place = window.draw(rng, source.pair.high[0], self.patch, source.bright)
        p_low, p_high = rng.uniform(*LOW_RANGE), rng.uniform(*HIGH_RANGE)
        low, high = _cut(source, place)
        if rng.random() < self.fresh_noise:
            drawn = zip(source.noise, high, strict=True)
            low = np.stack([noise.draw(channel, rng) for noise, channel in drawn])
        images = [
            _normalized(low, source.low, p_low, p_high),
            _normalized(high, source.high, p_low, p_high),
        ]
        if self.augment:
            images = turned(rng, images, quarters=not self.planes)
        if self.planes:
            images = [image[:, 0] for image in images]
        return images[0], images[1]


@lru_cache(maxsize=2)
def order(seed: int, turn: int, pool: int) -> NDArray[np.int64]:
    """Draw the order in which the patches of a pool are taken in one turn."""
    return np.random.default_rng([seed, 1, turn]).permutation(pool)


def _cut(
    source: _Source, place: tuple[slice, ...]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut a window of the high image, and what belongs to it, out of a pair."""
    whole = len(source.lines) - len(place)  # Z, where the high image has none
    parts = [slice(None)] * whole + list(place)
    samples = [line[part] for line, part in zip(source.lines, parts, strict=True)]
    return gather(source.pair.low, samples), source.pair.high[(slice(None), *place)]


def _source(
    pair: Pair,
    patch: tuple[int, ...],
    *,
    fitted: bool,
    noisy: bool,
    stretch_first: bool,
) -> _Source:
    space = pair.high.shape[1:]
    if any(n < p for n, p in zip(space, patch, strict=True)):
        msg = (
            f"{pair.name} measures {space} pixels, less than a training patch of "
            f"{patch}: leave it out or choose a smaller patch"
        )
        raise TrainingError(msg)
    places = lines(pair)
    alike = pair.low.shape == pair.high.shape or not (stretch_first or fitted)
    stretched = pair.low if alike else gather(pair.low, places)
    seen = stretched if stretch_first else pair.low
    low = _tables(seen, f"low image of {pair.name}")
    high = (
        _fitted(pair, stretched, low)
        if fitted
        else _tables(pair.high, f"high image of {pair.name}")
    )
    return _Source(
        pair,
        places,
        window.threshold(pair.high[0]),
        low,
        high,
        tuple(Noise.of(x, y) for x, y in zip(pair.low, pair.high, strict=True))
        if noisy
        else (),
    )


def _tables(
    image: NDArray[Any], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure each range of percentiles at `KNOTS` points: shape (KNOTS, C, 1, ...)."""
    axes = tuple(range(1, image.ndim))
    q = [*np.linspace(*LOW_RANGE, KNOTS), *np.linspace(*HIGH_RANGE, KNOTS)]
    values = percentiles(image, q, axes)
    low, high = values[:KNOTS], values[KNOTS:]
    if np.any(high[0] <= low[-1]):
        msg = (
            f"the {name} has no contrast: its percentiles {LOW_RANGE[1]:g} and "
            f"{HIGH_RANGE[0]:g} are equal. Leave the pair out"
        )
        raise TrainingError(msg)
    return low, high


def _fitted(
    pair: Pair,
    stretched: NDArray[Any],
    low: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grey values of the high image that stand for those of the low image's tables."""
    if len(pair.low) != len(pair.high):
        msg = (
            f"{pair.name} has {len(pair.low)} channels before and {len(pair.high)} "
            "after, so that one cannot be fitted to the other: use --recipe paper"
        )
        raise TrainingError(msg)
    fits = [linear_fit(x, y) for x, y in zip(stretched, pair.high, strict=True)]
    if min(slope for slope, _ in fits) <= 0:
        msg = (
            f"the two images of {pair.name} do not correlate: is it a pair, are both "
            "images of one field?"
        )
        raise TrainingError(msg)
    shape = (len(fits),) + (1,) * (pair.low.ndim - 1)
    slope, offset = (np.reshape(value, shape) for value in zip(*fits, strict=True))
    return (low[0] - offset) / slope, (low[1] - offset) / slope


def _normalized(
    crop: NDArray[Any],
    tables: tuple[NDArray[np.float64], NDArray[np.float64]],
    p_low: float,
    p_high: float,
) -> NDArray[np.float32]:
    low = _lookup(tables[0], p_low, LOW_RANGE)
    high = _lookup(tables[1], p_high, HIGH_RANGE)
    return ((crop - low) / (high - low)).astype(np.float32)


def _lookup(
    table: NDArray[np.float64], p: float, limits: tuple[float, float]
) -> NDArray[np.float64]:
    place = (p - limits[0]) / (limits[1] - limits[0]) * (KNOTS - 1)
    i = min(int(place), KNOTS - 2)
    found: NDArray[np.float64] = table[i] + (table[i + 1] - table[i]) * (place - i)
    return found


def turned(
    rng: np.random.Generator, images: list[NDArray[np.float32]], *, quarters: bool
) -> list[NDArray[np.float32]]:
    """Turn all images alike, by one of the eight symmetries of the lateral plane.

    Without `quarters`, or where the plane is no square, by one of four.
    """
    y, x = images[0].shape[-2:]
    quarters = quarters and x == y
    turns = int(rng.integers(4)) if quarters else 2 * int(rng.integers(2))
    flip = bool(rng.integers(2))
    out = [np.rot90(image, turns, axes=(-2, -1)) for image in images]
    return [np.ascontiguousarray(i[..., ::-1] if flip else i) for i in out]
