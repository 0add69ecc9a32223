"""Vendor files: what bioio says becomes a source, and what it lacks is named."""

from __future__ import annotations

import sys
from collections import namedtuple
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tiny import noise, one_line

from care_runtime import finding, reading, vendor
from care_runtime.errors import FileError, OptionError, SeriesWarning
from care_runtime.selection import Selection

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Sizes = namedtuple("Sizes", "Z Y X")
PIXELS = noise("TCZYX", T=3, C=2, Z=4, Y=30, X=20)


class Lazy:
    """As much of a dask array as is asked of it, which counts what it computes."""

    def __init__(self, pixels: NDArray[Any], computed: list[int]) -> None:
        self.pixels, self.computed = pixels, computed
        self.shape, self.dtype = pixels.shape, pixels.dtype
        self.chunksize = (1,) * (pixels.ndim - 2) + pixels.shape[-2:]

    def __getitem__(self, part: Any) -> Lazy:
        return Lazy(self.pixels[part], self.computed)

    def compute(self) -> NDArray[Any]:
        self.computed.append(self.pixels.size)
        return self.pixels


class Scenes:
    """A `BioImage` of two scenes."""

    computed: list[int]
    names = ("left", "right")

    def __init__(self, path: Path, **opening: Any) -> None:
        self.opening = opening
        if path.read_bytes() == b"":
            msg = "no reader for\nthis file"
            raise UnsupportedFileFormatError(msg)
        if path.read_bytes() == b"odd":
            msg = "a tile scan without tiles"
            raise RuntimeError(msg)
        self.scenes = self.names
        self.set_scene(0)
        self.physical_pixel_sizes = Sizes(0.5, 0.1, 0.1)
        self.time_interval: timedelta | None = timedelta(seconds=2.5)
        self.channel_names = ["nuclei", "actin"]

    def set_scene(self, number: int) -> None:
        self.current_scene = self.scenes[number]
        self.dims = SimpleNamespace(order="TCZYX")
        pixels = PIXELS if number == 0 else PIXELS[:1, :, :1]
        self.dask_data = Lazy(pixels, self.computed)


class UnsupportedFileFormatError(Exception):
    """What bioio raises if no plugin reads a file."""


class Timed(Scenes):
    """Scenes of one name, of a plugin that says times plane by plane."""

    names = ("A", "A")

    def __init__(self, path: Path, **opening: Any) -> None:
        super().__init__(path, **opening)
        self.time_interval = None
        times = np.array([0.0, 30.0, 60.1])
        self.xarray_dask_data = SimpleNamespace(coords={"T": times})


