import numpy as np
import pytest
import tifffile

from care_runtime.errors import FileError, TrainingError
from care_training import folders as folders_
from care_training.folders import find, read, shifts
from care_training.pairs import Pair


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
