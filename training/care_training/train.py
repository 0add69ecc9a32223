"""Training: one seeded, resumable loop."""

from __future__ import annotations

import math
import re
import time
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from care_runtime.errors import RecipeError, TrainingError
from care_training import losses, schedule
from care_training.checkpoint import State, load, save
from care_training.form import named

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from care_training.networks import Core
    from care_training.ready import AnyPatches
    from care_training.recipe import Recipe

PATIENCE, FACTOR = 10, 0.5
"""Keras' ReduceLROnPlateau as CSBDeep sets it."""

KEPT = 60.0
"""Seconds of training after which a checkpoint is written, between validations too."""

SHOWN = 20
"""Steps on a GPU between losses that are shown."""

VALIDATION_BATCHES = 4
"""Batches of fixed patches from held-back images, scored at each validation."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known after a step, for progress bars and logs."""

    step: int
    steps: int
    loss: float
    validation_loss: float
    validation_psnr: float
    seconds_left: float
    member: int = 0
    members: int = 1


class _Batches(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The batches of the steps that are left, made by worker processes."""

    def __init__(self, patches: AnyPatches, size: int, start: int, stop: int) -> None:
        self.patches, self.size, self.start, self.stop = patches, size, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        low, high = self.patches.batch(self.start + index, self.size)
        return torch.from_numpy(low), torch.from_numpy(high)


def fit(
    network: Core,
    training: AnyPatches,
    validation: AnyPatches,
    recipe: Recipe,
    *,
    device: str = "cpu",
    precision: str = "auto",
    checkpoint: Path | None = None,
    data: str = "",
    workers: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> list[dict[str, float]]:
    """Train a network in place and leave it with the weights to export.

    Parameters
    ----------
    network
        The network, with its initial weights.
    training, validation
        Patches to learn from, and patches of images that are held back.
    recipe
        Steps, schedule, averaging and seed.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    precision
        ``"fp32"``, ``"bf16"`` (mixed), or ``"auto"``: bf16 on CUDA, fp32 elsewhere.
    checkpoint
        File written at every validation, and once a minute, and continued from where it
        exists: the network is the same as without the pause.
    data
        Digest of the images, by which a checkpoint knows whether it is theirs.
    workers
        Processes that cut patches; 0 cuts them between the steps.
    progress
        Called after every step.

    Returns
    -------
    list of dict
        ``step``, ``loss``, ``validation_loss`` and ``validation_psnr`` (dB) of every
        validation.

    Raises
    ------
    TrainingError
        If the loss is no longer finite, the device cannot be had, or the checkpoint
        belongs to another recipe or network.
    """
    where = check_device(device)
    if precision == "auto":
        precision = "bf16" if where.type == "cuda" else "fp32"
    # torch documents it, and leaves it out of the types of a module's `to`.
    network.to(where, memory_format=_memory_format(network))  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(
        network.parameters(), recipe.learning_rate, eps=recipe.adam_epsilon
    )
    state = State(network, deepcopy(network), optimizer, rate=recipe.learning_rate)
    if checkpoint is not None and checkpoint.exists():
        load(checkpoint, state, recipe, data, precision)
    autocast = _autocast(where, precision)
    held_back = [
        _to(validation, i, recipe.batch, where) for i in range(VALIDATION_BATCHES)
    ]
    batches = DataLoader(
        _Batches(training, recipe.batch, state.step, recipe.steps),
        batch_size=None,
        num_workers=workers,
        pin_memory=where.type == "cuda",
    )
    started, first, shown = time.monotonic(), state.step, math.nan
    kept = started
    for low, high in batches:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(state, recipe)
            group["eps"] = schedule.epsilon(state, recipe, group["betas"][1])
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            answers = named(network.form, network(low.to(where, non_blocking=True)))
            loss = losses.loss(answers, high.to(where, non_blocking=True))
        loss.backward()
        optimizer.step()
        state.step += 1
        if recipe.average:
            _average(state, recipe.average)
        if state.step % recipe.validate_every == 0 or state.step == recipe.steps:
            _validate(state, recipe, held_back, autocast, loss.item())
            kept = -math.inf
        now = time.monotonic()
        if checkpoint is not None and now - kept > KEPT and math.isfinite(loss.item()):
            save(checkpoint, state, recipe, data, precision)
            kept = now
        if progress is not None:
            pace = (now - started) / (state.step - first)
            # A GPU has the next step begun meanwhile, unless it is asked for this loss.
            due = state.step % SHOWN == 0 or state.step in (first + 1, recipe.steps)
            if where.type == "cpu" or due:
                shown = loss.item()
            progress(_report(state, recipe, shown, pace))
    network.load_state_dict(_chosen(state, recipe))
    return state.history


def check_device(name: str) -> torch.device:
    """Turn the name of a device into one of torch's, if it can be had.

    Raises
    ------
    RecipeError
        If it is no such name.
    TrainingError
        If this machine has no such device.
    """
    if not re.fullmatch("(cpu|cuda)(:[0-9]+)?", name):
        msg = f"expected a device 'cpu', 'cuda' or 'cuda:N', found {name!r}"
        raise RecipeError(msg)
    if name.startswith("cuda") and not torch.cuda.is_available():
        msg = (
            f"device {name!r} was asked for, but torch {torch.__version__} sees no "
            "GPU: install a CUDA build of torch, or train on 'cpu'"
        )
        raise TrainingError(msg)
    kind, _, number = name.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if number and not (number.isdecimal() and int(number) < count):
        msg = f"expected one of {count} {kind} device(s), from 0 on, found {name!r}"
        raise TrainingError(msg)
    return torch.device(name)


def _memory_format(network: Core) -> torch.memory_format:
    form = network.form
    if form.space != form.restored:  # partly 3-D, partly 2-D
        return torch.preserve_format
    return torch.channels_last if len(form.space) == 2 else torch.channels_last_3d


def _autocast(where: torch.device, precision: str) -> AbstractContextManager[Any]:
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(where.type, torch.bfloat16)


def _to(
    patches: AnyPatches, step: int, size: int, where: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    low, high = patches.batch(step, size)
    return torch.from_numpy(low).to(where), torch.from_numpy(high).to(where)


@torch.no_grad()
def _average(state: State, decay: float) -> None:
    """Move the average towards the weights; early on it follows them closely."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    pairs = zip(state.average.parameters(), state.network.parameters(), strict=True)
    for mean, now in pairs:
        mean.lerp_(now, 1 - decay)


@torch.no_grad()
def _validate(
    state: State,
    recipe: Recipe,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    autocast: AbstractContextManager[Any],
    loss: float,
) -> None:
    network = state.average if recipe.average else state.network
    with autocast:
        found = [(named(network.form, network(low)), high) for low, high in batches]
    now = float(np.mean([losses.loss(y, high).item() for y, high in found]))
    decibel = float(np.mean([losses.psnr(y["mean"], high).item() for y, high in found]))
    if not math.isfinite(now):
        msg = (
            f"the validation loss is {now} after {state.step} steps: the training "
            f"diverged. Look for extreme pixels in the images, or lower the learning "
            f"rate ({recipe.learning_rate:g})"
        )
        raise TrainingError(msg)
    if now < state.best_loss:
        state.best_loss, state.stale = now, 0
        if recipe.keep == "best":
            state.best_weights = deepcopy(network.state_dict())
    else:
        state.stale += 1
        if state.stale >= PATIENCE:
            state.rate, state.stale = state.rate * FACTOR, 0
    state.history.append(
        {
            "step": state.step,
            "loss": loss,
            "validation_loss": now,
            "validation_psnr": decibel,
        }
    )


def _chosen(state: State, recipe: Recipe) -> dict[str, torch.Tensor]:
    if recipe.keep == "best" and state.best_weights is not None:
        return state.best_weights
    return (state.average if recipe.average else state.network).state_dict()


def _report(state: State, recipe: Recipe, loss: float, pace: float) -> Progress:
    last = state.history[-1] if state.history else {}
    return Progress(
        state.step,
        recipe.steps,
        loss,
        last.get("validation_loss", math.nan),
        last.get("validation_psnr", math.nan),
        pace * (recipe.steps - state.step),
    )
