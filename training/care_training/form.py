"""Form: what a network reads and gives back, whatever is inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch


@dataclass(frozen=True, slots=True)
class Form:
    """Axes, channels and grid of a network.

    Parameters
    ----------
    task
        For people, such as ``"denoising"``.
    space, restored
        Space axes of the input and of the outputs, lower case.
    channels_in, channels_out
        Channels of the input and of each output.
    grid
        Pixels by axis, of which sizes and tile starts are multiples.
    whole
        Axes that may not be cut.
    outputs
        Ids of the outputs in the order of the graph; see `describe.OUTPUTS`.
    members
        Networks whose answers an ensemble gives besides its own.
    planes
        Whether its 2-D network is trained on the planes of stacks, which were degraded
        along the last axis.
    """

    task: str
    space: str
    restored: str
    channels_in: int
    channels_out: int
    grid: Mapping[str, int]
    whole: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("mean",)
    members: int = 1
    planes: bool = False

    def channels(self, output: str) -> int:
        """Count the channels of an output; those of members lie side by side."""
        if output == "height":
            return 1
        return self.channels_out * (self.members if "member" in output else 1)

    @property
    def probabilistic(self) -> bool:
        """Whether a distribution is predicted for every pixel."""
        return len({"scale", "member_scale"} & set(self.outputs)) > 0

    @property
    def same_channels(self) -> bool:
        """Whether the restoration can be taken back to the image's grey values."""
        return self.channels_in == self.channels_out


def named(
    form: Form, answers: torch.Tensor | Sequence[torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Give what a network returned the names of its outputs."""
    one = hasattr(answers, "shape")
    return dict(zip(form.outputs, [answers] if one else answers, strict=True))


class Network(Protocol):
    """A torch module that can be described and exported."""

    config: Any

    @property
    def form(self) -> Form:
        """What it reads and gives back."""
        ...

    def __call__(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Restore a normalized batch."""
        ...
