"""OME-Zarr: what is written is valid and is read, chunk by chunk, from anywhere."""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import tiny
from click.testing import CliRunner
from tiny import noise, one_line

from care_runtime import Image, ngff, reading, tiff, writing, zarrread, zarrwrite
from care_runtime.cli import main
from care_runtime.errors import (
    AxesError,
    FileError,
    ImageError,
    OptionError,
    SeriesWarning,
)
from care_runtime.form import Form
from care_runtime.image import Look
from care_runtime.scratch import Scratch
from care_runtime.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from care_runtime.engine import Engine

zarr = pytest.importorskip("zarr", minversion="3.0")

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 5, "X": 3}
EXTRAS = [
    "".join(extra)
    for n in range(4)
    for extra in itertools.combinations("STCZ", n)
    if not {"S", "T"} <= set(extra)
]
LOOK = Look(("FF0000", "00FF80"), ((0.0, 100.0), (5.0, 250.0)))
VERSIONS: tuple[Any, ...] = ("zarr-0.4", "zarr-0.5")


def known(axes: str, flavour: Any, **sizes: int) -> Image:
    shape = [(SIZES | sizes)[a] for a in axes]
    voxel = {"Z": 0.5, "Y": 0.1, "X": 0.2}
    two = "C" in axes
    return Image(
        np.arange(np.prod(shape), dtype=np.uint16).reshape(shape),
        axes,
        {a: v for a, v in voxel.items() if a in axes},
        "µm",
        2.5 if "T" in axes else None,
        ("nuclei", "β-actin") if two else (),
        flavour,
        "cells",
        LOOK if two else Look(),
    )


def ordered(image: Image, axes: str) -> Any:
    return image.pixels.transpose([image.axes.index(a) for a in axes])


# round trips


