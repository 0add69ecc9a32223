"""Threshold: the paper's simple segmentation of nuclei."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from care_runtime import pixels
from care_runtime.errors import ImageError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def threshold_segmentation(
    image: NDArray[Any],
    threshold: float | None = None,
    *,
    smallest: int = 1,
    diagonal: bool = False,
) -> NDArray[np.int32]:
    """Label the connected components above a threshold as objects.

    This is how the paper segments restorations of Tribolium, so that a score tells of
    the image and not of a clever segmentation (Methods, "Tribolium"). Its threshold is
    in the supplement, which is not at hand: here it is Otsu's (1979), of the whole
    image, unless one is given. Compare methods with the same rule for all.

    Parameters
    ----------
    image
        One channel, (Y, X) or (Z, Y, X), of finite values.
    threshold
        In the units of the image; pixels above it belong to objects. By default Otsu's.
    smallest
        Smaller components, in pixels, are dropped.
    diagonal
        Whether pixels that touch at an edge or a corner alone are connected.

    Returns
    -------
    labels
        Int32 of the shape of the image, 1 to the number of objects, 0 for background.
        An image without contrast has no object.

    Raises
    ------
    ImageError
        If the image is empty or not finite.
    OptionError
        If the threshold is no number or the smallest size is below 1.
    """
    pixels.check(image)
    if not image.size:
        msg = f"expected an image of at least a pixel, found the shape {image.shape}"
        raise ImageError(msg)
    if threshold is not None and not np.isfinite(threshold):
        msg = f"expected a finite threshold, found {threshold}: give a grey value"
        raise OptionError(msg)
    if smallest < 1:
        msg = f"expected a smallest size of 1 pixel or more, found {smallest}"
        raise OptionError(msg)
    level = float(threshold_otsu(image)) if threshold is None else threshold
    order = image.ndim if diagonal else 1
    structure = ndimage.generate_binary_structure(image.ndim, order)
    labels = np.empty(image.shape, np.int32)
    ndimage.label(image > level, structure, output=labels)
    sizes = np.bincount(labels.reshape(-1))
    kept = sizes >= smallest
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return numbers[labels]
