"""Reading: images of every kind behind one interface, and back into their files."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import tiny
from click.testing import CliRunner
from tiny import noise, one_line

from care_runtime import runs, writing
from care_runtime import source as source_
from care_runtime.cli import main
from care_runtime.errors import AxesError, FileError, ImageError, OptionError
from care_runtime.files import missing
from care_runtime.finding import sources, targets
from care_runtime.form import Form
from care_runtime.image import Image, Look
from care_runtime.npy import beside
from care_runtime.reading import kind, place, read, source
from care_runtime.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable

    from care_runtime.engine import Engine

SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 5, "X": 3}
EXTRAS = [
    "".join(extra) for n in range(5) for extra in itertools.combinations("STCZ", n)
]
LOOK = Look(("FF0000", "00FF80"), ((0.0, 100.0), (5.0, 250.0)))


def known(axes: str, **said: Any) -> Image:
    """Make an image with all that can be said of it."""
    shape = [SIZES[a] for a in axes]
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    voxel = {"Z": 0.5, "Y": 0.1, "X": 0.2}
    two = "C" in axes
    names, look = (("nuclei", "β-actin"), LOOK) if two else ((), Look())
    return Image(
        pixels,
        axes,
        {a: v for a, v in voxel.items() if a in axes},
        "µm",
        2.5 if "T" in axes else None,
        names,
        name="cells",
        look=look,
        **said,
    )


def ordered(image: Image, axes: str) -> Any:
    return image.pixels.transpose([image.axes.index(a) for a in axes])


# round trips


def orders(extra: str) -> list[str]:
    return ["".join(order) for order in itertools.permutations(f"{extra}YX")]


@pytest.mark.parametrize("extra", EXTRAS)
def test_npy_keeps_everything_in_every_order(tmp_path: Path, extra: str) -> None:
    path = tmp_path / "a.npy"
    for axes in orders(extra):
        image = known(axes)
        writing.write(path, image, description={"model": "m"})
        back = read(path)
        np.testing.assert_array_equal(back.pixels, image.pixels)
        for fact in ("axes", "voxel", "unit", "interval", "channels", "name", "look"):
            assert getattr(back, fact) == getattr(image, fact), (axes, fact)
    assert json.loads(beside(path).read_text())["provenance"] == {"model": "m"}


@pytest.mark.parametrize("extra", [e for e in EXTRAS if not {"S", "T"} <= set(e)])
def test_tiff_keeps_everything_in_every_order(tmp_path: Path, extra: str) -> None:
    path = tmp_path / "a.tif"
    for axes in orders(extra):
        image = known(axes, flavour="ome")
        writing.write(path, image)
        back, there = read(path), axes.replace("S", "T")
        np.testing.assert_array_equal(ordered(back, there), image.pixels)
        assert dict(back.voxel) == dict(image.voxel)
        for fact in ("unit", "interval", "channels", "name"):
            assert getattr(back, fact) == getattr(image, fact), (axes, fact)
        assert back.look.colours == image.look.colours


def test_arrays_of_any_order_and_byte_order(tmp_path: Path) -> None:
    pixels = np.asfortranarray(noise("ZYX", Z=3, Y=4, X=5).astype(">u2"))
    np.save(tmp_path / "a.npy", pixels)
    back = read(tmp_path / "a.npy", "ZYX").pixels
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, pixels)


def test_an_array_is_mapped_and_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise("YX", Y=40, X=50))
    back = read(tmp_path / "a.npy").pixels
    assert isinstance(back if isinstance(back, np.memmap) else back.base, np.memmap)
    assert not back.flags.writeable


def test_axes_of_an_array_that_nobody_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for shape, plain, preferring in (
        ((4, 5), "YX", "YX"),
        ((2, 4, 5), "TYX", "ZYX"),
        ((3, 2, 4, 5), "TZYX", "ZTYX"),
    ):
        np.save(path, np.zeros(shape, np.uint8))
        assert read(path).axes == plain
        assert read(path, prefer_z=True).axes == preferring
    np.save(path, np.zeros((2, 2, 2, 2, 4, 5), np.uint8))
    with pytest.raises(AxesError, match="one letter for each dimension"):
        read(path)
    np.save(path, np.zeros(5))
    with pytest.raises(AxesError, match="axes"):
        read(path)


def write_text(path: Path) -> None:
    path.write_text("Dear diary")


def write_cut(path: Path) -> None:
    np.save(path, np.zeros((100, 100)))
    path.write_bytes(path.read_bytes()[:1000])


def write_objects(path: Path) -> None:
    np.save(path, np.array([["a", None]], object), allow_pickle=True)


def write_other_facts(path: Path) -> None:
    writing.write(path, known("ZYX"))
    np.save(path, np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (write_text, "whole NumPy file"),
        (write_cut, "whole NumPy file"),
        (write_objects, "whole NumPy file"),
        (lambda path: None, "no such file"),
        (write_other_facts, "tells of another one"),
    ],
)
def test_damaged_arrays(tmp_path: Path, write: Any, said: str) -> None:
    write(tmp_path / "a.npy")
    with pytest.raises(FileError, match=said) as caught:
        read(tmp_path / "a.npy")
    assert "a.npy" in one_line(caught.value)


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.nd2", "a.zarr"])
def test_a_link_to_nothing_is_told_as_one(tmp_path: Path, name: str) -> None:
    if name == "a.zarr":
        pytest.importorskip("zarr")
    (tmp_path / name).symlink_to(tmp_path / "gone")
    with pytest.raises(FileError, match="found a link to what is not there") as error:
        read(tmp_path / name)
    one_line(error.value)


def test_an_empty_file_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(FileError, match="found an empty file; copy it again") as error:
        read(tmp_path / "a.tif")
    one_line(error.value)


def test_complex_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 3), complex))
    with pytest.raises(ImageError, match="complex128"):
        read(tmp_path / "a.npy")


def test_an_array_has_one_series_and_no_form(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 3)))
    with pytest.raises(OptionError, match="no series"):
        source(tmp_path / "a.npy", series=1)
    form = Form(compress="zlib")
    with pytest.raises(OptionError, match="npy has neither"):
        writing.write(tmp_path / "b.npy", known("YX"), form=form)


# kinds


def test_what_a_file_is_counts_more_than_its_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", noise("YX", Y=4, X=5))
    (tmp_path / "a.npy").rename(tmp_path / "a.tif")
    assert kind(tmp_path / "a.tif") == "npy"
    tifffile.imwrite(tmp_path / "b.tif", noise("YX", Y=4, X=5))
    (tmp_path / "b.tif").rename(tmp_path / "b")
    assert read(tmp_path / "b").pixels.shape == (4, 5)
    assert place("s3://bucket/a.zarr") == "s3://bucket/a.zarr"
    assert place("a.tif") == Path("a.tif")
    assert kind("https://example.org/a") == "zarr"
    assert kind(tmp_path / "a.nd2") == "vendor"


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise("ZYX", Z=5, Y=30, X=40), metadata={"axes": "ZYX"})
    found = source(path)
    assert (found.axes, found.shape, found.dtype) == ("ZYX", (5, 30, 40), np.uint16)
    part = found.window((slice(1, 2), slice(3, 7), slice(5, 9)))
    np.testing.assert_array_equal(part, tifffile.imread(path)[1:2, 3:7, 5:9])


PACKED: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "strips": {"compression": "zlib", "rowsperstrip": 7},
    "tiles": {"compression": "zstd", "tile": (16, 32), "predictor": True},
    "big endian": {"byteorder": ">", "compression": "lzw"},
    "raw tiles": {"tile": (16, 16)},
}


@pytest.mark.parametrize("name", PACKED)
def test_a_window_is_that_of_the_whole(tmp_path: Path, name: str) -> None:
    path, pixels = tmp_path / "a.tif", noise("TZYX", T=2, Z=3, Y=45, X=70)
    tifffile.imwrite(path, pixels, metadata={"axes": "TZYX"}, ome=True, **PACKED[name])
    found = source(path)
    part = (slice(1, 2), slice(0, 2), slice(9, 41), slice(20, 33))
    np.testing.assert_array_equal(found.window(part), pixels[part])
    np.testing.assert_array_equal(found.read().pixels, pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", ["zlib", "jpeg"])
def test_a_window_of_colours(tmp_path: Path, planar: str, compression: str) -> None:
    pixels = noise("YXS", "uint8", Y=64, X=96, S=3)
    if planar == "separate":
        pixels = pixels.transpose(2, 0, 1)
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb", "planarconfig": planar, "tile": (32, 32)}
    tifffile.imwrite(path, pixels, compression=compression, **options)
    found = source(path)
    whole = found.read().pixels
    cut = {"C": slice(1, 3), "Y": slice(20, 50), "X": slice(40, 41)}
    part = tuple(cut[a] for a in found.axes)
    np.testing.assert_array_equal(found.window(part), whole[part])


def test_a_window_of_samples_beside_channels(tmp_path: Path) -> None:
    pixels = noise("CYXS", "uint8", C=4, Y=6, X=5, S=3)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, pixels, ome=True, photometric="rgb", metadata={"axes": "CYXS"}
    )
    found = source(path)
    part = (slice(4, 9), slice(1, 3), slice(0, 5))
    np.testing.assert_array_equal(found.window(part), found.read().pixels[part])


def test_only_the_tiles_of_a_window_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, noise("ZYX", Z=5, Y=64, X=64), tile=(16, 16), compression="zlib"
    )
    found, decoded = source(path), []
    opened = Path.open

    def counted(self: Path, *words: Any) -> Any:
        file = opened(self, *words)
        read_ = file.read
        proxy = io.BytesIO()

        class Counting:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *words: Any) -> None:
                proxy.close()
                file.close()

            def seek(self, at: int) -> None:
                file.seek(at)

            def read(self, size: int) -> bytes:
                decoded.append(size)
                return bytes(read_(size))

        return Counting()

    monkeypatch.setattr(Path, "open", counted)
    found.window((slice(2, 3), slice(15, 18), slice(0, 16)))
    assert len(decoded) == 2


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("short", "wide", "slab"),
    [(64, 512, 600), (1 << 12, 16, 1), (1 << 12, 1 << 15, 1 << 22), (1, 1, 1)],
)
def test_runs_of_any_length_are_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    order: Any,
    short: int,
    wide: int,
    slab: int,
) -> None:
    for name, size in (("SHORT", short), ("WIDE", wide), ("SLAB", slab)):
        monkeypatch.setattr(runs, name, size)
    path, rng = tmp_path / "a.npy", np.random.default_rng(0)
    pixels = rng.integers(0, 60000, (4, 5, 6, 7)).astype(">u2", order=order)
    np.save(path, pixels)
    found = source(path, "TZYX")
    for _ in range(40):
        ends = [sorted(rng.choice(n + 1, 2, replace=False)) for n in pixels.shape]
        part = tuple(slice(int(a), int(b)) for a, b in ends)
        np.testing.assert_array_equal(found.window(part), pixels[part])


def test_an_array_of_fortran_is_read_in_slabs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pixels = tmp_path / "a.npy", noise("TYX", T=50, Y=205, X=300)
    np.save(path, np.asfortranarray(pixels))
    read_: list[int] = []
    fill = runs._fill

    def filled(file: Any, into: Any, where: Path) -> None:
        read_.append(len(into))
        fill(file, into, where)

    monkeypatch.setattr(runs, "_fill", filled)
    found = source(path, "TYX")
    frame = found.window((slice(7, 8), slice(0, 205), slice(0, 300)))
    np.testing.assert_array_equal(frame[0], pixels[7])
    assert len(read_) == 300  # and not one for each pixel
    assert max(read_) <= runs.SLAB
    del read_[:]
    # As a whole it is read once, in long runs.
    monkeypatch.setattr(source_, "BLOCK", 1 << 21)
    turned = found.turned(np.empty).pixels
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, pixels)
    assert sum(read_) == pixels.nbytes
    assert min(read_) == 50 * 41 * 2


def test_a_large_part_lies_in_a_file(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.tif", noise("ZYX", Z=5, Y=64, X=64)
    tifffile.imwrite(path, pixels, compression="zlib", metadata={"axes": "ZYX"})
    part = (slice(0, 2), slice(0, 64), slice(0, 64))
    back = source(path).window(part, Scratch(tmp_path, large=1000))
    assert isinstance(back, np.memmap)
    np.testing.assert_array_equal(back, pixels[:2])


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{0}">
<Image ID="Image:0" Name="set"><Pixels ID="Pixels:0" DimensionOrder="XYZCT"
Type="uint16" SizeX="50" SizeY="40" SizeZ="2" SizeC="1" SizeT="1">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/>
<TiffData IFD="0" FirstZ="0" PlaneCount="1">
<UUID FileName="a.ome.tif">urn:uuid:{1}</UUID></TiffData>
<TiffData IFD="0" FirstZ="1" PlaneCount="1">
<UUID FileName="b.ome.tif">urn:uuid:{2}</UUID></TiffData>
</Pixels></Image></OME>"""


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_window_of_a_set_of_files(tmp_path: Path, compression: Any) -> None:
    pixels = noise("ZYX", Z=2, Y=40, X=50)
    ids = [f"00000000-0000-0000-0000-00000000000{i}" for i in (1, 2)]
    for plane, name, number in zip(pixels, "ab", ids, strict=True):
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif",
            plane,
            description=OME.format(number, *ids),
            metadata=None,
            compression=compression,
        )
    found = source(tmp_path / "a.ome.tif")
    part = (slice(0, 2), slice(5, 9), slice(0, 50))
    np.testing.assert_array_equal(found.window(part), pixels[part])
    np.testing.assert_array_equal(found.read().pixels, pixels)


