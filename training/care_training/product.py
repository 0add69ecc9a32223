"""Product: a trained network, scored on the images held back, becomes a package."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from care_runtime.contract import supported
from care_runtime.restore import Restorer
from care_training import card, describe, detail, evaluate, export, networks
from care_training.calibration import foreground

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_training.baselines import Baseline
    from care_training.calibration import Calibration
    from care_training.fit import Trained
    from care_training.form import Network
    from care_training.measure import Measure
    from care_training.networks import AnyNetwork
    from care_training.pairs import Pair, Split
    from care_training.sample import Sample


@dataclass(frozen=True, slots=True)
class About:
    """What a package says and shows beside its network.

    Parameters
    ----------
    name
        What the model is called on the command line.
    facts
        Data, licence and limits.
    sample
        Image for test tensors and cover.
    """

    name: str
    facts: card.Facts
    sample: Sample


@dataclass(frozen=True, slots=True)
class Judges:
    """What a network is judged by.

    Parameters
    ----------
    tests
        Image pairs that training never saw, by the condition they were taken under.
    tuning
        Pairs on which baselines are tuned; none to tune them on the tests themselves.
    baselines
        Methods to compare with.
    measures
        What is measured besides errors.
    """

    tests: Mapping[str, Sequence[Pair]]
    tuning: Sequence[Pair] = ()
    baselines: Sequence[Baseline] = ()
    measures: Sequence[Measure] = field(default=())

    def pairs(self) -> Iterator[Pair]:
        """Give the tests of all conditions, one after the other."""
        return chain.from_iterable(self.tests.values())

    def tuned_on(self, condition: str) -> list[Pair]:
        """Give the pairs of a condition on which baselines are tuned."""
        return [pair for pair in self.tuning if pair.name.startswith(condition)]

    def of(self, restorer: Restorer) -> dict[str, evaluate.Evaluation]:
        """Score a network under every condition.

        Baselines are tuned for each condition on the pairs that were taken under it.
        """
        return {
            condition: evaluate.evaluate(
                restorer,
                pairs,
                self.baselines,
                tuning=self.tuned_on(condition),
                measures=self.measures,
            )
            for condition, pairs in self.tests.items()
        }


def package(
    trained: Trained, spec: Spec, about: About, judges: Judges, folder: Path
) -> tuple[Package, dict[str, evaluate.Evaluation]]:
    """Score a trained network, and export it with its card.

    Parameters
    ----------
    trained
        The network.
    spec
        Its description, without what is measured.
    about
        What the package says and shows.
    judges
        Images and methods to compare with.
    folder
        Of the package.
    """
    found: dict[str, evaluate.Evaluation] = {}

    def fill(restorer: Restorer) -> export.Contents:
        flat = trained.network.form.planes and degraded(judges.pairs())
        able = (planar(trained.network, spec) if flat else None) or restorer
        calibration = measured(able, trained, judges.pairs())
        found.update(judges.of(able))
        facts = replace(about.facts, training=trained.facts)
        more = {} if calibration is None else {"calibration": calibration.to_dict()}
        told = describe.as_deep(restorer.spec, about.sample.low.shape)
        return export.Contents(
            about.sample,
            card.card(about.name, told, facts, found, calibration),
            {
                "data": facts.data,
                "origin": facts.origin,
                **trained.facts,
                **_scores(found),
                **more,
            },
            {} if calibration is None else {"held-back images": calibration},
        )

    return export.export(trained.network, spec, fill, folder), found


def _scores(found: Mapping[str, evaluate.Evaluation]) -> dict[str, Any]:
    """Write images and scores as plain values: by condition, where there are any."""
    images = [name for scores in found.values() for name in scores.images]
    tables = {condition: scores.to_dict() for condition, scores in found.items()}
    return {"held_back": images, "scores": tables.get("", tables)}


def degraded(pairs: Iterable[Pair]) -> bool:
    """Whether pairs are of planes degraded along X, which look like axial ones."""
    return any(
        pair.high.ndim == 3 or pair.low.shape[-1] != pair.high.shape[-1]
        for pair in pairs
    )


def measured(
    restorer: Restorer, trained: Trained, pairs: Iterable[Pair]
) -> Calibration | None:
    """Measure the calibration on test images, if a distribution is predicted."""
    if not trained.network.form.probabilistic:
        return None
    pixels = foreground(restorer, pairs, target=trained.facts["target"])
    return pixels.calibration()


def recalibrated(trained: Trained, split: Split, spec: Spec) -> Trained:
    """Fit one factor of all predicted scales on the images held back.

    Parameters
    ----------
    trained
        A probabilistic network.
    split
        Its held-back images.
    spec
        The network's description, without what is measured.

    Raises
    ------
    TrainingError
        If the network is not probabilistic.
    """
    network = trained.network
    restorer = planar(network, spec) or in_torch(network, spec)
    pixels = foreground(restorer, split.validation, target=trained.facts["target"])
    factor = round(pixels.factor(), 4)
    facts = {
        **trained.facts,
        "recalibration": f"scales times {factor:g}, fitted on the images held back",
        "calibration error before": round(pixels.calibration().error, 4),
    }
    return replace(trained, network=networks.rescaled(network, factor), facts=facts)


def sharpened(trained: Trained, split: Split, spec: Spec) -> Trained:
    """Raise the detail along Z of an isotropic network to that across; see `detail`.

    Parameters
    ----------
    trained
        The network.
    split
        Its images, whose targets are stacks as they were recorded, those held back
        first; of patches that were cut before, there are none.
    spec
        The network's description, without what is measured.
    """
    resample = supported(spec).resample
    if not trained.network.form.planes or split.ready or resample is None:
        return trained
    plain = networks.sharper(trained.network, (), 0.0)
    pairs = [*split.validation, *split.training][: detail.STACKS]
    stacks = [pair.high for pair in pairs]
    found = detail.gains(in_torch(plain, spec), stacks, resample.factor)
    if not found:
        return trained
    words = ", ".join(f"{gain:g}" for gain in found)
    facts = {
        **trained.facts,
        "detail along Z": f"times {words}, fitted on {len(stacks)} stacks",
    }
    network = networks.sharper(plain, found, resample.factor)
    return replace(trained, network=network, facts=facts)


def planar(network: AnyNetwork, spec: Spec) -> Restorer | None:
    """Make a restorer of degraded planes, where a network was trained on such.

    What an isotropic network does to stacks has no ground truth; what its 2-D network
    does to lateral planes, which were degraded as along Z, has.
    """
    if not network.form.planes:
        return None
    flat = networks.planar(network)
    care = supported(spec)
    assert care.resample is not None
    described = describe.describe(
        flat.form,
        name=spec.name,
        description=spec.description,
        percentiles=care.normalization.percentiles,
        resample=replace(care.resample, axis="x", cubic=False),
    )
    return in_torch(flat, described)


def in_torch(network: Network, spec: Spec) -> Restorer:
    """Make a restorer of a network that is not exported yet."""
    return Restorer(describe.complete(spec, network, {}), _callable(network))


def _callable(network: Network) -> Callable[..., Sequence[NDArray[np.float32]]]:
    @torch.no_grad()
    def run(x: NDArray[Any]) -> Sequence[NDArray[np.float32]]:
        answers = network(torch.from_numpy(x.copy()))
        several = [answers] if isinstance(answers, torch.Tensor) else answers
        return [answer.numpy() for answer in several]

    return run
