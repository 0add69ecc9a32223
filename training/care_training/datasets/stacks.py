"""Stacks: the published test images of the experiments, by condition.

Each reader takes the folder that an archive was unpacked to, looks at names alone and
opens no image: that is left to `Case.pair`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from care_runtime.errors import FileError
from care_training import folders
from care_training.datasets.case import Case, Picture
from care_training.datasets.places import find, tiffs

if TYPE_CHECKING:
    from pathlib import Path

Cases = dict[str, tuple[Case, ...]]
"""Test images by condition."""

PLANARIA: Final = {"C1": "condition_1", "C2": "condition_2", "C3": "condition_3"}
"""Folder of each condition; C3 has the least light."""

TRIBOLIUM: Final = {"C1": 2, "C2": 1, "C3": 0}
"""Channel of each condition in the files, whose names give the laser powers in mW."""

TRUTH, CHANNELS = 3, 4
"""Channel of the ground truth in the files of Tribolium, and their number."""

SUBSAMPLED = re.compile(r"input_subsample_(\d+)")
SHARP = "input_subsample_1_groundtruth.tif"


def planaria(folder: Path) -> Cases:
    """List the 20 test stacks (Z, Y, X) of each condition C1 to C3.

    ``test_data/condition_1`` to ``condition_3`` and ``test_data/GT`` hold files of the
    same names.

    Raises
    ------
    FileError
        If a folder is missing or empty.
    TrainingError
        If a file has no partner.
    """
    place = find(folder, "test_data")
    cases: Cases = {}
    for condition, name in PLANARIA.items():
        files = folders.find(place / name, place / "GT")
        cases[condition] = tuple(
            Case(low.stem, Picture(low, "ZYX"), Picture(high, "ZYX"))
            for low, high in files
        )
    return cases


def tribolium(folder: Path) -> Cases:
    """List the 6 test stacks (Z, Y, X) of each condition C1 to C3.

    Each file in ``test_data`` holds four channels, the first axis: C3, C2, C1 and the
    ground truth, in this order.

    Raises
    ------
    FileError
        If there is no file.
    """
    files = _files(find(folder, "test_data"))
    return {
        condition: tuple(
            Case(
                path.stem,
                Picture(path, "CZYX", channel, CHANNELS),
                Picture(path, "CZYX", TRUTH, CHANNELS),
            )
            for path in files
        )
        for condition, channel in TRIBOLIUM.items()
    }


def liver(folder: Path) -> Cases:
    """List the test volume (Z, Y, X) of mouse liver by its subsampling.

    ``test_data/input_subsample_8.tif`` is condition ``"subsample_8"``, and
    ``input_subsample_1_groundtruth.tif`` the isotropic ground truth. Whether the input
    was stretched to the truth's size before it was published is not known here: compare
    their planes.

    Raises
    ------
    FileError
        If either is missing.
    """
    truth = find(folder, SHARP)
    cases: Cases = {}
    for path in _files(truth.parent):
        match = SUBSAMPLED.fullmatch(path.stem)
        if match:
            pictures = Picture(path, "ZYX"), Picture(truth, "ZYX")
            cases[f"subsample_{match[1]}"] = (Case(path.stem, *pictures),)
    if not cases:
        msg = (
            f"expected input_subsample_8.tif beside {truth}, found none: fetch and "
            "unpack the archive again"
        )
        raise FileError(msg)
    return cases


def retina(folder: Path) -> Cases:
    """List the anisotropic test volumes (Z, C, Y, X) of zebrafish retina.

    Two channels, nuclei and nuclear envelope; a plane every 10.2 pixels. There is no
    ground truth. The one condition is ``"input"``.

    Raises
    ------
    FileError
        If there is no file.
    """
    return _inputs(folder, "ZCYX")


def drosophila(folder: Path) -> Cases:
    """List the anisotropic test volumes (Z, Y, X) of Drosophila embryos.

    A plane every 5 pixels, nuclei. There is no ground truth. The one condition is
    ``"input"``.

    Raises
    ------
    FileError
        If there is no file.
    """
    return _inputs(folder, "ZYX")


def _inputs(folder: Path, axes: str) -> Cases:
    files = _files(find(folder, "test_data"))
    return {"input": tuple(Case(path.stem, Picture(path, axes)) for path in files)}


def _files(place: Path) -> list[Path]:
    files = tiffs(place)
    if not files:
        msg = (
            f"expected TIFF files in {place}, found none: fetch and unpack the archive "
            "again"
        )
        raise FileError(msg)
    return files
