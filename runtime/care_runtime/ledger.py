"""Ledger: how far a restoration has come, told to whoever keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Done:
    """The first tiles of a restoration, and what is known of them.

    Parameters
    ----------
    tiles
        Count of those that need not be made again.
    saturated
        Pixels that were clipped in each image.
    blank
        Channels of frames without contrast, among the frames that were begun.
    """

    tiles: int = 0
    saturated: tuple[int, ...] = ()
    blank: int = 0


class Ledger(Protocol):
    """Keeps how far a restoration has come; pixels are there before it is told."""

    @property
    def plan(self) -> str:
        """Plan by which it was begun before; empty where it was not."""

    def begin(self, plan: str) -> Done:
        """Tell how far it came before, by the same plan."""

    def add(self, done: Done) -> None:
        """Take down that the first tiles are done."""

    def part(self, number: int) -> Ledger:
        """Keep one of several restorations that make one image."""
