"""Projection: a stack becomes the plane in which the tissue lies, then is denoised."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn
from torch.nn import functional

from care_runtime.errors import TrainingError
from care_training.form import Form
from care_training.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

Height = Literal["", "expectation", "argmax"]


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
    height
        What a height map shows, in planes from the first: the ``"expectation"`` of Z
        under the weights, or their ``"argmax"``; empty for none.
    """

    unet: UNetConfig = field(default_factory=lambda: UNetConfig(kernel=3))
    depth: int = 4
    filters: int = 8
    convolutions: int = 1
    kernel: tuple[int, int, int] = (3, 3, 3)
    pool: tuple[int, int, int] = (1, 2, 2)
    height: Height = ""

    def __post_init__(self) -> None:
        if self.height not in ("", "expectation", "argmax"):
            msg = (
                "expected a height map of the 'expectation' or the 'argmax', found "
                f"{self.height!r}"
            )
            raise TrainingError(msg)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ProjectionConfig:
        """Read back what `to_dict` wrote."""
        parts = {
            "unet": UNetConfig.from_dict(values["unet"]),
            "kernel": tuple(values["kernel"]),
            "pool": tuple(values["pool"]),
        }
        plain = {key: value for key, value in values.items() if key != "kind"}
        return cls(**{**plain, **parts})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        lists = {"kernel": list(self.kernel), "pool": list(self.pool)}
        return {"kind": "projection", **asdict(self), **lists}


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
            outputs=self.unet.form.outputs + (("height",) if config.height else ()),
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
        found: torch.Tensor = self.softmax(self.weigh(x))
        return found

    def forward(self, x: torch.Tensor) -> Any:
        """Project and denoise a normalized batch.

        Parameters
        ----------
        x
            Shape (B, C, Z, Y, X); Z is any, Y and X are multiples of the grid.

        Returns
        -------
        torch.Tensor or tuple
            What the 2-D network returns, (B, C, Y, X), and a height map, (B, 1, Y, X).
        """
        weights = self.weights(x)
        restored = self.unet((weights * x).sum(dim=2))
        if not self.config.height:
            return restored
        restored = restored if isinstance(restored, tuple) else (restored,)
        return *restored, self._height(weights)

    def _height(self, weights: torch.Tensor) -> torch.Tensor:
        """Plane of the surface, (B, 1, Y, X), from weights (B, 1, Z, Y, X)."""
        if self.config.height == "argmax":
            return weights.argmax(dim=2).to(weights.dtype)
        planes = torch.arange(weights.shape[2], device=weights.device)
        return (weights * planes.to(weights.dtype)[:, None, None]).sum(dim=2)

    def _conv(self, n_in: int, n_out: int) -> nn.Conv3d:
        kernel = self.config.kernel
        z, y, x = (k // 2 for k in kernel)
        made = nn.Conv3d(n_in, n_out, kernel, padding=(z, y, x))
        nn.init.xavier_uniform_(made.weight)
        nn.init.zeros_(made.bias)  # type: ignore[arg-type]
        return made

    def _block(self, n_in: int) -> nn.Sequential:
        widths = [n_in, *[self.config.filters] * self.config.convolutions]
        steps: list[nn.Module] = []
        for a, b in pairwise(widths):
            steps += [self._conv(a, b), nn.ReLU()]
        return nn.Sequential(*steps)
