"""Experiment: how one model of the zoo is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from care_runtime.errors import TrainingError
from care_training.pairs import Split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_training.card import Facts
    from care_training.networks import Config
    from care_training.pairs import Pair
    from care_training.recipe import Recipe
    from care_training.sample import Sample


@dataclass(frozen=True, slots=True)
class Experiment:
    """Data, network and recipe of one model.

    Parameters
    ----------
    name
        Zoo name; ``model_specs/{name}.yaml`` is its reviewed description.
    read_pairs
        Reads the image pairs from a data folder.
    held_back
        Names of the pairs that training never sees, on which scores are measured.
    network, recipe
        What is trained, and how.
    facts
        What the card says about the data.
    sample
        Makes the image, simulated, for test tensors, sample and cover.
    """

    name: str
    read_pairs: Callable[[Path], list[Pair]]
    held_back: tuple[str, ...]
    network: Config
    recipe: Recipe
    facts: Facts
    sample: Callable[[], Sample]

    def split(self, folder: Path) -> Split:
        """Read the pairs and hold back those that are named.

        Raises
        ------
        TrainingError
            If one of those is not there.
        """
        pairs = self.read_pairs(folder)
        missing = set(self.held_back) - {pair.name for pair in pairs}
        if missing:
            names = ", ".join(sorted(missing))
            msg = f"expected the images {names} in {folder}, to hold them back"
            raise TrainingError(msg)
        return Split(
            tuple(pair for pair in pairs if pair.name not in self.held_back),
            tuple(pair for pair in pairs if pair.name in self.held_back),
        )
