import numpy as np
import pytest
import tifffile

from care_runtime.errors import FactorWarning, FileError, TrainingError
from care_training import folders as folders_
from care_training.folders import find, read, volumes
from care_training.pairs import Pair
from care_training.shift import shifts


def test_images_are_paired_by_name(folders):
    (folders / "low" / "notes.txt").write_text("not an image")
    (folders / "low" / "field3.tif").rename(folders / "low" / "field3.ome.tif")
    found = find(folders / "low", folders / "high")
    assert [low.name for low, _ in found] == [
        "field0.tif",
        "field1.tif",
        "field2.tif",
        "field3.ome.tif",
    ]


def test_unpaired_images_are_named(folders):
    (folders / "high" / "field2.tif").unlink()
    with pytest.raises(TrainingError, match=r"field2\.tif"):
        find(folders / "low", folders / "high")


def test_missing_and_empty_folders_are_named(folders):
    with pytest.raises(FileError, match="nowhere"):
        find(folders / "nowhere", folders / "high")
    (folders / "empty").mkdir()
    with pytest.raises(FileError, match="holds no"):
        find(folders / "low", folders / "empty")


def test_pairs_have_channels_first(folders):
    pairs = read(find(folders / "low", folders / "high"), "YX")
    assert [p.low.shape for p in pairs] == [(1, 96, 80)] * 4


@pytest.mark.parametrize(
    ("axes", "count", "shape", "fields"),
    [
        ("TYX", 3, (1, 40, 50), 1),
        ("SYX", 3, (1, 40, 50), 3),
        ("CYX", 1, (3, 40, 50), 1),
        ("ZYX", 1, (1, 3, 40, 50), 1),
        ("XYC", 1, (50, 40, 3), 1),
    ],
)
def test_axes_say_what_belongs_together(tmp_path, axes, count, shape, fields):
    image = np.random.default_rng(0).integers(0, 9, (3, 40, 50), dtype=np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, photometric="minisblack")
    pairs = read([(path, path)], axes)
    assert len(pairs) == count
    assert pairs[0].low.shape == shape
    assert len({p.field for p in pairs}) == fields


def test_different_shapes_are_named(folders):
    tifffile.imwrite(folders / "high" / "field1.tif", np.ones((96, 81), np.uint16))
    with pytest.raises(TrainingError, match=r"field1\.tif.*do not fit"):
        read(find(folders / "low", folders / "high"), "YX")


def test_unreadable_images_are_named(folders):
    path = folders / "low" / "field1.tif"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(TrainingError, match=r"field1\.tif"):
        read(find(folders / "low", folders / "high"), "YX")


def test_wrong_axes_are_named(folders):
    with pytest.raises(TrainingError, match=r"ZYX.*field0\.tif"):
        read(find(folders / "low", folders / "high"), "ZYX")


def test_pixels_that_are_no_numbers_are_named(folders):
    image = np.full((96, 80), np.nan, np.float32)
    tifffile.imwrite(folders / "low" / "field2.tif", image)
    with pytest.raises(TrainingError, match=r"field2\.tif.*NaN"):
        read(find(folders / "low", folders / "high"), "YX")


def test_a_target_may_have_one_channel_without_saying(folders):
    image = np.arange(2 * 96 * 80, dtype=np.uint16).reshape(2, 96, 80)
    for path in (folders / "low").iterdir():
        tifffile.imwrite(path, image, photometric="minisblack")
    pairs = read(find(folders / "low", folders / "high"), "CYX")
    assert {(p.low.shape, p.high.shape) for p in pairs} == {((2, 96, 80), (1, 96, 80))}


def test_a_factor_that_is_not_that_of_the_file_is_told(tmp_path):
    stack = np.zeros((6, 20, 20), np.uint16)
    voxel = {"PhysicalSizeZ": 1.0, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "ZYX", **voxel})
    with pytest.warns(FactorWarning, match="4 pixels apart.*--factor says 3"):
        volumes(tmp_path, "ZYX", 3)
    assert volumes(tmp_path, "ZYX", 4.05)[0].low.shape == (1, 6, 20, 20)


def test_colours_are_named_as_channels(folders):
    for path in (folders / "low").iterdir():
        tifffile.imwrite(path, np.zeros((96, 80, 3), np.uint8), photometric="rgb")
    with pytest.raises(TrainingError, match="names its axes YXC"):
        read(find(folders / "low", folders / "high"), "YX")


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
def test_shifts_are_those_of_any_unit(pairs, unit):
    moved = np.roll(pairs[0].low, (2, -1), axis=(1, 2)).astype(np.float64)
    pair = Pair("a", unit * moved, unit * pairs[0].high.astype(np.float64))
    assert shifts([pair])[0].pixels == pytest.approx((2, -1), abs=0.3)


def test_what_is_flat_has_no_shift(pairs):
    pair = Pair("a", np.full_like(pairs[0].low, 7), pairs[0].high)
    assert shifts([pair])[0].distance == 0


@pytest.mark.parametrize("moved", [(0, 0), (3, -5), (-2, 0)])
def test_shifts_are_measured(pairs, moved):
    shifted = [
        Pair(p.name, np.roll(p.low, moved, axis=(1, 2)), p.high) for p in pairs[:2]
    ]
    for shift in shifts(shifted):
        np.testing.assert_allclose(shift.pixels, moved, atol=0.3)


def test_a_full_disk_is_told_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(folders_, "NEEDED", 1 << 60)
    with pytest.raises(FileError, match="MB free"):
        folders_.check_disk(tmp_path / "out")
