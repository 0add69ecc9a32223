"""Isotropic restoration: a 2-D network on both kinds of axial planes, in one graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from care_runtime.errors import TrainingError
from care_training.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from care_training.form import Form

VIEWS = (
    # How a stack (B, C, Z, Y, X) becomes planes with Z last, as in training; how
    # answers go back; and whether Z is turned over, as it is by CSBDeep's rotations.
    ((0, 4, 1, 3, 2), (0, 2, 4, 3, 1), True),  # YZ: (B, X, C, Y, Z)
    ((0, 3, 1, 4, 2), (0, 2, 4, 1, 3), False),  # XZ: (B, Y, C, X, Z)
)


@dataclass(frozen=True, slots=True)
class IsotropicConfig:
    """Architecture of an isotropic restoration.

    Parameters
    ----------
    unet
        The 2-D network that restores axial planes.
    gains
        By how much detail along Z is raised in each channel that is restored, fitted
        after training (`detail`); none leaves what training found, as the paper does.
    factor
        Pixels from plane to plane, if there are gains.
    """

    unet: UNetConfig = field(default_factory=UNetConfig)
    gains: tuple[float, ...] = ()
    factor: float = 0.0

    def __post_init__(self) -> None:
        if self.gains and (
            len(self.gains) != self.unet.channels_out
            or not self.factor >= 1
            or not all(0 < gain < float("inf") for gain in self.gains)
        ):
            msg = (
                "expected a gain above 0 for each channel that is restored, "
                f"{self.unet.channels_out}, and a factor of 1 or more, found "
                f"{self.gains} and {self.factor:g}"
            )
            raise TrainingError(msg)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IsotropicConfig:
        """Read back what `to_dict` wrote."""
        unet = UNetConfig.from_dict(values["unet"])
        return cls(unet, tuple(values.get("gains", ())), values.get("factor", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        more = {"gains": list(self.gains), "factor": self.factor} if self.gains else {}
        return {"kind": "isotropic", "unet": self.unet.to_dict(), **more}


class Sharper(nn.Module):
    """Raise the detail along Z, in each channel by its gain.

    Detail is what a Hann window of two distances of planes smooths away: of waves that
    the planes could not hold, which are shorter than that, half or more. Beside what is
    bright, nothing becomes darker than the darkest within a distance.

    Parameters
    ----------
    gains
        One for each channel.
    factor
        Pixels from plane to plane.
    """

    more: torch.Tensor
    window: torch.Tensor

    def __init__(self, gains: Sequence[float], factor: float) -> None:
        super().__init__()
        reach = round(factor)
        window = torch.hann_window(2 * reach + 3, periodic=False)[1:-1]
        window = (window / window.sum())[None, None, :, None, None]
        # They are part of a configuration, and no weights.
        more = torch.tensor(gains)[:, None, None, None] - 1
        self.register_buffer("more", more, persistent=False)
        rows = window.expand(len(gains), *window.shape[1:]).contiguous()
        self.register_buffer("window", rows, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sharpen stacks (B, C, Z, Y, X); beyond the ends of Z, its last planes go on.

        What the gain is, it is in any grey values.
        """
        longer, size = self._longer(x), self.window.shape[2]
        smooth = functional.conv3d(longer, self.window, groups=len(self.window))
        darkest = -functional.max_pool3d(-longer, (size, 1, 1), stride=1)
        return torch.maximum(x + self.more * (x - smooth), darkest)

    def _longer(self, x: torch.Tensor) -> torch.Tensor:
        # torch exports no padding that repeats the ends in the opset of `graph`.
        reach = self.window.shape[2] // 2
        ends = [x[:, :, :1]] * reach, [x[:, :, -1:]] * reach
        return torch.cat([*ends[0], x, *ends[1]], dim=2)

    def probe(self) -> nn.Module:
        """Make what stands for it where reach is measured: nothing hides a change."""
        return Seen(self)


class Seen(nn.Module):
    """The mean of all that a pixel of `Sharper` depends on."""

    def __init__(self, sharper: Sharper) -> None:
        super().__init__()
        self.window, self.longer = sharper.window, sharper._longer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Smooth stacks (B, C, Z, Y, X)."""
        window = self.window.to(x.dtype)
        return functional.conv3d(self.longer(x), window, groups=len(window))


class Isotropic(nn.Module):
    """Restore the XZ and the YZ planes of a stretched stack, and join the two views.

    The network was trained on lateral planes that were blurred and subsampled along one
    axis as the microscope does along Z (Methods, "Isotropic reconstruction"). The mean
    of the views is geometric, so that both have to agree that there is something; of
    two scales, the greater one is kept. In the end, detail along Z may be raised.

    Parameters
    ----------
    config
        Architecture.
    """

    def __init__(self, config: IsotropicConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config.unet)
        self.sharper = Sharper(config.gains, config.factor) if config.gains else None

    @property
    def form(self) -> Form:
        """What the network reads and gives back: stacks that were stretched along Z."""
        return replace(
            self.unet.form,
            task="isotropic restoration",
            space="zyx",
            restored="zyx",
            grid=dict.fromkeys("zyx", self.config.unet.multiple),
            planes=True,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Restore a normalized batch of stacks that were stretched along Z.

        Parameters
        ----------
        x
            Shape (B, C, Z, Y, X), all space axes multiples of the grid.

        Returns
        -------
        torch.Tensor or tuple
            The mean, and the scale of a probabilistic network, of the same space.
        """
        (first, *one), (second, *two) = (self._view(x, *view) for view in VIEWS)
        mean = torch.sqrt(torch.relu(first) * torch.relu(second))
        mean = mean if self.sharper is None else self.sharper(mean)
        scales = [torch.maximum(a, b) for a, b in zip(one, two, strict=True)]
        return (mean, *scales) if scales else mean

    def _view(
        self,
        x: torch.Tensor,
        there: tuple[int, ...],
        back: tuple[int, ...],
        turned: bool,
    ) -> list[torch.Tensor]:
        planes = x.permute(there)
        count = planes.shape[:2]
        planes = planes.flatten(0, 1)
        answers = self.unet(planes.flip(-1) if turned else planes)
        answers = answers if isinstance(answers, tuple) else (answers,)
        answers = tuple(y.flip(-1) for y in answers) if turned else answers
        return [y.unflatten(0, count).permute(back) for y in answers]
