"""Feed: what one input of a network reads of its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from care_runtime import axes as axes_
from care_runtime.errors import AxesError
from care_runtime.image import AXES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_runtime.care import Normalization
    from care_runtime.image import Image
    from care_runtime.spec import Spec
    from care_runtime.tensor import Operation


@dataclass(frozen=True, slots=True)
class Feed:
    """What one input of a network reads of its image.

    Parameters
    ----------
    id
        Of the input.
    channels
        Channels that it reads together.
    steps
        What is done with a frame before the network, by models of others.
    """

    id: str
    channels: int
    steps: tuple[Operation, ...] = ()

    def group(self, number: int) -> slice:
        """Channels of the image that are read together, the first of which is 0."""
        return slice(number * self.channels, (number + 1) * self.channels)

    def frame(
        self, view: NDArray[Any], where: tuple[int, int, int], plane: int | None
    ) -> NDArray[Any]:
        """View one frame of an image.

        Parameters
        ----------
        view
            The image as STCZYX.
        where
            Sample, time point and number of the group of channels.
        plane
            Plane to take, None for a volume.

        Returns
        -------
        numpy.ndarray
            (C, [Z,] Y, X).
        """
        s, t, number = where
        channels = self.group(number)
        return view[s, t, channels] if plane is None else view[s, t, channels, plane]


def feeds(spec: Spec, normalization: Normalization, *, steps: bool) -> tuple[Feed, ...]:
    """List what the inputs of a model read, in its order.

    Parameters
    ----------
    spec, normalization
        The model, and how its images are normalized.
    steps
        Whether the steps of the normalization are taken.
    """
    taken = normalization.steps if steps else {}
    return tuple(Feed(t.id, t.channels, taken.get(t.id, ())) for t in spec.inputs)


def require_one_grid(spec: Spec, images: Sequence[Image]) -> None:
    """Refuse images of several inputs that do not lie on one grid.

    Parameters
    ----------
    spec
        The model.
    images
        One for each of its inputs.

    Raises
    ------
    AxesError
        If an image has another size than the first, in anything but channels; or if
        their channels are read together in other numbers of groups.
    """
    known = [_sizes(image) for image in images]
    for tensor, image, sizes in zip(spec.inputs, images, known, strict=True):
        first = spec.input.id
        if sizes | {"C": 1} != known[0] | {"C": 1}:
            msg = (
                f"expected images of one size for the inputs of {spec.name!r}, found "
                f"{_words(known[0])} for {first!r} and {_words(sizes)} for "
                f"{tensor.id!r}: cut them to the same part"
            )
            raise AxesError(msg)
        if tensor is spec.input:
            continue  # what it needs is said where the job is made
        try:
            axes_.fit(image.axes, image.pixels.shape, tensor.letters, tensor.channels)
        except AxesError as error:
            msg = f"the image of the input {tensor.id!r}: {error}"
            raise AxesError(msg) from None
        groups = known[0]["C"] // spec.input.channels, sizes["C"] // tensor.channels
        if groups[0] != groups[1]:
            msg = (
                f"expected as many channels for the input {tensor.id!r} as for "
                f"{first!r}, found {sizes['C']} and {known[0]['C']}, which the model "
                f"reads by {tensor.channels} and {spec.input.channels}: select those "
                "that belong together"
            )
            raise AxesError(msg)


def _sizes(image: Image) -> dict[str, int]:
    found = zip(image.axes, image.pixels.shape, strict=True)
    return dict.fromkeys(AXES, 1) | dict(found)


def _words(sizes: dict[str, int]) -> str:
    return " x ".join(
        f"{a} {n}" for a, n in sizes.items() if a in "YX" or (n > 1 and a != "C")
    )
