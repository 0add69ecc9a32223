"""Flywing: test stacks of the fly wing with the projections of their ground truth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from care_runtime.errors import TrainingError
from care_training.datasets.case import Case, Picture
from care_training.datasets.places import find, tiffs

if TYPE_CHECKING:
    from pathlib import Path

CHANNEL = re.compile(r"(?:^|_)C(\d)(?:_|$)")
TIME = re.compile(r"(\d+)$")

BRIGHT = "C2"
"""Channel with the full light dose; its PreMosa projection is the ground truth."""

TRUTHS = {"GT", "PreMosa"}
"""Folders of projections."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the name of a file says.

    Parameters
    ----------
    channel
        Of the name, else of the folder.
    folder
        Channel that a folder above is named by.
    time
        Time point.
    projected, truth
        Whether it is a projection; whether one to be compared with.
    """

    path: Path
    channel: str | None
    folder: str | None
    time: int
    projected: bool
    truth: bool


def flywing(folder: Path) -> dict[str, tuple[Case, ...]]:
    """List the test stacks (Z, Y, X), with projections (Y, X) as ground truth.

    Conditions are the channels of the files, C0, C1 and C3 (the laser powers that they
    stand for are not published with them); C2 is the ground truth. Three layouts of
    ``test_data`` are in use, and each is read:

    - flat: ``C1_T001.tif`` and ``proj_C2_T001.tif``, beside projections of the inputs,
      which are not used;
    - ``C1/*.tif`` and ``PreMosa/GT/*.tif``;
    - ``Input/C1/*.tif`` and ``GT/C1/*.tif`` for each condition, or ``GT/C2/*.tif`` for
      all.

    Stack and truth have the same number at the end of their names.

    Raises
    ------
    FileError
        If there is no folder ``test_data``.
    TrainingError
        If there is no stack, or a stack has no ground truth.
    """
    place = find(folder, "test_data")
    truths: dict[tuple[str, int], Path] = {}
    inputs: dict[str, dict[int, Path]] = {}
    for found in filter(None, (_named(path, place) for path in tiffs(place))):
        if found.truth:
            owner = found.folder or BRIGHT
            truths.setdefault((owner, found.time), found.path)
        elif not found.projected and found.channel not in (None, BRIGHT):
            inputs.setdefault(str(found.channel), {}).setdefault(found.time, found.path)
    if not inputs:
        msg = (
            f"expected stacks such as C1_T001.tif or C1/T001.tif in {place}, found "
            f"{', '.join(p.name for p in tiffs(place)[:5]) or 'none'}: check the folder"
        )
        raise TrainingError(msg)
    return {
        condition: tuple(
            _case(condition, time, path, truths)
            for time, path in sorted(inputs[condition].items())
        )
        for condition in sorted(inputs)
    }


def _case(
    condition: str, time: int, low: Path, truths: dict[tuple[str, int], Path]
) -> Case:
    high = truths.get((condition, time)) or truths.get((BRIGHT, time))
    if high is None:
        msg = (
            f"expected the projection of the ground truth of {low}, such as "
            f"proj_{BRIGHT}_T{time:03}.tif, found none: fetch and unpack the archive "
            "again"
        )
        raise TrainingError(msg)
    return Case(f"T{time:03}", Picture(low, "ZYX"), Picture(high, "YX"))


def _named(path: Path, place: Path) -> _Found | None:
    """Read the name of a file; None if it has no number."""
    number = TIME.search(path.stem)
    if number is None:
        return None
    parents = path.relative_to(place).parts[:-1]
    folders = [part for part in parents if CHANNEL.fullmatch(part)]
    above = folders[-1] if folders else None
    match = CHANNEL.search(path.stem)
    channel = f"C{match[1]}" if match else above
    projected = path.stem.startswith("proj") or bool(TRUTHS.intersection(parents))
    truth = "GT" in parents or (projected and channel == BRIGHT)
    return _Found(path, channel, above, int(number[1]), projected, truth)
