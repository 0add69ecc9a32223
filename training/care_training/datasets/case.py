"""Case: a test image and its ground truth, known by their files and read when used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

from care_runtime import omeset, tiff
from care_runtime.axes import canonical
from care_runtime.errors import TrainingError
from care_runtime.tiffcheck import quiet
from care_training.pairs import Pair

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.source import Source


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of one file.

    Parameters
    ----------
    path
        TIFF file.
    axes
        Letters of CZYX for the dimensions that the file holds, unless it names its
        channels itself.
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
        image = self._source().read()
        pixels: NDArray[Any] = canonical(image.pixels, image.axes)[0, 0]
        if self.channel is not None:
            pixels = pixels[self.channel : self.channel + 1]
        return pixels if "Z" in self.axes else pixels[:, 0]

    def shape(self) -> tuple[int, ...]:
        """Look at its size (C, [Z,] Y, X); no pixel is read. See `read` for errors."""
        source = self._source()
        sizes = dict(zip(source.axes, source.shape, strict=True))
        if self.channel is not None:
            sizes["C"] = 1
        return tuple(sizes.get(x, 1) for x in "CZYX" if x != "Z" or "Z" in self.axes)

    def _source(self) -> Source:
        """Open the file, and require its channels."""
        source = tiff.source(self.path, self.axes)
        own = _own_axes(self.path) if "C" in self.axes else self.axes
        if own != self.axes and set(own) == set(self.axes):
            named = tiff.source(self.path, own)
            if self.channels in (None, _channels(named)):
                source = named
        found = _channels(source)
        if self.channels not in (None, found):
            msg = (
                f"expected {self.channels} channels, in the order {self.axes}, in "
                f"{self.path}, found {found} of shape {source.shape}: fetch the data "
                "again, or save it with its axes named"
            )
            raise TrainingError(msg)
        return source


def _channels(source: Source) -> int:
    return source.shape[source.axes.index("C")] if "C" in source.axes else 1


def _own_axes(path: Path) -> str:
    """Read how a file names its axes; planes that were saved as a movie are planes."""
    with quiet(), omeset.opened(path) as tif:
        letters = str(tif.series[0].axes)
    return letters if "Z" in letters else letters.replace("T", "Z")


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
        _require_one_field(self.low.path, low.shape, self.high.path, high.shape)
        return Pair(self.name, low, high)

    def check(self, step: int = 0) -> None:
        """Look at the sizes of both images, as far as there are two; no pixel is read.

        Parameters
        ----------
        step
            See `CasePairs`.

        Raises
        ------
        FileError, AxesError
            If one cannot be read.
        TrainingError
            If they do not show the same.
        """
        low = self.low.shape()
        if self.high is None:
            return
        high = self.high.shape()
        _require_one_field(self.low.path, low, self.high.path, high)
        if len(low) != len(high):  # a projection
            return
        inside = 0 < step * (low[1] - 1) < high[1]
        if low[1] != high[1] and not inside:
            msg = (
                f"expected {self.low.path} and {self.high.path} to show one stack, "
                f"found {low[1]} and {high[1]} planes: fetch the data again"
            )
            raise TrainingError(msg)


def _require_one_field(
    low: Path, low_shape: tuple[int, ...], high: Path, high_shape: tuple[int, ...]
) -> None:
    if low_shape[-2:] != high_shape[-2:]:
        msg = (
            f"expected {low} and {high} to show one field, found planes of "
            f"{low_shape[-2:]} and {high_shape[-2:]} pixels: fetch the data again"
        )
        raise TrainingError(msg)


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
