"""Record: the hashes of files whose makers published none, as first seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.download import locked
from care_runtime.errors import FileError
from care_runtime.files import unwritable, written

if TYPE_CHECKING:
    from pathlib import Path

NAME = "registry.txt"
"""A pooch registry: ``name sha256:... address``."""


def read(folder: Path) -> dict[str, str]:
    """Read the recorded hashes by file name; none if there is no record yet.

    Raises
    ------
    FileError
        If a line is damaged.
    """
    path = folder / NAME
    hashes = {}
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        name, digest, *_ = [*line.split(), ""]
        if not digest.startswith("sha256:"):
            msg = (
                f"expected lines 'name sha256:... address' in {path}, found {line!r}: "
                "mend or remove the line"
            )
            raise FileError(msg)
        hashes[name] = digest.removeprefix("sha256:")
    return hashes


def add(folder: Path, name: str, sha256: str, address: str | None) -> None:
    """Record the hash of a file, unless it has one; processes take turns.

    Raises
    ------
    FileError
        If a line is damaged, or the record cannot be locked or written.
    """
    path = folder / NAME
    line = " ".join(x for x in (name, f"sha256:{sha256}", address) if x)
    try:
        with locked(path):
            if name in read(folder):
                return
            before = path.read_text("utf-8") if path.is_file() else ""
            if before and not before.endswith("\n"):
                before += "\n"
            with written(path) as partial:
                partial.write_text(f"{before}{line}\n", "utf-8")
    except FileError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error
