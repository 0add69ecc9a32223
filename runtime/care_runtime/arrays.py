"""Arrays: an array of a package's file, whose header may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"


def read(path: Path) -> NDArray[Any]:
    """Read a numeric array; no memory is taken that the file does not fill.

    Raises
    ------
    FileError
        If it is no such file, or shorter than it says.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ValueError("it is no NPY file")  # noqa: EM101
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if mapped.dtype.kind in "buif":
            return np.array(mapped)
        found = str(mapped.dtype)
    except Exception as error:  # numpy parses the header with Python's own parser
        found = " ".join(str(error).split())[:200] or type(error).__name__
    msg = (
        f"expected an array of numbers in {path}, found that it cannot be read "
        f"({found}): fetch the package again"
    )
    raise FileError(msg)
