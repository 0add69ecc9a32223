"""Schedule: how far each step goes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from care_training.checkpoint import State
    from care_training.recipe import Recipe

WARM_UP = 200
"""Steps, and at most a tenth of all, over which the cosine schedule rises."""


def rate(state: State, recipe: Recipe) -> float:
    """Learning rate of the next step."""
    if recipe.schedule == "plateau":
        return state.rate
    warm = min(1.0, (state.step + 1) / min(WARM_UP, max(recipe.steps // 10, 1)))
    fall = (1 + math.cos(math.pi * state.step / recipe.steps)) / 2
    return recipe.learning_rate * warm * fall


def epsilon(state: State, recipe: Recipe, decay: float) -> float:
    """Epsilon of the next step, for torch, which adds it to the corrected moment.

    Keras adds it to the moment as it is, so that it counts more in early steps: 32
    times in the first (Kingma and Ba 2015, the "epsilon hat" of section 2).
    """
    if not recipe.early_epsilon:
        return recipe.adam_epsilon
    return recipe.adam_epsilon / math.sqrt(1 - decay ** (state.step + 1))
