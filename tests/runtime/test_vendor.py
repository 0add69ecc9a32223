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

    def __init__(self, path: Path) -> None:
        if path.read_bytes() == b"":
            msg = "no reader for\nthis file"
            raise RuntimeError(msg)
        self.scenes = ("left", "right")
        self.set_scene("left")
        self.physical_pixel_sizes = Sizes(0.5, 0.1, 0.1)
        self.time_interval = timedelta(seconds=2.5)
        self.channel_names = ["nuclei", "actin"]

    def set_scene(self, name: str) -> None:
        self.current_scene = name
        self.dims = SimpleNamespace(order="TCZYX")
        pixels = PIXELS if name == "left" else PIXELS[:1, :, :1]
        self.dask_data = Lazy(pixels, self.computed)


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


def test_what_cannot_be_read(
    tmp_path: Path, path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.czi").write_bytes(b"")
    with pytest.raises(FileError, match="no reader for this file") as caught:
        reading.read(tmp_path / "b.czi")
    assert "python -m pip install bioio-czi" in one_line(caught.value)
    with pytest.raises(FileError, match="no such file"):
        reading.read(tmp_path / "c.lif")
    monkeypatch.setitem(sys.modules, "bioio", None)
    with pytest.raises(FileError, match=r"bioio and bioio-nd2 .*care-zoo\[bioio\]"):
        reading.read(path)


def test_every_kind_is_found_in_folders(tmp_path: Path) -> None:
    for suffix in vendor.PLUGINS:
        (tmp_path / f"a{suffix}").touch()
    found = finding.sources([tmp_path])
    assert len(found) == len(vendor.PLUGINS)
    targets = finding.targets(found[:1], tmp_path / "out")
    assert targets == [tmp_path / "out" / "a.ome.tif"]


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
