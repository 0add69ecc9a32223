"""Restored: what a restoration gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from care_runtime.image import Image


@dataclass(frozen=True, slots=True)
class Restored:
    """A restoration; ``np.asarray(restored)`` is its main image.

    Parameters
    ----------
    images
        Every output by id, with the calibration of the image it came from.
    main
        Id of the restored image itself, ``"mean"`` in all models of this project.
    provenance
        Model, normalization, tiles and the like, to be kept with the pixels.
    saturated
        Pixels of the main image that its integer type could not hold.
    blank
        Channels of frames without contrast, which were returned unchanged.
    flagged
        Fraction of the pixels that are not to be trusted; None if nobody asked.
    """

    images: Mapping[str, Image]
    main: str
    provenance: Mapping[str, str] = field(default_factory=dict)
    saturated: int = 0
    blank: int = 0
    flagged: float | None = None

    @property
    def image(self) -> NDArray[Any]:
        """Pixels of the main output."""
        return self.images[self.main].pixels

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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the main image as an array."""
        return np.array(self.image, dtype=dtype, copy=copy)
