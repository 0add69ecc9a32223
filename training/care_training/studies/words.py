"""Words: what an outcome says of images, recipes and machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training.experiments.source import Recorded
from care_training.report import about
from care_training.simulation import Simulation
from care_training.studies.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from care_training.pairs import Pair
    from care_training.recipe import Recipe
    from care_training.studies.outcome import Entry
    from care_training.studies.setting import Setting
    from care_training.studies.study import Study

MEASURES: Mapping[str, str] = {
    "NRMSE": "NRMSE (lower is better)",
    "SSIM": "SSIM (higher is better)",
}
"""What every study of restorations draws."""


def images(setting: Setting, tests: Mapping[str, Sequence[Pair]]) -> str:
    """Say which images are scored."""
    source = setting.experiment.source
    counts = [
        f"{len(pairs)} {'image' if len(pairs) == 1 else 'images'}"
        + (f" of {name}" if name else "")
        for name, pairs in tests.items()
    ]
    origin = "of the test set"
    if isinstance(source, Simulation):
        origin = "drawn for the test alone, seed 0"
    elif isinstance(source, Recorded):
        origin = "recorded, and held back from training; they also watched it"
    return f"{', '.join(counts)}, {origin}"


def described(recipe: Recipe) -> str:
    """Say how networks were trained."""
    size = " x ".join(str(n) for n in recipe.patch)
    return (
        f"recipe {recipe.name}, {recipe.steps} steps of {recipe.batch} patches of "
        f"{size} pixels"
    )


def machine(setting: Setting) -> dict[str, str]:
    """Name machine and versions."""
    return about.machine(setting.compute.device)


def stretched(
    study: Study,
    setting: Setting,
    text: str,
    tests: Mapping[str, Sequence[Pair]],
    tuning: str,
    entries: Sequence[Entry],
    trainings: Sequence[Mapping[str, Any]],
    *,
    axis: str = "",
) -> Outcome:
    """Say what a study of isotropic networks found, whose input is stretched along Z.

    Parameters
    ----------
    study, setting
        What was studied, and what it was told.
    text, tuning, entries, trainings, axis
        As `Outcome` has them.
    tests
        The images that were scored.
    """
    found = setting.experiment
    return Outcome(
        study.name,
        found.name,
        study.figure,
        text,
        axis,
        found.facts.origin,
        images(setting, tests),
        tuning,
        described(setting.recipe),
        setting.seeds,
        {**MEASURES, **{m.name: f"{m.name} ({m.wish})" for m in found.measures}},
        tuple(entries),
        tuple(trainings),
        machine(setting),
        ("The input is the stack, stretched linearly along Z.",),
    )