# folders, globs and pipes


def test_folders_and_globs_mix_kinds(tmp_path: Path) -> None:
    for name in ("b.tif", "a.npy", "c.TIFF", "d.nd2", "e.txt", ".hidden.tif"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "f.zarr").mkdir()
    (tmp_path / "sub").mkdir()
    found = [p.name for p in sources([tmp_path]) if isinstance(p, Path)]
    assert found == ["a.npy", "b.tif", "c.TIFF", "d.nd2", "f.zarr"]
    assert sources([tmp_path / "f.zarr"]) == [tmp_path / "f.zarr"]
    assert sources([tmp_path / "[ab].*"]) == [tmp_path / "a.npy", tmp_path / "b.tif"]
    assert sources(["s3://b/a.zarr", Path("-")]) == ["s3://b/a.zarr", Path("-")]
    with pytest.raises(FileError, match="holds no image"):
        sources([tmp_path / "sub"])
    with pytest.raises(FileError, match=r"fit .*\*\.lif, found none"):
        sources([tmp_path / "*.lif"])


def test_an_image_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "b.tif"):
        Path(name).write_bytes(b"")
    named = [Path("b.tif"), Path("./a.tif"), tmp_path / "a.tif", Path("*.tif")]
    assert sources(named) == [Path("b.tif"), Path("a.tif")]
    assert sources(["s3://b/a.zarr", "s3://b/a.zarr"]) == ["s3://b/a.zarr"]


