"""Trial: one variant of a study, trained from one seed, and scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from care_runtime.contract import supported
from care_training import baselines, describe, evaluate, fit, product, reproduce
from care_training.evaluate import INPUT, NETWORK
from care_training.studies.outcome import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.restore import Restorer
    from care_training.form import Network
    from care_training.measure import Measure
    from care_training.networks import Config
    from care_training.pairs import Pair, Split
    from care_training.product import Judges
    from care_training.studies.setting import Setting

    Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train, of those that a study compares.

    Parameters
    ----------
    name
        For tables.
    network
        Its architecture.
    split
        Gives, for a seed, what is learnt from.
    judges
        Test images, baselines and measures.
    value
        Its place on the axis of the plot, if it has one.
    factor
        Of an isotropic network, if it is not that of the experiment.
    channel
        The one that is learnt and scored; None for all.
    """

    name: str
    network: Config
    split: Callable[[int], Split]
    judges: Judges
    value: float | None = None
    factor: float | None = None
    channel: int | None = None


def learnt(
    variant: Variant, setting: Setting, tell: Tell
) -> tuple[list[Entry], list[Mapping[str, Any]]]:
    """Train a variant from every seed, and score it.

    Parameters
    ----------
    variant
        What is trained.
    setting
        How long and where; a checkpoint that lies there is continued.
    tell
        Told what is done next.

    Returns
    -------
    entries, trainings
        Scores, and the facts of each training.
    """
    entries: list[Entry] = []
    trainings: list[Mapping[str, Any]] = []
    for seed in setting.seeds:
        tell(f"{variant.name}, seed {seed}: training")
        trained = _trained(variant, seed, setting)
        trainings.append({"variant": variant.name, **trained.facts, "seed": seed})
        tell(f"{variant.name}, seed {seed}: scoring")
        restorer = _restorer(trained.network.cpu(), variant, setting)

        def restore(pair: Pair, restorer: Restorer = restorer) -> NDArray[Any]:
            return evaluate.restore(restorer, pair)

        entries += _entries(variant, NETWORK, restore, seed=seed)
    return entries, trainings


def rivals(variant: Variant, tell: Tell) -> list[Entry]:
    """Score the input and all baselines, tuned on images that are not scored.

    Parameters
    ----------
    variant
        Its name, value and judges are taken, and nothing is trained.
    tell
        Told what is done next.
    """
    entries = _entries(variant, INPUT, evaluate.comparable)
    for method in variant.judges.baselines:
        tell(f"{variant.name}: {method.name}".removeprefix(": "))
        for condition in variant.judges.tests:
            tuning = variant.judges.tuned_on(condition)
            shown = [evaluate.shown(method, pair) for pair in tuning]
            strength = baselines.tune(method, shown)

            def restore(
                pair: Pair,
                method: baselines.Baseline = method,
                strength: float = strength,
            ) -> NDArray[Any]:
                image = evaluate.shown(method, pair).low
                return baselines.restored(method, strength, image)

            only = {condition: variant.judges.tests[condition]}
            mine = replace(variant, judges=replace(variant.judges, tests=only))
            entries += _entries(mine, method.name, restore, strength=strength)
    return entries


def one_channel(pair: Pair, channel: int) -> Pair:
    """Take a channel of a pair, as a pair."""
    part = slice(channel, channel + 1)
    return replace(pair, low=pair.low[part], high=pair.high[part])


def names(count: int) -> list[str]:
    """Name channels, where there is more than one."""
    return [f"channel {n}" for n in range(count)] if count > 1 else [""]


def _trained(variant: Variant, seed: int, setting: Setting) -> fit.Trained:
    recipe = replace(setting.recipe, seed=seed)
    made = fit.network(variant.network, seed)
    name = "".join(c if c.isalnum() else "_" for c in variant.name)
    place = setting.out / "checkpoints" / setting.experiment.name
    place.mkdir(parents=True, exist_ok=True)
    checkpoint = place / f"{name}_seed{seed}.pt"
    split = variant.split(seed)
    return fit.fit(made, split, recipe, setting.compute, checkpoint)


def _restorer(network: Network, variant: Variant, setting: Setting) -> Restorer:
    """Make a restorer that normalizes and stretches as that of the zoo does."""
    care = supported(reproduce.reviewed_spec(setting.experiment.name))
    resample = care.resample
    if resample is not None and variant.factor is not None:
        resample = replace(resample, factor=variant.factor)
    spec = describe.describe(
        network.form,
        name=variant.name,
        description="a variant of a study",
        percentiles=care.normalization.percentiles,
        resample=resample,
    )
    with torch.no_grad():
        return product.in_torch(network, spec)


def _entries(
    variant: Variant,
    method: str,
    restore: Callable[[Pair], NDArray[Any]],
    *,
    seed: int | None = None,
    strength: float | None = None,
) -> list[Entry]:
    """Score a method on the test images of all conditions, channel by channel."""
    entries = []
    for condition, pairs in variant.judges.tests.items():
        rows: dict[int, list[dict[str, float]]] = {}
        for pair in pairs:
            mine = (
                pair if variant.channel is None else one_channel(pair, variant.channel)
            )
            found = _judged(restore(mine), mine, variant.judges.measures)
            for number, row in enumerate(found):
                rows.setdefault(variant.channel or number, []).append(row)
        labels = names(len(pairs[0].high))
        for channel, given in rows.items():
            part = ", ".join(word for word in (condition, labels[channel]) if word)
            scores = {k: tuple(row[k] for row in given) for k in given[0]}
            entries.append(
                Entry(variant.name, variant.value, part, method, seed, scores, strength)
            )
    return entries


def _judged(
    image: NDArray[Any], pair: Pair, measures: Sequence[Measure]
) -> list[dict[str, float]]:
    """Judge an image channel by channel."""
    rows = []
    for number in range(len(pair.high)):
        part = np.asarray(image[number : number + 1])
        found = evaluate.judge(part, one_channel(pair, number), measures)
        score = found.scores[0]
        errors = {"PSNR": score.psnr, "NRMSE": score.nrmse, "SSIM": score.ssim}
        rows.append({**errors, **{k: float(v) for k, v in found.measured.items()}})
    return rows