@pytest.mark.parametrize("flavour", VERSIONS)
@pytest.mark.parametrize("extra", EXTRAS)
def test_every_order_keeps_everything(tmp_path: Path, extra: str, flavour: Any) -> None:
    orders = list(itertools.permutations(f"{extra}YX"))
    for order in orders[:: 1 + len(orders) // 6]:
        axes, path = "".join(order), tmp_path / "a.zarr"
        image = known(axes, flavour)
        writing.write(path, image, description={"model": "m"})
        back, there = reading.read(path), axes.replace("S", "T")
        assert back.axes == "".join(a for a in "TCZYX" if a in there)
        np.testing.assert_array_equal(ordered(back, there), image.pixels)
        assert back.pixels.dtype == image.pixels.dtype
        for fact in ("unit", "interval", "channels", "name", "flavour"):
            assert getattr(back, fact) == getattr(image, fact), (axes, fact)
        assert dict(back.voxel) == dict(image.voxel)
        if image.look.colours:
            assert back.look == image.look
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    said = zarr.open_group(path, mode="r").attrs.asdict()
    assert said["care-zoo"] == {"model": "m"}


@pytest.mark.parametrize("flavour", VERSIONS)
@pytest.mark.parametrize("axes", ["YX", "CYX", "TCZYX"])
def test_a_validator_has_no_complaint(tmp_path: Path, axes: str, flavour: Any) -> None:
    models = pytest.importorskip("ome_zarr_models")
    path = tmp_path / "a.zarr"
    image = known(axes, flavour, Y=600, X=300)
    for given in (image, Image(image.pixels.astype(np.float32), axes, flavour=flavour)):
        writing.write(path, given, form=Form(pyramid=2))
        group = zarr.open_group(path, mode="r")
        found = models.open_ome_zarr(group)
        assert type(found).__name__ == "Image"
        assert found.ome_zarr_version == flavour.removeprefix("zarr-")


@pytest.mark.parametrize("flavour", VERSIONS)
def test_the_format_word_by_word(tmp_path: Path, flavour: Any) -> None:
    """For whoever has no validator: the keys that the format asks for."""
    path = tmp_path / "a.zarr"
    writing.write(path, known("CZYX", flavour, Y=40, X=30), form=Form(pyramid=1))
    modern = flavour == "zarr-0.5"
    name = "zarr.json" if modern else ".zattrs"
    said = json.loads((path / name).read_text())
    said = said["attributes"]["ome"] if modern else said
    (image,) = said["multiscales"]
    version = said["version"] if modern else image["version"]
    assert version == flavour.removeprefix("zarr-")
    assert image["axes"] == [
        {"name": "c", "type": "channel"},
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    first, second = image["datasets"]
    assert first["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 0.5, 0.1, 0.2]}
    ]
    scale, translation = second["coordinateTransformations"]
    assert scale == {"type": "scale", "scale": [1.0, 0.5, 0.2, 0.4]}
    assert translation["translation"] == pytest.approx([0, 0, 0.05, 0.1])
    for channel in said["omero"]["channels"]:
        assert set(channel["window"]) == {"min", "max", "start", "end"}
        assert len(channel["color"]) == 6
    array = zarr.open_group(path, mode="r")["1"]
    assert array.shape == (2, 4, 20, 15)
    if modern:
        assert array.metadata.dimension_names == ("c", "z", "y", "x")


def test_copies_are_averages(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.zarr", noise("ZYX", Z=3, Y=601, X=530)
    writing.write(path, Image(pixels, "ZYX"))
    group = zarr.open_group(path, mode="r")
    assert [group[str(i)].shape[1:] for i in range(3)] == [
        (601, 530),
        (301, 265),
        (151, 133),
    ]
    assert "3" not in group
    even = pixels[:, :600].reshape(3, 300, 2, 265, 2).mean((2, 4))
    np.testing.assert_array_equal(group["1"][:, :300], np.rint(even))
    last = pixels[:, 600].reshape(3, 265, 2).mean(2)
    np.testing.assert_array_equal(group["1"][:, 300], np.rint(last))


@pytest.mark.parametrize("flavour", VERSIONS)
@pytest.mark.parametrize("compress", [None, "none", "zlib", "zstd"])
def test_compressions(tmp_path: Path, flavour: Any, compress: str | None) -> None:
    path, image = tmp_path / "a.zarr", known("ZYX", flavour, Y=300, X=200)
    writing.write(path, image, form=Form(compress=compress))
    np.testing.assert_array_equal(reading.read(path).pixels, image.pixels)
    packed = zarr.open_group(path, mode="r")["0"].compressors
    assert bool(packed) == (compress != "none")
    if compress == "zlib" and flavour == "zarr-0.5":  # a codec of the format's own
        said = json.loads((path / "0" / "zarr.json").read_text())["codecs"][-1]
        assert said == {"name": "gzip", "configuration": {"level": 6}}
        chunk = next(p for p in (path / "0" / "c").rglob("*") if p.is_file())
        assert len(gzip.decompress(chunk.read_bytes())) == 4 * 256 * 200 * 2


@pytest.mark.parametrize("flavour", VERSIONS)
@pytest.mark.parametrize("compress", [None, "none", "zlib", "zstd"])
def test_the_same_image_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flavour: Any, compress: str | None
) -> None:
    image = known("ZYX", flavour, Y=300, X=200)
    contents = []
    for name, now in (("a.zarr", 1.0e9), ("b.zarr", 1.5e9)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        writing.write(tmp_path / name, image, form=Form(compress=compress))
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        contents.append(
            [(p.relative_to(tmp_path / name), p.read_bytes()) for p in files]
        )
    assert contents[0] == contents[1]


# reading


def test_units_and_older_versions() -> None:
    base: dict[str, Any] = {"datasets": [{"path": "0"}]}
    said = ngff.parse({"multiscales": [base]}, 0, "a")
    assert said.axes == "TCZYX"
    assert said.calibration.voxel == {}
    steps = [{"type": "scale", "scale": [0.5, 2000, 100]}]
    axes = [
        {"name": "t", "type": "time", "unit": "minute"},
        {"name": "y", "type": "space", "unit": "nanometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    image = {
        "axes": axes,
        "datasets": [{"path": "s0", "coordinateTransformations": steps}],
        "coordinateTransformations": [{"type": "scale", "scale": [2, 1, 0.5]}],
    }
    said = ngff.parse({"ome": {"version": "0.5", "multiscales": [image]}}, 0, "a")
    assert said.path == "s0"
    assert said.calibration.interval == 60
    assert said.calibration.voxel == {"Y": 2.0, "X": 50.0}
    assert said.calibration.unit == "µm"


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"datasets": []},
        {"datasets": [{"path": "0"}], "axes": [{"type": "space"}]},
        {
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": [1]}],
                }
            ]
        },
    ],
)
def test_attributes_that_break_the_format(image: dict[str, Any]) -> None:
    with pytest.raises(FileError, match="break the format") as caught:
        ngff.parse({"multiscales": [image]}, 0, "a.zarr")
    assert "a.zarr" in one_line(caught.value)


