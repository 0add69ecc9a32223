"""Data sets: miniatures of the published archives, read as the real ones."""

from __future__ import annotations

import os
import pickle
from fnmatch import fnmatch

import numpy as np
import pytest
import tifffile

from care_runtime.errors import AxesError, FileError, TrainingError
from care_training.datasets import (
    PatchPairs,
    drosophila,
    fetch,
    flywing,
    liver,
    load,
    npz,
    planaria,
    retina,
    training_file,
    tribolium,
)
from tests.training.miniature import archive, patches, stack, write


def published(folder, tmp_path, form="gztar"):
    """Pack a folder as it was published, fetch it and unpack it."""
    return fetch(archive(folder, tmp_path, form), tmp_path / "data")


# Stacks


def test_planaria(tmp_path):
    place = tmp_path / "Denoising_Planaria" / "test_data"
    truth = {n: write(place / "GT" / f"{n}.tif", (5, 8, 9), 9) for n in "ab"}
    low = {
        (c, n): write(place / f"condition_{c}" / f"{n}.tif", (5, 8, 9), c)
        for c in (1, 2, 3)
        for n in "ab"
    }
    cases = planaria(published(place.parent, tmp_path))
    assert list(cases) == ["C1", "C2", "C3"]
    for condition, found in cases.items():
        assert [case.name for case in found] == ["a", "b"]
        pair = found[1].pair()
        assert pair.low.dtype == np.uint16
        np.testing.assert_array_equal(pair.low, low[int(condition[1]), "b"][None])
        np.testing.assert_array_equal(pair.high, truth["b"][None])


def test_planaria_without_a_partner(tmp_path):
    for condition in (1, 2, 3):
        write(tmp_path / "test_data" / f"condition_{condition}" / "a.tif", (5, 8, 9))
    write(tmp_path / "test_data" / "GT" / "b.tif", (5, 8, 9))
    with pytest.raises(TrainingError, match="same name"):
        planaria(tmp_path)


@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"compression": "zlib"}])
def test_tribolium(tmp_path, options):
    path = tmp_path / "test_data" / "nGFP_0.1_0.2_0.5_20_14_late.tif"
    image = write(path, (4, 5, 8, 9), **options)
    if options.get("imagej"):  # what the file calls its axes does not count
        tifffile.imwrite(path, image, imagej=True, metadata={"axes": "TZYX"})
    cases = tribolium(tmp_path)
    assert {name: len(found) for name, found in cases.items()} == dict.fromkeys(
        ("C1", "C2", "C3"), 1
    )
    for condition, channel in (("C1", 2), ("C2", 1), ("C3", 0)):
        pair = cases[condition][0].pair()
        np.testing.assert_array_equal(pair.low, image[channel : channel + 1])
        np.testing.assert_array_equal(pair.high, image[3:])


@pytest.mark.parametrize("planes", [4, 5])
@pytest.mark.parametrize(
    ("axes", "options"),
    [
        ("ZCYX", {"imagej": True}),
        ("TCYX", {"imagej": True}),
        ("ZCYX", {"ome": True}),
        ("CZYX", {"ome": True}),
    ],
)
def test_channels_that_a_file_names_itself(tmp_path, axes, options, planes):
    path = tmp_path / "test_data" / "a.tif"
    path.parent.mkdir()
    image = stack((4, planes, 8, 9))
    saved = image if axes == "CZYX" else image.transpose(1, 0, 2, 3)
    options = {**options, "photometric": "minisblack", "metadata": {"axes": axes}}
    tifffile.imwrite(path, saved, **options)
    (case,) = tribolium(tmp_path)["C1"]
    np.testing.assert_array_equal(case.pair().low, image[2:3])
    np.testing.assert_array_equal(case.pair().high, image[3:])
    assert case.low.shape() == (1, planes, 8, 9)


def test_channels_that_a_file_names_wrongly(tmp_path):
    path = tmp_path / "test_data" / "a.tif"
    image = write(path, (4, 5, 8, 9))
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(tribolium(tmp_path)["C1"][0].low.read(), image[2:3])


def test_retina_that_was_saved_again(tmp_path):
    path = tmp_path / "test_data" / "a.tif"
    image = write(path, (2, 3, 8, 9))
    tifffile.imwrite(
        path,
        image,
        ome=True,
        photometric="minisblack",
        metadata={"axes": "CZYX"},
    )
    (case,) = retina(tmp_path)["input"]
    np.testing.assert_array_equal(case.low.read(), image)
    assert case.low.shape() == image.shape


