"""Projection: a stack becomes the plane in which the tissue lies, then is denoised."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from care_training.form import Form
from care_training.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ProjectionConfig:
    """Architecture of a projection network (Methods, "Surface projection").

    Parameters
    ----------
    unet
        The 2-D network that denoises the projection.
    depth
        Poolings of the network that finds the surface.
    filters
        Its filters, the same at every level.
    convolutions
        Its convolutions at every level.
    kernel, pool
        Its kernel and pooling along Z, Y and X.
    """

    unet: UNetConfig = field(default_factory=lambda: UNetConfig(kernel=3))
    depth: int = 4
    filters: int = 8
    convolutions: int = 1
    kernel: tuple[int, int, int] = (3, 3, 3)
    pool: tuple[int, int, int] = (1, 2, 2)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ProjectionConfig:
        """Read back what `to_dict` wrote."""
        parts = {
            "unet": UNetConfig.from_dict(values["unet"]),
            "kernel": tuple(values["kernel"]),
            "pool": tuple(values["pool"]),
        }
        return cls(**{**values, **parts})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        lists = {"kernel": list(self.kernel), "pool": list(self.pool)}
        return {**asdict(self), **lists}


class SoftmaxZ(nn.Module):
    """Weights of the planes, which add to one at every pixel."""

    probe = nn.Identity
    """What stands for it where reach is measured: it hides reach, and adds none."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalize over Z: (B, 1, Z, Y, X)."""
        return torch.softmax(x, dim=2)


class Projection(nn.Module):
    """Weigh the planes of a stack, add them up, and denoise what comes out.

    A 3-D network without skips, whose pooling leaves Z as it is, gives every voxel a
    weight; softmax over Z makes a soft choice of the plane, and the sum over Z of
    weight times stack is the projection. Both networks are trained together.

    Parameters
    ----------
    config
        Architecture; the defaults have 346,970 parameters.
    """

    def __init__(self, config: ProjectionConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.unet.channels_in
        self.down = nn.ModuleList(
            self._block(channels if level == 0 else config.filters)
            for level in range(config.depth)
        )
        self.middle = self._block(config.filters if config.depth else channels)
        self.up = nn.ModuleList(
            self._block(config.filters) for _ in range(config.depth)
        )
        self.weigh = self._conv(config.filters, 1)
        self.softmax = SoftmaxZ()
        self.unet = UNet(config.unet)

    @property
    def form(self) -> Form:
        """What the network reads and gives back; Z stays whole and is lost."""
        config = self.config
        _, *pools = (max(p**config.depth, config.unet.multiple) for p in config.pool)
        return Form(
            "projection",
            "zyx",
            "yx",
            config.unet.channels_in,
            config.unet.channels_out,
            {"z": config.pool[0] ** config.depth, "y": pools[0], "x": pools[1]},
            whole=("z",),
            probabilistic=config.unet.probabilistic,
        )

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """Weight of every voxel, (B, 1, Z, Y, X), from a stack (B, C, Z, Y, X)."""
        pool = tuple(self.config.pool)
        for block in self.down:
            x = functional.max_pool3d(block(x), pool)
        x = self.middle(x)
        scale = tuple(float(p) for p in pool)
        for block in self.up:
            x = block(functional.interpolate(x, scale_factor=scale, mode="nearest"))
        return self.softmax(self.weigh(x))

    def forward(self, x: torch.Tensor) -> Any:
        """Project and denoise a normalized batch.

        Parameters
        ----------
        x
            Shape (B, C, Z, Y, X); Z is any, Y and X are multiples of the grid.

        Returns
        -------
        torch.Tensor or tuple
            What the 2-D network returns, (B, C, Y, X).
        """
        return self.unet((self.weights(x) * x).sum(dim=2))

    def _conv(self, n_in: int, n_out: int) -> nn.Conv3d:
        kernel = self.config.kernel
        made = nn.Conv3d(n_in, n_out, kernel, padding=tuple(k // 2 for k in kernel))
        nn.init.xavier_uniform_(made.weight)
        nn.init.zeros_(made.bias)  # type: ignore[arg-type]
        return made

    def _block(self, n_in: int) -> nn.Sequential:
        widths = [n_in, *[self.config.filters] * self.config.convolutions]
        steps: list[nn.Module] = []
        for a, b in pairwise(widths):
            steps += [self._conv(a, b), nn.ReLU()]
        return nn.Sequential(*steps)