def test_only_chunks_of_a_part_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pixels = tmp_path / "a.zarr", noise("ZYX", Z=40, Y=300, X=300)
    writing.write(path, Image(pixels, "ZYX"), form=Form(pyramid=0))
    found = reading.source(path)
    for chunk in (path / "0" / "c").rglob("*"):
        if chunk.is_file() and chunk.relative_to(path).parts[2:] != ("1", "0", "1"):
            chunk.write_bytes(b"broken")
    part = (slice(16, 30), slice(10, 20), slice(260, 290))
    np.testing.assert_array_equal(found.window(part), pixels[part])
    with pytest.raises(FileError, match="cannot be read"):
        found.window((slice(0, 2), slice(0, 2), slice(0, 2)))


def test_an_image_is_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pixels = tmp_path / "a.zarr", noise("ZYX", Z=40, Y=100, X=100)
    writing.write(path, Image(pixels, "ZYX"), form=Form(pyramid=0))
    monkeypatch.setattr("care_runtime.source.BLOCK", 400_000)
    read: list[int] = []
    get = zarr.Array.__getitem__

    def counted(self: Any, part: Any) -> Any:
        read.append(get(self, part).nbytes)
        return get(self, part)

    monkeypatch.setattr(zarr.Array, "__getitem__", counted)
    back = reading.source(path).read(Scratch(tmp_path, large=1000)).pixels
    assert isinstance(back, np.memmap)
    np.testing.assert_array_equal(back, pixels)
    assert len(read) == 3
    assert max(read) <= 400_000


