"""Scripts of the gallery: what they compute equals what the runtime does."""

from __future__ import annotations

import base64
import json
import shutil
import struct
import subprocess
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile

from care_runtime import package, tiff
from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles
from care_runtime.restore import Restorer
from care_runtime.store import locate
from care_runtime.tiling import line
from care_training.gallery import web

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="node is missing")

HARNESS = """
const fs = require("node:fs");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
const buffer = (path) => {
  const found = fs.readFileSync(path);
  return found.buffer.slice(found.byteOffset, found.byteOffset + found.length);
};
const code = (array) =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const array = ({ type, data }) => {
  const bytes = Uint8Array.from(Buffer.from(data, "base64"));
  return new ARRAYS[type](bytes.buffer);
};
const told = ({ type, width, height, grid, calibration }) => ({
  type, shape: [grid.length, grid[0].length, grid[0][0].length, height, width],
  planes: grid.flat(2).map(code), calibration,
});
const jobs = {
  lines: (all) => all.map(([size, options]) => line(size, options)),
  percentiles: (all) => all.map(({ pixels, q }) => percentiles([array(pixels)], q)),
  affine: (all) => all.map(({ pixels, low, high }) => {
    const map = affine(low, high), x = array(pixels);
    const y = Float32Array.from(x, (value) => normalized(map, value));
    return [y, Float32Array.from(y, (value) => grey(map, value))].map(code);
  }),
  read: async (paths) => {
    const out = [];
    for (const path of paths)
      out.push(told(await (path.endsWith("png") ? pngImage : tiffImage)(buffer(path))));
    return out;
  },
  refuse: async (paths) => {
    const out = [];
    for (const path of paths)
      out.push(await tiffImage(buffer(path)).then(() => "", (error) => error.message));
    return out;
  },
  open: async (files) => {
    const out = [];
    for (const file of files) {
      const bytes = Uint8Array.from(Buffer.from(file, "base64"));
      out.push(await imageFile(bytes.buffer).then(() => "", (error) => error.message));
    }
    return out;
  },
  view: async ({ path, recipe }) => {
    const image = await imageFile(buffer(path));
    const twice = async (x) => x.map((value) => 2 * value - 0.25);
    return code((await restore(image, recipe, twice, "auto", () => {})).view);
  },
  restore: async ({ path, recipe, wish, out }) => {
    const image = await tiffImage(buffer(path));
    const twice = async (x) => x.map((value) => 2 * value - 0.25);
    const { image: made, facts } = await restore(image, recipe, twice, wish, () => {});
    fs.writeFileSync(out, Buffer.from(tiffFile(made)));
    return facts;
  },
};
(async () => {
  const done = await jobs[given.job](given.values);
  fs.writeFileSync(1, JSON.stringify(done));
})();
"""


