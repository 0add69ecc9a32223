"""Sample: an image that a package carries, to test and to show its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import picture, tiff
from care_runtime.axes import canonical
from care_runtime.contract import supported
from care_runtime.image import Image
from care_runtime.verify import extended

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.package import Package
    from care_runtime.restore import Restorer
    from care_runtime.spec import Spec


@dataclass(frozen=True, slots=True)
class Sample:
    """An image that a package carries, to test and to show the model.

    Parameters
    ----------
    low
        Raw input of shape (C, [Z,] Y, X).
    truth
        What it should become, if that is known.
    """

    low: NDArray[Any]
    truth: NDArray[Any] | None = None


def test_image(low: NDArray[Any], spec: Spec) -> NDArray[np.float32]:
    """Take the middle of a sample, of a size that bioimage.io tools may cut.

    A sample that is smaller is mirrored at its borders first.
    """
    image = extended(low[None], spec)
    tiling, crop = supported(spec).tiling, []
    for size, axis in zip(image.shape, spec.input.axes, strict=True):
        if axis.kind != "space":
            wanted = size
        elif isinstance(axis.size, int):
            wanted = axis.size
        else:
            wanted = 2 * tiling.margin(axis.id) + 4 * tiling.multiple[axis.id]
        start = max(0, size - wanted) // 2
        crop.append(slice(start, start + wanted))
    return image[tuple(crop)].astype(np.float32)


def write(sample: Sample, restorer: Restorer, folder: Path) -> None:
    """Write a sample, its truth, and a cover that shows it before and after."""
    axes = restorer.spec.input.letters.replace("B", "")
    low = Image(sample.low, axes)
    restored = restorer(low, dtype="float32")  # few grey levels look like steps
    tiff.write(folder / "sample.tif", low)
    if sample.truth is not None:
        flat = sample.truth.ndim < low.pixels.ndim
        truth = Image(sample.truth, axes.replace("Z", "") if flat else axes)
        tiff.write(folder / "sample_truth.tif", truth)
    shown = planes(low, restored.images[restored.main])
    side = min(*shown[0].shape, 256)
    crops = [plane[:side, :side] for plane in shown]
    picture.write_png(folder / "cover.png", _two_to_one(picture.side_by_side(crops)))


def read(package: Package) -> Sample:
    """Read the sample of a package, and its truth if there is one."""
    assert package.spec.input.sample is not None
    low = tiff.read(package.path(package.spec.input.sample))
    truth = package.folder / "sample_truth.tif"
    images = [canonical(low.pixels, low.axes)[0, 0]]
    if truth.is_file():
        high = tiff.read(truth)
        images.append(canonical(high.pixels, high.axes)[0, 0])
    volume = "Z" in package.spec.input.letters
    shaped = [
        view if volume and (view.shape[1] > 1 or i == 0) else view[:, 0]
        for i, view in enumerate(images)
    ]
    return Sample(*shaped)


def planes(low: Image, restored: Image) -> list[NDArray[Any]]:
    """Choose planes that show the restoration: axial ones of a stretched stack."""
    sizes = [dict(zip(i.axes, i.pixels.shape, strict=True)) for i in (low, restored)]
    before, after = (size.get("Z", 1) for size in sizes)
    if after < before:
        return [picture.plane(image) for image in (low, restored)]
    if after == before:
        z = picture.clearest(restored)
        return [picture.plane(image, z) for image in (low, restored)]
    return [picture.section(image, after) for image in (low, restored)]


def _two_to_one(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop a picture to the 2:1 that bioimage.io asks of covers."""
    height = image.shape[1] // 2
    width = 2 * min(image.shape[0], height)
    return image[: width // 2, :width]
