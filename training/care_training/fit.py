"""Fit: from image pairs to a trained network, and from that to a package."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from care_runtime.errors import TrainingError
from care_training import card, evaluate, export, train
from care_training.patches import Patches
from care_training.unet import UNet, UNetConfig, count_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from care_runtime.package import Package
    from care_runtime.restore import Restorer
    from care_runtime.spec import Spec
    from care_training.baselines import Baseline
    from care_training.pairs import Split
    from care_training.recipe import Recipe
    from care_training.train import Progress


@dataclass(frozen=True, slots=True)
class Compute:
    """Where and how a network is trained.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    precision
        ``"auto"``, ``"fp32"`` or ``"bf16"``.
    workers
        Processes that cut patches.
    """

    device: str = "cpu"
    precision: str = "auto"
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with the facts about its training.

    Parameters
    ----------
    network
        With the weights to export.
    facts
        Steps, seed, device and the like, by name.
    """

    network: UNet
    facts: dict[str, Any]


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
    sample: export.Sample
    baselines: Sequence[Baseline]


def network(config: UNetConfig, seed: int, init: Package | None = None) -> UNet:
    """Make a network with seeded weights, or with those of a package.

    Parameters
    ----------
    config
        Architecture; that of the package where there is one (`export.read_config`).
    seed
        Of the weights.
    init
        Package to start from.

    Raises
    ------
    TrainingError
        If the package lacks weights of that architecture.
    """
    torch.manual_seed(seed)
    made = UNet(config)
    if init is None:
        return made
    weights = export.read_weights(init)
    ours = made.state_dict()
    # The exporter leaves out biases that are zero, as all are before training.
    wrong = [
        name
        for name, value in ours.items()
        if (name in weights or not name.endswith(".bias"))
        and (name not in weights or weights[name].shape != value.shape)
    ]
    if wrong:
        msg = (
            f"the network of {init.folder} lacks the weights {', '.join(wrong[:3])}, "
            "or has others of that name: it was not exported by care-train"
        )
        raise TrainingError(msg)
    made.load_state_dict(
        {n: weights.get(n, torch.zeros_like(v)) for n, v in ours.items()}
    )
    return made


def fit(
    made: UNet,
    split: Split,
    recipe: Recipe,
    compute: Compute,
    checkpoint: Path,
    progress: Callable[[Progress], None] | None = None,
    *,
    origin: str = "",
) -> Trained:
    """Train a network on a split, going on from the checkpoint if there is one.

    `origin` says where the weights come from, if not from the seed: a checkpoint of
    another origin is refused.
    """
    recipe = recipe.for_dims(made.config.dims)
    same = made.config.channels_in == made.config.channels_out
    fitted = recipe.target == "fitted" and same
    common = {"patch": recipe.patch, "seed": recipe.seed, "fitted": fitted}
    training = Patches(
        split.training,
        augment=recipe.augment,
        fresh_noise=recipe.fresh_noise,
        pool=recipe.pool,
        **common,
    )
    history = train.fit(
        made,
        training,
        Patches(split.validation, **common),
        recipe,
        device=compute.device,
        precision=compute.precision,
        workers=compute.workers,
        checkpoint=checkpoint,
        data=f"{split.digest()} {origin}".strip(),
        progress=progress,
    )
    exported = history[-1]
    if recipe.keep == "best":
        exported = min(history, key=lambda entry: entry["validation_loss"])
    return Trained(
        made,
        {
            "recipe": recipe.name,
            "steps": recipe.steps,
            "batch": f"{recipe.batch} of {' x '.join(map(str, recipe.patch))}",
            "seed": recipe.seed,
            "training images": len(split.training),
            "parameters": count_parameters(made),
            "device": f"{_device_name(compute.device)}, {compute.precision}",
            f"validation loss (MAE, {recipe.keep} of {len(history)})": round(
                exported["validation_loss"], 5
            ),
        },
    )


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
        axes = spec.input.letters.replace("B", "")
        scores = evaluate.evaluate(restorer, split.validation, axes, about.baselines)
        scored.append(scores)
        facts = replace(about.facts, training=trained.facts)
        return export.Contents(
            about.sample,
            card.card(about.name, spec, facts, scores),
            {
                "data": facts.data,
                "origin": facts.origin,
                **trained.facts,
                "held_back": list(scores.images),
                "scores": scores.to_dict(),
            },
        )

    return export.export(trained.network, spec, fill, folder), scored[0]


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(device))
    return f"CPU, {torch.get_num_threads()} threads ({platform.machine()})"