def node(job, values):
    """Run a job with the worker's own scripts."""
    done = subprocess.run(
        ["node", "-e", web.worker() + HARNESS],
        input=json.dumps({"job": job, "values": values}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def coded(array):
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"type": array.dtype.name, "data": data}


def floats(text):
    return np.frombuffer(base64.b64decode(text), np.float32)


def pixels(found):
    parts = [base64.b64decode(plane) for plane in found["planes"]]
    return np.frombuffer(b"".join(parts), found["type"]).reshape(found["shape"])


def test_tiles_are_the_same_integers():
    cases = [
        (size, {"multiple": multiple, "halo": halo, "tile": tile})
        for size, multiple, halo, tile in product(
            (1, 7, 100, 513, 2048), (1, 8), (0, 5, 46), (None, 1, 64, 512)
        )
    ]
    for (size, options), found in zip(cases, node("lines", cases), strict=True):
        expected = line(size, **options)
        assert (found["before"], found["padded"]) == (expected.before, expected.padded)
        assert found["cuts"] == [
            {
                name: [getattr(cut, name).start, getattr(cut, name).stop]
                for name in ("read", "keep", "write")
            }
            for cut in expected.cuts
        ]


TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def drawn(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(100, 40, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def test_percentiles_are_the_same_numbers():
    arrays = [drawn(t, n, n) for t, n in product(TYPES, (1, 2, 997))]
    q = [0, 2, 33.3, 99.8, 100]
    found = node("percentiles", [{"pixels": coded(a), "q": q} for a in arrays])
    for array, each in zip(arrays, found, strict=True):
        np.testing.assert_array_equal(each, percentiles(array, q)[:, 0])


def test_normalization_is_the_same_and_back():
    arrays = [drawn(dtype, 500) for dtype in TYPES]
    limits = [percentiles(array, (2, 99.8))[:, 0] for array in arrays]
    values = [
        {"pixels": coded(array), "low": low, "high": high}
        for array, (low, high) in zip(arrays, limits, strict=True)
    ]
    found = node("affine", values)
    for array, ends, (there, back) in zip(arrays, limits, found, strict=True):
        affine = Affine.between(*ends)
        np.testing.assert_array_equal(floats(there), affine(array))
        expected = affine.invert(affine(array)).astype(np.float32)
        np.testing.assert_array_equal(floats(back), expected)


def test_reads_what_tifffile_writes(tmp_path):
    cases = {}

    def add(array, axes, **options):
        path = tmp_path / f"{len(cases)}.tif"
        tifffile.imwrite(path, array, **options)
        order = [axes.index(a) for a in "TCZYX" if a in axes]
        full = array.transpose(order)
        missing = [i for i, a in enumerate("TCZYX") if a not in axes]
        cases[str(path)] = np.expand_dims(full, missing)

    for dtype in TYPES:
        plane = drawn(dtype, (37, 53))
        add(plane, "YX", rowsperstrip=10)
        add(plane, "YX", byteorder=">", compression="zlib", predictor=True)
        add(plane, "YX", tile=(16, 32), compression="lzw", bigtiff=True)
    big = np.repeat(drawn("uint16", (200, 150)) % 50, 2, axis=1)
    add(big, "YX", compression="lzw", predictor=True)
    add(big, "YX", compression="packbits")
    rgb = drawn("uint8", (20, 30, 3))
    add(rgb, "YXC", photometric="rgb", compression="lzw", predictor=True)
    planar = drawn("uint16", (3, 20, 30))
    add(planar, "CYX", photometric="rgb", planarconfig="separate", tile=(16, 16))
    add(drawn("uint16", (4, 20, 30)), "TYX", photometric="minisblack")
    stack = drawn("uint16", (2, 3, 4, 20, 30))
    add(stack, "TZCYX", imagej=True, metadata={"axes": "TZCYX", "unit": "um"})
    for axes in ("TCZYX", "ZTCYX"):
        array = drawn("uint16", (2, 3, 4, 20, 30))
        add(array, axes, ome=True, metadata={"axes": axes}, photometric="minisblack")
    found = node("read", list(cases))
    for (path, expected), each in zip(cases.items(), found, strict=True):
        assert each["type"] == expected.dtype.name, path
        np.testing.assert_array_equal(pixels(each), expected, err_msg=path)


def png(array, colour):
    """Write a PNG with all five filters."""
    data = array.astype(array.dtype.newbyteorder(">"))
    rows = data.reshape(len(data), -1).view(np.uint8).astype(int)
    step = rows.shape[1] // array.shape[1]
    out, above = b"", np.zeros_like(rows[0])
    for y, row in enumerate(rows):
        left = np.concatenate([np.zeros(step, int), row[:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        p = left + above - corner
        d = np.abs([p - left, p - above, p - corner])
        paeth = np.choose(d.argmin(0), [left, above, corner])
        guess = (0 * left, left, above, (left + above) // 2, paeth)[y % 5]
        out += bytes([y % 5]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    head = struct.pack(
        ">IIBBBBB", array.shape[1], len(array), 8 * array.itemsize, colour, 0, 0, 0
    )
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(out)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def test_reads_png(tmp_path):
    grey, wide = drawn("uint8", (11, 13)), drawn("uint16", (11, 13))
    rgb = drawn("uint16", (11, 13, 3))
    opaque = np.stack([grey, grey, grey, 0 * grey + 255], axis=-1)
    cases = [(grey, 0), (wide, 0), (rgb, 2), (opaque, 6)]
    paths = [tmp_path / f"{i}.png" for i in range(len(cases))]
    for path, case in zip(paths, cases, strict=True):
        path.write_bytes(png(*case))
    found = [pixels(each) for each in node("read", [str(path) for path in paths])]
    np.testing.assert_array_equal(found[0][0, 0, 0], grey)
    np.testing.assert_array_equal(found[1][0, 0, 0], wide)
    np.testing.assert_array_equal(found[2][0, :, 0], rgb.transpose(2, 0, 1))
    np.testing.assert_array_equal(found[3][0, :, 0], grey[None])


def test_damaged_files_are_refused_in_words(tmp_path):
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, drawn("uint16", (64, 64)), compression="lzw")
    good = whole.read_bytes()
    rng = np.random.default_rng(0)
    paths = []
    for i in range(60):
        bad = bytearray(good if i % 2 else good[: int(rng.integers(17, len(good)))])
        for _ in range(0 if i % 2 == 0 else 5):
            bad[int(rng.integers(4, 260))] = int(rng.integers(256))
        paths.append(tmp_path / f"{i}.tif")
        paths[-1].write_bytes(bytes(bad))
    # Whatever happened, it ended, and what is wrong is a text.
    found = node("refuse", [str(path) for path in paths])
    assert all(isinstance(text, str) for text in found)


def test_other_files_are_told_by_what_they_are(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", drawn("uint8", (9, 9)))
    png_ = png(drawn("uint8", (9, 9)), 0)
    whole = (tmp_path / "a.tif").read_bytes()
    cases = {
        b"": "the file is empty",
        b"a": "this is no TIFF or PNG file: save it as one of these",
        b"hello world": "this is no TIFF or PNG file: save it as one of these",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(99): "this is no TIFF or PNG file: "
        "save it as one of these",
        whole[:11]: "the TIFF file ends too early",
        png_[:11]: "the PNG file is damaged",
        whole: "",
        png_: "",
    }
    found = node("open", [base64.b64encode(content).decode() for content in cases])
    assert found == list(cases.values())


def test_what_is_looked_at_is_not_rounded(tmp_path):
    """A few grey levels of an integer image would look like steps."""
    spec = locate("denoise_widefield").spec
    values = spec.to_dict()
    values["config"]["care"]["tiling"]["size"] = {"y": 16, "x": 24}
    spec = type(spec).from_dict(values)
    source = tmp_path / "in.tif"
    movie = np.random.default_rng(2).normal(100, 3, (3, 2, 61, 70)).astype(np.uint8)
    tifffile.imwrite(source, movie, imagej=True, metadata={"axes": "ZCYX"})
    recipe = web.recipe(package.Package(spec, Path()))
    found = floats(node("view", {"path": str(source), "recipe": recipe}))
    restorer = Restorer(spec, lambda x: [2 * x - np.float32(0.25)])
    expected = restorer(tiff.read(source), dtype="float32")
    assert expected.axes == "ZCYX"
    np.testing.assert_array_equal(found.reshape(61, 70), expected.image[1, 0])
    assert (found != found.round()).all()


@pytest.mark.parametrize(
    ("dtype", "over"),
    [("uint8", "TZYX"), ("uint16", "ZYX"), ("int16", "YX"), ("float32", "ZYX")],
)
def test_restores_as_the_runtime_does(tmp_path, dtype, over):
    spec = locate("denoise_widefield").spec
    values = spec.to_dict()
    values["config"]["care"]["normalization"]["axes"] = over
    values["config"]["care"]["tiling"]["size"] = {"y": 16, "x": 24}
    spec = type(spec).from_dict(values)
    model = package.Package(spec, Path())
    rng = np.random.default_rng(1)
    movie = rng.gamma(2, 30, (2, 3, 2, 121, 150)).astype(dtype)
    movie[:, :, 1] = 7  # a channel without contrast
    source, out = tmp_path / "in.tif", tmp_path / "out.tif"
    options = {"axes": "TZCYX", "unit": "um", "spacing": 2.0}
    kept = {"imagej": True, "resolution": (5, 5)}
    if dtype == "int16":
        options, kept = {"axes": "TZCYX"}, {"ome": True, "photometric": "minisblack"}
    tifffile.imwrite(source, movie, metadata=options, **kept)
    facts = node(
        "restore",
        {
            "path": str(source),
            "out": str(out),
            "wish": "auto",
            "recipe": web.recipe(model),
        },
    )
    restorer = Restorer(spec, lambda x: [2 * x - np.float32(0.25)])
    with pytest.warns(UserWarning, match="no contrast"):
        expected = restorer(tiff.read(source))
    found = tiff.read(out)
    if dtype != "int16":
        assert found.voxel == tiff.read(source).voxel
    assert found.pixels.dtype == expected.image.dtype
    order = [expected.axes.index(a) for a in found.axes]
    np.testing.assert_array_equal(found.pixels, expected.image.transpose(order))
    assert facts["saturated"] == expected.saturated
    assert facts["blank"] == expected.blank
