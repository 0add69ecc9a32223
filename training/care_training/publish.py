"""Publishing: a static zoo that any web server, release page or bucket can hold.

::

    DIR/registry.txt           a line for each package, as pooch reads them
    DIR/registry.txt.minisig   its signature, if it is signed
    DIR/index.json             what else is known: sizes, tasks, licences, scores
    DIR/NAME/VERSION.zip       packages; what was published once never changes
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from care_runtime import bundle, package, registry, signature, sources
from care_runtime.errors import ExportError, FileError
from care_runtime.files import written
from care_runtime.registry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from care_runtime.package import Package

FORMAT = 1
"""Of the index; a reader ignores keys that it does not know."""

RAISE = "raise its version (--version X.Y.Z, or config.care.version in its rdf.yaml)"
"""What mends a version that is taken."""


@dataclass(frozen=True, slots=True)
class Model:
    """What the index says about one package.

    Parameters
    ----------
    name, version, file, sha256, size
        As the registry has them, and the bytes of the zip.
    description, task, axes, outputs
        What it does, to which images, and what it gives.
    license, tags, cite
        As the description has them.
    training
        Data, their origin and scores, as `config.care` has them.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int
    description: str
    task: str
    axes: str
    outputs: tuple[str, ...]
    license: str
    tags: tuple[str, ...]
    cite: tuple[Any, ...]
    training: dict[str, Any]


def publish(
    folder: Path,
    packages: Sequence[Path],
    sign: Callable[[bytes], bytes] | None = None,
) -> list[Model]:
    """Add packages to a static zoo, and write its registry and index.

    Packages come first and lists last, each by one rename: at every moment the zoo can
    be served. While the lists of a signed zoo change they do not fit together for a
    moment; who asks just then asks again.

    Parameters
    ----------
    folder
        The zoo; it is made if there is none.
    packages
        Folders of packages, named as the models are to be.
    sign
        Makes the signature of the registry; see `care_training.keys`.

    Returns
    -------
    list of Model
        The whole zoo, older versions too: what is in the index, and what a page about
        the zoo is to be made from.

    Raises
    ------
    ExportError
        If another package was published under the same version; a name is none, or
        not the one in the description; or the zoo is signed, and would not be any more.
    """
    if sign is None and (folder / signature.NAME).is_file():
        msg = (
            f"expected a key for {folder}, which is signed: give --sign KEYFILE, or "
            f"remove {signature.NAME} if it is to be so no more"
        )
        raise ExportError(msg)
    known = _entries(folder)
    entries = {entry.file: entry for entry in known}
    for place in packages:
        entry = _add(folder, place, entries)
        entries[entry.file] = entry
    lines = sorted(entries.values(), key=lambda entry: entry.name)
    models = [_model(folder, entry) for entry in lines]
    index = _index(models)
    digest = hashlib.sha256(index).hexdigest()
    listed = registry.text_of(lines, digest).encode("utf-8")
    files = {registry.INDEX: index, registry.NAME: listed}
    if sign is not None:
        files[signature.NAME] = sign(listed)
    for name, content in files.items():
        with written(folder / name) as partial:
            partial.write_bytes(content)
    return models


def _entries(folder: Path) -> list[Entry]:
    path = folder / registry.NAME
    if not path.is_file():
        return []
    return registry.parse(path.read_text("utf-8"), str(path))


def _add(folder: Path, place: Path, entries: dict[str, Entry]) -> Entry:
    """Place a package in the zoo, unless it is there."""
    with tempfile.TemporaryDirectory() as scratch:
        found = package.read(place, Path(scratch))
        bundle.check(found)
        archive = Path(scratch) / "package.zip"
        digest = package.pack(found.folder, archive)
        entry = Entry(f"{place.resolve().name}/{found.version}.zip", digest)
        if not registry.is_entry(entry.file):
            msg = (
                "expected a name and a version of letters without accents, digits and "
                f"._+-, found {entry.file!r}: rename {place}, or mend its version"
            )
            raise FileError(msg)
        _require_name(found, entry.name)
        ours = {own.file: own.sha256 for own in sources.own()}
        if ours.get(entry.file, digest) != digest:
            msg = (
                f"expected {entry.file} as it came with care-zoo, found another one, "
                f"which care-run refuses: {RAISE}"
            )
            raise ExportError(msg)
        target = folder / entry.file
        before = _published(target, entries.get(entry.file))
        if before not in (None, digest):
            msg = (
                f"expected a new version of {entry.name}, found another package "
                f"published as {entry.version}: {RAISE}"
            )
            raise ExportError(msg)
        if not target.is_file():
            with written(target) as partial:
                shutil.copyfile(archive, partial)
    return entry


def _require_name(found: Package, name: str) -> None:
    """Refuse a copy under another name than its card and description say.

    Descriptions need five letters, so that ``fit`` adds a word to shorter names; those
    of other projects have titles.
    """
    said = found.spec.name
    if found.spec.care is None or said in (name, f"{name} model"):
        return
    msg = (
        f"expected the name of its folder, {name!r}, in the rdf.yaml of a package, "
        f"found {said!r}: rename the folder, or mend the name in rdf.yaml and README.md"
    )
    raise ExportError(msg)


def _published(target: Path, entry: Entry | None) -> str | None:
    """Return the hash of what was published under a version."""
    if entry is not None:
        return entry.sha256
    return package.sha256(target) if target.is_file() else None


def _model(folder: Path, entry: Entry) -> Model:
    """Read what the index says about a package from its zip."""
    archive = folder / entry.file
    if not archive.is_file() or package.sha256(archive) != entry.sha256:
        msg = (
            f"expected {archive} of the sha256 that {registry.NAME} has, found none: "
            "put it back, or remove its line"
        )
        raise FileError(msg)
    with tempfile.TemporaryDirectory() as scratch:
        found = package.read(archive, Path(scratch))
        return _described(entry, found, archive.stat().st_size)


def _described(entry: Entry, found: Package, size: int) -> Model:
    spec, care = found.spec, found.spec.care
    return Model(
        name=entry.name,
        version=entry.version,
        file=entry.file,
        sha256=entry.sha256,
        size=size,
        description=" ".join(spec.description.split()),
        task=care.task if care else "",
        axes=spec.input.letters,
        outputs=tuple(tensor.id for tensor in spec.outputs),
        license=str(spec.about.get("license", "")),
        tags=tuple(map(str, spec.about.get("tags", ()))),
        cite=tuple(spec.about.get("cite", ())),
        training=dict(care.training) if care else {},
    )


def _index(models: Sequence[Model]) -> bytes:
    values = {"format": FORMAT, "models": [asdict(model) for model in models]}
    return json.dumps(values, indent=1, ensure_ascii=False).encode("utf-8")
