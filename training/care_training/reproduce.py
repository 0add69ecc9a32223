"""Reproduction: an experiment, from its data to the package of the zoo."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import care_zoo
from care_runtime.errors import ModelNotFoundError, TrainingError
from care_runtime.package import read_spec
from care_training import export
from care_training.experiments import NAMES
from care_training.fit import Compute, fit, network
from care_training.product import About, Judges, package
from care_training.simulation import Simulation

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
    out: Path,
    compute: Compute,
    progress: Callable[[Progress], None] | None = None,
    *,
    data: Path | None = None,
) -> tuple[Package, dict[str, Evaluation]]:
    """Train a model of the zoo, score it on test images, and export it.

    Parameters
    ----------
    found
        The experiment.
    recipe
        Its recipe, or a shorter one.
    out
        Folder for the package and the checkpoint; a checkpoint there is continued.
    compute
        Where to train; as many processes as it has workers draw images.
    progress
        Called after every step.
    data
        Folder of the images; where they are drawn, a folder of `out` by default.

    Raises
    ------
    TrainingError
        If the images are a person's own to give, and no folder is given.
    """
    if data is None and found.needs_data:
        msg = f"the images of {found.name} are not drawn: give their folder, --data"
        raise TrainingError(msg)
    place = data or out / "data"
    export.require_place(out / found.name)
    split = found.source.split(place, workers=compute.workers)
    made = network(found.network, recipe.seed)
    checkpoint = out / f"{found.name}.checkpoint.pt"
    trained = fit(made, split, recipe, compute, checkpoint, progress)
    full = experiment(found.name).recipe.steps
    if recipe.steps < full:
        trained.facts["owed"] = f"the full run of {full} steps"
    judges = Judges(
        found.source.tests(place, workers=compute.workers),
        found.source.tuning(place, workers=compute.workers),
        found.baselines,
        found.measures,
    )
    about = About(found.name, found.facts, found.sample())
    spec = reviewed_spec(found.name)
    return package(trained, spec, about, judges, out / found.name)


def quick(found: Experiment) -> Experiment:
    """Shorten an experiment so that it ends within minutes on two CPU cores.

    It draws and learns a little of everything, which shows that all of it works, and
    no more than that.
    """
    patch = tuple(min(p, 64) for p in found.recipe.patch)
    source = found.source
    if isinstance(source, Simulation):
        source = source.smaller()
    recipe = replace(found.recipe, **QUICK, patch=patch)
    first = found.baselines[:1]
    return replace(found, recipe=recipe, source=source, baselines=first)
