"""Make: packages become a page with its files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from care_runtime.errors import ExportError, FileError
from care_runtime.files import unwritable, written
from care_runtime.tensor import File
from care_training.gallery import web
from care_training.gallery.entry import Entry
from care_training.gallery.page import page
from care_training.gallery.section import FOLDER, Shown
from care_training.gallery.shots import shots

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from care_runtime.package import Package

PICTURES = {".png", ".jpg", ".jpeg", ".gif"}
"""What a cover may be: never SVG, which may hold scripts."""


def write(
    packages: Sequence[Package], folder: Path, *, web_assets: Path | None = None
) -> None:
    """Write a web page that shows models.

    It works from disk, without a server and without a network. If zips lie in the
    folder already, as ``NAME/VERSION.zip``, it links to them.

    Parameters
    ----------
    packages
        The models. Their folders' names are what they are called; one that was
        unpacked from a zip is called as its description says.
    folder
        Where ``index.html`` goes, with its files in ``gallery`` beside it; these are
        replaced.
    web_assets
        The folder ``dist`` of the npm package of ONNX Runtime Web, with which planar
        models restore images in the page; None for a page that only shows.

    Raises
    ------
    FileError
        If a package or ONNX Runtime Web is not what its hashes say, or nothing can be
        written.
    ExportError
        If two packages have one name, or what is in the way is no gallery.
    """
    entries = sorted(
        (Entry(package, _name(package)) for package in packages),
        key=lambda entry: entry.name,
    )
    slugs = [entry.slug for entry in entries]
    twice = {slug for slug in slugs if slugs.count(slug) > 1}
    if twice:
        msg = f"expected packages of different names, found {sorted(twice)} twice"
        raise ExportError(msg)
    _check(folder, slugs)
    with _replaced(folder / FOLDER) as files:
        engines: tuple[str, ...] = ()
        for name in ("style.css", "page.js", *(["try.js"] if web_assets else [])):
            _text(files / name, web.source(name))
        if web_assets is not None:
            engines = web.write_runtime(web_assets, files)
            web.write_worker(files / "worker.js")
        models = [
            _shown(entry, folder, files / entry.slug, browser=bool(engines))
            for entry in entries
        ]
    _text(folder / "index.html", page(models, engines))


def _check(folder: Path, slugs: Sequence[str]) -> None:
    """Refuse to replace what is no gallery."""
    if FOLDER in slugs:
        msg = f"expected a model of another name than {FOLDER!r}, the page's own folder"
        raise ExportError(msg)
    if (folder / FOLDER).exists() and not (folder / "index.html").is_file():
        msg = (
            f"{folder / FOLDER} would be replaced, but there is no index.html beside "
            "it, so that it is no gallery: name another folder"
        )
        raise ExportError(msg)


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Yield a folder that takes the place of another only if nothing fails."""
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _name(package: Package) -> str:
    """Tell what a model is called."""
    name = package.folder.resolve().name
    return package.spec.name if re.fullmatch(r"[0-9a-f]{64}", name) else name


def _shown(entry: Entry, folder: Path, place: Path, *, browser: bool) -> Shown:
    """Write the files of one model to `place`."""
    package = entry.package
    place.mkdir()
    reason = web.reason(package)
    if browser and not reason:
        web.write_model(package, place / "model.js")
    archive = f"{entry.name}/{entry.version}.zip"
    return Shown(
        entry,
        _cover(package, place),
        shots(package, place),
        quote(archive) if (folder / archive).is_file() else "",
        reason,
    )


def _cover(package: Package, place: Path) -> str:
    for cover in package.spec.about.get("covers", ()):
        name, sha = cover, None
        if isinstance(cover, Mapping):
            name, sha = cover.get("source"), cover.get("sha256")
        suffix = Path(str(name)).suffix.lower()
        if suffix in PICTURES:
            found = package.path(File(str(name), sha))
            shutil.copyfile(found, place / f"cover{suffix}")
            return f"cover{suffix}"
    return ""


def _text(path: Path, text: str) -> None:
    with written(path) as partial:
        partial.write_text(text, "utf-8")