def test_tribolium_with_other_channels(tmp_path):
    write(tmp_path / "test_data" / "a.tif", (5, 4, 8, 9))
    with pytest.raises(TrainingError, match=r"expected 4 channels.*found 5"):
        tribolium(tmp_path)["C1"][0].pair()
    write(tmp_path / "test_data" / "a.tif", (5, 8, 9))
    with pytest.raises(AxesError, match="one letter for each"):
        tribolium(tmp_path)["C1"][0].pair()


FLYWING = {
    "flat": ("C{0}_T{1:03}.tif", "proj_C2_T{1:03}.tif"),
    "GVTNets": ("C{0}/C{0}_T{1:03}.tif", "PreMosa/GT/proj_C2_T{1:03}.tif"),
    "by condition": ("Input/C{0}/C{0}_T{1:03}.tif", "GT/C{0}/proj_C2_T{1:03}.tif"),
    "one truth": ("Input/C{0}/{1}.tif", "GT/C2/{1}.tif"),
}


@pytest.mark.parametrize("layout", FLYWING)
def test_flywing(tmp_path, layout):
    low, high = FLYWING[layout]
    place = tmp_path / "Projection_Flywing" / "test_data"
    lows, highs = {}, {}
    for time in (1, 2, 11):
        for channel in (0, 1, 3):
            shape, seed = (6, 8, 9), 10 * time + channel
            lows[channel, time] = write(place / low.format(channel, time), shape, seed)
            highs[time] = write(place / high.format(channel, time), (8, 9), time)
        if layout == "flat":  # projections of the inputs, and the bright stack
            write(place / f"proj_C1_T{time:03}.tif", (8, 9))
            write(place / f"C2_T{time:03}.tif", (6, 8, 9))
    write(place / "poster.tif", (8, 9))
    cases = flywing(published(place.parent, tmp_path))
    assert list(cases) == ["C0", "C1", "C3"]
    for condition, found in cases.items():
        assert [case.name for case in found] == ["T001", "T002", "T011"]
        for case in found:
            pair, time = case.pair(), int(case.name[1:])
            expected = lows[int(condition[1]), time]
            np.testing.assert_array_equal(pair.low, expected[None])
            np.testing.assert_array_equal(pair.high, highs[time][None])


def test_flywing_without_truth_or_stacks(tmp_path):
    write(tmp_path / "test_data" / "C1_T001.tif", (6, 8, 9))
    write(tmp_path / "test_data" / "proj_C2_T002.tif", (8, 9))
    with pytest.raises(TrainingError, match=r"such as proj_C2_T001\.tif, found none"):
        flywing(tmp_path)
    (tmp_path / "test_data" / "C1_T001.tif").unlink()
    with pytest.raises(TrainingError, match=r"expected stacks.*proj_C2_T002\.tif"):
        flywing(tmp_path)


def test_liver(tmp_path):
    place = tmp_path / "Isotropic_Liver" / "test_data"
    low = write(place / "input_subsample_8.tif", (3, 8, 9))
    high = write(place / "input_subsample_1_groundtruth.tif", (24, 8, 9), 1)
    cases = liver(published(place.parent, tmp_path, "zip"))
    assert list(cases) == ["subsample_8"]
    pair = cases["subsample_8"][0].pair()
    np.testing.assert_array_equal(pair.low, low[None])
    np.testing.assert_array_equal(pair.high, high[None])
    (place / "input_subsample_8.tif").unlink()
    with pytest.raises(FileError, match=r"input_subsample_8\.tif"):
        liver(place)


@pytest.mark.parametrize(
    ("reader", "shape"), [(retina, (3, 2, 8, 9)), (drosophila, (3, 8, 9))]
)
def test_volumes_without_truth(tmp_path, reader, shape):
    image = write(tmp_path / "test_data" / "a.tif", shape)
    (case,) = reader(tmp_path)["input"]
    expected = image.transpose(1, 0, 2, 3) if image.ndim == 4 else image[None]
    np.testing.assert_array_equal(case.low.read(), expected)
    with pytest.raises(TrainingError, match="none was published"):
        case.pair()


@pytest.mark.parametrize("reader", [planaria, tribolium, flywing, liver, retina])
def test_another_folder_is_refused(tmp_path, reader):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(FileError, match=r"somewhere in .*found holiday"):
        reader(tmp_path)
    with pytest.raises(FileError, match="found nothing"):
        reader(tmp_path / "missing")


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "test_data").mkdir()
    with pytest.raises(FileError, match="found none"):
        tribolium(tmp_path)


def test_fields_of_two_sizes_are_refused(tmp_path):
    write(tmp_path / "test_data" / "input_subsample_8.tif", (3, 8, 9))
    truth = tmp_path / "test_data" / "input_subsample_1_groundtruth.tif"
    write(truth, (24, 9, 9))
    (case,) = liver(tmp_path)["subsample_8"]
    for look in (case.pair, case.check):
        with pytest.raises(TrainingError, match="one field"):
            look()


