"""Form: what a network reads and gives back, whatever is inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    probabilistic
        Whether a scale follows the mean.
    """

    task: str
    space: str
    restored: str
    channels_in: int
    channels_out: int
    grid: Mapping[str, int]
    whole: tuple[str, ...] = ()
    probabilistic: bool = False

    @property
    def same_channels(self) -> bool:
        """Whether the restoration can be taken back to the image's grey values."""
        return self.channels_in == self.channels_out


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