def test_a_part_of_an_address(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    image = known("TCZYX", "zarr-0.5")
    writing.write(tmp_path / "a.zarr", image)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "a.zarr"), "/care/a.zarr", recursive=True)
    part = Selection.parse(channel="β-actin", time="1:")
    back = reading.read("memory://care/a.zarr", selection=part)
    np.testing.assert_array_equal(back.pixels, image.pixels[1:, 1:])
    assert back.channels == ("β-actin",)
    with pytest.raises(FileError, match="found none: check its name or address"):
        reading.read("memory://care/b.zarr")
    memory.rm("/care", recursive=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve the folder of the test, without a word."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: Any) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("flavour", VERSIONS)
def test_over_http(tmp_path: Path, server: str, flavour: Any) -> None:
    pytest.importorskip("aiohttp")
    image = known("CZYX", flavour, Y=40, X=30)
    writing.write(tmp_path / "a.zarr", image)
    back = reading.read(f"{server}/a.zarr")
    np.testing.assert_array_equal(back.pixels, image.pixels)
    assert back.channels == image.channels
    with pytest.raises(FileError, match="check its name or address"):
        reading.read(f"{server}/b.zarr")


def test_plain_arrays_need_names(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(2, 3, 4, 5), chunks=(1, 1, 4, 5), dtype="u1")
    array[:] = 7
    assert reading.read(path, "CZYX").pixels.shape == (2, 3, 4, 5)
    assert reading.read(path).axes == "TZYX"
    with pytest.raises(OptionError, match="no series"):
        reading.source(path, series=1)


def test_collections_and_plates(tmp_path: Path) -> None:
    images = [known("YX", "zarr-0.4", Y=4 + i) for i in range(2)]
    path = tmp_path / "many.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    for i, image in enumerate(images):
        zarrwrite.write(path / str(i), image, description={}, form=Form())
    with pytest.warns(SeriesWarning, match="2 images"):
        assert reading.read(path).pixels.shape == (4, 3)
    assert reading.source(path, series=1).shape == (5, 3)
    with pytest.raises(OptionError, match="it has 0, 1"):
        reading.source(path, series=2)
    plate = tmp_path / "plate.zarr"
    group = zarr.open_group(plate, mode="w", zarr_format=2)
    group.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    zarrwrite.write(plate / "B" / "2" / "0", images[0], description={}, form=Form())
    zarr.open_group(plate / "B", mode="a", zarr_format=2)
    assert reading.source(plate, series="B/2/0").shape == (4, 3)
    with pytest.raises(OptionError, match="its wells are A/1, B/2"):
        reading.source(plate)
    for i, image in enumerate(images):
        zarrwrite.write(plate / "A/1" / f"f{i}", image, description={}, form=Form())
    zarr.open_group(plate / "A", mode="a", zarr_format=2)
    well = zarr.open_group(plate / "A" / "1", mode="a", zarr_format=2)
    well.attrs["well"] = {"images": [{"path": "f0"}, {"path": "f1"}]}
    with pytest.warns(SeriesWarning, match="2 images"):
        assert reading.source(plate, series="A/1").shape == (4, 3)
    assert reading.source(plate, series="A/1/f1").shape == (5, 3)
    zarr.open_group(tmp_path / "empty.zarr", mode="w")
    with pytest.raises(FileError, match="a group without"):
        reading.source(tmp_path / "empty.zarr")


def several(path: Path, names: list[str | None], **omero: Any) -> Path:
    """Write one group of several images, each of one grey value."""
    scale = {"type": "scale", "scale": [1.0, 1.0, 1.0]}
    axes = [{"name": a, "type": t} for a, t in (("c", "channel"), ("y", "space"))]
    axes.append({"name": "x", "type": "space"})
    group = zarr.open_group(path, mode="w", zarr_format=2)
    images = []
    for number, name in enumerate(names):
        data = np.full((3, 5, 6), number, np.uint16)
        group.create_array(str(number), data=data)
        part = {"path": str(number), "coordinateTransformations": [scale]}
        image = {"version": "0.4", "axes": axes, "datasets": [part]}
        images.append(image | ({"name": name} if name else {}))
    group.attrs.update({"multiscales": images, **omero})
    return path


@pytest.mark.parametrize("names", [["a", None], ["a", "b"], [None, None]])
def test_the_first_of_several_images_is_read(
    tmp_path: Path, names: list[str | None]
) -> None:
    path = several(tmp_path / "i.zarr", names)
    with pytest.warns(SeriesWarning, match="holds 2 images"):
        assert reading.read(path).pixels.max() == 0
    for asked in (1, "1", *filter(None, names[1:])):
        assert reading.source(path, series=asked).read().pixels.min() == 1


@pytest.mark.parametrize(
    "omero", [None, {"channels": [{"label": "one"}]}, {"channels": None}]
)
def test_names_of_fewer_channels_are_none(tmp_path: Path, omero: Any) -> None:
    path = several(tmp_path / "i.zarr", [None], omero=omero)
    found = reading.source(path)
    assert found.channels == ()
    part = Selection(channels=(2,)).of(found).read()
    assert part.pixels.shape == (1, 5, 6)


def test_a_unit_without_a_word_keeps_its_numbers() -> None:
    image = Image(np.zeros((5, 6)), "YX", {"Y": 2.0, "X": 3.0}, "furlong")
    made = ngff.attributes(image, "YX", [(5, 6)], [(0.0, 1.0)], None)
    said = made["multiscales"][0]
    scale = said["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == [2.0, 3.0]
    assert not any("unit" in axis for axis in said["axes"])


def spoil_metadata(path: Path) -> None:
    (path / "zarr.json").write_text("{")


def spoil_chunk(path: Path) -> None:
    chunk = next(p for p in (path / "0" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:20])


def spoil_array(path: Path) -> None:
    (path / "0" / "zarr.json").unlink()


@pytest.mark.parametrize("spoil", [spoil_metadata, spoil_chunk, spoil_array])
def test_damaged_files_are_one_line(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "a.zarr"
    writing.write(path, Image(noise("YX", Y=50, X=60), "YX"))
    spoil(path)
    with pytest.raises(FileError, match=r"a\.zarr") as caught:
        reading.read(path)
    one_line(caught.value)


def test_many_damaged_chunks_are_one_line(tmp_path: Path) -> None:
    """Else asyncio tells, when the process ends, of those that were not read yet."""
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(800, 800), chunks=(32, 32), dtype="u2")
    array[:] = noise("YX", Y=800, X=800)
    for chunk in sorted(p for p in (path / "c").rglob("*") if p.is_file()):
        chunk.write_bytes(chunk.read_bytes()[:20])
    program = (
        "import sys; from care_runtime import errors, reading; from pathlib import Path"
        "\ntry: reading.read(Path(sys.argv[1]))"
        "\nexcept errors.FileError as error: print(error, file=sys.stderr)"
    )
    words = [sys.executable, "-c", program, str(path)]
    found = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert "a whole OME-Zarr" in found.stderr
    assert len(found.stderr.splitlines()) == 1, found.stderr


def test_without_zarr_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "a.zarr").mkdir()
    for fail in (reading.read, writing.require_place, zarrread.required):
        with pytest.raises(FileError, match=r"pip install 'care-zoo\[zarr\]'"):
            fail(tmp_path / "a.zarr")


# writing


def test_images_that_no_zarr_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with pytest.raises(AxesError, match="one by one"):
        writing.write(path, known("STYX", "plain"))
    with pytest.raises(ImageError, match="complex"):
        writing.write(path, Image(np.zeros((2, 2), complex), "YX"))
    assert not list(tmp_path.iterdir())


def test_what_is_no_zarr_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / "thesis.txt").write_text("precious")
    with pytest.raises(FileError, match="is not replaced"):
        writing.require_place(path)
    with pytest.raises(FileError, match="is not replaced"):
        writing.write(path, known("YX", "plain"))
    assert (path / "thesis.txt").read_text() == "precious"


