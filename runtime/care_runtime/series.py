"""Series: which of the images of a file is meant."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from care_runtime.errors import OptionError, SeriesWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 20
"""Images that are listed."""


def chosen(names: Sequence[str], where: object, asked: int | str | None) -> int:
    """Find an image by its number, from 0, or by its name; the first if none is asked.

    Parameters
    ----------
    names
        Of all images of the file.
    where
        The file, for errors.
    asked
        What a person wrote.

    Raises
    ------
    OptionError
        If there is none, or several have that name.
    """
    if asked is None:
        return first(len(names), where)
    listed = [f"{i} ({name})" if name else str(i) for i, name in enumerate(names)]
    found = [i for i in range(len(names)) if asked in (i, str(i))]
    found = found or [i for i, each in enumerate(names) if each and each == asked]
    if len(found) == 1:
        return found[0]
    what = f"{asked!r}, the name of {len(found)}" if found else repr(asked)
    there = f"{', '.join(listed[:MOST])}{' and more' * (len(listed) > MOST)}"
    msg = f"expected an image of {where} as series, found {what}: it has {there}"
    raise OptionError(msg)


def first(count: int, where: object) -> int:
    """Take the first image, and tell if there are others."""
    if count > 1:
        msg = (
            f"{where} holds {count} images, of which only the first is read: choose "
            "one with --series"
        )
        warnings.warn(msg, SeriesWarning, stacklevel=7)
    return 0