def test_a_glob_does_not_end_a_batch(tmp_path: Path) -> None:
    image, none = tmp_path / "day1" / "a.tif", tmp_path / "*.nd2"
    for name in ("day1", "day2"):
        (tmp_path / name).mkdir()
    image.write_bytes(b"")
    (tmp_path / "day2" / "notes.txt").write_text("")
    assert sources([tmp_path / "day*"]) == [image]  # of day2, nothing was meant
    assert sources([none, image]) == [none, image]  # which fails as a missing file
    with pytest.raises(FileError, match="holds no image"):
        sources([image, tmp_path / "day2"])
    for nothing in ([none], [tmp_path / "day2*"], [none, tmp_path / "day2*"]):
        with pytest.raises(FileError, match="images that fit"):
            sources(nothing)


def test_results_keep_names_and_kinds(tmp_path: Path) -> None:
    given = [Path("a.tif"), Path("b.npy"), "s3://x/c.zarr", Path("d.nd2"), Path("-")]
    found = [p.name for p in targets(given, tmp_path)]
    assert found == ["a.tif", "b.npy", "c.zarr", "d.ome.tif", "restored.npy"]
    assert targets([Path("a.tif")], Path("-")) == [Path("-")]
    with pytest.raises(OptionError, match="2 images"):
        targets([Path("a.tif"), Path("b.tif")], tmp_path / "o.npy")


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, engine: Callable[[str], Engine]
) -> Path:
    folder = tmp_path_factory.mktemp("models") / "laplace"
    return tiny.write_package(folder, "laplace", engine("laplace"))


