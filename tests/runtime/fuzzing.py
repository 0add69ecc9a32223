"""Fuzzing: every way in for bytes of strangers, and seeds to change them from."""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import tiny
import yaml
from hypothesis import strategies as st

from care_runtime import (
    arrays,
    contract,
    operations,
    package,
    registry,
    sources,
    tiff,
    wire,
    yamls,
    zips,
)
from care_runtime.lists import Lists
from care_runtime.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"
"""Bytes that once were not handled, ``ENTRANCE-what.bin``."""


@dataclass(frozen=True)
class Entrance:
    """A function that may raise `CareError` alone, whatever the bytes."""

    name: str
    run: Callable[[bytes, Path], Any]
    seeds: Callable[[], list[bytes]]


# the ways in


def _spec(content: bytes, folder: Path) -> None:
    spec = Spec.from_dict(yamls.parse(content, "rdf.yaml"))
    Spec.from_dict(spec.to_dict())
    care = contract.supported(spec)
    frame = np.arange(48, dtype=np.uint16).reshape(1, 3, 4, 4)
    before = care.normalization.steps.values()
    for steps in (*before, *(o.steps for o in care.outputs.values())):
        operations.apply(steps, frame, {spec.input.id: frame})


def _registry(content: bytes, folder: Path) -> None:
    (folder / "registry.txt").write_bytes(content)
    zoo = sources.named(str(folder))
    assert zoo is not None
    for entry in registry.newest(zoo.entries).values():
        assert not Path(entry.file).is_absolute()
        assert ".." not in Path(entry.file).parts


def _index(content: bytes, folder: Path) -> None:
    (folder / "index.json").write_bytes(content)
    sources.index(sources.Zoo(str(folder), Lists(()), folder))


def _zip(content: bytes, folder: Path) -> None:
    (folder / "a.zip").write_bytes(content)
    zips.unpack(folder / "a.zip", folder / "out" / "in")


def _package(content: bytes, folder: Path) -> None:
    (folder / "a.zip").write_bytes(content)
    found = package.read(folder / "a.zip", folder / "cache")
    wire.check(found.onnx)


def _wire(content: bytes, folder: Path) -> None:
    (folder / "a.onnx").write_bytes(content)
    wire.check(folder / "a.onnx")


def _tiff(content: bytes, folder: Path) -> None:
    (folder / "a.tif").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = tiff.read(folder / "a.tif")
    assert len(image.axes) == image.pixels.ndim


def _npy(content: bytes, folder: Path) -> None:
    (folder / "a.npy").write_bytes(content)
    arrays.read(folder / "a.npy")


# their seeds


def _dumped(values: Any) -> bytes:
    return yaml.safe_dump(values, sort_keys=False).encode()


@cache
def specs() -> list[dict[str, Any]]:
    """Describe models of formats 0.4 and 0.5."""
    made = [tiny.spec(name).to_dict() for name in ("unet3d", "projection", "laplace")]
    raw = {
        "name": "raw",
        "axes": "bcyx",
        "shape": {"min": [1, 1, 8, 8], "step": [0, 0, 4, 4]},
        "preprocessing": [{"name": "scale_range", "kwargs": {"mode": "per_sample"}}],
    }
    shape = {"reference_tensor": "raw", "scale": [1] * 4, "offset": [0] * 4}
    out = {"name": "out", "axes": "bcyx", "shape": shape, "halo": [0, 0, 2, 2]}
    weights = {"onnx": {"source": "w.onnx", "sha256": 64 * "0"}}
    old = {"format_version": "0.4.9", "name": "old", "inputs": [raw], "outputs": [out]}
    steps = [
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": 0.1}},
        {"id": "scale_range", "kwargs": {"min_percentile": 1, "axes": ["x"]}},
        {"id": "clip", "kwargs": {"min": 0, "max_percentile": 90}},
        {"id": "scale_linear", "kwargs": {"gain": [2.0], "axis": "channel"}},
        {"id": "scale_mean_variance", "kwargs": {"reference_tensor": "input"}},
    ]
    foreign = copy.deepcopy(made[2])
    del foreign["config"]
    foreign["inputs"][0]["preprocessing"] = steps[:-1]
    foreign["outputs"][0]["postprocessing"] = steps
    foreign["inputs"][0]["axes"][2]["size"] = 32
    old |= {"weights": weights, "test_inputs": ["a.npy"]}
    return [json.loads(json.dumps(v)) for v in (*made, foreign, old)]


