"""Ensemble: networks of one kind in one graph, and how far they disagree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from care_runtime.errors import TrainingError
from care_training.mixture import Mixture

if TYPE_CHECKING:
    from care_training.form import Form
    from care_training.networks import MemberConfig


@dataclass(frozen=True, slots=True)
class EnsembleConfig:
    """Architecture of an ensemble (Methods, "Probabilistic networks").

    Parameters
    ----------
    member
        Architecture that all members have, probabilistic.
    members
        How many there are; 5 in the paper.
    """

    member: MemberConfig
    members: int = 5

    def __post_init__(self) -> None:
        if self.members < 2:
            msg = f"expected an ensemble of 2 or more networks, found {self.members}"
            raise TrainingError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        member = self.member.to_dict()
        return {"kind": "ensemble", "member": member, "members": self.members}


class Ensemble(nn.Module):
    """Networks that were trained from different seeds, and their mixture.

    Every pixel gets the equal mixture of the members' Laplace distributions: its mean,
    its standard deviation (of noise and of ignorance together) and the disagreement of
    the members, 0 where they agree and 1 where they exclude each other.

    Parameters
    ----------
    members
        Probabilistic networks of one form.

    Raises
    ------
    TrainingError
        If they are not probabilistic: a disagreement is one of distributions.
    """

    def __init__(self, config: EnsembleConfig, members: list[nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(members)
        self.mixture = Mixture()
        if not self.form.probabilistic:
            msg = "an ensemble compares distributions: its members are probabilistic"
            raise TrainingError(msg)

    @property
    def form(self) -> Form:
        """What the network reads and gives back."""
        form: Form = self.members[0].form  # type: ignore[assignment]
        if "scale" not in form.outputs:
            return form
        more = tuple(name for name in form.outputs if name not in ("mean", "scale"))
        outputs = ("mean", "std", "disagreement", "member_mean", "member_scale", *more)
        return replace(form, outputs=outputs, members=len(self.members))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Restore a normalized batch.

        Parameters
        ----------
        x
            What the members read.

        Returns
        -------
        tuple
            Mean, standard deviation and disagreement of the mixture, (B, C, [Z,] Y, X);
            means and scales of the members, (B, C * M, ...), those of one channel side
            by side; and the mean of whatever else the members give back.
        """
        answers = zip(*(member(x) for member in self.members), strict=True)
        means, scales, *others = (list(answer) for answer in answers)
        stacked = (torch.stack(y, dim=2).flatten(1, 2) for y in (means, scales))
        more = (average(other) for other in others)
        return *self.mixture(means, scales), *stacked, *more


class MeanOnly(nn.Module):
    """The mean of an ensemble alone: what costs no more than its members.

    Parameters
    ----------
    ensemble
        Shares its weights.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        self.config = ensemble.config
        self.members = ensemble.members

    @property
    def form(self) -> Form:
        """What the network reads and gives back."""
        form: Form = self.members[0].form  # type: ignore[assignment]
        return replace(form, outputs=("mean",))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Restore a normalized batch: (B, C, [Z,] Y, X)."""
        return average([member(x)[0] for member in self.members])


def average(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Average tensors of one shape, by operators that every opset has."""
    return torch.stack(tensors).sum(dim=0) / len(tensors)
