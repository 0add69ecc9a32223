"""Source: where the images of an experiment come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from care_runtime.errors import TrainingError
from care_training.pairs import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from care_training.pairs import Pair


class Source(Protocol):
    """Gives image pairs to learn from, to tune baselines on, and to be judged by."""

    def split(self, folder: Path, seed: int = 0, workers: int = 1) -> Split:
        """Give the pairs to train on, and those that watch the training."""

    def tuning(self, folder: Path, seed: int = 0, workers: int = 1) -> Sequence[Pair]:
        """Give the pairs on which baselines are tuned."""

    def tests(
        self, folder: Path, seed: int = 0, workers: int = 1
    ) -> Mapping[str, Sequence[Pair]]:
        """Give the pairs of every condition that nothing was chosen on."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Real image pairs of a folder, some of which are held back by name.

    They are few: those held back watch the training, tune the baselines and give the
    scores, and cards say so.

    Parameters
    ----------
    read
        Reads all pairs of a folder.
    held_back
        Names of those that training never sees.
    """

    read: Callable[[Path], list[Pair]]
    held_back: tuple[str, ...]

    def split(self, folder: Path, seed: int = 0, workers: int = 1) -> Split:
        """Read the pairs and hold back those that are named.

        Raises
        ------
        TrainingError
            If one of those is not there.
        """
        pairs = self.read(folder)
        missing = set(self.held_back) - {pair.name for pair in pairs}
        if missing:
            names = ", ".join(sorted(missing))
            msg = f"expected the images {names} in {folder}, to hold them back"
            raise TrainingError(msg)
        return Split(
            tuple(pair for pair in pairs if pair.name not in self.held_back),
            tuple(pair for pair in pairs if pair.name in self.held_back),
        )

    def tuning(self, folder: Path, seed: int = 0, workers: int = 1) -> Sequence[Pair]:
        """Give the pairs held back."""
        return self.split(folder, seed, workers).validation

    def tests(
        self, folder: Path, seed: int = 0, workers: int = 1
    ) -> dict[str, Sequence[Pair]]:
        """Give the pairs held back, of one condition without a name."""
        return {"": self.tuning(folder, seed, workers)}
