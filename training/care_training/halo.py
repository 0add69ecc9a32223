"""Halo: how far each output pixel of a network looks, from its structure alone."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import nn

from care_runtime.errors import ExportError
from care_training.ensemble import Ensemble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from care_training.form import Form

IMPULSE = 1e30
"""Far above the background of 1: float64 loses no reach to rounding."""

FARTHEST = 1024
"""Pixels of reach at which the search ends."""


@torch.no_grad()
def measure(network: nn.Module, form: Form) -> dict[str, int]:
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
    form
        Its axes, channels and grid.

    Returns
    -------
    dict
        Halo in pixels by axis, at the worst phase of the grid and over all outputs; an
        axis that stays whole has none.
    """
    # Members of an ensemble look equally far, and are mixed pixel by pixel.
    one = network.members[0] if isinstance(network, Ensemble) else network
    probe = _positive(one)
    halos = dict.fromkeys(form.space, 0)
    for axis in form.space:
        if axis in form.whole:
            continue
        reach = form.grid[axis]
        while (halo := _along(probe, form, axis, reach)) >= reach:
            reach *= 2
            if reach > FARTHEST:
                msg = (
                    f"the network looks farther than {FARTHEST} pixels along {axis!r}: "
                    "it cannot be tiled along it, so its form has to keep it whole"
                )
                raise ExportError(msg)
        halos[axis] = halo
    return halos


def _along(probe: nn.Module, form: Form, axis: str, reach: int) -> int:
    """Reach across a seam on the grid; at least `reach` if the image is too short."""
    grid = form.grid[axis]
    sizes = {**form.grid, axis: 2 * reach + 2 * grid}
    seam = reach + grid  # on the grid: reach is a multiple of it
    shape = (1, form.channels_in, *(sizes[a] for a in form.space))
    base = torch.ones(shape, dtype=torch.float64)
    still = _outputs(probe(base))
    place, after_place = 2 + form.space.index(axis), 2 + form.restored.index(axis)
    farthest = 0
    for phase in range(grid):
        for sign, at in ((1, seam - 1 - phase), (-1, seam + phase)):
            pixel = base.clone()
            pixel.select(place, at).fill_(IMPULSE)
            for before, after in zip(still, _outputs(probe(pixel)), strict=True):
                changed = _changed(before, after, after_place)
                beyond = changed - seam + 1 if sign > 0 else seam - changed
                farthest = max(farthest, int(beyond.max()) if beyond.numel() else 0)
                if farthest >= reach:
                    return farthest
    return farthest


def _changed(before: torch.Tensor, after: torch.Tensor, axis: int) -> torch.Tensor:
    """Positions along an axis where an output is not what it was."""
    others = [i for i in range(before.ndim) if i != axis]
    moved = (after - before).abs().amax(dim=others)
    return torch.nonzero(moved > 1e-12 * before.abs().max()).flatten()


def _outputs(y: torch.Tensor | Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [y] if isinstance(y, torch.Tensor) else list(y)


def _positive(network: nn.Module) -> nn.Module:
    """Copy a network with weights that average, and nothing that hides a change."""
    probe = deepcopy(network).double().cpu().eval()
    for module in probe.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.weight.fill_(1.0 / module.weight[0].numel())
            if module.bias is not None:
                module.bias.zero_()
        for name, child in module.named_children():
            stand_in: Callable[[], nn.Module] | None = getattr(child, "probe", None)
            if stand_in is not None:
                setattr(module, name, stand_in())
    return probe
