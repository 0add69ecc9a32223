"""Shots: a model's sample, its restoration and the truth, as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import care_runtime
from care_runtime import picture
from care_runtime.contract import supported
from care_runtime.errors import CareError
from care_runtime.tensor import File
from care_training.sample import planes

if TYPE_CHECKING:
    from pathlib import Path

    from care_runtime.image import Image
    from care_runtime.package import Package

RAW, RESTORED, TRUTH = "raw", "restored", "truth"


@dataclass(frozen=True, slots=True)
class Shots:
    """Pictures of one plane or section, by what they show.

    Parameters
    ----------
    files
        Names of files in the folder they were written to.
    width, height
        Of all of them, in pixels.
    axial
        Whether they are sections along Z.
    """

    files: dict[str, str]
    width: int
    height: int
    axial: bool = False


def shots(package: Package, folder: Path) -> Shots | None:
    """Restore the sample of a package, and write pictures of it.

    Parameters
    ----------
    package
        The model.
    folder
        Where the pictures go.

    Returns
    -------
    Shots or None
        None if the package has no sample, or is not one that this runtime runs.
    """
    try:
        supported(package.spec)
    except CareError:
        return None
    file = package.spec.input.sample
    if file is None:
        return None
    low = care_runtime.read(package.path(file))
    restorer = care_runtime.load(package, device="cpu", engine="onnxruntime")
    restored = restorer(low, dtype="float32")  # few grey values would look coarse
    images = {RAW: low, RESTORED: restored.images[restored.main]}
    truth = _truth(package)
    if truth is not None:
        images[TRUTH] = truth
    shown = dict(zip((RAW, RESTORED), planes(low, images[RESTORED]), strict=True))
    axial = _depth(images[RESTORED]) > _depth(low)
    if truth is not None:
        shown[TRUTH] = planes(low, truth)[1]
    size = shown[RESTORED].shape
    shown = {name: plane for name, plane in shown.items() if plane.shape == size}
    if RAW not in shown:
        return None
    for name, plane in shown.items():
        picture.write_png(folder / f"{name}.png", picture.side_by_side([plane]))
    return Shots({n: f"{n}.png" for n in shown}, size[1], size[0], axial)


def _depth(image: Image) -> int:
    sizes: dict[str, int] = dict(zip(image.axes, image.pixels.shape, strict=True))
    return sizes.get("Z", 1)


def _truth(package: Package) -> Image | None:
    for each in package.spec.about.get("attachments", ()):
        if "truth" in str(each.get("source", "")):
            path = package.path(File(each["source"], each.get("sha256")))
            return care_runtime.read(path)
    return None
