"""Fit: from image pairs to a trained network."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from care_runtime.errors import TrainingError
from care_runtime.package import sha256
from care_training import export, networks, train
from care_training.folding import fold, unfold
from care_training.networks import unet_config
from care_training.patches import Patches
from care_training.ready import ReadyPatches
from care_training.unet import count_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import nn

    from care_runtime.package import Package
    from care_training.compute import Compute
    from care_training.form import Form
    from care_training.networks import AnyNetwork, Config
    from care_training.pairs import Pair, Split
    from care_training.ready import AnyPatches
    from care_training.recipe import Recipe
    from care_training.train import Progress


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

    network: AnyNetwork
    facts: dict[str, Any]


def network(config: Config, seed: int, init: Package | None = None) -> AnyNetwork:
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
    made = networks.build(config, seed)
    if init is None:
        return made
    weights = export.read_weights(init)
    found = fold(made, weights)
    wrong = _lacking(found, weights)
    if wrong:
        msg = (
            f"expected the weights of {_words(config)}, found that {init.folder} has "
            f"others ({', '.join(wrong[:3])}): start from a package that care-train "
            "exported of the same architecture"
        )
        raise TrainingError(msg)
    ours = found.state_dict().items()
    found.load_state_dict({n: weights.get(n, torch.zeros_like(v)) for n, v in ours})
    unfold(found, made)
    return made


def _words(config: Config) -> str:
    kind, unet = type(config).__name__.removesuffix("Config"), unet_config(config)
    return (
        f"a network of the kind {kind} in {unet.dims}-D, of depth {unet.depth}, kernel "
        f"{unet.kernel} and {unet.filters} filters"
    )


def _lacking(made: nn.Module, weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Name the weights of a network that are not there, or of another shape."""
    # The exporter leaves out biases that are zero, as all are before training.
    return [
        name
        for name, value in made.state_dict().items()
        if (name in weights or not name.endswith(".bias"))
        and (name not in weights or weights[name].shape != value.shape)
    ]


def fit(
    made: AnyNetwork,
    split: Split,
    recipe: Recipe,
    compute: Compute,
    checkpoint: Path,
    progress: Callable[[Progress], None] | None = None,
    *,
    init: Package | None = None,
) -> Trained:
    """Train a network on a split, going on from its checkpoints if there are any.

    The members of an ensemble are trained one after the other, from other seeds on
    patches in other orders, each with a checkpoint of its own.

    Parameters
    ----------
    made
        The network, trained in place.
    split
        Images to train on, and images held back; or patches that are ready.
    recipe, compute
        How and where. Of patches that are ready, it cannot be said how they are cut
        and normalized.
    checkpoint
        File of the state; those of members have their number in the name.
    progress
        Called after every step.
    init
        Where the weights come from, if not from the seed: a checkpoint of another
        origin is refused.
    """
    recipe = recipe.for_form(made.form)
    if split.ready:
        recipe = recipe.for_patches(split.training[0].high.shape[1:])
    origin = sha256(init.onnx) if init else ""
    data = f"{split.digest()} {origin}".strip()
    parts = networks.cores(made)
    losses = []
    for number, core in enumerate(parts):
        mine = replace(recipe, seed=recipe.seed + number)
        history = train.fit(
            core,
            *batches(made.form, split, mine),
            mine,
            device=compute.device,
            precision=compute.precision,
            workers=compute.processes,
            checkpoint=_numbered(checkpoint, number, len(parts)),
            data=data,
            progress=progress and _counted(progress, number, len(parts)),
        )
        losses.append(_exported(history, recipe)["validation_loss"])
    facts = _facts(made, split, recipe, compute, losses)
    if init:
        facts["started from"] = f"{init.spec.name} (sha256 {origin})"
        facts |= _before(init)
    return Trained(made, facts)


def _before(init: Package) -> dict[str, int]:
    """Count the steps of all trainings that a package has behind it, if it says so."""
    had = init.spec.care.training if init.spec.care else {}
    steps = int(had.get("steps", 0)) + int(had.get("steps before", 0))
    return {"steps before": steps} if steps else {}


def batches(form: Form, split: Split, recipe: Recipe) -> tuple[AnyPatches, AnyPatches]:
    """Say what a network of some form learns from, and what watches it learn."""
    if not split.ready:
        return (
            patches(form, split.training, recipe, learning=True),
            patches(form, split.validation, recipe, learning=False),
        )
    augment, seed = recipe.augment, recipe.seed
    return (
        ReadyPatches(split.training, form, seed=seed, augment=augment),
        ReadyPatches(split.validation, form, seed=seed),
    )


def patches(
    form: Form, pairs: Sequence[Pair], recipe: Recipe, *, learning: bool
) -> Patches:
    """Say how a network of some form gets its patches, to learn or to be validated."""
    common: dict[str, Any] = {
        "patch": recipe.patch,
        "seed": recipe.seed,
        "fitted": target(form, recipe) == "fitted",
        "planes": form.planes,
        "stretch_first": not form.planes,
    }
    if not learning:
        return Patches(pairs, **common)
    return Patches(
        pairs,
        augment=recipe.augment,
        fresh_noise=recipe.fresh_noise,
        pool=recipe.pool,
        **common,
    )


def target(form: Form, recipe: Recipe) -> str:
    """Decide how the target is normalized: it can be fitted only to what is alike."""
    alike = form.same_channels and form.space == form.restored
    return recipe.target if alike else "percentiles"


def _counted(
    progress: Callable[[Progress], None], number: int, count: int
) -> Callable[[Progress], None]:
    """Tell the progress of one member as part of that of all."""

    def tell(state: Progress) -> None:
        pace = state.seconds_left / max(state.steps - state.step, 1)
        left = state.seconds_left + pace * state.steps * (count - number - 1)
        progress(replace(state, member=number, members=count, seconds_left=left))

    return tell


def _numbered(checkpoint: Path, number: int, count: int) -> Path:
    if count == 1:
        return checkpoint
    return checkpoint.with_suffix(f".{number}{checkpoint.suffix}")


def _exported(history: list[dict[str, float]], recipe: Recipe) -> dict[str, float]:
    """Find the validation of the weights that are exported."""
    if recipe.keep == "best":
        return min(history, key=lambda entry: entry["validation_loss"])
    return history[-1]


def _facts(
    made: AnyNetwork,
    split: Split,
    recipe: Recipe,
    compute: Compute,
    losses: Sequence[float],
) -> dict[str, Any]:
    form, kind = made.form, "Laplace" if made.form.probabilistic else "MAE"
    seeds: dict[str, Any] = {"seed": recipe.seed}
    if len(losses) > 1:
        seeds["members"] = len(losses)
    if recipe.keep == "best":
        seeds["weights"] = "of the best validation, on the images held back"
    return {
        "recipe": recipe.name,
        "target": target(form, recipe),
        "steps": recipe.steps,
        "batch": f"{recipe.batch} of {' x '.join(map(str, recipe.patch))}",
        **seeds,
        f"training {'patches' if split.ready else 'images'}": len(split.training),
        "parameters": count_parameters(made),
        "device": f"{_device_name(compute.device)}, {compute.precision}",
        f"validation loss ({kind}, {recipe.keep})": round(float(np.mean(losses)), 5),
    }


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(torch.device(device))
    return f"CPU, {torch.get_num_threads()} threads ({platform.machine()})"