@pytest.mark.parametrize(
    ("planes", "step", "fit"),
    [(3, 8, True), (23, 8, True), (4, 8, False), (3, 0, False), (23, 0, True)],
)
def test_stacks_have_the_planes_of_their_truth(tmp_path, planes, step, fit):
    write(tmp_path / "test_data" / "input_subsample_8.tif", (planes, 8, 9))
    write(tmp_path / "test_data" / "input_subsample_1_groundtruth.tif", (23, 8, 9))
    (case,) = liver(tmp_path)["subsample_8"]
    if fit:
        case.check(step)
        assert case.low.shape() == case.pair().low.shape
        return
    with pytest.raises(TrainingError, match=f"one stack, found {planes} and 23"):
        case.check(step)


# Patches


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_patches_of_an_archive(tmp_path, save):
    low, high = (stack((20, 1, 4, 6, 7), seed, np.float32) for seed in (1, 2))
    place = tmp_path / "Denoising_Tribolium"
    patches(place / "train_data" / "data_label.npz", low, high, save=save)
    file = training_file(published(place, tmp_path))
    found = load(file)
    assert (len(found.training), len(found.validation)) == (19, 1)
    for i, pair in enumerate([*found.training, *found.validation]):
        assert pair.low.shape == (1, 4, 6, 7)
        np.testing.assert_array_equal(pair.low, low[i])
        np.testing.assert_array_equal(pair.high, high[i])
    assert [p.name for p in found.validation] == ["patch 00019"]
    assert len(found.digest()) == 64


def test_stored_arrays_are_mapped_in_place(tmp_path):
    low = stack((6, 1, 8, 8), dtype=np.float32)
    path = patches(tmp_path / "a.npz", low, low, "SCYX")
    pair = load(path).training[0]
    assert not pair.low.flags.owndata
    assert not pair.low.flags.writeable
    mapped = npz.locate(path, "X")
    assert (mapped.path, mapped.shape) == (path, low.shape)
    np.testing.assert_array_equal(mapped.open(), low)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_compressed_arrays_are_expanded_once_and_anew_if_changed(tmp_path):
    low = stack((6, 1, 8, 8), dtype=np.float32)
    path = patches(tmp_path / "a.npz", low, low, "SCYX", np.savez_compressed)
    place = npz.locate(path, "X").path
    assert fnmatch(place.name, "a.X.????????.npy")
    np.testing.assert_array_equal(np.load(place), low)
    before = place.stat().st_mtime_ns
    assert npz.locate(path, "X").path.stat().st_mtime_ns == before
    place.write_bytes(place.read_bytes()[:-4])  # cut short
    np.testing.assert_array_equal(npz.locate(path, "X").open(), low)
    mine = tmp_path / "a.X.backup.npy"
    mine.write_bytes(b"mine")
    (tmp_path / "a.X.npy").write_bytes(b"of a version before")
    other = patches(tmp_path / "a.npz", low + 1, low, "SCYX", np.savez_compressed)
    older = place.stat().st_mtime - 5  # as a copy that keeps its time
    os.utime(other, (older, older))
    found = npz.locate(path, "X")
    np.testing.assert_array_equal(found.open(), low + 1)
    assert {p.name for p in tmp_path.iterdir()} == {
        "a.npz",
        found.path.name,
        mine.name,
    }


def test_pickling_passes_on_the_place_alone(tmp_path):
    low = stack((40, 1, 32, 32), dtype=np.float32)
    held = load(patches(tmp_path / "a.npz", low, low, "SCYX"), validation=0.5)
    packed = pickle.dumps(held.validation)
    assert len(packed) < 1000
    again = pickle.loads(packed)
    np.testing.assert_array_equal(again[0].low, low[20])
    assert len(again) == 20
    assert isinstance(again[3:7], PatchPairs)
    assert [p.name for p in again[3:7:2]] == ["patch 00023", "patch 00025"]
    assert again[-1].name == "patch 00039"
    with pytest.raises(IndexError):
        again[20]


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("SCYX", (3, 2, 6, 7), (2, 6, 7)),
        ("SYX", (3, 6, 7), (1, 6, 7)),
        (None, (3, 6, 7), (1, 6, 7)),
        (None, (3, 2, 6, 7), (2, 6, 7)),
        (None, (3, 2, 5, 6, 7), (2, 5, 6, 7)),
        ("SZYX", (3, 5, 6, 7), (1, 5, 6, 7)),
        ("SZYXC", (3, 5, 6, 7, 2), (2, 5, 6, 7)),
        ("YXSC", (6, 7, 3, 2), (2, 6, 7)),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">u2"])
