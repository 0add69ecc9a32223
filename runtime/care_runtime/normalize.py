"""Normalization: the affine map between grey values and a network's, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PRECISE = 2**16
"""Grey value up to which float32 is precise enough."""


@dataclass(frozen=True, slots=True)
class Affine:
    """The map ``(x - low) / width`` and its inverse (Methods, "Normalization").

    Parameters
    ----------
    low, width
        The grey value that becomes 0, and the distance to the one that becomes 1; of
        one shape that broadcasts against the image, such as (C, 1, 1, 1).
    blank
        Where there was no contrast to measure; the width is 1 there.
    """

    low: NDArray[Any]
    width: NDArray[np.float32]
    blank: NDArray[np.bool_]

    @classmethod
    def between(cls, low: NDArray[Any], high: NDArray[Any]) -> Affine:
        """Map `low` to 0 and `high` to 1."""
        low = np.asarray(low, np.float64)
        width = (high - low).astype(np.float32)
        blank = ~(width > 0)
        # Grey values beyond 16 bits lie too high for float32 to tell them apart.
        kind = np.float64 if np.abs(low).max(initial=0) > PRECISE else np.float32
        return cls(low.astype(kind), np.where(blank, np.float32(1), width), blank)

    def plane(self, z: int) -> Affine:
        """Take the map of one plane, from one of shape (C, Z or 1, 1, 1)."""
        z = min(z, self.low.shape[1] - 1)
        return Affine(self.low[:, z], self.width[:, z], self.blank[:, z])

    def part(self, shape: Sequence[int], index: tuple[int | slice, ...]) -> Affine:
        """Take the map of a part of an image of some shape."""
        low, width, blank = (
            np.broadcast_to(each, shape)[index]
            for each in (self.low, self.width, self.blank)
        )
        return Affine(low, width, blank)

    def repeated(self, times: int) -> Affine:
        """Give every channel several places, for answers that lie side by side."""
        if times <= 1:
            return self
        low, width, blank = (
            np.repeat(part, times, axis=0)
            for part in (self.low, self.width, self.blank)
        )
        return Affine(low, width, blank)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Normalize an image to float32."""
        out = x.astype(self.low.dtype)
        out -= self.low
        if self.width.dtype != out.dtype:
            return np.asarray(out / self.width, np.float32)
        out /= self.width
        return out.astype(np.float32, copy=False)

    def invert(self, y: NDArray[np.float32]) -> NDArray[Any]:
        """Take a normalized image back to grey values."""
        grey: NDArray[Any] = self.invert_scale(y)
        if self.low.dtype != grey.dtype:
            return np.asarray(grey + self.low)
        grey += self.low
        return grey

    def invert_scale(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a normalized width (a scale, a standard deviation) to grey values."""
        return np.asarray(y * self.width, np.float32)
