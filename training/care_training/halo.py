"""Halo: how far each output pixel of a network looks, from its structure alone."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

IMPULSE = 1e30
"""Far above the background of 1: float64 loses no reach to rounding."""


@torch.no_grad()
def measure(
    network: nn.Module, axes: str, multiple: int, *, channels: int
) -> dict[str, int]:
    """Measure the context that a tile needs on each side.

    All weights are replaced by equal positive numbers on a non-zero background, so that
    no path through the network is cancelled or switched off; then every pixel in one
    period of the pooling grid is raised in turn, in float64. A tile may start wherever
    the grid does: what an impulse before a tile's start reaches behind it must not be
    kept.

    Parameters
    ----------
    network
        Takes (B, C, [Z,] Y, X).
    axes
        Space axes of the input, such as ``"zyx"``.
    multiple
        Pooling grid in pixels.
    channels
        Channels of the input.

    Returns
    -------
    dict
        Halo in pixels by axis, at the worst phase of the grid and over all outputs.
    """
    probe = _positive(network)
    halos = {}
    for place, axis in enumerate(axes):
        reach = multiple
        while True:
            halo = _along(probe, place, len(axes), multiple, channels, reach)
            if halo < reach:
                break
            reach *= 2
        halos[axis] = halo
    return halos


def _along(
    probe: nn.Module, place: int, dims: int, multiple: int, channels: int, reach: int
) -> int:
    """Reach across a seam on the grid; at least `reach` if the image is too short."""
    sizes = [multiple] * dims
    sizes[place] = 2 * reach + 2 * multiple
    seam = reach + multiple  # on the grid: reach is a multiple of it
    base = torch.ones(1, channels, *sizes, dtype=torch.float64)
    still = _outputs(probe(base))
    farthest = 0
    for phase in range(multiple):
        for sign, at in ((1, seam - 1 - phase), (-1, seam + phase)):
            pixel = base.clone()
            pixel[(slice(None), slice(None), *_at(place, dims, at))] = IMPULSE
            for before, after in zip(still, _outputs(probe(pixel)), strict=True):
                axis = place + 2 - (base.ndim - before.ndim)
                changed = _changed(before, after, axis)
                beyond = changed - seam + 1 if sign > 0 else seam - changed
                farthest = max(farthest, int(beyond.max()) if beyond.numel() else 0)
    return farthest


def _at(place: int, dims: int, index: int) -> tuple[slice | int, ...]:
    return tuple(index if i == place else slice(None) for i in range(dims))


def _changed(before: torch.Tensor, after: torch.Tensor, axis: int) -> torch.Tensor:
    """Positions along an axis where an output is not what it was."""
    others = [i for i in range(before.ndim) if i != axis]
    moved = (after - before).abs().amax(dim=others)
    return torch.nonzero(moved > 1e-12 * before.abs().max()).flatten()


def _outputs(y: torch.Tensor | Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [y] if isinstance(y, torch.Tensor) else list(y)


def _positive(network: nn.Module) -> nn.Module:
    """Copy a network with weights that average their inputs."""
    probe = deepcopy(network).double().cpu().eval()
    for module in probe.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.weight.fill_(1.0 / module.weight[0].numel())
            if module.bias is not None:
                module.bias.zero_()
    return probe