class Coloured:
    """As much of `nd2.ND2File` as is asked of it."""

    def __init__(self, path: Path) -> None:
        colours = [
            SimpleNamespace(r=120, g=233, b=15),
            SimpleNamespace(r=254, g=1, b=0),
        ]
        channels = [SimpleNamespace(channel=SimpleNamespace(color=c)) for c in colours]
        self.metadata = SimpleNamespace(channels=channels)

    def __enter__(self) -> Coloured:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Put a stand-in for bioio in place, and tell the sizes that it computes."""
    fake: Any = ModuleType("bioio")
    Scenes.computed = []
    fake.BioImage = Scenes
    monkeypatch.setitem(sys.modules, "bioio", fake)
    return Scenes.computed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.nd2").write_bytes(b"pixels")
    return tmp_path / "a.nd2"


def test_what_bioio_says_is_kept(path: Path, computed: list[int]) -> None:
    image = reading.read(path, selection=Selection(series=0))
    assert (image.axes, image.flavour, image.name) == ("TCZYX", "ome", "left")
    assert image.voxel == {"Z": 0.5, "Y": 0.1, "X": 0.1}
    assert (image.unit, image.interval) == ("µm", 2.5)
    assert image.channels == ("nuclei", "actin")
    np.testing.assert_array_equal(image.pixels, PIXELS)


def test_only_what_is_asked_for_is_computed(path: Path, computed: list[int]) -> None:
    part = Selection(series=0, channels=("actin",), time=(1, 2), z=(0, 3), y=(5, 9))
    image = reading.read(path, selection=part)
    np.testing.assert_array_equal(image.pixels, PIXELS[1:2, 1:, :3, 5:9])
    assert sum(computed) == image.pixels.size


def test_scenes_by_number_and_name(path: Path, computed: list[int]) -> None:
    with pytest.warns(SeriesWarning, match="2 images"):
        assert reading.source(path).shape == PIXELS.shape
    for series in (1, "right"):
        found = reading.source(path, series=series)
        assert (found.axes, found.shape) == ("CYX", (2, 30, 20))
        np.testing.assert_array_equal(found.read().pixels, PIXELS[0, :, 0])
    with pytest.raises(OptionError, match=r"0 \(left\), 1 \(right\)"):
        reading.source(path, series="middle")


def test_scenes_of_one_name_are_told_apart_by_number(
    path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["bioio"], "BioImage", Timed)
    assert reading.source(path, series=1).shape == (2, 30, 20)
    assert reading.source(path, series=0).calibration.interval is None  # ND2 has ms
    leica = path.rename(path.with_suffix(".lif"))
    found = reading.source(leica, series=0)
    assert found.calibration.interval == pytest.approx(30.05)
    path = leica
    with pytest.raises(OptionError, match="'A', the name of 2: it has 0"):
        reading.source(path, series="A")


def test_stacks_are_opened_plane_by_plane(tmp_path: Path) -> None:
    assert vendor._opening(tmp_path / "a.nd2") == {}  # it is so anyway
    for suffix in (".lif", ".czi", ".CZI"):
        assert vendor._opening(tmp_path / f"a{suffix}") == {"chunk_dims": ["Y", "X"]}


def test_samples_of_czi_are_those_that_are_read_at_once(tmp_path: Path) -> None:
    pytest.importorskip("dask.array")
    right = noise("YXS", Y=4, X=5, S=3)
    image = SimpleNamespace(
        data=right,
        dask_data=SimpleNamespace(shape=right.shape),
        dims=SimpleNamespace(order="YXS"),
    )

    found = vendor._pixels(image, tmp_path / "a.czi")
    np.testing.assert_array_equal(found[1:3].compute(), right[1:3])
    assert vendor._pixels(image, tmp_path / "a.lif") is image.dask_data


def test_colours_of_nd2(path: Path, computed: list[int]) -> None:
    assert reading.source(path, series=0).calibration.look.colours == ()
    fake: Any = ModuleType("nd2")
    fake.ND2File = Coloured
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nd2", fake)
        found = reading.source(path, series=0).calibration.look.colours
    assert found == ("78E90F", "FE0100")


def test_what_cannot_be_read(
    tmp_path: Path, path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.czi").write_bytes(b"")
    with pytest.raises(FileError, match="no reader for this file") as caught:
        reading.read(tmp_path / "b.czi")
    assert "python -m pip install bioio-czi" in one_line(caught.value)
    (tmp_path / "d.czi").write_bytes(b"odd")  # installing does not help
    with pytest.raises(FileError, match="without tiles") as caught:
        reading.read(tmp_path / "d.czi")
    assert "pip install" not in one_line(caught.value)
    with pytest.raises(FileError, match="no such file"):
        reading.read(tmp_path / "c.lif")
    monkeypatch.setitem(sys.modules, "bioio", None)
    with pytest.raises(FileError, match=r"bioio and bioio-nd2 .*care-zoo\[bioio\]"):
        reading.read(path)


def test_every_kind_is_found_in_folders(tmp_path: Path) -> None:
    suffixes = (*vendor.PLUGINS, *reading.TIFFS)
    for suffix in suffixes:
        (tmp_path / f"a{suffix}").touch()
    found = finding.sources([tmp_path])
    assert len(found) == len(suffixes)
    for file in found:
        targets = finding.targets([file], tmp_path / "out")
        assert targets == [tmp_path / "out" / "a.ome.tif"]
        with pytest.raises(OptionError, match="are not written"):
            finding.targets([file], tmp_path / f"out{file.suffix}")
    both = [tmp_path / "c.lsm", tmp_path / "c.ome.tif", tmp_path / "d.stk"]
    names = [place.name for place in finding.targets(both, tmp_path / "out")]
    assert names == ["c.lsm.ome.tif", "c.ome.tif", "d.ome.tif"]
    large = [tmp_path / "b.ome.btf"]
    assert finding.targets(large, tmp_path) == [tmp_path / "b.ome.tif"]


def test_through_bioio_itself(tmp_path: Path) -> None:
    """With the plugin of TIFF, for there are no tiny files of microscopes."""
    pytest.importorskip("bioio")
    pytest.importorskip("bioio_tifffile")
    pixels = noise("CZYX", C=2, Z=5, Y=30, X=20)
    tifffile.imwrite(tmp_path / "a.tif", pixels, metadata={"axes": "CZYX"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vendor.PLUGINS, ".tif", "bioio-tifffile")
        found = vendor.source(tmp_path / "a.tif", "CZYX")
    part = (slice(1, 2), slice(1, 4), slice(3, 9), slice(0, 20))
    np.testing.assert_array_equal(found.window(part), pixels[part])
    np.testing.assert_array_equal(found.read().pixels, pixels)
