"""Checkpoint: the state of a training run, so that it can go on where it stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from care_runtime.errors import TrainingError
from care_runtime.files import written

if TYPE_CHECKING:
    from pathlib import Path

    from care_training.networks import Core
    from care_training.recipe import Recipe

KEPT = ("step", "best_loss", "best_weights", "stale", "rate", "history")


@dataclass(slots=True)
class State:
    """Everything that a training run changes.

    Parameters
    ----------
    network, average
        The weights, and their running average.
    optimizer
        Adam with its moments.
    step
        Steps done.
    best_loss, best_weights
        Of the best validation; the weights only where the recipe exports them.
    stale
        Validations since the last improvement.
    rate
        Learning rate of the plateau schedule.
    history
        Loss and validation scores at every validation.
    """

    network: Core
    average: Core
    optimizer: torch.optim.Optimizer
    step: int = 0
    best_loss: float = math.inf
    best_weights: dict[str, torch.Tensor] | None = None
    stale: int = 0
    rate: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def save(path: Path, state: State, recipe: Recipe, data: str, precision: str) -> None:
    """Write a checkpoint; an older one stays whole until this one is."""
    with written(path) as partial:
        torch.save(
            {
                "data": data,
                "precision": precision,
                "recipe": recipe.to_dict(),
                "network": state.network.config.to_dict(),
                "weights": state.network.state_dict(),
                "average": state.average.state_dict(),
                "optimizer": state.optimizer.state_dict(),
                **{name: getattr(state, name) for name in KEPT},
            },
            partial,
        )


def load(
    path: Path,
    state: State,
    recipe: Recipe,
    data: str,
    precision: str,
) -> None:
    """Read a checkpoint into a state.

    Raises
    ------
    TrainingError
        If it cannot be read, or belongs to another recipe, network, data or precision.
    """
    config = state.network.config
    try:
        # What belongs on a GPU is copied there; Adam counts its steps on the CPU, and
        # asks for them so often that a count on a GPU would make it wait.
        saved = torch.load(path, map_location="cpu", weights_only=True)
        # What an older checkpoint does not know had its default.
        older = type(recipe).from_dict(saved["recipe"]).to_dict()
        _compare(path, "recipe", older, recipe.to_dict())
        older = type(config).from_dict(saved["network"]).to_dict()
        # A height map has no weights, and may be wished otherwise in the end.
        shown = {"height": older["height"]} if "height" in older else {}
        _compare(path, "network", older, config.to_dict() | shown)
        if saved["data"] != data:
            msg = (
                f"the checkpoint {path} was trained on other images, or on another "
                "split of them: delete it to start afresh"
            )
            raise TrainingError(msg)
        numbers = {"precision": saved.get("precision", precision)}
        _compare(path, "run", numbers, {"precision": precision})
        state.network.load_state_dict(saved["weights"])
        state.average.load_state_dict(saved["average"])
        state.optimizer.load_state_dict(saved["optimizer"])
        for name in KEPT:
            setattr(state, name, saved[name])
    except TrainingError:
        raise
    except Exception as error:  # torch has no error of its own for a damaged file
        msg = (
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): "
            "delete it to start afresh"
        )
        raise TrainingError(msg) from error


def _compare(
    path: Path, what: str, saved: dict[str, object], mine: dict[str, object]
) -> None:
    differs = [key for key in mine if saved.get(key) != mine[key]]
    if differs:
        msg = (
            f"the checkpoint {path} belongs to another {what} (it differs in "
            f"{', '.join(differs)}): delete it to start afresh, or give the same "
            "options to go on"
        )
        raise TrainingError(msg)
