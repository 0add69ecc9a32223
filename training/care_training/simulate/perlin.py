"""Perlin noise: the smooth clouds of autofluorescence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def perlin_noise(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    *,
    period: float | Sequence[float] | NDArray[np.float64],
    octaves: int = 3,
    persistence: float = 0.5,
) -> NDArray[np.float32]:
    """Draw gradient noise (Perlin, SIGGRAPH 1985; smooth step of Perlin 2002).

    The paper adds low-frequency Perlin noise to synthetic images before the point
    spread function, in place of autofluorescence (Methods, "INS-1 cell tubular/granule
    restoration"); its octaves are in the supplement, so those here are a choice.

    Parameters
    ----------
    shape
        (Y, X) or (Z, Y, X).
    rng
        Of the gradients.
    period
        Pixels from one gradient to the next in the coarsest octave, for all axes or for
        each. Values further apart than that are independent.
    octaves
        How many noises are added, each of half the period of the one before.
    persistence
        Amplitude of an octave, relative to the one before.

    Returns
    -------
    numpy.ndarray
        Of `shape`, from 0 to 1 (both are reached).
    """
    periods = np.broadcast_to(np.asarray(period, float), len(shape))
    noise = np.zeros(shape, np.float32)
    for octave in range(octaves):
        layer = _octave(shape, rng, np.maximum(periods / 2**octave, 1e-6))
        noise += np.float32(persistence**octave) * layer
    noise -= noise.min()
    scaled: NDArray[np.float32] = noise / max(noise.max(), np.finfo(np.float32).tiny)
    return scaled


def _octave(
    shape: tuple[int, ...], rng: np.random.Generator, periods: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate between gradients, axis by axis: products of small matrices.

    The ramp of a gradient along one axis times the smooth steps of all axes is a
    product of functions of one coordinate each, so no coordinate grid is needed.
    """
    steps, ramps = zip(
        *(_weights(n, p, rng) for n, p in zip(shape, periods, strict=True)),
        strict=True,
    )
    gradients = rng.normal(size=(len(shape), *(s.shape[1] for s in steps)))
    gradients /= np.linalg.norm(gradients, axis=0)
    noise = np.zeros(shape, np.float32)
    for axis, gradient in enumerate(gradients.astype(np.float32)):
        layer = gradient
        for other, step in enumerate(steps):
            matrix = ramps[axis] if other == axis else step
            layer = np.moveaxis(np.tensordot(matrix, layer, (1, other)), 0, other)
        noise += layer
    return noise


def _weights(
    length: int, period: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weigh the two gradients about each pixel of an axis: (pixels, gradients)."""
    place = np.arange(length) / period + rng.uniform()
    cell = place.astype(int)
    part = place - cell
    step = part**3 * (part * (6 * part - 15) + 10)
    steps = np.zeros((length, cell[-1] + 2), np.float32)
    ramps = np.zeros_like(steps)
    pixel = np.arange(length)
    steps[pixel, cell], steps[pixel, cell + 1] = 1 - step, step
    ramps[pixel, cell], ramps[pixel, cell + 1] = (1 - step) * part, step * (part - 1)
    return steps, ramps