def test_nothing_half_written_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, image = tmp_path / "a.zarr", known("YX", "plain")
    writing.write(path, image)

    def fail(*words: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarrwrite, "_fill", fail)
    with pytest.raises(FileError, match="No space left"):
        writing.write(path, Image(image.pixels + 1, "YX"))
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    np.testing.assert_array_equal(reading.read(path).pixels, image.pixels)


def test_from_zarr_to_zarr_and_tiff(
    tmp_path: Path, engine: Callable[[str], Engine]
) -> None:
    model = tiny.write_package(tmp_path / "m", "laplace", engine("laplace"))
    image = known("CZYX", "zarr-0.4", Y=40, X=30)
    source = tmp_path / "in.zarr"
    writing.write(source, image)

    def restore(*words: Any) -> Any:
        names = ["restore", source, "-m", model, "--device", "cpu", *words]
        return CliRunner().invoke(main, [str(name) for name in names])

    out = tmp_path / "out.zarr"
    asked = ("--outputs", "mean,scale")
    found = restore("-o", out, *asked)
    assert found.exit_code == 0, found.output
    back = reading.read(out)
    np.testing.assert_array_equal(back.pixels, image.pixels)
    assert (back.flavour, back.channels) == ("zarr-0.4", image.channels)
    assert back.look == image.look
    assert reading.read(tmp_path / "out_scale.zarr").pixels.dtype == np.float32
    assert restore("-o", out, *asked).exit_code == 1
    assert restore("-o", out, *asked, "--overwrite").exit_code == 0
    found = restore("-o", tmp_path / "out.ome.tif", *asked, "--crop", "0:20,0:20")
    assert found.exit_code == 0, found.output
    small = tiff.read(tmp_path / "out.ome.tif")
    assert small.voxel == {"Z": 0.5, "Y": 0.1, "X": 0.2}
    assert small.look.colours == image.look.colours
    np.testing.assert_array_equal(small.pixels, image.pixels[..., :20, :20])


