"""Selection: a part is restored as in the whole, and nothing else is read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import tiny
from click.testing import CliRunner
from tiny import noise, one_line

from care_runtime import Image, reading, tiff, writing
from care_runtime.cli import main
from care_runtime.errors import ChannelWarning, OptionError, SeriesWarning
from care_runtime.image import Look
from care_runtime.mixed import Mixed, parse
from care_runtime.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.engine import Engine
    from care_runtime.restore import Restorer

NAMES = ("nuclei", "actin", "DIC")
LOOK = Look(("FF0000", "00FF00", "FFFFFF"), ((0, 9), (0, 8), (0, 7)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a hyperstack with names and calibration."""
    image = Image(
        noise("TZCYX", T=4, Z=3, C=3, Y=40, X=50),
        "TZCYX",
        {"Z": 0.5, "Y": 0.1, "X": 0.1},
        "µm",
        2.0,
        NAMES,
        look=LOOK,
    )
    tiff.write(tmp_path / "image.tif", image)
    return tmp_path / "image.tif"


def selected(path: Path, **words: Any) -> Image:
    return reading.read(path, selection=Selection.parse(**words))


# what is read


def test_a_part_is_that_of_the_whole(path: Path) -> None:
    whole = reading.read(path)
    part = selected(path, channel="2,nuclei", time="1:3", z="2", crop="5:25,10:50")
    expected = whole.pixels[1:3, 2:3, [2, 0], 5:25, 10:50]
    np.testing.assert_array_equal(part.pixels, expected)
    assert (part.axes, part.voxel, part.unit) == (whole.axes, whole.voxel, whole.unit)
    assert part.channels == ("DIC", "nuclei")
    assert part.interval == 2.0
    assert part.look.ranges == ((0, 7), (0, 9))
    for word in ("T 1:3 of 4", "Z 2:3 of 3", "Y 5:25 of 40", "X 10:50 of 50"):
        assert word in part.cut
    assert "channel 2 (DIC), 0 (nuclei) of 3" in part.cut


def test_open_ends_and_volumes(path: Path) -> None:
    whole = reading.read(path).pixels
    np.testing.assert_array_equal(selected(path, time="2:").pixels, whole[2:])
    np.testing.assert_array_equal(selected(path, time=":2").pixels, whole[:2])
    part = selected(path, crop="1:3,0:40,0:50").pixels
    np.testing.assert_array_equal(part, whole[:, 1:3])
    assert selected(path).cut == ""


def test_a_selection_of_a_selection(path: Path) -> None:
    first = Selection.parse(channel="2,0", crop="10:30,0:50")
    second = Selection.parse(channel="1", crop="5:10,5:10")
    found = second.of(first.of(reading.source(path))).read()
    whole = reading.read(path).pixels
    np.testing.assert_array_equal(found.pixels, whole[:, :, :1, 15:20, 5:10])
    assert found.channels == ("nuclei",)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"time": "2:9"}, "within 0:4, the T of .*, found 2:9"),
        ({"z": "3"}, "within 0:3"),
        ({"crop": "0:10,45:60"}, "within 0:50, the X"),
        ({"channel": "3"}, r"it has 0 \(nuclei\), 1 \(actin\), 2 \(DIC\)"),
        ({"channel": "GFP"}, "found 'GFP'"),
        ({"channel": "0,nuclei"}, "every channel once"),
        ({"series": "1"}, "found 1: it has 0"),
        ({"series": "cells"}, "found 'cells'"),
    ],
)
def test_outside_the_image(path: Path, words: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        selected(path, **words)
    assert "image.tif" in one_line(caught.value) or "channel" in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        {"time": "b"},
        {"time": "3:2"},
        {"time": ":"},
        {"time": "-1"},
        {"z": "1:1"},
        {"crop": "0:5"},
        {"crop": "0:5,0:5,0:5", "z": "0:1"},
        {"channel": "0,0"},
    ],
)
def test_selections_that_mean_nothing(words: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="expected"):
        Selection.parse(**words)


def test_an_axis_that_is_not_there(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise("YX", Y=30, X=30))
    with pytest.raises(OptionError, match=r"--time asks .* has the axes YX"):
        selected(tmp_path / "a.tif", time="0:1")
    assert selected(tmp_path / "a.tif", channel="0").pixels.shape == (30, 30)


