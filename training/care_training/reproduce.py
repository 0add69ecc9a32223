"""Reproduction: an experiment, from its data to the package of the zoo."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import care_zoo
from care_runtime.errors import ModelNotFoundError, OptionError
from care_runtime.package import read_spec
from care_training import export
from care_training.experiments import NAMES
from care_training.experiments.published import Published
from care_training.fit import fit, network
from care_training.product import About, Judges, package, sharpened
from care_training.simulation import Simulation
from care_training.train import check_device

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_training.compute import Compute
    from care_training.evaluate import Evaluation
    from care_training.experiments.experiment import Experiment
    from care_training.recipe import Recipe
    from care_training.train import Progress

QUICK: dict[str, Any] = {"steps": 60, "batch": 4, "validate_every": 30}
"""Changes to a recipe that show in a minute that all of it works."""


def experiment(name: str) -> Experiment:
    """Find an experiment by its zoo name."""
    if name not in NAMES:
        msg = f"no experiment is called {name!r}: there are {', '.join(NAMES)}"
        raise ModelNotFoundError(msg)
    module = import_module(f"care_training.experiments.{name}")
    found: Experiment = module.EXPERIMENT
    return found


def published(found: Experiment, folder: Path) -> Experiment:
    """Let an experiment learn from the paper's own data, and be judged by them.

    Parameters
    ----------
    found
        The experiment.
    folder
        Of the data sets: the archive is fetched into it, unless it is there.

    Raises
    ------
    OptionError
        If its data were not published.
    """
    data = found.published
    if data is None:
        have = [name for name in NAMES if experiment(name).published]
        msg = (
            f"expected an experiment whose data the paper's authors published, found "
            f"{found.name}: leave --source out, or run one of {', '.join(have)}"
        )
        raise OptionError(msg)
    return replace(
        found,
        source=data,
        facts=data.facts,
        sample=partial(data.sample, folder),
        baselines=data.baselines,
        measures=data.measures,
        description=data.description,
        needs_data=False,
    )


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
    init: Package | None = None,
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
        Folder of the images; where they are drawn or fetched, a folder of `out` by
        default.
    init
        Package whose weights are trained further.

    Raises
    ------
    OptionError
        If the images are a person's own to give, and no folder is given.
    TrainingError
        If the package to start from lacks weights of the experiment's network.
    """
    if data is None and found.needs_data:
        msg = f"the images of {found.name} are not drawn: give their folder, --data"
        raise OptionError(msg)
    place = data or own_folder(out)
    export.require_place(out / found.name)
    check_device(compute.device)
    made = network(found.network, recipe.seed, init)
    split = found.source.split(place, workers=compute.processes)
    if isinstance(found.source, Published):  # not only when all is learnt
        found.source.check(place, made.form)
    checkpoint = out / f"{found.name}.checkpoint.pt"
    trained = fit(made, split, recipe, compute, checkpoint, progress, init=init)
    full = experiment(found.name).recipe.steps
    if recipe.steps < full:
        trained.facts["owed"] = f"the full run of {full} steps"
    judges = Judges(
        found.source.tests(place, workers=compute.processes),
        found.source.tuning(place, workers=compute.processes),
        found.baselines,
        found.measures,
    )
    about = About(found.name, found.facts, found.sample())
    spec = reviewed_spec(found.name)
    spec = replace(spec, description=found.description or spec.description)
    if recipe.sharper:
        trained = sharpened(trained, split, spec)
    return package(trained, spec, about, judges, out / found.name)


def own_folder(out: Path) -> Path:
    """Say where images lie that are drawn or fetched, if no folder was named."""
    return out / "data"


def quick(found: Experiment) -> Experiment:
    """Shorten an experiment so that it ends within minutes on two CPU cores.

    It draws and learns a little of everything, which shows that all of it works, and
    no more than that.
    """
    patch = tuple(min(p, 64) for p in found.recipe.patch)
    source = found.source
    if isinstance(source, Simulation | Published):
        source = source.smaller()
    recipe = replace(found.recipe, **QUICK, patch=patch)
    first = found.baselines[:1]
    return replace(found, recipe=recipe, source=source, baselines=first)
