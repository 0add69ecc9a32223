"""Files: written beside their place, then moved there."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LONGEST = 255 - len(f"..{2**22}.partial")
"""Bytes of a name, with room for what is put around it while a file is written."""


def exists(path: Path) -> bool:
    """Tell whether a file is there, as far as one is allowed to see."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: Path) -> bool:
    """Tell whether a folder is there, as far as one is allowed to see."""
    return os.path.isdir(path)  # noqa: PTH112


ABSENT = (errno.ENOENT, errno.ELOOP)
"""What systems say of a file that is not there, or of a link that leads to itself."""


def absent(path: Path) -> str:
    """Say in words for an error that a file is not there."""
    if path.is_symlink():
        return "a link to what is not there; mend the link"
    return "no such file; check its name"


def unwritable(path: Path, error: OSError) -> FileError:
    """Return the error that says in one line why `path` cannot be written."""
    reason = error.strerror or str(error)
    if " requested and " in reason:  # as NumPy tells of a write that fell short
        reason = f"the disk may be full: bytes {reason}"
    return FileError(
        f"expected to write {path}, found that it cannot be written ({reason}); "
        "give a file in a folder that exists or can be made, with room on its disk"
    )


def missing(package: str, extra: str, where: object) -> FileError:
    """Return the error for a package that is not installed."""
    return FileError(
        f"expected the package {package} for {where}, found that it is not installed: "
        f"python -m pip install '{extra}'"
    )


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield a temporary path that takes its final name only if nothing fails.

    Parameters
    ----------
    path
        Final name. Its folder is made if there is none.

    Yields
    ------
    Path
        ``.name.PID.part`` in the same folder, to be written by the caller.

    Raises
    ------
    FileError
        If the folder cannot be made or the file cannot be moved to its place.
        Errors of the caller pass unchanged.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield partial
        try:
            partial.replace(path)
        except OSError as error:
            raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def written_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes its final name only if nothing fails.

    Parameters
    ----------
    path
        Final name; a folder that is there is replaced as a whole.

    Yields
    ------
    Path
        ``.name.PID.part`` beside it, to be made and filled by the caller.

    Raises
    ------
    FileError
        If it cannot be moved to its place. Errors of the caller pass unchanged.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield partial
        try:
            if path.exists():
                path.replace(old)
            partial.replace(path)
        except OSError as error:
            if old.exists() and not path.exists():
                old.replace(path)
            raise unwritable(path, error) from error
    finally:
        for folder in (partial, old):
            shutil.rmtree(folder, ignore_errors=True)


def sweep(path: Path) -> None:
    """Remove what processes that were killed left while they wrote a file or folder.

    Processes of other machines look as if they had ended: call it for places that
    nobody else writes to.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.*"):
        number, kind = left.name.rsplit(".", 2)[1:]
        if kind not in ("part", "old") or not number.isdecimal() or _runs(int(number)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Tell whether a process of this machine runs; in doubt it does."""
    if sys.platform == "win32":  # to ask there is to end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def require_place(path: Path) -> None:
    """Refuse a place where no file can be made, before work is done for it.

    Raises
    ------
    FileError
        If it is a folder, lies in a file, may not be written, or has too long a name.
    """
    if is_folder(path):
        raise unwritable(path, IsADirectoryError(0, "it is a folder"))
    if len(os.fsencode(path.name)) > LONGEST:
        long = f"its name has more than {LONGEST} bytes"
        raise unwritable(path, OSError(errno.ENAMETOOLONG, long))
    nearest = next(folder for folder in path.absolute().parents if exists(folder))
    if not is_folder(nearest):
        raise unwritable(path, NotADirectoryError(0, f"{nearest} is a file"))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise unwritable(path, PermissionError(0, f"{nearest} may not be written"))
