"""Folding: a level's upsampling and the convolution after it, with less to compute."""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from itertools import product
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from care_training.unet import Up

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

FOLDED: dict[int, tuple[int, ...]] = {2: (), 3: (0, 1)}
"""Axes whose pixels are not repeated, of (Y, X) and of (Z, Y, X). Those next to each
other in X are too costly to interleave, and in planes those in Y as well."""

OWN = "own.weight"
"""Name of a weight that only folded blocks have."""


def fold(network: nn.Module, weights: Container[str] | None = None) -> nn.Module:
    """Copy a network, with every `Up` folded.

    It computes the same, to rounding. On a CPU, in ONNX Runtime, the default 3-D
    network takes 0.8 of the time and two thirds of the memory
    (``benchmarks/folding.py``); the default 2-D one takes as long, and 0.74 of the
    memory (2048 x 2048 pixels in the same tiles: 797 of 1080 MB).

    Parameters
    ----------
    network
        Of any kind; it is not changed.
    weights
        Names of weights of such a network; only blocks that are folded there are
        folded. None folds all.
    """
    made = deepcopy(network)
    for place, parent in list(made.named_modules()):
        for name, child in parent.named_children():
            own = f"{place}.{name}.{OWN}".removeprefix(".")
            if isinstance(child, Up) and (weights is None or own in weights):
                setattr(parent, name, Folded(child))
    return made


def unfold(folded: nn.Module, network: nn.Module) -> None:
    """Give a network the weights of one that was folded, to go on training it.

    Parameters
    ----------
    folded
        What `fold` makes of such a network, with the weights to be taken.
    network
        Takes them.
    """
    weights = folded.state_dict()
    for name, block in folded.named_modules():
        if isinstance(block, Folded):
            for old in block.state_dict():
                weights.pop(f"{name}.{old}")
            weights |= {f"{name}.{n}": w for n, w in block.unfolded().items()}
    network.load_state_dict(weights)


class Folded(nn.Module):
    """What an `Up` computes, with nothing concatenated and less repeated.

    The level's own features have a convolution of their own, the repeated pixels of the
    level below another one, and both are added: no tensor holds all of them.

    Of the repeated pixels that a kernel of 3 sees along an axis, two are the same one:
    an even row needs a kernel of 2 on the rows as they were, with two weights added,
    and an odd row another such kernel. In stacks, the four kernels of even and odd Z
    and Y see 12 pixels in place of 27.

    Parameters
    ----------
    up
        The block to be folded; its kernel is odd and as wide along every axis.
    """

    def __init__(self, up: Up) -> None:
        super().__init__()
        first, *rest = up
        assert isinstance(first, nn.Conv2d | nn.Conv3d)
        weight, below = first.weight.detach(), first.in_channels // 2
        space = range(weight.ndim - 2)
        self.axes = FOLDED[len(space)]
        self.margin = weight.shape[-1] // 2
        # An even kernel sees more on one side; all get as much of a margin on both.
        least = -(-self.margin // 2)
        margins = [least if axis in self.axes else self.margin for axis in space]
        self.parts = nn.ModuleList(
            _convolution(_part(weight[:, :below], self.axes, odd), margins)
            for odd in product((0, 1), repeat=len(self.axes))
        )
        around = [self.margin for _ in space]
        self.own = _convolution(weight[:, below:], around, first.bias)
        self.repeats = [1.0 if axis in self.axes else 2.0 for axis in space]
        # By the places that they had.
        named = {str(place): step for place, step in enumerate(rest, 1)}
        self.rest = nn.Sequential(OrderedDict(named))

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Compute the features of a level.

        Parameters
        ----------
        x
            Features of the level below, (B, F, [Z,] Y, X).
        skip
            Features of the level itself, on twice as many pixels along each axis.
        """
        x = functional.interpolate(x, scale_factor=self.repeats, mode="nearest")
        parts = [part(x) for part in self.parts]
        for axis in reversed(self.axes):
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [_interleaved(*pair, axis + 2, self.margin) for pair in pairs]
        made: torch.Tensor = self.rest(parts[0] + self.own(skip))
        return made

    def unfolded(self) -> dict[str, torch.Tensor]:
        """Weights of the block as it was before, by name."""
        below = _whole(list(self.parts.state_dict().values()), self.axes)
        first = {"0.weight": torch.cat([below, self.own.weight.detach()], 1)}
        if self.own.bias is not None:
            first["0.bias"] = self.own.bias.detach()
        return first | self.rest.state_dict()


def _convolution(
    weight: torch.Tensor, margins: Sequence[int], bias: torch.Tensor | None = None
) -> nn.Conv2d | nn.Conv3d:
    """Make a convolution with given weights."""
    make: Any = nn.Conv2d if weight.ndim == 4 else nn.Conv3d
    n_out, n_in, *kernel = weight.shape
    made: nn.Conv2d | nn.Conv3d
    made = make(n_in, n_out, kernel, padding=margins, bias=bias is not None)
    made.weight.data = weight.contiguous()
    if bias is not None and made.bias is not None:
        made.bias.data = bias.detach()
    return made


def _part(
    weight: torch.Tensor, axes: Sequence[int], odd: Sequence[int]
) -> torch.Tensor:
    """Add the weights that see the same pixel.

    Parameters
    ----------
    weight
        Of the repeated pixels, (F, F, [k,] k, k).
    axes, odd
        Axes that are folded, and whether this is for the odd places along each.
    """
    for axis, phase in zip(axes, odd, strict=True):
        weight = _along(axis + 2, _sums(weight.shape[-1], phase), weight)
    return weight


def _whole(parts: Sequence[torch.Tensor], axes: Sequence[int]) -> torch.Tensor:
    """Find the weights again of which `_part` made each of the parts."""
    kernel = parts[0].shape[-1]
    back = torch.linalg.pinv(torch.cat([_sums(kernel, 0), _sums(kernel, 1)]))
    for axis in reversed(axes):
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_along(axis + 2, back, torch.cat(pair, axis + 2)) for pair in pairs]
    return parts[0]


def _sums(kernel: int, phase: int) -> torch.Tensor:
    """Say which weights see which pixel: (pixels, weights), of zeros and ones."""
    seen = torch.tensor([(phase + i - kernel // 2) // 2 for i in range(kernel)])
    pixels = torch.arange(int(seen[0]), int(seen[-1]) + 1)
    return (pixels[:, None] == seen).double()


def _along(axis: int, matrix: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Multiply an axis of the weights by a matrix."""
    made = weight.double().movedim(axis, -1) @ matrix.T
    return made.movedim(-1, axis).to(weight.dtype)


def _interleaved(
    even: torch.Tensor, odd: torch.Tensor, axis: int, margin: int
) -> torch.Tensor:
    """Lay the even and the odd places of an axis beside each other.

    An even kernel made one place more: the last of the even ones, and the first of the
    odd ones, which then stand at the two ends.
    """
    if margin % 2 == 0:
        return torch.stack([even, odd], axis + 1).flatten(axis, axis + 1)
    both = torch.stack([odd, even], axis + 1).flatten(axis, axis + 1)
    return both.narrow(axis, 1, both.shape[axis] - 2)
