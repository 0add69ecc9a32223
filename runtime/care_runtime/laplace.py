"""Laplace: the distribution that is predicted for every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from care_runtime.errors import AxesError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 1 << 14
"""Pixels solved together, few enough for the cache."""

STEPS = 200
"""Most steps to a quantile; four are common, 60 the most that was seen."""

CLOSE = 1e-5
"""Newton step that is the last, in smallest scales: what is left is its square."""

NARROWEST = float(np.finfo(np.float32).tiny)
"""Scale of a point mass, where the predicted one is 0."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Mixture of M Laplace distributions with equal weights, one for every pixel.

    The density is ``p(z) = 1/M sum_k exp(-|z - mu_k| / b_k) / (2 b_k)`` (Methods,
    "Reliability measures and calibration", where b is called sigma). A single network
    has M = 1. All is computed in float64, and the result for a pixel depends on no
    other pixel, so that it is the same tiled or not.

    Parameters
    ----------
    means, scales
        Member means mu and scales b, float32, of one shape (M, ...); in one unit.

    Raises
    ------
    AxesError
        If the shapes differ, or there is no member.
    """

    means: NDArray[np.float32]
    scales: NDArray[np.float32]

    def __post_init__(self) -> None:
        shapes = self.means.shape, self.scales.shape
        if shapes[0] != shapes[1] or not shapes[0] or not shapes[0][0]:
            msg = (
                "expected means and scales of one shape (members, ...), found "
                f"{shapes[0]} and {shapes[1]}: stack the members along the first axis"
            )
            raise AxesError(msg)

    def cdf(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """Compute the probability of a value of at most `z`.

        Parameters
        ----------
        z
            Any shape that broadcasts against the pixels, in the unit of the means.

        Returns
        -------
        numpy.ndarray
            0 to 1, of the broadcast shape.
        """
        scales = np.maximum(self.scales, NARROWEST, dtype=np.float64)
        return _below(np.asarray(z, np.float64), self.means, scales)[0]

    def quantile(self, q: float) -> NDArray[np.float64]:
        """Compute the value that a pixel is below with probability `q`.

        One member has a closed form. For several, Newton's method is applied to the
        logarithm of the distribution function, between the smallest and the largest
        quantile of a member, with bisection wherever that is slow. The probability
        below the result is `q` to 1e-9, as far as float64 tells values apart.

        Parameters
        ----------
        q
            Above 0 and below 1.

        Returns
        -------
        numpy.ndarray
            Of the shape of the pixels, in the unit of the means.

        Raises
        ------
        OptionError
            If `q` is not between 0 and 1.
        """
        _check("probability", q)
        # The upper tail is solved as the lower one of the mirrored distribution, where
        # the logarithm of the distribution function is as good.
        sign, tail = (1.0, q) if q <= 0.5 else (-1.0, 1 - q)
        shape = self.means.shape[1:]
        means = self.means.reshape(len(self.means), -1)
        scales = self.scales.reshape(len(self.scales), -1)
        out = np.empty(means.shape[1], np.float64)
        for first in range(0, out.size, CHUNK):
            part = slice(first, first + CHUNK)
            mean = np.multiply(means[:, part], sign, dtype=np.float64)
            scale = np.maximum(scales[:, part], NARROWEST, dtype=np.float64)
            out[part] = sign * _lower_quantile(mean, scale, tail)
        return np.reshape(out, shape)

    def interval(
        self, confidence: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute the central interval that holds a share of the probability.

        Parameters
        ----------
        confidence
            Share inside, above 0 and below 1; the rest is left out, half on each side.

        Returns
        -------
        lower, upper
            Of the shape of the pixels, in the unit of the means.

        Raises
        ------
        OptionError
            If `confidence` is not between 0 and 1.
        """
        _check("confidence", confidence)
        return self.quantile((1 - confidence) / 2), self.quantile((1 + confidence) / 2)

    def draw(
        self, first: NDArray[np.floating], second: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Draw from the distribution of every pixel.

        Parameters
        ----------
        first, second
            Independent uniform random numbers, at least 0 and below 1, of the shape of
            the pixels: the first chooses the member, the second the value.

        Returns
        -------
        numpy.ndarray
            Of the shape of the pixels, in the unit of the means; always finite.
        """
        count = len(self.means)
        member = np.minimum((first * count).astype(np.intp), count - 1)[np.newaxis]
        mean = np.take_along_axis(self.means, member, axis=0)[0]
        scale = np.take_along_axis(self.scales, member, axis=0)[0]
        u = np.clip(second, 2.0**-53, 1 - 2.0**-53, dtype=np.float64)
        return np.asarray(mean + scale * _standard_quantile(u), np.float64)


def _check(name: str, value: float) -> None:
    if not 0 < value < 1:
        msg = (
            f"expected a {name} between 0 and 1, both excluded, found {value}: "
            "give a share such as 0.95"
        )
        raise OptionError(msg)


def _standard_quantile(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert the distribution function of mean 0 and scale 1."""
    distance: NDArray[np.float64] = -np.log(2 * np.minimum(u, 1 - u))
    return np.where(u < 0.5, -distance, distance)


def _below(
    z: NDArray[np.float64], means: NDArray[np.floating], scales: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the probability of at most `z`, and the density there."""
    shape = np.broadcast_shapes(z.shape, means.shape[1:])
    below, density = np.zeros(shape), np.zeros(shape)
    for mean, scale in zip(means, scales, strict=True):
        distance = (z - mean) / scale
        tail = 0.5 * np.exp(-np.abs(distance))
        below += np.where(distance < 0, tail, 1 - tail)
        density += tail / scale
    return below / len(means), density / len(means)


def _lower_quantile(
    means: NDArray[np.float64], scales: NDArray[np.float64], q: float
) -> NDArray[np.float64]:
    """Find a quantile up to the median; `means` and `scales` are (M, pixels)."""
    members = means + scales * np.log(2 * q)
    low, high = members.min(axis=0), members.max(axis=0)
    z: NDArray[np.float64] = 0.5 * (low + high)
    if len(means) == 1:
        return z
    found = np.empty_like(z)
    left = np.arange(z.size)
    close, before = CLOSE * scales.min(axis=0), np.full_like(z, np.inf)
    for _ in range(STEPS):
        below, density = _below(z, means, scales)
        error = np.log(below / q)
        np.copyto(low, z, where=error <= 0)
        np.copyto(high, z, where=error >= 0)
        # A gap between members has no density: the step is then long, not infinite.
        step = error * below / np.maximum(density, 1e-200)
        newton = z - step
        inside = (newton >= low) & (newton <= high)
        # NaN, from a prediction that is no number, is not moved any more.
        wide = high - low > 4 * np.spacing(np.abs(z))
        move = wide & ~(inside & (np.abs(step) <= close))
        halved = np.abs(error) <= 0.5 * before
        z = np.where(inside & (halved | ~move), newton, 0.5 * (low + high))
        found[left] = z
        if not move.any():
            break
        left, z, before, close = left[move], z[move], np.abs(error)[move], close[move]
        low, high = low[move], high[move]
        means, scales = means[:, move], scales[:, move]
    return found
