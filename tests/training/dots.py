"""A simulation that other processes import without torch, which takes them seconds."""

from __future__ import annotations

from care_training.pairs import Pair


def dots(rng, condition):
    """Draw few pixels: what a simulation is given, not what it shows."""
    high = rng.random((1, 16, 16))
    return Pair("", high + {"dim": 1, "bright": 0}.get(condition, 5), high)
