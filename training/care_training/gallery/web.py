"""Web: networks and ONNX Runtime Web as scripts that a page opened from disk can load.

Such a page may not fetch. So all is text in scripts that put it into one global object,
and a worker is made of that text.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
from importlib import resources
from typing import TYPE_CHECKING, Any

from care_runtime.contract import supported
from care_runtime.errors import CareError, FileError
from care_runtime.files import written
from care_runtime.tensor import SteppedSize

if TYPE_CHECKING:
    from pathlib import Path

    from care_runtime.care import Tiling
    from care_runtime.package import Package
    from care_runtime.tensor import Tensor

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
"""Version of ONNX Runtime Web; licensed under MIT."""

WASM = {
    "api": (
        "ort.wasm.min.js",
        "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    ),
    "glue": (
        "ort-wasm-simd-threaded.mjs",
        "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    ),
    "wasm": (
        "ort-wasm-simd-threaded.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
}
"""Files that run networks on a CPU, with their sha256."""

WEBGPU = {
    "api": (
        "ort.webgpu.min.js",
        "7d65dad7eb4564ad98db9924a259af2e2c68ebfbdbf254fa5d728f1c5736e07a",
    ),
    "glue": (
        "ort-wasm-simd-threaded.asyncify.mjs",
        "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28",
    ),
    "wasm": (
        "ort-wasm-simd-threaded.asyncify.wasm",
        "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
    ),
}
"""Files that run networks on a GPU; a page may go without them."""

HOW = (
    f"npm pack {PACKAGE}@{VERSION} && tar xzf {PACKAGE}-{VERSION}.tgz, "
    "then give package/dist"
)

WORKER = (
    "numbers.js",
    "tiling.js",
    "inflate.js",
    "tiff.js",
    "png.js",
    "write.js",
    "restore.js",
    "main.js",
)
"""Scripts of the worker, in order."""

BYTES = 600
"""Memory that a network takes for each pixel or voxel of a tile."""

SAMPLE = 4 << 20
"""Bytes up to which a sample comes along with a network."""


def source(*names: str) -> str:
    """Read scripts or styles of this package, one after the other."""
    folder = resources.files("care_training.gallery")
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in names)


def worker() -> str:
    """Join the scripts of the worker."""
    return source(*(f"worker/{name}" for name in WORKER))


def reason(package: Package) -> str:
    """Say why a model does not run in a browser; empty if it does."""
    spec = package.spec
    try:
        care = supported(spec)
    except CareError as error:
        return f"This runtime does not run it: {error}."
    if spec.care is None:
        return (
            "Another project made it, and this page knows neither its sizes nor its "
            "steps before and after the network."
        )
    if len(spec.inputs) > 1:
        return "It reads several images together, and this page takes one."
    tensor, main = spec.input, spec.outputs[0]
    if "Z" in tensor.letters:
        needed = math.prod(_tile(tensor, care.tiling)) * BYTES / 1e9
        return (
            "It reads volumes, and this page takes planes: a single tile takes about "
            f"{needed:.1f} GB of memory, more than a web page may safely have."
        )
    if care.resample is not None or set(main.letters) != set(tensor.letters):
        return "It changes the shape of images, which this page does not."
    if care.normalization.invert and main.channels % tensor.channels:
        return "Its channels are others than the image's, which this page cannot undo."
    return ""


def _tile(tensor: Tensor, tiling: Tiling) -> list[int]:
    """Return the size of a tile with its halo; of what is whole, the least there is."""
    sizes = []
    for axis in (a for a in tensor.axes if a.kind == "space"):
        name = axis.letter.lower()
        least = axis.size.least if isinstance(axis.size, SteppedSize) else axis.size
        known = least if isinstance(least, int) else tiling.multiple.get(name, 1)
        kept = known if name in tiling.whole else tiling.size.get(name, known)
        sizes.append(kept + 2 * tiling.margin(name))
    return sizes


def recipe(package: Package) -> dict[str, Any]:
    """Say what the worker has to know of a model that runs in a browser."""
    spec, care = package.spec, supported(package.spec)
    tensor, main, tiling = spec.input, spec.outputs[0], care.tiling
    kept = {a: n for a, n in tiling.size.items() if a not in tiling.whole}
    return {
        "name": spec.name,
        "version": care.version,
        "letters": tensor.letters,
        "channels": tensor.channels,
        "output": {
            "id": main.id,
            "letters": main.letters,
            "channels": main.channels,
            "undo": care.outputs[main.id].undo,
        },
        "percentiles": care.normalization.percentiles,
        "over": care.normalization.axes,
        "invert": care.normalization.invert,
        "multiple": {a: tiling.multiple.get(a, 1) for a in "yx"},
        "halo": {a: tiling.halo.get(a, 0) for a in "yx"},
        "tile": {a: kept.get(a) for a in "yx"},
    }


def write_worker(path: Path) -> None:
    """Write the worker's source as text."""
    _write(path, "worker", worker())


def write_model(package: Package, path: Path) -> None:
    """Write the network that gives the main output, and what to do with images."""
    main = package.spec.outputs[0].id
    network = package.network((main,)).read_bytes()
    found = {"recipe": recipe(package), "onnx": _base64(network)}
    file = package.spec.input.sample
    if file is not None and file.source.lower().endswith((".tif", ".tiff")):
        sample = package.path(file).read_bytes()
        if len(sample) <= SAMPLE:
            found["sample"] = _base64(sample)
    _write(path, f"model:{path.parent.name}", found)


def write_runtime(assets: Path, folder: Path) -> tuple[str, ...]:
    """Write ONNX Runtime Web as scripts.

    Parameters
    ----------
    assets
        The folder ``dist`` of its npm package.
    folder
        Where the scripts go.

    Returns
    -------
    tuple of str
        What can be computed on: ``"wasm"``, and ``"webgpu"`` if its files are there.

    Raises
    ------
    FileError
        If files are missing, or are not those of the pinned version.
    """
    kinds = {"wasm": WASM}
    if (assets / WEBGPU["wasm"][0]).is_file():
        kinds["webgpu"] = WEBGPU
    for kind, files in kinds.items():
        found = {
            part: _checked(assets / name, sha) for part, (name, sha) in files.items()
        }
        texts = {part: found[part].decode() for part in ("api", "glue")}
        packed = gzip.compress(found["wasm"], 9, mtime=0)
        _write(
            folder / f"ort_{kind}.js",
            f"ort:{kind}",
            {"version": VERSION, **texts, "wasm": _base64(packed)},
        )
    return tuple(kinds)


def _checked(path: Path, sha256: str) -> bytes:
    try:
        found = path.read_bytes()
    except OSError:
        found = b""
    if hashlib.sha256(found).hexdigest() != sha256:
        what = "another file" if found else "none"
        msg = (
            f"expected {path.name} of {PACKAGE} {VERSION} in {path.parent}, found "
            f"{what}: {HOW}"
        )
        raise FileError(msg)
    return found


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _write(path: Path, key: str, value: Any) -> None:
    """Write a script that puts a value into the page's one global object."""
    text = (
        f"(self.careAssets=self.careAssets||{{}})[{json.dumps(key)}]="
        f"{json.dumps(value)};\n"
    )
    with written(path) as partial:
        partial.write_text(text, "utf-8")
