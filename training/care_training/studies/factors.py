"""Factors: how far planes may lie apart (Fig. 3d).

Stacks of one and the same scene are taken with every second to sixteenth plane; a
network is trained for each factor, on lateral planes degraded by it. The paper has no
truth and compares with what was restored from an isotropic stack; here the scene is
drawn, and its sharp image is the truth for all factors.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from care_training import baselines
from care_training.experiments import isotropic_liver
from care_training.product import Judges
from care_training.simulate import hepatocytes
from care_training.simulation import Simulation
from care_training.studies import trial
from care_training.studies.study import Study
from care_training.studies.trial import Variant
from care_training.studies.words import stretched

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from care_training.experiments.axial import Acquisition
    from care_training.pairs import Pair
    from care_training.studies.outcome import Outcome
    from care_training.studies.setting import Setting

FACTORS = (2.0, 4.0, 8.0, 16.0)
"""The paper's range."""

QUICK = (8.0,)

SIZE = 128
"""Voxels of a scene along each axis, as in the experiment."""

TUNED = 1
"""Validation stacks on which baselines are tuned: Richardson-Lucy takes minutes."""

TEXT = (
    "Stacks of the same scenes, of which every second to sixteenth plane was taken; "
    "one network for each factor. The truth is the scene as sharp along Z as along X."
)


def scope(factor: str) -> Acquisition:
    """Give the microscope of the experiment, with planes that lie farther apart."""
    return replace(isotropic_liver.SCOPE, factor=float(factor))


def volume(rng: np.random.Generator, condition: str) -> Pair:
    """Draw a stack; the condition is the factor, and scenes are the same for all."""
    microscope = scope(condition)
    scene = hepatocytes((SIZE, SIZE, SIZE), rng, voxel_size=microscope.voxel)
    return microscope.take([scene.density], rng, labels=scene.labels)


def planes(rng: np.random.Generator, condition: str) -> Pair:
    """Draw a stack, and make its lateral planes look axial."""
    return scope(condition).degrade(volume(rng, condition), rng)


def conduct(setting: Setting, tell: Callable[[str], None]) -> Outcome:
    """Train one network for each factor."""
    found = setting.experiment
    assert isinstance(found.source, Simulation)
    entries, trainings = [], []
    for factor in QUICK if setting.quick else FACTORS:
        variant = _variant(setting, found.source, factor)
        entries += trial.rivals(variant, tell)
        more, facts = trial.learnt(variant, setting, tell)
        entries += more
        trainings += facts
    return stretched(
        STUDY,
        setting,
        TEXT,
        variant.judges.tests,
        f"{TUNED} validation image of the same factor",
        entries,
        trainings,
        axis="distance of planes, pixels",
    )


def _variant(setting: Setting, source: Simulation, factor: float) -> Variant:
    """Say what is trained and scored at a factor."""
    name = f"{factor:g}"
    drawn = replace(source, draw=volume, learn=planes, conditions=(name,))
    if setting.images is not None:
        drawn = replace(drawn, test=setting.images)
    known = hashlib.sha256(repr(scope(name)).encode()).hexdigest()[:8]
    place = setting.place / f"factor{name}-{known}"
    workers = setting.compute.processes
    microscope = scope(name)
    lucy, _ = baselines.isotropic(microscope.psf(), factor)
    judges = Judges(
        {"": drawn.tests(place, workers=workers)[name]},
        drawn.tuning(place, workers=workers)[:TUNED],
        (baselines.interpolation(factor), *(() if setting.quick else (lucy,))),
        setting.experiment.measures,
    )
    return Variant(
        f"factor {name}",
        setting.experiment.network,
        lambda _: drawn.split(place, workers=workers),
        judges,
        factor,
        factor,
    )


STUDY = Study(
    "factors",
    "Fig. 3d",
    "NRMSE and SSIM against the distance of planes",
    lambda found: found.name == isotropic_liver.EXPERIMENT.name,
    "isotropic_liver",
    conduct,
)