def test_images_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for i, name in enumerate(("left", "right")):
            meta: dict[str, Any] = {"axes": "ZYX", "Name": name}
            meta |= {"PhysicalSizeX": 0.1 + i, "PhysicalSizeY": 0.1}
            tif.write(
                noise("ZYX", seed=i, Z=2 + i, Y=20, X=30),
                photometric="minisblack",
                metadata=meta,
            )
    with pytest.warns(SeriesWarning, match="--series"):
        first = reading.read(path)
    assert (first.name, first.pixels.shape) == ("left", (2, 20, 30))
    for word in ("1", "right"):
        second = selected(path, series=word)
        assert second.name == "right"
        assert second.voxel["X"] == 1.1
        np.testing.assert_array_equal(
            second.pixels, noise("ZYX", seed=1, Z=3, Y=20, X=30)
        )
    with pytest.raises(OptionError, match=r"0 \(left\), 1 \(right\)"):
        selected(path, series="2")


# what is restored


@pytest.mark.parametrize("form", ["npy", "tif"])
def test_restoring_a_part_is_a_part_of_the_restoration(
    tmp_path: Path, restorer: Callable[..., Restorer], form: str
) -> None:
    """Beyond the halo of what was cut off, tile by tile on one grid."""
    image = Image(noise("TCZYX", T=3, C=2, Z=3, Y=64, X=64), "TCZYX", flavour="ome")
    path = tmp_path / f"a.{form}"
    writing.write(path, image)
    net = restorer("unet2d")
    whole = net(reading.read(path), normalize="values:0,250", dtype="float32")
    words = {"time": "1:3", "channel": "1", "z": "0:2"}
    part = net(selected(path, **words), normalize="values:0,250", dtype="float32")
    np.testing.assert_array_equal(part.image, whole.image[1:3, 1:2, :2])
    cut = selected(path, crop="16:48,8:64")
    part = net(cut, normalize="values:0,250", dtype="float32")
    inner = (Ellipsis, slice(8, -8), slice(8, None))
    expected = whole.image[..., 16:48, 8:64]
    np.testing.assert_array_equal(part.image[inner], expected[inner])
    assert part.provenance["cut out"] == "Y 16:48 of 64, X 8:64 of 64"


@pytest.fixture(scope="module")
def models(
    tmp_path_factory: pytest.TempPathFactory, engine: Callable[[str], Engine]
) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("identity2d", "unet2d", "laplace", "mixture", "projection"):
        tiny.write_package(folder / name, name, engine(name))
    return folder


def restore(*words: Any) -> Any:
    names = ["restore", *words, "--device", "cpu"]
    return CliRunner().invoke(main, [str(name) for name in names])


def test_a_preview_on_the_command_line(path: Path, models: Path) -> None:
    out = path.with_name("out.tif")
    words = ("--channel", "actin", "--time", "0:2", "--crop", "0:20,0:30", "--z", "1")
    found = restore(path, "-m", models / "identity2d", "-o", out, *words)
    assert found.exit_code == 0, found.output
    expected = reading.read(path).pixels[:2, 1, 1, :20, :30]
    np.testing.assert_array_equal(tifffile.imread(out), expected)
    back = reading.read(out)
    assert (back.interval, back.unit, back.voxel["X"]) == (2.0, "µm", 0.1)
    with tifffile.TiffFile(out) as tif:
        assert "channel 1 (actin) of 3" in tif.imagej_metadata["Info"]
    words = ("-o", out, "--overwrite", "--time", "0:9")
    found = restore(path, "-m", models / "identity2d", *words)
    assert found.exit_code == 1
    assert "within 0:4" in one_line(found.stderr.strip())
    found = restore(path, "-m", models / "identity2d", "-o", out, "--time", "x")
    assert found.exit_code == 2


# frames that become one


def test_means_of_frames_are_those_of_all_frames(path: Path) -> None:
    whole = reading.read(path).pixels
    image = selected(path, average=2, channel="1", crop="0:20,0:30")
    expected = whole[:, :, 1:2, :20, :30].reshape(2, 2, 3, 1, 20, 30).mean(axis=1)
    assert image.pixels.dtype == np.float32
    np.testing.assert_array_equal(image.pixels, expected.astype(np.float32))
    assert image.interval == 4.0
    assert image.cut.endswith("means of 2 frames")


