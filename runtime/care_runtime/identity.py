"""Identity: what decides the bytes of a restoration, to know it again."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from care_runtime import __version__, npy, omeset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from care_runtime.reading import Place

KEY = "restoration"
"""Word of the provenance behind which the digest stands."""


def of_source(where: Place) -> dict[str, Any]:
    """Say by which size and time a file is known; of an address, there is none.

    Raises
    ------
    OSError
        If there is no such file.
    """
    if isinstance(where, str) or where == npy.PIPE:
        return {"name": str(where)}
    if not where.is_dir():
        said, beside = where.stat(), npy.beside(where)
        found = {"name": where.name, "size": said.st_size, "time": said.st_mtime_ns}
        if where.suffix.lower() == ".npy" and beside.exists():
            found["time beside"] = beside.stat().st_mtime_ns
        others = {f.name: f.stat() for f in omeset.files(where) if f != where}
        for name, other in others.items():
            found[f"beside {name}"] = f"{other.st_size}, {other.st_mtime_ns}"
        return found
    files = [f.stat() for f in where.rglob("*") if f.is_file()]
    return {
        "name": where.name,
        "files": len(files),
        "size": sum(f.st_size for f in files),
        "time": max((f.st_mtime_ns for f in files), default=0),
    }


def head(
    where: Place,
    models: Mapping[str, str],
    options: str,
    inputs: Mapping[str, Place] | None = None,
) -> dict[str, Any]:
    """Say what decides a restoration.

    Parameters
    ----------
    where
        The source.
    models
        Facts about models, device and engine.
    options
        All that a person asked for.
    inputs
        Sources of further inputs, by id.
    """
    return {
        "care-run": "partial",
        "source": of_source(where),
        "model": dict(models),
        "options": options,
        "software": __version__,
        **{f"input {name}": of_source(each) for name, each in (inputs or {}).items()},
    }


def digest(head: Mapping[str, Any]) -> str:
    """Return a number for it in 64 digits."""
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()


def written(path: Path) -> str | None:
    """Find the number in a file that was restored, None where there is none."""
    try:
        text = _said(path)
    except Exception:  # of what is no image of ours, readers raise anything
        return None
    found = re.search(KEY + r'"?\s*[=:]\s*"?([0-9a-f]{64})', text)
    return found[1] if found else None


def _said(path: Path) -> str:
    """Read what an image says of itself as text."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return npy.beside(path).read_text("utf-8")
    if suffix == ".zarr":
        marks = [path / name for name in ("zarr.json", ".zattrs")]
        return "".join(m.read_text("utf-8") for m in marks if m.exists())
    import tifffile

    with tifffile.TiffFile(path) as tif:
        return f"{tif.imagej_metadata or ''} {tif.pages.first.description}"
