"""Demo: a sample restored and compared with its ground truth, offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from care_runtime import picture, store, tiff
from care_runtime.errors import SpecError
from care_runtime.overlap import Read
from care_runtime.score import Scores, score

if TYPE_CHECKING:
    from pathlib import Path

    from care_runtime.image import Image
    from care_runtime.package import Package
    from care_runtime.reading import Place
    from care_runtime.restore import Restorer

MODEL = "denoise_widefield"

PICTURE, RESTORED = "care_demo.png", "care_demo_restored.tif"
"""What the files are called."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo made.

    Parameters
    ----------
    picture
        PNG of the image before and after, and of the ground truth if there is one.
    restored
        TIFF of the restoration.
    before, after
        Scores against the ground truth, None for a person's own image.
    """

    picture: Path
    restored: Path
    before: Scores | None = None
    after: Scores | None = None


def sample() -> tuple[Image, Image]:
    """Read the simulated sample that comes with the model, and its ground truth."""
    package = store.locate(MODEL)
    file = package.spec.input.sample
    if file is None:
        msg = f"the package of {MODEL!r} has no sample: name an image with --input"
        raise SpecError(msg)
    return tiff.read(package.path(file)), tiff.read(_truth(package))


def _truth(package: Package) -> Path:
    from care_runtime.tensor import File

    for entry in package.spec.about.get("attachments", ()):
        if "truth" in entry["source"]:
            return package.path(File(entry["source"], entry.get("sha256")))
    msg = f"the package of {MODEL!r} has no ground truth: name an image with --input"
    raise SpecError(msg)


def require_apart(own: Place, folder: Path) -> None:
    """Refuse to replace a person's own image.

    Raises
    ------
    OptionError
        If it is what one of the files in the folder would be.
    """
    read = Read.of([own])
    for name in (PICTURE, RESTORED):
        read.require_apart(folder / name)


def show(restorer: Restorer, low: Image, truth: Image | None, folder: Path) -> Shown:
    """Restore an image and write the restoration and a picture of it.

    Parameters
    ----------
    restorer
        The model.
    low
        The image.
    truth
        What it should become, if that is known.
    folder
        Where the files go.
    """
    restored = restorer(low)
    shown = [low, restored.images[restored.main]] + ([truth] if truth else [])
    made = Shown(folder / PICTURE, folder / RESTORED)
    tiff.write(
        made.restored, restored.images[restored.main], description=restored.provenance
    )
    picture.write_png(
        made.picture, picture.side_by_side([picture.plane(i) for i in shown])
    )
    if truth is None:
        return made
    before, after = (score(image.pixels, truth.pixels) for image in shown[:2])
    return Shown(made.picture, made.restored, before, after)