def test_frames_that_are_left_over_are_told(path: Path) -> None:
    image = selected(path, average=3)
    expected = reading.read(path).pixels[:3].mean(axis=0, keepdims=True)
    np.testing.assert_array_equal(image.pixels, expected.astype(np.float32))
    assert image.cut == "means of 3 frames, the last 1 left out"
    both = selected(path, average=2, time="1:3")
    expected = reading.read(path).pixels[1:3].mean(axis=0, keepdims=True)
    np.testing.assert_array_equal(both.pixels, expected.astype(np.float32))


@pytest.mark.parametrize(
    ("axes", "count", "said"),
    [("TYX", 0, "1 or more"), ("TYX", 5, "found 4"), ("ZYX", 2, "axes ZYX")],
)
def test_frames_that_are_not_there(
    tmp_path: Path, axes: str, count: int, said: str
) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 9, 9), np.uint16))
    with pytest.raises(OptionError, match=said):
        reading.read(tmp_path / "a.npy", axes, selection=Selection(average=count))


def test_a_movie_is_averaged_and_restored(path: Path, models: Path) -> None:
    out = path.with_name("out.tif")
    words = ("--channel", "0", "--average", "4", "-m", models / "identity2d")
    found = restore(path, *words, "-o", out)
    assert found.exit_code == 0, found.output
    expected = reading.read(path).pixels[:, :, 0].mean(axis=0)
    np.testing.assert_allclose(tifffile.imread(out), expected, rtol=1e-5)
    with tifffile.TiffFile(out) as tif:
        assert "means of 4 frames" in tif.imagej_metadata["Info"]


# a model for each channel