def test_series_of_a_collection_by_name(tmp_path: Path) -> None:
    path = tmp_path / "many.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    for i, name in enumerate(["left", "right", "right"]):
        image = replace(known("YX", "zarr-0.4", Y=4 + i), name=name)
        zarrwrite.write(path / str(i), image, description={}, form=Form())
    assert reading.source(path, series="left").shape == (4, 3)
    assert reading.source(path, series="1").shape == (5, 3)
    with pytest.raises(OptionError, match="'right', the name of 2"):
        reading.source(path, series="right")


def test_arrays_name_their_dimensions(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 4, 5), np.uint8)
    for names, axes in (
        (("t", "z", "y", "x"), "TZYX"),
        (("a", "b", "y", "x"), "TZYX"),
        (("c", "z", "y", "x"), "CZYX"),
    ):
        store = tmp_path / f"{''.join(names)}.zarr"
        array = zarr.create_array(
            store, shape=pixels.shape, dtype="u1", dimension_names=names
        )
        array[:] = pixels
        assert reading.source(store).axes == axes


def plain(path: Path, axes: list[dict[str, str]], scale: list[float]) -> Path:
    """Write an image whose axes and scale are as they are given."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", shape=(2,) * len(axes), dtype="u1")
    transformations = [{"type": "scale", "scale": scale}]
    datasets = [{"path": "0", "coordinateTransformations": transformations}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets}]
    return path


@pytest.mark.parametrize(
    ("unit", "scale", "voxel", "symbol"),
    [
        (None, [5.0, 2.0, 0.5, 0.5], {"Z": 2.0, "Y": 0.5, "X": 0.5}, ngff.UNSAID),
        (None, [1.0, 1.0, 1.0, 1.0], {}, ""),
        ("um", [5.0, 2.0, 0.5, 0.5], {"Z": 2.0, "Y": 0.5, "X": 0.5}, "µm"),
        ("parsec", [5.0, 2.0, 0.5, 0.5], {"Z": 2.0, "Y": 0.5, "X": 0.5}, "parsec"),
        ("decimeter", [5.0, 2.0, 0.5, 0.5], {"Z": 2.0, "Y": 0.5, "X": 0.5}, "dm"),
    ],
)
def test_scales_count_without_a_unit_that_is_known(
    tmp_path: Path,
    unit: str | None,
    scale: list[float],
    voxel: dict[str, float],
    symbol: str,
) -> None:
    axes = [{"name": "t", "type": "time"}]
    axes += [
        {"name": a, "type": "space"} | ({"unit": unit} if unit else {}) for a in "zyx"
    ]
    path = plain(tmp_path / "a.zarr", axes, scale)
    found = reading.read(path)
    assert (found.voxel, found.unit) == (voxel, symbol)
    assert found.interval == (scale[0] if scale[0] != 1 else None)
    zarrwrite.write(tmp_path / "b.zarr", found, description={}, form=Form())
    again = reading.read(tmp_path / "b.zarr")
    assert again.voxel == voxel


def test_ranges_that_are_no_numbers_are_not_shown(tmp_path: Path) -> None:
    axes = [{"name": a, "type": "space"} for a in "yx"]
    path = plain(tmp_path / "a.zarr", axes, [1.0, 1.0])
    window = {"start": None, "end": 5, "min": 0, "max": 9}
    omero = {"channels": [{"color": "FF0000", "window": window}]}
    zarr.open_group(path, mode="a").attrs["omero"] = omero
    assert reading.source(path).calibration.look.ranges == ()
    assert reading.source(path).calibration.look.colours == ("FF0000",)


def test_long_integers_of_tiff_are_written(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.arange(12, dtype="<i8").reshape(3, 4))
    image = reading.read(tmp_path / "a.tif")
    zarrwrite.write(tmp_path / "a.zarr", image, description={}, form=Form())
    np.testing.assert_array_equal(
        reading.read(tmp_path / "a.zarr").pixels, image.pixels
    )


def test_a_path_may_look_like_a_chain_of_addresses(tmp_path: Path) -> None:
    image = known("YX", "zarr-0.4", Y=4)
    zarrwrite.write(tmp_path / "x::y.zarr", image, description={}, form=Form())
    assert reading.source(tmp_path / "x::y.zarr").shape == (4, 3)


def test_what_is_cut_out_stays_where_it_was(tmp_path: Path) -> None:
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    path = plain(tmp_path / "a.zarr", axes, [2.0, 0.5, 0.5])
    group = zarr.open_group(path, mode="a", zarr_format=2)
    said = group.attrs["multiscales"][0]
    first = said["datasets"][0]["coordinateTransformations"]
    first.append({"type": "translation", "translation": [10, 20, 30]})
    said["coordinateTransformations"] = [
        {"type": "scale", "scale": [1, 2, 2]},
        {"type": "translation", "translation": [0, 0, 1]},
    ]
    group.attrs["multiscales"] = [said]
    whole = reading.read(path)
    assert whole.voxel == {"Z": 2.0, "Y": 1.0, "X": 1.0}
    assert whole.origin == {"Z": 10.0, "Y": 40.0, "X": 61.0}
    part = Selection(z=(1, 2), x=(1, 2)).of(reading.source(path)).read()
    assert part.origin == {"Z": 12.0, "Y": 40.0, "X": 62.0}
    zarrwrite.write(tmp_path / "b.zarr", part, description={}, form=Form(pyramid=1))
    writing.write(tmp_path / "b.npy", part)
    for name in ("b.zarr", "b.npy"):
        assert reading.read(tmp_path / name).origin == part.origin
    again = zarr.open_group(tmp_path / "b.zarr", mode="r").attrs.asdict()
    levels = ngff.multiscales(again)[0]["datasets"]
    assert levels[-1]["coordinateTransformations"][1]["translation"][0] == 12.0


@pytest.mark.parametrize("way", [None, [1.0], ["a", 0, 0], [float("inf"), 0, 0]])
def test_a_translation_that_breaks_the_format_is_none(tmp_path: Path, way: Any) -> None:
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    path = plain(tmp_path / "a.zarr", axes, [2.0, 0.5, 0.5])
    group = zarr.open_group(path, mode="a", zarr_format=2)
    said = group.attrs["multiscales"][0]
    step = {"type": "translation", "translation": way}
    said["datasets"][0]["coordinateTransformations"].append(step)
    group.attrs["multiscales"] = [said]
    found = reading.read(path)
    assert (found.voxel["Z"], found.origin) == (2.0, {})


def test_places_are_in_the_unit_of_sizes(tmp_path: Path) -> None:
    axes = [{"name": "z", "type": "space", "unit": "nanometer"}]
    axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    path = plain(tmp_path / "a.zarr", axes, [200.0, 0.5, 0.5])
    group = zarr.open_group(path, mode="a", zarr_format=2)
    said = group.attrs["multiscales"][0]
    step = {"type": "translation", "translation": [5.0, 0.0, 7.0]}
    said["datasets"][0]["coordinateTransformations"].append(step)
    group.attrs["multiscales"] = [said]
    part = Selection(z=(1, 2)).of(reading.source(path)).read()
    assert (part.voxel["Z"], part.origin) == (0.2, {"Z": 0.205, "X": 7.0})
    single = replace(part, origin={"Z": np.float32(2)})
    for name in ("b.zarr", "b.npy"):
        writing.write(tmp_path / name, single)
        assert reading.read(tmp_path / name).origin == {"Z": 2.0}
