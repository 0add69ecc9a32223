"""Case: a test image and its ground truth, known by their files and read when used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

from care_runtime import tiff
from care_runtime.axes import canonical
from care_runtime.errors import TrainingError
from care_training.pairs import Pair

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of one file.

    Parameters
    ----------
    path
        TIFF file.
    axes
        Letters of CZYX for the dimensions that the file holds.
    channel
        The one to take, if the file holds several images as channels.
    channels
        How many it has to hold then.
    """

    path: Path
    axes: str
    channel: int | None = None
    channels: int | None = None

    def read(self) -> NDArray[Any]:
        """Read it as (C, [Z,] Y, X), of the file's own type.

        Large files that are not compressed are mapped, and read as pixels are used.

        Raises
        ------
        FileError
            If it is missing or damaged.
        AxesError
            If it has other axes.
        TrainingError
            If it has another number of channels.
        """
        image = tiff.read(self.path, self.axes)
        pixels: NDArray[Any] = canonical(image.pixels, image.axes)[0, 0]
        if self.channels not in (None, len(pixels)):
            msg = (
                f"expected {self.channels} channels, in the order {self.axes}, in "
                f"{self.path}, found {len(pixels)} of shape {image.pixels.shape}"
            )
            raise TrainingError(msg)
        if self.channel is not None:
            pixels = pixels[self.channel : self.channel + 1]
        return pixels if "Z" in self.axes else pixels[:, 0]


@dataclass(frozen=True, slots=True)
class Case:
    """A test image.

    Parameters
    ----------
    name
        The same under all conditions.
    low
        As it is to be restored.
    high
        Ground truth; None where none can be had.
    """

    name: str
    low: Picture
    high: Picture | None = None

    def pair(self) -> Pair:
        """Read both images.

        Raises
        ------
        FileError, AxesError
            If one cannot be read.
        TrainingError
            If there is no ground truth, or its planes have another size.
        """
        if self.high is None:
            msg = (
                f"expected a ground truth for {self.name}, found that none was "
                "published: read the image alone with `low.read()`"
            )
            raise TrainingError(msg)
        low, high = self.low.read(), self.high.read()
        if low.shape[-2:] != high.shape[-2:]:
            msg = (
                f"expected {self.low.path} and {self.high.path} to show one field, "
                f"found planes of {low.shape[-2:]} and {high.shape[-2:]} pixels: fetch "
                "the data again"
            )
            raise TrainingError(msg)
        return Pair(self.name, low, high)


class CasePairs(Sequence[Pair]):
    """The pairs of test images, each of which is read whenever it is asked for.

    Nothing is kept, so that as many can be looked at, one after the other, as lie on
    the disk.

    Parameters
    ----------
    cases
        With ground truth.
    condition
        That names of pairs begin with.
    step
        Planes of the truth from one plane of the low image to the next, where the low
        image is the truth's every n-th plane: what lies beyond its last plane is left
        out. 0 where both begin and end alike.
    """

    def __init__(
        self, cases: Sequence[Case], condition: str = "", step: int = 0
    ) -> None:
        self.cases, self.condition, self.step = tuple(cases), condition, step

    def __len__(self) -> int:
        return len(self.cases)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> CasePairs: ...

    def __getitem__(self, index: int | slice) -> Pair | CasePairs:
        if isinstance(index, slice):
            return CasePairs(self.cases[index], self.condition, self.step)
        pair = self.cases[index].pair()
        high = pair.high
        if self.step and pair.low.shape[1] < high.shape[1]:
            high = high[:, : (pair.low.shape[1] - 1) * self.step + 1]
        name = f"{self.condition} {pair.name}".strip()
        return replace(pair, name=name, high=high)
