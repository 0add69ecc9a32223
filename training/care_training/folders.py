"""Folders: a user's image pairs, found by name and checked before training begins."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.registration import phase_cross_correlation

from care_runtime import axes as axes_
from care_runtime import finding, pixels, reading
from care_runtime.axes import canonical
from care_runtime.errors import CareError, FileError, TrainingError
from care_runtime.files import unwritable
from care_runtime.resample import stretched
from care_training.evaluate import comparable
from care_training.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHIFT = 1.0
"""Pixels between the two images of a pair from which on a user should know."""

NEEDED = 500 << 20
"""Bytes of free disk that checkpoints and a package take at most."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the low image of a pair lies from the high one.

    Parameters
    ----------
    name
        Of the pair.
    pixels
        Along each space axis, [Z,] Y, X.
    """

    name: str
    pixels: tuple[float, ...]

    @property
    def distance(self) -> float:
        """Length in pixels."""
        return float(np.linalg.norm(self.pixels))


def find(low: Path, high: Path) -> list[tuple[Path, Path]]:
    """Pair the TIFF files of two folders by name.

    Raises
    ------
    FileError
        If a folder is missing or empty.
    TrainingError
        If a file has no partner; all of them are named.
    """
    lows, highs = _stems(low), _stems(high)
    alone = [lows[n] for n in lows if n not in highs]
    alone += [highs[n] for n in highs if n not in lows]
    if alone:
        names = ", ".join(str(path) for path in alone[:5])
        more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
        msg = (
            f"every image in {low} needs one of the same name in {high}, but these "
            f"have none: {names}{more}"
        )
        raise TrainingError(msg)
    return [(lows[name], highs[name]) for name in sorted(lows)]


def _stems(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        msg = f"{folder} is no folder: expected one with images"
        raise FileError(msg)
    files = [Path(file) for file in finding.sources([folder])]
    stems: dict[str, Path] = {}
    for path in files:
        stem = path.stem.removesuffix(".ome")
        if stem in stems:
            msg = f"{stems[stem]} and {path} have one name: rename or remove one"
            raise TrainingError(msg)
        stems[stem] = path
    return stems


def read(
    files: Sequence[tuple[Path, Path]],
    axes: str,
    *,
    projected: bool = False,
    factor: float = 1.0,
) -> list[Pair]:
    """Read image pairs, and make each sample and time point a pair of its own.

    Parameters
    ----------
    files
        Low and high image of each pair.
    axes
        Letters of STCZYX. Samples (S) are fields of their own; time points (T) show the
        same field, so they are never split between training and validation.
    projected
        Whether the high images lack Z.
    factor
        Planes of a high image per plane of the low one.

    Raises
    ------
    TrainingError
        If two images differ in shape, or pairs differ in channels; the file is named.
    """
    pairs = []
    for low, high in files:
        flat = axes.upper().replace("Z", "") if projected else axes
        images = [_image(low, axes), _image(high, flat)]
        _check_shapes(low, high, images, projected=projected, factor=factor)
        pairs += _frames(low.stem, *images, volume="Z" in axes.upper(), flat=projected)
    channels = {(pair.low.shape[0], pair.high.shape[0]) for pair in pairs}
    if len(channels) > 1:
        found = ", ".join(f"{a} to {b}" for a, b in sorted(channels))
        msg = f"all pairs need the same channels, but these differ: {found}"
        raise TrainingError(msg)
    return pairs


def volumes(place: Path, axes: str) -> list[Pair]:
    """Read the volumes (C, Z, Y, X) of a folder, or of one file.

    Samples and time points are volumes of their own; time points show the same field.
    There is nothing to pair them with: both images of each are the volume.

    Raises
    ------
    FileError
        If there is no such file, or the folder is empty.
    TrainingError
        If one cannot be read, or they differ in channels.
    """
    found: list[Pair] = []
    for path in map(Path, finding.sources([place])):
        image = _image(path, axes)
        found += _frames(path.stem, image, image, volume=True, flat=False)
    channels = sorted({len(volume.low) for volume in found})
    if len(channels) > 1:
        msg = f"all volumes need the same channels, but some have {channels}"
        raise TrainingError(msg)
    return found


def _check_shapes(
    low: Path,
    high: Path,
    images: Sequence[NDArray[Any]],
    *,
    projected: bool,
    factor: float,
) -> None:
    """Refuse a pair that does not show one field."""
    (*fields, _, planes, _, _), found = images[0].shape, images[1].shape
    wanted = (*fields, found[2], stretched(planes, factor), *images[0].shape[4:])
    if projected:
        wanted = (*wanted[:3], 1, *wanted[4:])
    if wanted == found:
        return
    how = "pixel by pixel"
    if projected:
        how = "and its projection has no Z"
    elif factor != 1:
        how = f"with {factor:g} planes for each of the low image's"
    msg = (
        f"{low} and {high} do not fit: their shapes are {images[0].shape} and {found} "
        f"as STCZYX, expected {wanted} for the second. A pair shows one field, {how}"
    )
    raise TrainingError(msg)


def equally_deep(pairs: Sequence[Pair]) -> list[Pair]:
    """Mirror low stacks at their last plane, until all are as deep as the deepest.

    Networks are trained on stacks of one depth; they restore those of any.
    """
    deepest = max(pair.low.shape[1] for pair in pairs)
    deeper = []
    for pair in pairs:
        more = (0, deepest - pair.low.shape[1])
        low = np.pad(pair.low, [(0, 0), more, (0, 0), (0, 0)], mode="symmetric")
        deeper.append(replace(pair, low=low))
    return deeper


def _image(path: Path, axes: str) -> NDArray[Any]:
    try:
        image = reading.read(path, axes)
        pixels.check(image.pixels)
        return canonical(image.pixels, axes_.check(axes, image.pixels.shape))
    except CareError as error:
        text = str(error)
        msg = text if str(path) in text else f"{path}: {text}"
        raise TrainingError(msg) from error


def _frames(
    name: str, low: NDArray[Any], high: NDArray[Any], *, volume: bool, flat: bool
) -> list[Pair]:
    samples, times = low.shape[:2]
    plane = slice(None) if volume else 0
    target = 0 if flat else plane
    return [
        Pair(
            name + (f" S{s}" if samples > 1 else "") + (f" T{t}" if times > 1 else ""),
            low[s, t, :, plane],
            high[s, t, :, target],
            field=f"{name} S{s}",
        )
        for s in range(samples)
        for t in range(times)
    ]


def shifts(pairs: Sequence[Pair]) -> list[Shift]:
    """Measure the shift within each pair by phase correlation, to 0.1 pixels.

    Stacks are compared with their projection by their maximum.
    """
    return [Shift(pair.name, _shift(pair)) for pair in pairs]


def _shift(pair: Pair) -> tuple[float, ...]:
    images = comparable(pair), pair.high
    low, high = (image[0].astype(np.float32) for image in images)
    # Without normalization by magnitude: noise would drown the structure.
    found, _, _ = phase_cross_correlation(
        low - low.mean(), high - high.mean(), upsample_factor=10, normalization=None
    )
    return tuple(float(pixel) for pixel in found)


def check_disk(folder: Path) -> None:
    """Refuse to train where the results would not fit.

    Raises
    ------
    FileError
        If less than 500 MB are free.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    free = shutil.disk_usage(folder).free
    if free < NEEDED:
        msg = (
            f"{folder} has {free >> 20} MB free, and checkpoints and the package may "
            f"take {NEEDED >> 20}: make room or name another folder"
        )
        raise FileError(msg)
