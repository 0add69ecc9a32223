"""Isotropic restoration: a 2-D network on both kinds of axial planes, in one graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from care_training.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """

    unet: UNetConfig = field(default_factory=UNetConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IsotropicConfig:
        """Read back what `to_dict` wrote."""
        return cls(UNetConfig.from_dict(values["unet"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        return {"kind": "isotropic", "unet": self.unet.to_dict()}


class Isotropic(nn.Module):
    """Restore the XZ and the YZ planes of a stretched stack, and join the two views.

    The network was trained on lateral planes that were blurred and subsampled along one
    axis as the microscope does along Z (Methods, "Isotropic reconstruction"). The mean
    of the views is geometric, so that both have to agree that there is something; of
    two scales, the greater one is kept.

    Parameters
    ----------
    config
        Architecture.
    """

    def __init__(self, config: IsotropicConfig) -> None:
        super().__init__()
        self.config = config
        self.unet = UNet(config.unet)

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
