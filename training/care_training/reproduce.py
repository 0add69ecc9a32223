"""Reproduction: an experiment, from its data to the package of the zoo."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import care_zoo
from care_runtime.errors import ModelNotFoundError
from care_runtime.package import read_spec
from care_training import baselines
from care_training.experiments import NAMES
from care_training.fit import Compute, fit, network
from care_training.product import About, package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_training.evaluate import Evaluation
    from care_training.experiments.experiment import Experiment
    from care_training.recipe import Recipe
    from care_training.train import Progress

QUICK = {"steps": 60, "batch": 4, "validate_every": 30}
"""Changes to a recipe that show in a minute that all of it works."""


def experiment(name: str) -> Experiment:
    """Find an experiment by its zoo name."""
    if name not in NAMES:
        msg = f"no experiment is called {name!r}: there are {', '.join(NAMES)}"
        raise ModelNotFoundError(msg)
    module = import_module(f"care_training.experiments.{name}")
    found: Experiment = module.EXPERIMENT
    return found


def reviewed_spec(name: str) -> Spec:
    """Read the reviewed description of a model, without hashes and files."""
    return read_spec(care_zoo.SPECS / f"{name}.yaml")


def reproduce(
    found: Experiment,
    recipe: Recipe,
    data: Path,
    out: Path,
    compute: Compute,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Package, Evaluation]:
    """Train a model of the zoo, score it on the images held back, and export it.

    Parameters
    ----------
    found
        The experiment.
    recipe
        Its recipe, or a shorter one.
    data
        Folder of the images.
    out
        Folder for the package and the checkpoint; a checkpoint there is continued.
    compute
        Where to train.
    progress
        Called after every step.
    """
    split = found.split(data)
    made = network(found.network, recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / f"{found.name}.checkpoint.pt"
    trained = fit(made, split, recipe, compute, checkpoint, progress)
    if recipe.steps < found.recipe.steps:
        trained.facts["owed"] = f"the full run of {found.recipe.steps} steps"
    about = About(found.name, found.facts, found.sample(), baselines.ALL)
    spec = reviewed_spec(found.name)
    return package(trained, spec, about, split, out / found.name)


def quick(recipe: Recipe) -> Recipe:
    """Shorten a recipe so that it ends within minutes on two CPU cores."""
    patch = tuple(min(p, 64) for p in recipe.patch)
    return replace(recipe, **QUICK, patch=patch)
