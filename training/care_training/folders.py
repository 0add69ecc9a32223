"""Folders: a user's image pairs, found by name and checked before training begins."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import axes as axes_
from care_runtime import finding, pixels, reading
from care_runtime.axes import canonical
from care_runtime.errors import (
    AxesError,
    CareError,
    FactorWarning,
    FileError,
    TrainingError,
)
from care_runtime.files import unwritable
from care_runtime.options import AGREEMENT
from care_runtime.resample import stretched
from care_training.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_runtime.image import Image

NEEDED = 500 << 20
"""Bytes of free disk that checkpoints and a package take at most."""


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
        Letters of STCZYX; a high image may lack C. Samples (S) are fields of their own;
        time points (T) show the same field, so they are never split between training
        and validation.
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
        images = [_image(low, axes), _image(high, flat, "C")]
        _check_shapes(low, high, images, projected=projected, factor=factor)
        pairs += _frames(low.stem, *images, volume="Z" in axes.upper(), flat=projected)
    channels = {(pair.low.shape[0], pair.high.shape[0]) for pair in pairs}
    if len(channels) > 1:
        found = ", ".join(f"{a} to {b}" for a, b in sorted(channels))
        msg = f"all pairs need the same channels, but these differ: {found}"
        raise TrainingError(msg)
    return pairs


def volumes(place: Path, axes: str, factor: float) -> list[Pair]:
    """Read the volumes (C, Z, Y, X) of a folder, or of one file.

    Samples and time points are volumes of their own; time points show the same field.
    There is nothing to pair them with: both images of each are the volume.

    Warns
    -----
    FactorWarning
        If the voxels of one are not `factor` times as long along Z as along X.

    Raises
    ------
    FileError
        If there is no such file, or the folder is empty.
    TrainingError
        If one cannot be read, or they differ in channels.
    """
    found: list[Pair] = []
    for path in map(Path, finding.sources([place])):
        source = _read(path, axes)
        _check_factor(path, source, factor)
        image = _canonical(path, source, axes)
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


def _check_factor(path: Path, image: Image, factor: float) -> None:
    sizes = [image.voxel.get(axis) for axis in "ZX"]
    if not all(sizes):
        return
    ratio = sizes[0] / sizes[1]  # type: ignore[operator]
    if abs(ratio / factor - 1) > AGREEMENT:
        msg = (
            f"{path}: planes are {ratio:.4g} pixels apart, as its voxel sizes say, but "
            f"--factor says {factor:g}, which the network learns: give the right one"
        )
        warnings.warn(msg, FactorWarning, stacklevel=3)


def _image(path: Path, axes: str, optional: str = "") -> NDArray[Any]:
    """Read an image; one letter of its axes may be missing."""
    try:
        return _canonical(path, _read(path, axes), axes)
    except TrainingError as error:
        less = axes.upper().replace(optional, "") if optional else axes
        if less == axes or not isinstance(error.__cause__, AxesError):
            raise
        try:
            return _canonical(path, _read(path, less), less)
        except TrainingError:
            raise error from None


def _read(path: Path, axes: str) -> Image:
    try:
        image = reading.read(path, axes)
        pixels.check(image.pixels)
    except CareError as error:
        raise _named(path, error) from error
    return image


def _canonical(path: Path, image: Image, axes: str) -> NDArray[Any]:
    try:
        return canonical(image.pixels, axes_.check(axes, image.pixels.shape))
    except CareError as error:
        raise _named(path, error) from error


def _named(path: Path, error: CareError) -> TrainingError:
    text = str(error)
    return TrainingError(text if str(path) in text else f"{path}: {text}")


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
