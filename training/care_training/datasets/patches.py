"""Patches: the published training pairs of patches, read one by one from the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from care_runtime import axes as axes_
from care_runtime.axes import canonical
from care_runtime.errors import CareError, FileError, TrainingError
from care_training.datasets import npz
from care_training.datasets.places import find
from care_training.pairs import Pair, Split

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

VALIDATION = 0.05
"""Part that is held back, as in CSBDeep's examples."""

FILE = "data_label.npz"

MEND = "save it again with an entry 'axes', such as 'SCZYX'"
"""What a person can do whose file does not say what its dimensions are."""

DEFAULT_AXES = {3: "SYX", 4: "SCYX", 5: "SCZYX"}
"""What the dimensions of inputs are where a file does not say."""


class PatchPairs(Sequence[Pair]):
    """Pairs of patches in an npz file, mapped from the disk.

    A pair holds views of the file, (C, [Z,] Y, X): pixels are read as they are used,
    and stay in memory only as long as the system has room. Pickling, as worker
    processes do, passes on the place and no pixels.

    Parameters
    ----------
    path
        Npz with the arrays ``X`` (inputs) and ``Y`` (targets).
    axes
        Letters of SCZYX for the dimensions of ``X``; ``Y`` has the same, or lacks Z.
    numbers
        Of the patches to show.
    """

    def __init__(self, path: Path, axes: str, numbers: range) -> None:
        self.path, self.axes, self.numbers = path, axes, numbers
        low, high = (npz.locate(path, name).open() for name in "XY")
        self._projected = _projected(path, low, high, axes)
        flat = axes.replace("Z", "") if high.ndim < low.ndim else axes
        self._low = np.moveaxis(low, axes.index("S"), 0)
        self._high = np.moveaxis(high, flat.index("S"), 0)
        self._letters = axes.replace("S", ""), flat.replace("S", "")

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> PatchPairs: ...

    def __getitem__(self, index: int | slice) -> Pair | PatchPairs:
        if isinstance(index, slice):
            return PatchPairs(self.path, self.axes, self.numbers[index])
        number = self.numbers[index]
        letters = self._letters
        low = _patch(self._low[number], letters[0], flat="Z" not in letters[0])
        flat = self._projected or "Z" not in letters[0]
        high = _patch(self._high[number], letters[1], flat=flat)
        return Pair(f"patch {number:05}", low, high, ready=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return PatchPairs, (self.path, self.axes, self.numbers)


def training_file(folder: Path, part: str = "") -> Path:
    """Find the training patches of an unpacked archive.

    Parameters
    ----------
    folder
        That the archive was unpacked to.
    part
        Folder within ``train_data``, such as ``"channel_tubules"``.

    Raises
    ------
    FileError
        If there is no such file.
    """
    return find(folder, "/".join(x for x in ("train_data", part, FILE) if x))


def load(
    path: Path,
    *,
    validation: float = VALIDATION,
    axes: str | None = None,
    count: int | None = None,
) -> Split:
    """Open published patches, and hold back the last ones as CSBDeep does.

    The files are shuffled, and do not say which image a patch is from: patches that are
    held back may overlap others. That is the paper's split; scores on it are of use to
    choose a network, not to report. The patches are normalized already.

    No pixel is read: the split is known by the checksums that the npz has of its
    arrays, wherever it lies.

    Parameters
    ----------
    path
        Npz with ``X``, ``Y`` and perhaps ``axes``. Compressed arrays are expanded into
        files beside it, once.
    validation
        Part to hold back, from the end: ``round(count * validation)`` patches.
    axes
        Letters of SCZYX for the dimensions of ``X``, instead of the file's.
    count
        Of patches to use, from the beginning; by default all.

    Returns
    -------
    Split
        Of two `PatchPairs`, of pairs that are ready.

    Raises
    ------
    FileError
        If the file is missing or damaged.
    TrainingError
        If its arrays do not fit each other or the axes, or a number is out of range.
    """
    if not 0 <= validation < 1:
        msg = f"expected a part to hold back in [0, 1), found {validation}: give 0.05"
        raise TrainingError(msg)
    shape = npz.locate(path, "X").shape
    letters = _axes(path, len(shape)) if axes is None else axes
    try:
        letters = axes_.check(letters, shape)
    except CareError as error:
        msg = f"{path}: {error}"
        raise TrainingError(msg) from error
    if "S" not in letters or "T" in letters:
        msg = f"expected the axes of {path} among SCZYX with S, found {letters}: {MEND}"
        raise TrainingError(msg)
    patches = shape[letters.index("S")]
    used = patches if count is None else count
    if not 0 < used <= patches:
        msg = f"expected a count of 1 to {patches} patches in {path}, found {used}"
        raise TrainingError(msg)
    kept = used - round(used * validation)
    sides = (range(kept), range(kept, used))
    training, held = (PatchPairs(path, letters, side) for side in sides)
    known = f"{npz.contents(path)}; {letters}; {kept} and {used - kept} patches"
    return Split(training, held, hashlib.sha256(known.encode()).hexdigest())


def _axes(path: Path, dimensions: int) -> str:
    """Read the axes of a file, or guess them from the number of dimensions."""
    if "axes" in npz.names(path):
        try:
            found = npz.small(path, "axes").item()
        except (FileError, ValueError) as error:
            msg = (
                f"expected the axes of {path} as one text, found that they cannot be "
                f"read ({error}): {MEND}"
            )
            raise TrainingError(msg) from error
        return found.decode() if isinstance(found, bytes) else str(found)
    if dimensions not in DEFAULT_AXES:
        msg = (
            f"expected 3 to 5 dimensions in {path}, which names no axes, found "
            f"{dimensions}: {MEND}"
        )
        raise TrainingError(msg)
    return DEFAULT_AXES[dimensions]


def _projected(path: Path, low: NDArray[Any], high: NDArray[Any], axes: str) -> bool:
    """Tell whether targets lack Z, refusing arrays that do not fit each other."""
    sizes = dict(zip(axes, low.shape, strict=True))
    flat = axes.replace("Z", "")
    lacks = high.ndim < low.ndim
    letters = flat if lacks else axes
    found = dict(zip(letters, high.shape, strict=False))
    alike = all(found.get(x) == sizes[x] for x in flat if x != "C")
    one = lacks or (found.get("Z") == 1 and sizes["Z"] > 1)
    whole = one or found.get("Z") == sizes.get("Z")
    if high.ndim != len(letters) or not (alike and whole):
        msg = (
            f"expected targets of the size of the inputs {low.shape} ({axes}), or "
            f"without Z, in {path}, found {high.shape}: {MEND}, for the inputs"
        )
        raise TrainingError(msg)
    return one and "Z" in axes


def _patch(patch: NDArray[Any], axes: str, *, flat: bool) -> NDArray[Any]:
    """View a patch as (C, [Z,] Y, X), in the byte order of this machine."""
    view = canonical(np.asarray(patch), axes)[0, 0]
    native: NDArray[Any] = view.astype(view.dtype.newbyteorder("="), copy=False)
    return native[:, 0] if flat else native
