"""Product: a trained network, scored on the images held back, becomes a package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from care_runtime.contract import supported
from care_runtime.restore import Restorer
from care_training import card, describe, evaluate, export, networks
from care_training.calibration import foreground

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_training.baselines import Baseline
    from care_training.calibration import Calibration
    from care_training.fit import Trained
    from care_training.form import Network
    from care_training.pairs import Split
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
    baselines
        Methods to compare with.
    """

    name: str
    facts: card.Facts
    sample: Sample
    baselines: Sequence[Baseline]


def package(
    trained: Trained, spec: Spec, about: About, split: Split, folder: Path
) -> tuple[Package, evaluate.Evaluation]:
    """Score a trained network on the images held back, and export it with its card.

    Parameters
    ----------
    trained
        The network.
    spec
        Its description, without what is measured.
    about
        What the package says and shows.
    split
        Its held-back images are scored.
    folder
        Of the package.
    """
    scored: list[evaluate.Evaluation] = []

    def fill(restorer: Restorer) -> export.Contents:
        judged = planar(trained.network, spec) or restorer
        scores = evaluate.evaluate(judged, split.validation, about.baselines)
        calibration = measured(judged, trained, split)
        scored.append(scores)
        facts = replace(about.facts, training=trained.facts)
        more = {} if calibration is None else {"calibration": calibration.to_dict()}
        return export.Contents(
            about.sample,
            card.card(about.name, spec, facts, scores, calibration),
            {
                "data": facts.data,
                "origin": facts.origin,
                **trained.facts,
                "held_back": list(scores.images),
                "scores": scores.to_dict(),
                **more,
            },
            {} if calibration is None else {"held-back images": calibration},
        )

    return export.export(trained.network, spec, fill, folder), scored[0]


def measured(restorer: Restorer, trained: Trained, split: Split) -> Calibration | None:
    """Measure the calibration on the images held back, if there is a distribution."""
    if not trained.network.form.probabilistic:
        return None
    pixels = foreground(restorer, split.validation, target=trained.facts["target"])
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


def planar(network: Network, spec: Spec) -> Restorer | None:
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
        answers = [answers] if isinstance(answers, torch.Tensor) else answers
        return [answer.numpy() for answer in answers]

    return run