def restore(*words: Any, **known: Any) -> Any:
    names = ["restore", *words, "--device", "cpu"]
    return CliRunner().invoke(main, [str(name) for name in names], **known)


@pytest.mark.parametrize("fortran", [False, True])
def test_from_standard_input_to_standard_output(model: Path, fortran: bool) -> None:
    pixels = noise("ZYX", Z=2, Y=30, X=35)
    stream = io.BytesIO()
    np.save(stream, np.asfortranarray(pixels) if fortran else pixels)
    words = ("-", "-m", model, "-o", "-", "--axes", "ZYX")
    found = restore(*words, input=stream.getvalue())
    assert found.exit_code == 0, found.output
    back = np.load(io.BytesIO(found.stdout_bytes))
    np.testing.assert_array_equal(back, pixels)
    assert back.dtype == pixels.dtype
    assert "ZYX 2 x 30 x 35" in one_line(found.stderr)


def test_a_stream_that_takes_little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As standard output of ``python -u`` does."""
    pixels, taken = noise("YX", Y=40, X=50), bytearray()

    class Sip(io.RawIOBase):
        def write(self, data: Any) -> int:
            taken.extend(data[:1000])
            return min(len(data), 1000)

    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=Sip()))
    writing.write(Path("-"), Image(pixels, "YX"))
    np.testing.assert_array_equal(np.load(io.BytesIO(taken)), pixels)


def test_pipes_that_cannot_be(model: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, noise("YX", Y=30, X=35))
    whole = stream.getvalue()
    found = restore("-", "-m", model, "-o", tmp_path / "o.npy", input=whole[:900])
    assert found.exit_code == 1
    assert "standard input" in one_line(found.stderr.strip())
    assert not list(tmp_path.iterdir())
    found = restore("-", "-m", model, "-o", "-", "--json", input=whole)
    assert found.exit_code == 2
    assert "name a file" in found.stderr
    words = ("-m", model, "-o", "-", "--outputs", "mean,scale")
    found = restore("-", *words, input=whole)
    assert found.exit_code != 0
    assert found.stdout_bytes == b""
    assert "one image goes to standard output" in found.stderr


def test_what_could_not_be_written_is_refused_before(
    model: Path, tmp_path: Path
) -> None:
    writing.write(
        tmp_path / "a.npy", Image(noise("STYX", S=2, T=2, Y=30, X=30), "STYX")
    )
    words = (tmp_path / "a.npy", "-m", model)
    found = restore(*words, "-o", tmp_path / "o.tif")
    assert "write it as .npy" in one_line(found.stderr.strip())
    found = restore(*words, "-o", tmp_path / "o.npy", "--compress", "zlib")
    assert "npy has neither" in one_line(found.stderr.strip())
    assert restore(*words, "-o", tmp_path / "o.npy").exit_code == 0
    assert read(tmp_path / "o.npy").axes == "STYX"


def test_a_folder_of_several_kinds(model: Path, tmp_path: Path) -> None:
    folder, pixels = tmp_path / "in", noise("YX", Y=30, X=35)
    folder.mkdir()
    np.save(folder / "a.npy", pixels)
    tifffile.imwrite(folder / "b.tif", pixels)
    found = restore(folder, "-m", model, "-o", tmp_path / "out")
    assert found.exit_code == 0, found.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "a.npy",
        "a.npy.json",
        "b.tif",
    }
    for name in ("a.npy", "b.tif"):
        np.testing.assert_array_equal(read(tmp_path / "out" / name).pixels, pixels)


@pytest.mark.parametrize("name", ["https://x.org/a.tif", "s3://b/a.npy?v=1"])
def test_addresses_of_other_kinds(name: str) -> None:
    with pytest.raises(FileError, match="fetch the file first") as caught:
        read(name)
    assert name in one_line(caught.value)


def test_what_lies_beside_an_array_is_not_replaced_unasked(
    model: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", noise("YX", Y=30, X=35))
    out = tmp_path / "o.npy"
    beside(out).write_text("precious")
    words = (tmp_path / "a.npy", "-m", model, "-o", out)
    found = restore(*words)
    assert found.exit_code == 1
    assert "o.npy.json exists already" in one_line(found.stderr.strip())
    assert beside(out).read_text() == "precious"
    assert not out.exists()
    assert restore(*words, "--overwrite").exit_code == 0


def test_a_reader_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = missing("zarr", "care-zoo[zarr]", "a.zarr")
    assert "python -m pip install 'care-zoo[zarr]'" in one_line(found)


@pytest.mark.parametrize(
    "said",
    [
        {"voxel": {"X": None}},
        {"voxel": [1, 2]},
        {"interval": "x"},
        {"ranges": [[0, "a"]]},
        {"luts": [[1, 2]]},
        {"greys": 5},
        {"channels": 3},
    ],
)
def test_odd_words_beside_an_array_are_an_error_of_one_line(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, noise("YX", Y=4, X=5))
    beside(path).write_text(json.dumps({"axes": "YX", "shape": [4, 5]} | said))
    with pytest.raises(FileError, match=r"a\.npy\.json, found other values") as caught:
        read(path)
    one_line(caught.value)


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.ome.tif"])
@pytest.mark.parametrize("axes", ["ZYX", "YY", "Y", "QX"])
def test_what_cannot_be_read_back_is_not_written(
    tmp_path: Path, name: str, axes: str
) -> None:
    with pytest.raises(AxesError):
        writing.write(tmp_path / name, Image(noise("YX", Y=4, X=5), axes))
    assert list(tmp_path.iterdir()) == []


def test_small_letters_name_axes_too(tmp_path: Path) -> None:
    image = Image(noise("YX", Y=4, X=5), "yx")
    for name in ("a.npy", "a.tif"):
        writing.write(tmp_path / name, image)
        assert read(tmp_path / name).axes == "YX"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.npz", "a.lsm", "a.nd2"])
def test_kinds_that_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="not written"):
        writing.write(tmp_path / name, Image(noise("YX", Y=4, X=5), "YX"))
    waves = Image(noise("YX", Y=4, X=5).astype(np.complex64), "YX")
    with pytest.raises(ImageError, match="complex"):
        writing.write(tmp_path / "a.npy", waves)
    assert list(tmp_path.iterdir()) == []