def _zips() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as zipped:
            zipped.writestr("rdf.yaml", _dumped(specs()[2]))
            zipped.writestr("deep/model.onnx", networks()[1])
        found.append(stream.getvalue())
    return found


@cache
def networks() -> list[bytes]:
    names = ("unet2d", "laplace")
    return [tiny.NETWORKS[name]().SerializeToString() for name in names]


def _tiffs() -> list[bytes]:
    pixels = np.arange(2 * 3 * 16 * 16, dtype=np.uint16).reshape(2, 3, 16, 16)
    imagej = {"axes": "TZYX", "unit": "um", "spacing": 2.0, "finterval": 3.0}
    ways: list[dict[str, Any]] = [
        {"imagej": True, "metadata": imagej, "resolution": (5, 5)},
        {"ome": True, "metadata": {"axes": "TCYX", "Channel": {"Name": ["a"] * 3}}},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "tile": (16, 16)},
        {"bigtiff": True, "metadata": None},
        {"byteorder": ">"},
        {"compression": "packbits", "rowsperstrip": 4},
    ]
    found = []
    for way in ways:
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, photometric="minisblack", **way)
        found.append(stream.getvalue())
    return found


def _npys() -> list[bytes]:
    stream = io.BytesIO()
    np.save(stream, np.ones((2, 3), np.float32))
    return [stream.getvalue()]


HASH = b"0123456789abcdef" * 4
LINES = b"# zoo\na/1.0.zip sha256:" + HASH + b"\nb-c/2.zip " + HASH + b" https://a/b\n"
INDEX = b'{"format": 1, "models": [{"file": "a/1.0.zip", "size": 3, "tags": []}]}'

ENTRANCES = {
    entrance.name: entrance
    for entrance in (
        Entrance("spec", _spec, lambda: [_dumped(values) for values in specs()]),
        Entrance("registry", _registry, lambda: [LINES]),
        Entrance("index", _index, lambda: [INDEX]),
        Entrance("zip", _zip, _zips),
        Entrance("package", _package, _zips),
        Entrance("wire", _wire, networks),
        Entrance("tiff", _tiff, _tiffs),
        Entrance("npy", _npy, _npys),
    )
}


@cache
def seeds(name: str) -> list[bytes]:
    """Collect the seeds of an entrance, and what once was not handled."""
    kept = sorted(CORPUS.glob(f"{name}-*.bin"))
    return [*ENTRANCES[name].seeds(), *(path.read_bytes() for path in kept)]


# changes

NUMBERS = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFF,
    0x7FFFFFFFFFFFFFFF,
    0xFFFFFFFFFFFFFFFF,
]


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """Change the bytes of a seed in a few places."""
    content = bytearray(draw(st.sampled_from(seeds(name))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        kind = draw(st.sampled_from(["byte", "number", "insert", "delete", "copy"]))
        if kind == "byte":
            content[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "number":
            size = draw(st.sampled_from([1, 2, 4, 8]))
            value = draw(st.sampled_from(NUMBERS)) & ((1 << 8 * size) - 1)
            order = draw(st.sampled_from(["little", "big"]))
            content[at : at + size] = value.to_bytes(size, order)
        elif kind == "insert":
            content[at:at] = draw(st.binary(max_size=12))
        elif kind == "delete":
            del content[at : at + draw(st.sampled_from([1, 2, 8, 64, 1 << 20]))]
        else:
            source = draw(st.integers(0, len(content)))
            content[at:at] = content[source : source + draw(st.integers(1, 64))]
    return bytes(content)


WEIRD = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            -1,
            0,
            10**30,
            1e308,
            float("nan"),
            float("inf"),
            "",
            "x",
            "\x85",
            [],
            [[]],
            {},
            {"a": 1},
            [None],
            {1: 2},
            {None: 1},
        ]
    ),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(-2, 2), max_size=5),
)


@st.composite
def described(draw: st.DrawFn) -> bytes:
    """Put strange values into a description."""
    values = copy.deepcopy(draw(st.sampled_from(specs())))
    for _ in range(draw(st.integers(1, 3))):
        here: Any = values
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(here[key], dict | list) and here[key] and draw(st.booleans()):
                here = here[key]
                continue
            here[key] = copy.deepcopy(draw(WEIRD))  # else the strategy itself changes
            break
    try:
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode()
    except yaml.YAMLError:
        return b""
