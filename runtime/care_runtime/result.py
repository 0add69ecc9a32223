"""Result: what became of a file that was to be restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from care_runtime.reading import Place


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file.

    Parameters
    ----------
    source, target
        Image read and image written.
    status
        ``"done"``, ``"failed"``, or ``"skipped"`` where it was done before or was not
        begun.
    error
        Why it failed, or was not begun, in a line.
    seconds
        From opening the one file to closing the other.
    image
        Axes, shape and type of the restoration.
    saturated, blank
        Pixels that were clipped, frames that were returned unchanged.
    flagged, flag
        Fraction of the pixels that are not to be trusted, and that in words.
    files
        All that were written.
    notes
        Warnings, a line each.
    lost
        Whether the GPU was lost, so that this process restores nothing more.
    """

    source: Place
    target: Path
    status: str
    error: str | None = None
    seconds: float = 0.0
    image: Mapping[str, Any] | None = None
    saturated: int = 0
    blank: int = 0
    flagged: float | None = None
    flag: str | None = None
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    lost: bool = False


def unbegun(source: Place, target: Path) -> Result:
    """Say of a file that was to come after the one with which the GPU was lost."""
    why = f"{source}: the GPU was lost before"
    return Result(source, target, "skipped", why)
