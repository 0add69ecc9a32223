"""Fit: from image pairs to a trained network, and from that to a package."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from care_runtime.errors import TrainingError
from care_runtime.restore import Restorer
from care_training import card, describe, evaluate, export, train
from care_training.patches import Patches
from care_training.unet import UNet, UNetConfig, count_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.package import Package
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

    Raises
    ------
    TrainingError
        If the package's network is of another architecture.
    """
    torch.manual_seed(seed)
    made = UNet(config)
    if init is None:
        return made
    values, weights = export.read_weights(init)
    found = UNetConfig.from_dict(values)
    if (found.dims, found.channels_in, found.channels_out) != (
        config.dims,
        config.channels_in,
        config.channels_out,
    ):
        msg = (
            f"the model to start from is {found.dims}-D with {found.channels_in} to "
            f"{found.channels_out} channels, but the images need {config.dims}-D with "
            f"{config.channels_in} to {config.channels_out}: choose another --init"
        )
        raise TrainingError(msg)
    made = UNet(found)
    # The exporter leaves biases out that are zero, as they are before training.
    blank = {name: torch.zeros_like(p) for name, p in made.state_dict().items()}
    made.load_state_dict({**blank, **{n: weights[n] for n in blank if n in weights}})
    return made


def fit(
    made: UNet,
    split: Split,
    recipe: Recipe,
    compute: Compute,
    checkpoint: Path,
    progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train a network on a split, going on from the checkpoint if there is one."""
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
        progress=progress,
    )
    last = history[-1]
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
            "validation loss (MAE)": round(last["validation_loss"], 5),
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
    described = describe.complete(spec, trained.network, {})
    restorer = Restorer(described, _as_callable(trained.network))
    axes = spec.input.letters.replace("B", "")
    scores = evaluate.evaluate(restorer, split.validation, axes, about.baselines)
    facts = replace(about.facts, training=trained.facts)
    contents = export.Contents(
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
    return export.export(trained.network, spec, contents, folder), scores


def _as_callable(made: UNet) -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    """Let the runtime call a torch network as if it were an engine."""
    made = made.cpu().eval()

    @torch.no_grad()
    def call(x: NDArray[np.float32]) -> list[NDArray[Any]]:
        return [made(torch.from_numpy(np.ascontiguousarray(x))).numpy()]

    return call


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(device))
    return f"CPU, {torch.get_num_threads()} threads ({platform.machine()})"
