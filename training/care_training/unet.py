"""The CARE U-Net: a small residual encoder-decoder, in 2-D and 3-D."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn
from torch.nn import functional

from care_runtime.errors import RecipeError
from care_training.form import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

KERNELS = {2: 5, 3: 3}
"""Default kernel width for each number of spatial dimensions."""

LEAST_SCALE = 1e-3
"""Floor of the predicted scale, in normalized units."""


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Architecture of a CARE U-Net (Methods, "Neural network architecture").

    Parameters
    ----------
    dims
        Number of spatial dimensions: 2 (YX) or 3 (ZYX).
    channels_in, channels_out
        Channels of the input and of the restoration.
    depth
        Number of poolings by two, so that sizes are multiples of ``2**depth``.
    kernel
        Width of every convolution, odd; 0 stands for the paper's: 5 in 2-D, 3 in 3-D.
    filters
        Filters of the first level, doubled at each level below.
    residual
        Whether the network predicts the difference to its input; by default it does
        wherever the channels of input and output agree.
    last_activation
        ``"linear"``, or ``"relu"`` for a restoration that is never negative.
    probabilistic
        Whether a Laplace distribution is predicted for every pixel: its mean and its
        scale (Methods, "Probabilistic networks").
    recalibration
        Factor of the scale, fitted after training on images that were held back; 1
        leaves what training found, as the paper does.
    """

    dims: int = 2
    channels_in: int = 1
    channels_out: int = 1
    depth: int = 2
    kernel: int = 0
    filters: int = 32
    residual: bool | None = None
    last_activation: Literal["linear", "relu"] = "linear"
    probabilistic: bool = False
    recalibration: float = 1.0

    def __post_init__(self) -> None:
        if self.dims not in KERNELS:
            msg = f"a CARE U-Net has 2 or 3 spatial dimensions, not {self.dims}"
            raise RecipeError(msg)
        for name in ("depth", "filters", "channels_in", "channels_out"):
            if getattr(self, name) < 1:
                msg = f"expected {name} of 1 or more, found {getattr(self, name)}"
                raise RecipeError(msg)
        if self.last_activation not in ("linear", "relu"):
            msg = (
                "expected the last activation 'linear' or 'relu', found "
                f"{self.last_activation!r}"
            )
            raise RecipeError(msg)
        same = self.channels_in == self.channels_out
        if self.kernel == 0:
            object.__setattr__(self, "kernel", KERNELS[self.dims])
        if self.residual is None:
            object.__setattr__(self, "residual", same)
        if self.kernel % 2 == 0 or self.kernel < 0:
            msg = f"expected an odd kernel width, as 3, 5 or 7, found {self.kernel}"
            raise RecipeError(msg)
        if not 0 < self.recalibration < float("inf"):
            msg = f"expected a recalibration above 0, found {self.recalibration}"
            raise RecipeError(msg)
        if self.residual and not same:
            msg = (
                f"a residual network adds its input to its output, so both need the "
                f"same channels, not {self.channels_in} and {self.channels_out}"
            )
            raise RecipeError(msg)

    @property
    def multiple(self) -> int:
        """Grid on which sizes and tile starts must lie, in pixels."""
        multiple: int = 2**self.depth
        return multiple

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> UNetConfig:
        """Read back what `to_dict` wrote."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        return asdict(self)


class Up(nn.ModuleList):
    """One level on the way up: repeated pixels, the level's own, and convolutions."""

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Compute the features of a level.

        Parameters
        ----------
        x
            Features of the level below, (B, F, [Z,] Y, X).
        skip
            Features of the level itself, on twice as many pixels along each axis.
        """
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        x = torch.cat([x, skip], dim=1)
        for step in self:
            x = step(x)
        return x


class UNet(nn.Module):
    """The network of the paper's Supplementary Fig. 1, zero padded, ReLU throughout.

    Going down, each level has two convolutions and a maximum pooling; the middle
    doubles the filters and halves them again; going up, each level repeats every pixel
    (nearest neighbour), concatenates the level's own features and has two convolutions.
    A 1 x 1 convolution makes the restoration, to which the input is added; another one
    makes the scale of a probabilistic network.

    Parameters
    ----------
    config
        Architecture; the defaults have 922,977 parameters in 2-D, 996,769 in 3-D.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.filters * 2**level for level in range(config.depth + 1)]
        *levels, bottom = widths
        self.down = nn.ModuleList(
            nn.Sequential(*_convolutions(config, [above, width, width]))
            for above, width in pairwise([config.channels_in, *levels])
        )
        self.middle = nn.Sequential(
            *_convolutions(config, [widths[-2], bottom, bottom // 2])
        )
        self.up = nn.ModuleList(
            Up(_convolutions(config, [2 * width, width, above]))
            for width, above in pairwise([*reversed(levels), config.filters])
        )
        self.head = _conv(config, config.filters, config.channels_out, kernel=1)
        self.scale = (
            _conv(config, config.filters, config.channels_out, kernel=1)
            if config.probabilistic
            else None
        )
        self.pool = (functional.max_pool2d, functional.max_pool3d)[config.dims - 2]
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def form(self) -> Form:
        """What the network reads and gives back."""
        config = self.config
        space = "zyx"[3 - config.dims :]
        return Form(
            "denoising",
            space,
            space,
            config.channels_in,
            config.channels_out,
            dict.fromkeys(space, config.multiple),
            outputs=("mean", "scale") if config.probabilistic else ("mean",),
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Features of the top level, from which every head reads."""
        skips = []
        for block in self.down:
            x = block(x)  # (B, F * 2^n, [Z,] Y, X) / 2^n
            skips.append(x)
            x = self.pool(x, 2)
        x = self.middle(x)
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(x, skip)
        return x  # (B, F, [Z,] Y, X)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Restore a normalized batch.

        Parameters
        ----------
        x
            Shape (B, C, Y, X) or (B, C, Z, Y, X), every space axis a multiple of
            ``2**depth``.

        Returns
        -------
        torch.Tensor or tuple
            The mean, of the same batch and space and ``channels_out`` channels, and the
            scale of a probabilistic network, of the same shape.
        """
        features = self.features(x)
        mean: torch.Tensor = self.head(features)
        if self.config.residual:
            mean = mean + x
        if self.config.last_activation == "relu":
            mean = functional.relu(mean)
        if self.scale is None:
            return mean
        scale = functional.softplus(self.scale(features).float()) + LEAST_SCALE
        factor = self.config.recalibration
        return mean, scale if factor == 1 else factor * scale


def count_parameters(network: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _conv(config: UNetConfig, n_in: int, n_out: int, kernel: int) -> nn.Module:
    make = nn.Conv2d if config.dims == 2 else nn.Conv3d
    return make(n_in, n_out, kernel, padding=kernel // 2)


def _convolutions(config: UNetConfig, widths: list[int]) -> list[nn.Module]:
    steps: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        steps += [_conv(config, n_in, n_out, config.kernel), nn.ReLU()]
    return steps
