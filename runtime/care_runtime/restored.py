"""Restored: what a restoration gives back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import lazy
from care_runtime.errors import OptionError
from care_runtime.output import arrays, fitting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from care_runtime.image import Image


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """The images that a restoration has, whatever holds their pixels.

    Parameters
    ----------
    images
        Every output by id, with the calibration of the image it came from.
    main
        Id of the restored image itself, ``"mean"`` in all models of this project.
    provenance
        Model, normalization, tiles and the like, to be kept with the pixels.
    """

    images: Mapping[str, Image]
    main: str
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, NDArray[Any]]:
        """Pixels of every output by id."""
        return {name: image.pixels for name, image in self.images.items()}

    @property
    def axes(self) -> str:
        """Axes of the main output."""
        return self.images[self.main].axes

    @property
    def voxel(self) -> Mapping[str, float]:
        """Pixel size of the main output by axis."""
        return self.images[self.main].voxel


@dataclass(frozen=True, slots=True, eq=False)
class Restored(Outputs):
    """A restoration; ``np.asarray(restored)`` is its main image.

    Parameters
    ----------
    images, main, provenance
        As `Outputs` has them.
    saturated
        Pixels of the main image that its integer type could not hold.
    blank
        Channels of frames without contrast, which were returned unchanged.
    flagged
        Fraction of the pixels that are not to be trusted; None if nobody asked.
    """

    saturated: int = 0
    blank: int = 0
    flagged: float | None = None

    @property
    def image(self) -> NDArray[Any]:
        """Pixels of the main output."""
        return self.images[self.main].pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the main image as an array."""
        found = np.asarray(self.image, dtype)
        if copy is False and not np.may_share_memory(found, self.image):
            msg = f"expected no copy, found that {self.image.dtype} is no {dtype}"
            raise ValueError(msg)
        return found.copy() if copy else found


def copied(restored: Restored, out: Any, wish: str = "auto") -> Restored:
    """Copy images into the arrays that are given for them.

    Parameters
    ----------
    restored
        What was restored.
    out
        Array for the main image, arrays by output, or None.
    wish
        Type that was asked for, as `output.fitting` takes it.

    Raises
    ------
    OptionError
        If an array does not fit, or is for what was not made.
    """
    images = dict(restored.images)
    for name, array in arrays(out, restored.main).items():
        image = images.get(name)
        if image is None:
            msg = f"expected arrays for {', '.join(images)}, found one for {name!r}"
            raise OptionError(msg)
        pixels = image.pixels
        target = fitting(array, name, tuple(pixels.shape), pixels.dtype, wish)
        lazy.copy(image.pixels, target)
        images[name] = replace(image, pixels=target)
    return replace(restored, images=images)