def test_axes_come_in_one_order(tmp_path, axes, shape, expected, order, dtype):
    low = np.asarray(stack(shape), dtype=dtype, order=order)
    path = patches(tmp_path / "a.npz", low, low, axes)
    pairs = load(path, validation=0).training
    assert len(pairs) == 3
    assert pairs[1].low.shape == pairs[1].high.shape == expected
    assert pairs[1].low.dtype.isnative
    letters = axes or {3: "SYX", 4: "SCYX", 5: "SCZYX"}[len(shape)]
    picked = np.take(low, 1, letters.index("S"))
    assert pairs[1].low.sum() == picked.sum()
    if letters == "SZYXC":
        np.testing.assert_array_equal(pairs[1].low, picked.transpose(3, 0, 1, 2))


@pytest.mark.parametrize("high", [(5, 1, 6, 7), (5, 1, 1, 6, 7)])
def test_targets_of_a_projection_lack_z(tmp_path, high):
    low, target = stack((5, 1, 10, 6, 7)), stack(high, 1)
    path = patches(tmp_path / "a.npz", low, target)
    pair = load(path).training[2]
    assert (pair.low.shape, pair.high.shape) == ((1, 10, 6, 7), (1, 6, 7))
    np.testing.assert_array_equal(pair.high[0], target[2].squeeze())


def test_the_split_is_that_of_csbdeep(tmp_path):
    low = stack((179, 1, 2, 2))
    path = patches(tmp_path / "a.npz", low, low, "SCYX")
    assert [len(x) for x in (load(path).training, load(path).validation)] == [170, 9]
    few = load(path, validation=0.1, count=30)
    assert (few.training.numbers, few.validation.numbers) == (range(27), range(27, 30))
    assert len(load(path, validation=0).validation) == 0


def test_axes_that_cannot_be_read_can_be_given(tmp_path):
    low = stack((5, 1, 6, 7))
    odd = np.array(["SCYX", None], dtype=object)
    np.savez(tmp_path / "a.npz", X=low, Y=low, axes=odd)
    with pytest.raises(TrainingError, match="save it again with an entry 'axes'"):
        load(tmp_path / "a.npz")
    assert len(load(tmp_path / "a.npz", axes="scyx", validation=0).training) == 5
    np.savez(tmp_path / "a.npz", X=low, Y=low, axes=np.bytes_("SCYX"))
    assert len(load(tmp_path / "a.npz", validation=0).training) == 5


@pytest.mark.parametrize(
    ("low", "high", "options", "message"),
    [
        ((5, 1, 6, 7), (4, 1, 6, 7), {}, "targets of the size"),
        ((5, 1, 6, 7), (5, 1, 6, 8), {}, "targets of the size"),
        ((5, 1, 6, 7), (5, 6, 7), {}, "targets of the size .* an entry 'axes'"),
        ((5, 1, 6, 7), (5, 1, 6, 7), {"axes": "SCZYX"}, "4, of shape"),
        ((5, 1, 6, 7), (5, 1, 6, 7), {"axes": "TCYX"}, "with S, .* an entry"),
        ((5, 1, 6, 7), (5, 1, 6, 7), {"validation": 1}, r"in \[0, 1\)"),
        ((5, 1, 6, 7), (5, 1, 6, 7), {"count": 6}, "count of 1 to 5"),
        ((6, 7), (6, 7), {}, "3 to 5 dimensions .* an entry 'axes'"),
    ],
)
def test_patches_that_do_not_fit_are_refused(tmp_path, low, high, options, message):
    path = patches(tmp_path / "a.npz", stack(low), stack(high), None)
    with pytest.raises(TrainingError, match=message):
        load(path, **options)


def test_files_that_are_no_patches_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(FileError, match="No such file"):
        load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(FileError, match="expected an npz"):
        load(path)
    np.savez(path, A=stack((3, 4)))
    with pytest.raises(FileError, match="found A"):
        load(path)
    np.savez(path, X=np.array([None, 1]), Y=stack((3, 4)))
    with pytest.raises(FileError, match="its type is object"):
        load(path)
    np.savez(path, X=stack((0, 4)), Y=stack((3, 4)))
    with pytest.raises(FileError, match="it is empty"):
        load(path)


def test_damaged_compressed_arrays_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, X=stack((9, 64, 64)), Y=stack((9, 64, 64)))
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 255
    path.write_bytes(content)
    with pytest.raises(FileError, match="cannot be read"):
        load(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
