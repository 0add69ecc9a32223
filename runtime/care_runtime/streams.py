"""Streams: standard input and output, which may be closed, full or without a reader."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from typing import BinaryIO

GONE = (errno.EPIPE, errno.EINVAL)
"""What systems say where the reader of a pipe has gone; the second is Windows."""


def given() -> BinaryIO:
    """Return standard input.

    Raises
    ------
    FileError
        If it is closed.
    """
    if sys.stdin is None:
        msg = "expected an image from standard input, found it closed: name a file"
        raise FileError(msg)
    return sys.stdin.buffer


def taken() -> BinaryIO:
    """Return standard output.

    Raises
    ------
    FileError
        If it is closed.
    """
    if sys.stdout is None:
        msg = "expected to write to standard output, found it closed: name a file"
        raise FileError(msg)
    return sys.stdout.buffer


def refused(error: OSError) -> FileError:
    """Return the error that says in one line why standard output is not written.

    Nothing more is written to it, or the end of the process would tell it once more.
    """
    leave()
    if error.errno in GONE:
        return FileError(
            "expected to write to standard output, found that its reader has gone: "
            "let it read to the end"
        )
    return FileError(
        "expected to write to standard output, found that it cannot be written "
        f"({error.strerror or error}): make room there, or name a file"
    )


def leave() -> None:
    """Send what was not written, and all that follows, to nobody."""
    with suppress(OSError, ValueError, AttributeError):
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())
        os.close(nobody)
