"""Patches: how many a network needs to learn from (Supplementary Fig. 6).

The paper finds that 200 patches already give an acceptable restoration. Here N patches
are cut once and learnt from again and again, flipped and turned; the last variant never
sees a patch twice, as is the default. Sets of one seed are nested: 50 are the first of
100. All train for the same number of steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from care_training import fit, networks
from care_training.pairs import Pair, Split
from care_training.product import Judges
from care_training.studies import trial
from care_training.studies.outcome import Outcome
from care_training.studies.study import Study
from care_training.studies.trial import Variant
from care_training.studies.words import MEASURES, described, images, machine
from care_training.train import VALIDATION_BATCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from care_training.form import Form
    from care_training.patches import Patches
    from care_training.recipe import Recipe
    from care_training.studies.setting import Setting

COUNTS = (50, 100, 200, 400, 800)
"""Numbers of patches; the last variant streams new ones."""

QUICK = (4,)

TUNED = 6
"""Training images on which baselines are tuned, where no others are held back."""

TEXT = (
    "Networks that learnt from N patches, cut once, flipped and turned at each use, "
    "and a last one that never saw a patch twice; all for the same number of steps."
)


def conduct(setting: Setting, tell: Callable[[str], None]) -> Outcome:
    """Train with few and with many patches."""
    found, recipe = setting.experiment, setting.recipe
    split = found.source.split(setting.place, workers=setting.compute.processes)
    judges, tuned = _judges(setting, split)
    form = networks.form(found.network)
    recipe = recipe.for_form(form)
    entries = trial.rivals(Variant("", found.network, lambda _: split, judges), tell)
    trainings = []
    for count in QUICK if setting.quick else COUNTS:
        few = Variant(
            f"{count} patches",
            found.network,
            lambda seed, count=count: cut(split, form, recipe, count, seed),  # type: ignore[misc]
            judges,
            float(count),
        )
        more, facts = trial.learnt(few, setting, tell)
        entries += more
        trainings += facts
    seen = recipe.steps * recipe.batch
    all_ = Variant("new patches", found.network, lambda _: split, judges, float(seen))
    more, facts = trial.learnt(all_, setting, tell)
    return Outcome(
        STUDY.name,
        found.name,
        STUDY.figure,
        TEXT,
        "training patches",
        found.facts.origin,
        images(setting, judges.tests),
        tuned,
        described(recipe),
        setting.seeds,
        MEASURES,
        (*entries, *more),
        (*trainings, *facts),
        machine(setting),
        (
            f"The last point stands at {seen} patches: that many were seen, each once.",
            "Noise is never drawn anew, since patches that are cut once cannot have it "
            "so.",
        ),
    )


def cut(split: Split, form: Form, recipe: Recipe, count: int, seed: int) -> Split:
    """Cut patches once: as many to learn from, and those that watch.

    Parameters
    ----------
    split
        Images; patches that are ready already are taken, the first of them.
    form
        Of the network.
    recipe
        Size of patches, batch and target.
    count
        Patches to learn from.
    seed
        Of their places.
    """
    if split.ready:
        return replace(split, training=split.training[:count], fingerprint="")
    mine = replace(recipe, seed=seed, augment=False, fresh_noise=0.0, pool=0)
    learnt, watched = (
        fit.patches(form, pairs, mine, learning=False)
        for pairs in (split.training, split.validation)
    )
    held = VALIDATION_BATCHES * recipe.batch
    return Split(_kept(learnt, count), _kept(watched, held))


def _kept(drawn: Patches, count: int) -> tuple[Pair, ...]:
    return tuple(Pair(f"patch {i}", *drawn[i], ready=True) for i in range(count))


def _judges(setting: Setting, split: Split) -> tuple[Judges, str]:
    """Find test images, and others on which to tune baselines."""
    found, place = setting.experiment, setting.place
    workers = setting.compute.processes
    every = found.source.tests(place, workers=workers)
    tests = {name: pairs[: setting.images] for name, pairs in every.items()}
    tuning: Sequence[Pair] = found.source.tuning(place, workers=workers)
    scored = {pair.name for pairs in every.values() for pair in pairs}
    told = f"{len(tuning)} validation images"
    if scored & {pair.name for pair in tuning}:
        step = max(1, len(split.training) // TUNED)
        tuning = split.training[::step][:TUNED]
        told = (
            f"{len(tuning)} training images, since those held back, which also watched "
            "the training, are the ones scored"
        )
    return Judges(tests, tuning, found.baselines, found.measures), told


STUDY = Study(
    "patches",
    "Supplementary Fig. 6",
    "scores against the number of training patches",
    lambda found: True,
    "of any kind",
    conduct,
)
