"""Measure: what a restoration is judged by besides its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from care_training.pairs import Pair


NOISE_FREE = "noise-free dB"
"""PSNR against the brightness behind a noisy truth."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that says how good a restoration is for some purpose.

    Parameters
    ----------
    name
        For tables.
    of
        Takes a restored image (C, [Z,] Y, X), and the pair whose high image it stands
        for.
    higher
        Whether more is better.
    best
        What is best, where it is neither more nor less.
    """

    name: str
    of: Callable[[NDArray[Any], Pair], float]
    higher: bool = True
    best: str = ""

    @property
    def wish(self) -> str:
        """What is best, in words."""
        return self.best or f"{'higher' if self.higher else 'lower'} is better"