def test_a_model_for_each_channel(path: Path, models: Path) -> None:
    out = path.with_name("out.tif")
    words = ("-m", f"DIC={models / 'identity2d'}", "-m", f"0={models / 'unet2d'}")
    found = restore(path, *words, "-o", out, "--normalize", "values:0,250")
    assert found.exit_code == 0, found.output
    assert "channel 1 (actin) has no model and is left out" in found.stderr
    back, whole = reading.read(out), reading.read(path)
    assert back.channels == ("nuclei", "DIC")
    assert back.axes == whole.axes
    assert back.voxel == whole.voxel
    assert [tuple(lut[:, -1]) for lut in back.look.luts] == [(255, 0, 0), (255,) * 3]
    np.testing.assert_array_equal(back.pixels[:, :, 1], whole.pixels[:, :, 2])
    alone = path.with_name("alone.tif")
    words = ("-m", models / "unet2d", "--channel", "0", "--normalize", "values:0,250")
    assert restore(path, *words, "-o", alone).exit_code == 0
    np.testing.assert_array_equal(back.pixels[:, :, 0], tifffile.imread(alone))
    with tifffile.TiffFile(out) as tif:
        said = tif.imagej_metadata["Info"]
    assert "model sha256 of channel 0 (nuclei) = " in said
    assert "model sha256 of channel 2 (DIC) = " in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("0={}/unet2d", "{}/unet2d"), 2, "CHANNEL=MODEL once for each"),
        (("0={}/unet2d", "0={}/identity2d"), 2, "CHANNEL=MODEL once for each"),
        (("5={}/unet2d",), 1, "0 (nuclei), 1 (actin)"),
        (("0={}/unet2d", "nuclei={}/unet2d"), 1, "one model for each channel"),
        (("0={}/mixture",), 1, "reads 3 channels together"),
        (("0={}/projection", "1={}/unet2d"), 1, "images of one size"),
    ],
)
def test_models_that_do_not_fit(
    path: Path, models: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    flags = [part for word in words for part in ("-m", word.format(models))]
    out = path.with_name("out.tif")
    found = restore(path, *flags, "-o", out, "--normalize", "values:0,250")
    assert found.exit_code == code, found.output
    assert said in found.stderr
    assert not out.exists()


def test_channels_are_chosen_once(path: Path, models: Path) -> None:
    words = ("-m", f"0={models / 'unet2d'}", "--channel", "0")
    found = restore(path, *words, "-o", path.with_name("o.tif"))
    assert found.exit_code == 1
    assert "leave out --channel" in one_line(found.stderr.strip())


def test_an_equals_sign_in_an_address_is_no_channel() -> None:
    assert parse(["https://x.org/m.zip?a=1"]) == [(None, "https://x.org/m.zip?a=1")]
    assert parse(["0=a", "GFP=b"]) == [(0, "a"), ("GFP", "b")]


def test_mixed_from_python(restorer: Callable[..., Restorer]) -> None:
    mixed = Mixed(((1, restorer("unet2d")), (0, restorer("identity2d"))))
    pixels, calls = noise("CYX", C=3, Y=40, X=40), []
    with pytest.warns(ChannelWarning, match="channel 2 has no model"):
        found = mixed(pixels, "CYX", progress=lambda *n: calls.append(n))
    assert found.image.shape == (2, 40, 40)
    np.testing.assert_array_equal(found.image[0], pixels[0])
    alone = restorer("unet2d")(pixels[1], "YX")
    np.testing.assert_array_equal(found.image[1], alone.image)
    assert calls == [(1, 2), (2, 2)]
    joined = mixed(Image(pixels[:2], "CYX", channels=("a", "b")), dtype="float32")
    assert joined.images["mean"].channels == ("a", "b")
    assert joined.image.dtype == np.float32


# movies


def test_a_movie_is_normalized_as_one(restorer: Callable[..., Restorer]) -> None:
    """Frame by frame, a cell that brightens would stay as it is."""
    seen: list[Any] = []
    net = restorer("identity2d")

    def spy(x: Any) -> Any:
        seen.append(float(x.max()))
        return [x]

    spied = type(net)(net.spec, spy)
    frame = noise("YX", Y=30, X=30).astype(np.float32)
    movie = np.stack([frame, 2 * frame, 4 * frame])
    spied(movie, "TYX", normalize_over="frame")
    assert np.ptp(seen) < 1e-3
    seen.clear()
    found = spied(movie, "TYX", normalize_over="movie")
    assert seen[2] > 1.5 * seen[1] > 2 * seen[0]
    assert found.provenance["normalization"].endswith("over TZYX")
    low, high = np.percentile(movie, (2, 99.8))
    expected = spied(movie, "TYX", normalize=f"values:{low},{high}")
    np.testing.assert_allclose(found.image, expected.image, rtol=1e-5)
    with pytest.raises(OptionError, match="'frame' or 'movie'"):
        spied(movie, "TYX", normalize_over="year")


def test_over_a_movie_on_the_command_line(tmp_path: Path, models: Path) -> None:
    frame = noise("YX", Y=30, X=30)
    tifffile.imwrite(
        tmp_path / "m.tif",
        np.stack([frame, 3 * frame]),
        imagej=True,
        metadata={"axes": "TYX"},
    )
    out = tmp_path / "o.tif"
    words = ("-m", models / "unet2d", "-o", out, "--overwrite")
    said = {}
    for over in ("frame", "movie"):
        found = restore(tmp_path / "m.tif", *words, "--normalize-over", over)
        assert found.exit_code == 0, found.output
        with tifffile.TiffFile(out) as tif:
            said[over] = tif.imagej_metadata["Info"]
    assert "over ZYX" in said["frame"]
    assert "over TZYX" in said["movie"]


def test_look_follows_the_channels() -> None:
    look = replace(LOOK, fps=7.0)
    assert look.picked([2, 0]).colours == ("FFFFFF", "FF0000")
    assert look.of_count(2) == Look(fps=7.0)
    assert look.of_count(3) == look


def test_a_channel_may_have_any_name(tmp_path: Path) -> None:
    assert parse(["5-FAM/pH 9.0=m", "a:b\\c=x=y"]) == [
        ("5-FAM/pH 9.0", "m"),
        ("a:b\\c", "x=y"),
    ]
    (tmp_path / "seed=1").mkdir()
    paths = ["./runs/lr=0.1/model", "~/a=b", "C:\\m\\a=b", "/no/such=place"]
    for model in (str(tmp_path / "seed=1"), "https://host/m.zip?key=1", *paths):
        assert parse([model]) == [(None, model)]
