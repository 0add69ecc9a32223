"""Setting: how long, how often and where the variants of a study are trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from care_runtime.errors import OptionError
from care_training import reproduce
from care_training.compute import Compute

if TYPE_CHECKING:
    from pathlib import Path

    from care_training.experiments.experiment import Experiment
    from care_training.recipe import Recipe

QUICK_STEPS = 6
"""Steps of a quick study: enough to show that all of it works."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a study is told.

    Parameters
    ----------
    experiment
        Whose images, network and recipe are studied.
    out
        Folder for results, checkpoints and images.
    data
        Folder of the images; by default a folder of `out`.
    steps, batch, patch
        Changes to the recipe.
    seeds
        Of weights and patches, or of movies: every variant has one result for each.
    compute
        Where to train.
    images
        Test images of each condition, at most; by default all of the experiment.
    quick
        Whether to take the little that shows that all of it works.
    model
        Name or package, where a study trains none; by default that of the experiment.
    """

    experiment: Experiment
    out: Path
    data: Path | None = None
    steps: int | None = None
    batch: int | None = None
    patch: tuple[int, ...] = ()
    seeds: tuple[int, ...] = (0, 1)
    compute: Compute = field(default_factory=Compute)
    images: int | None = None
    quick: bool = False
    model: str | None = None

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            msg = f"expected one or more seeds, each once, found {self.seeds}"
            raise OptionError(msg)
        if self.images is not None and self.images < 1:
            msg = f"expected 1 or more --images, found {self.images}"
            raise OptionError(msg)

    def check(self) -> None:
        """Refuse what would fail after the first images were drawn.

        Raises
        ------
        OptionError
            If the images are a person's to give and are not named, or a number of the
            recipe means nothing.
        """
        if self.data is None and self.experiment.needs_data:
            name = self.experiment.name
            msg = f"the images of {name} are not drawn: give their folder, --data"
            raise OptionError(msg)
        _ = self.recipe  # raises

    @property
    def place(self) -> Path:
        """Where the images lie."""
        return self.data or reproduce.own_folder(self.out)

    @property
    def recipe(self) -> Recipe:
        """The experiment's recipe with the changes that were asked for.

        No noise is drawn anew: patches that are cut once cannot have that, and all
        variants of a study have one recipe.
        """
        changes: dict[str, Any] = {"fresh_noise": 0.0}
        if self.quick:
            changes |= {"steps": QUICK_STEPS, "batch": 2}
        for name in ("steps", "batch", "patch"):
            if getattr(self, name) not in (None, ()):
                changes[name] = getattr(self, name)
        recipe = replace(self.experiment.recipe, **changes)
        # A validation is written, and the run can go on from there, five times.
        return replace(recipe, validate_every=max(1, recipe.steps // 5))
