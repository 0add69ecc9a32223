"""Restoration: laws that hold for every image, network and tile."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import facts, noise, one_line

from care_runtime.care import Normalization, Output
from care_runtime.errors import (
    AxesError,
    BlankImageWarning,
    EngineError,
    ImageError,
    OptionError,
    SpecError,
)
from care_runtime.image import Image
from care_runtime.job import make
from care_runtime.restore import Restorer

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Restorer]

NO_T = Normalization(axes="ZYX")
MOVIE = Normalization(axes="TZYX")


# tiled is whole


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 23), (40, 31), (3, 65)])
def test_tiled_is_whole_2d(restorer: Make, size: tuple[int, int]) -> None:
    image = noise("YX", Y=size[0], X=size[1])
    run = restorer("unet2d")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BlankImageWarning)
        whole = run(image, "YX", tile="whole", dtype="float32")
        for tile in (1, 4, 10, {"y": 6}, {"X": 8}):
            tiled = run(image, "YX", tile=tile, dtype="float32")
            np.testing.assert_array_equal(tiled.image, whole.image, strict=True)


@pytest.mark.parametrize("size", [(8, 16, 16), (7, 19, 22), (1, 5, 33), (21, 9, 8)])
def test_tiled_is_whole_3d(restorer: Make, size: tuple[int, int, int]) -> None:
    image = noise("ZYX", **dict(zip("ZYX", size, strict=True)))
    run = restorer("unet3d")
    whole = run(image, "ZYX", tile="whole", dtype="float32")
    for tile in (2, 6, {"z": 4}, {"y": 6, "x": 6}):
        tiled = run(image, "ZYX", tile=tile, dtype="float32")
        np.testing.assert_array_equal(tiled.image, whole.image, strict=True)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    tile=st.fixed_dictionaries({"y": st.integers(1, 60), "x": st.integers(1, 60)}),
)
def test_tiled_is_whole_at_any_size(
    restorer: Make, size: tuple[int, int], tile: dict[str, int]
) -> None:
    image = noise("YX", "float32", Y=size[0], X=size[1])
    run = restorer("unet2d")
    whole = run(image, "YX", tile="whole", normalize="values:0,100")
    tiled = run(image, "YX", tile=tile, normalize="values:0,100")
    np.testing.assert_array_equal(tiled.image, whole.image)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("factor", [2.0, 2.7, 0.5])
def test_tiled_is_whole_when_resampled(
    restorer: Make, factor: float, when: str
) -> None:
    image = noise("ZYX", Z=9, Y=20, X=18)
    run = restorer("unet3d", resample=tiny.resampled(factor, when=when))
    whole = run(image, "ZYX", tile="whole", dtype="float32")
    assert whole.image.shape == (round(9 * factor), 20, 18)
    tiled = run(image, "ZYX", tile=6, dtype="float32")
    np.testing.assert_array_equal(tiled.image, whole.image)


def test_tiled_is_whole_projected(restorer: Make) -> None:
    image = noise("ZYX", Z=5, Y=20, X=18)
    run = restorer("projection")
    whole = run(image, "ZYX", tile="whole")
    np.testing.assert_array_equal(run(image, "ZYX", tile=3).image, whole.image)


# axes


@pytest.mark.parametrize("name", ["unet2d", "unet3d", "projection"])
@pytest.mark.parametrize("order", [*permutations("STCZYX")][::97])
def test_permute_then_restore_is_restore_then_permute(
    restorer: Make, name: str, order: tuple[str, ...]
) -> None:
    image = noise("STCZYX", S=2, T=1, C=2, Z=3, Y=9, X=8)
    run = restorer(name)
    target = "".join(order)
    permuted = image.transpose(["STCZYX".index(a) for a in target])
    first, last = run(permuted, target), run(image, "STCZYX")
    assert first.axes == "".join(a for a in target if a in last.axes)
    expected = last.image.transpose([last.axes.index(a) for a in first.axes])
    np.testing.assert_array_equal(first.image, expected, strict=True)


@pytest.mark.parametrize("axes", ["YX", "XY", "TYX", "ZYX", "CYX", "YXC", "ZTYX"])
def test_an_image_is_the_frames_it_is_made_of(restorer: Make, axes: str) -> None:
    image = noise(axes, S=2, T=2, C=3, Z=2, Y=9, X=8)
    run = restorer("unet2d", normalization=Normalization(axes="YX"))
    restored = run(image, axes).image
    looped = [image.shape[axes.index(a)] for a in axes if a not in "YX"]
    for index in np.ndindex(*looped):
        place: list[Any] = [slice(None)] * image.ndim
        for a, i in zip([a for a in axes if a not in "YX"], index, strict=True):
            place[axes.index(a)] = i
        order = "".join(a for a in axes if a in "YX")
        alone = run(image[tuple(place)], order).image
        np.testing.assert_array_equal(restored[tuple(place)], alone)


def test_channels_read_together(restorer: Make) -> None:
    run = restorer("mixture")
    image = noise("YXC", "float32", Y=6, X=5, C=3)
    restored = run(image, "YXC", normalize="none")
    assert (restored.axes, restored.image.shape) == ("YXC", (6, 5, 1))
    np.testing.assert_allclose(restored.image[..., 0], image.mean(-1), rtol=1e-6)


def test_channels_normalized_on_their_own(restorer: Make) -> None:
    image = noise("CYX", "float32", C=3, Y=20, X=20)
    scaled = image * np.float32([1, 10, 100]).reshape(3, 1, 1) + 7
    first = restorer("mixture")(image, "CYX").image
    np.testing.assert_allclose(restorer("mixture")(scaled, "CYX").image, first, 1e-3)


def test_projection_drops_z(restorer: Make) -> None:
    image = noise("TZYX", "float32", T=2, Z=5, Y=9, X=8)
    restored = restorer("projection")(image, "TZYX", normalize="none")
    assert (restored.axes, restored.image.shape) == ("TYX", (2, 9, 8))
    inside = restored.image[:, 4, 4]
    np.testing.assert_allclose(inside, image[:, :, 3:6, 3:6].mean((1, 2, 3)), 1e-5)


def test_every_output_with_its_own_undoing(restorer: Make) -> None:
    image = noise("YX", Y=12, X=11)
    restored = restorer("laplace")(image, "YX", normalize="values:50,150")
    np.testing.assert_array_equal(restored.outputs["mean"], image, strict=True)
    expected = np.abs(image.astype(np.float32) - 50)
    np.testing.assert_allclose(restored.outputs["scale"], expected, rtol=1e-5)
    assert restored.outputs["scale"].dtype == np.float32


# identity


@pytest.mark.parametrize("name", ["identity2d", "identity3d"])
@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64", ">u2"],
)
def test_identity_of_integers(restorer: Make, name: str, dtype: str) -> None:
    info = np.iinfo(dtype)
    low, high = max(info.min, -(2**16)), min(info.max, 2**16)
    image = np.random.default_rng(0).integers(low, high, (2, 3, 15, 13), endpoint=True)
    image = image.astype(dtype)
    restored = restorer(name)(image, "TZYX", tile=4)
    np.testing.assert_array_equal(restored.image, image, strict=True)
    assert restored.saturated == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bool"])
def test_identity_of_floats(restorer: Make, dtype: str) -> None:
    image = (noise("ZYX", "float64", Z=2, Y=15, X=13) / 200).astype(dtype)
    image[:, :7] = 0
    restored = restorer("identity2d")(image, "ZYX")
    assert restored.image.dtype == np.float32
    np.testing.assert_allclose(restored.image, image, rtol=1e-5, atol=1e-6)


def layouts(image: Any, folder: Path) -> dict[str, Any]:
    frozen = image.copy()
    frozen.flags.writeable = False
    mapped = np.memmap(folder / "image", image.dtype, "w+", shape=image.shape)
    mapped[:] = image
    wide = np.repeat(image, 2, axis=-1)
    return {
        "big-endian": image.astype(image.dtype.newbyteorder(">")),
        "memmap": mapped,
        "read-only": frozen,
        "Fortran": np.asfortranarray(image),
        "strided": wide[..., ::2],
        "list": image.tolist(),
    }


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_any_memory_layout(restorer: Make, tmp_path: Path, dtype: str) -> None:
    image = noise("ZYX", dtype, Z=3, Y=18, X=21)
    run = restorer("unet3d")
    expected = run(image, "ZYX", dtype="float32").image
    for name, layout in layouts(image, tmp_path).items():
        found = run(layout, "ZYX", dtype="float32").image
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)


def test_the_image_is_left_alone(restorer: Make) -> None:
    image = noise("ZYX", "float32", Z=3, Y=18, X=21)
    before = image.copy()
    restorer("identity3d")(image, "ZYX")
    np.testing.assert_array_equal(image, before)


# normalization


def test_ways_to_say_a_normalization(restorer: Make) -> None:
    image, run = noise("YX", Y=30, X=31), restorer("unet2d")
    low, high = np.percentile(image, (3, 97))
    same = ["3,97", " 3 , 97 ", (3, 97), [3.0, 97.0], f"values:{low},{high}"]
    results = [run(image, "YX", normalize=n, dtype="float32").image for n in same]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-6)
    auto = run(image, "YX", dtype="float32").image
    model = run(image, "YX", normalize="2,99.8", dtype="float32").image
    np.testing.assert_array_equal(auto, model)
    assert not np.array_equal(auto, results[0])


def test_no_normalization_returns_what_the_network_says(restorer: Make) -> None:
    image = noise("YX", Y=8, X=9)
    restored = restorer("identity2d")(image, "YX", normalize="none")
    np.testing.assert_array_equal(restored.image, image.astype(np.float32), strict=True)
    assert restored.provenance["normalization"] == "none"


@pytest.mark.parametrize(
    "wish",
    [
        "",
        "best",
        "3",
        "3,4,5",
        "97,3",
        "3,101",
        "-1,50",
        "nan,5",
        "values:9,9",
        "values:0,inf",
        "grey:0,9",
        (97, 3),
        (1, 2, 3),
        (1,),
        ("a", "b"),
        5,
        None,
    ],
)
def test_malformed_normalizations(restorer: Make, wish: Any) -> None:
    with pytest.raises(OptionError) as error:
        restorer("identity2d")(noise("YX", Y=8, X=8), "YX", normalize=wish)
    text = one_line(error.value)
    assert "'values:LOW,HIGH'" in text
    assert repr(wish) in text


def test_a_movie_shares_percentiles_where_the_spec_says_so(restorer: Make) -> None:
    image = noise("TYX", "float32", T=3, Y=20, X=21)
    image *= np.float32([1, 3, 9]).reshape(3, 1, 1)
    together = restorer("unet2d", normalization=MOVIE)(image, "TYX").image
    low, high = np.percentile(image, (2, 99.8))
    values = f"values:{low},{high}"
    each = restorer("unet2d")(image, "TYX", normalize=values).image
    np.testing.assert_allclose(together, each, rtol=1e-4, atol=1e-3)
    alone = restorer("unet2d", normalization=NO_T)(image, "TYX").image
    frame = restorer("unet2d")(image[1], "YX").image
    np.testing.assert_array_equal(alone[1], frame)
    assert not np.allclose(together, alone)


def test_percentiles_of_a_stack_are_shared_by_its_planes(restorer: Make) -> None:
    image = noise("ZYX", "float32", Z=3, Y=20, X=21)
    low, high = np.percentile(image, (2, 99.8))
    stack = restorer("unet2d")(image, "ZYX").image
    plane = restorer("unet2d")(image[1], "YX", normalize=f"values:{low},{high}").image
    np.testing.assert_allclose(stack[1], plane, rtol=1e-4, atol=1e-3)


# resampling


@pytest.mark.parametrize("when", ["before", "after"])
def test_resampling_is_interpolation(restorer: Make, when: str) -> None:
    image = noise("ZYX", "float32", Z=4, Y=6, X=5)
    run = restorer("identity3d", resample=tiny.resampled(2.5, when=when))
    source = Image(image, "ZYX", {"Z": 1.0, "X": 0.5}, "µm")
    restored = run(source)
    at = np.arange(10) * 3 / 9
    expected = np.apply_along_axis(lambda c: np.interp(at, range(4), c), 0, image)
    np.testing.assert_allclose(restored.image, expected, rtol=1e-4, atol=1e-3)
    assert restored.voxel == {"Z": pytest.approx(3 / 9), "X": 0.5}


# blank, constant and broken images


def test_a_blank_frame_of_a_movie(restorer: Make) -> None:
    image, run = noise("TYX", T=3, Y=30, X=31), restorer("unet2d")
    image[1] = 7
    image[1, 0, 0] = 9
    with pytest.warns(BlankImageWarning, match="^1 frame") as seen:
        restored = run(image, "TYX")
    assert seen[0].filename == __file__
    assert restored.blank == 1
    np.testing.assert_array_equal(restored.image[1], image[1])
    for t in (0, 2):
        alone = run(image[t], "YX").image
        np.testing.assert_array_equal(restored.image[t], alone)


@pytest.mark.parametrize("name", ["unet2d", "unet3d", "projection", "laplace"])
def test_a_constant_image(restorer: Make, name: str) -> None:
    image = np.full((3, 8, 9), 42, np.uint16)
    with pytest.warns(BlankImageWarning):
        restored = restorer(name)(image, "ZYX")
    assert (restored.image == 42).all()
    assert restored.saturated == 0
    if name == "laplace":
        assert not restored.outputs["scale"].any()


def test_one_pixel(restorer: Make) -> None:
    image = np.array([[3]], np.uint8)
    with pytest.warns(BlankImageWarning):
        assert restorer("unet2d")(image, "YX").image == 3
    restored = restorer("unet2d")(image, "YX", normalize="values:0,10")
    assert restored.image.shape == (1, 1)


def test_one_blank_channel_of_several(restorer: Make) -> None:
    image = noise("CYX", "float32", C=3, Y=8, X=9)
    image[1] = 5
    with pytest.warns(BlankImageWarning, match="^1 frame"):
        restored = restorer("mixture")(image, "CYX")
    assert np.isfinite(restored.image).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_counted(restorer: Make, value: float) -> None:
    image = noise("TZYX", "float32", T=1, Z=2, Y=8, X=8)
    image[0, 1, 2, :3] = value
    with pytest.raises(ImageError, match=r"^3 of 128 pixels") as error:
        restorer("identity2d")(image, "TZYX")
    one_line(error.value)


@pytest.mark.parametrize("dtype", ["complex64", "U3", "object", "datetime64[s]"])
def test_pixels_of_other_types(restorer: Make, dtype: str) -> None:
    with pytest.raises(ImageError, match="integer or floating") as error:
        restorer("identity2d")(np.zeros((4, 4), dtype), "YX")
    one_line(error.value)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 5, 5)])
def test_empty_images(restorer: Make, shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="no pixels") as error:
        restorer("identity2d")(np.zeros(shape, np.uint8), "TYX"[-len(shape) :])
    one_line(error.value)


@pytest.mark.parametrize(
    ("name", "axes", "words"),
    [
        ("identity2d", "ZTYX", "name 4 dimensions"),
        ("identity2d", "QYX", "STCZYX"),
        ("identity2d", "ZTC", "Y and X"),
        ("identity2d", None, "axes='ZYX'"),
        ("identity3d", "TYX", "needs a Z axis"),
        ("mixture", "CYX", "needs 3 channels"),
        ("mixture", "ZYX", "needs 3 channels"),
    ],
)
def test_axes_that_do_not_fit(
    restorer: Make, name: str, axes: str | None, words: str
) -> None:
    with pytest.raises(AxesError, match=words) as error:
        restorer(name)(np.zeros((2, 8, 8)), axes)
    one_line(error.value)


# types


def test_types_of_the_result(restorer: Make) -> None:
    image, run = noise("YX", Y=20, X=21), restorer("identity2d")
    image[0, :5] = [300, 301, 302, 5, 255]
    assert run(image, "YX").image.dtype == np.uint16
    assert run(image, "YX", dtype="float32").image.dtype == np.float32
    assert run(image, "YX", dtype="float64").image.dtype == np.float64
    narrow = run(image, "YX", dtype="uint8")
    assert (narrow.image.dtype, narrow.saturated) == (np.uint8, 3)
    np.testing.assert_array_equal(narrow.image, np.minimum(image, 255))
    signed = run(image.astype(np.int16) - 100, "YX", dtype="uint8")
    assert signed.saturated == np.count_nonzero(image < 100)
    assert np.asarray(narrow) is not None
    np.testing.assert_array_equal(np.asarray(narrow), narrow.image)


@pytest.mark.parametrize("wish", ["uint3", "complex64", "bool", "S1"])
def test_types_that_are_none(restorer: Make, wish: str) -> None:
    with pytest.raises(OptionError, match="'float32'") as error:
        restorer("identity2d")(noise("YX", Y=8, X=8), "YX", dtype=wish)
    assert repr(wish) in one_line(error.value)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_values_at_the_end_of_a_type(restorer: Make, dtype: str) -> None:
    info = np.iinfo(dtype)
    image = np.array([[info.min, 0, info.max]], dtype)
    found = restorer("identity2d")(image, "YX", normalize="0,100").image
    np.testing.assert_allclose(found.astype(float), image.astype(float), rtol=1e-6)


# tiles and progress


def test_progress_counts_every_tile(restorer: Make) -> None:
    image, run, seen = noise("TCYX", T=2, C=2, Y=50, X=61), restorer("unet2d"), []
    run(image, "TCYX", tile=12, progress=lambda done, of: seen.append((done, of)))
    least = getattr(run.network, "least", 0)
    total = len(make(run.spec, "TCYX", image.shape, tile=12, least=least))
    assert seen == [(i + 1, total) for i in range(total)]
    assert total > 2 * 2


@pytest.mark.parametrize(
    "tile", ["half", "12,", "1,2,3,4", "", 0, -3, {"q": 3}, {"y": 0}, 1.5]
)
def test_tiles_that_are_none(restorer: Make, tile: Any) -> None:
    with pytest.raises(OptionError, match="'whole'") as error:
        restorer("unet2d")(noise("YX", Y=8, X=8), "YX", tile=tile)
    assert repr(tile) in one_line(error.value)


def test_threads_share_a_restorer(restorer: Make) -> None:
    run = restorer("unet2d")
    images = [noise("YX", seed=i, Y=40, X=41) for i in range(8)]
    expected = [run(image, "YX").image for image in images]
    found: dict[int, Any] = {}

    def work(first: int) -> None:
        for i in range(first, 8, 2):
            found[i] = run(images[i], "YX", tile=8).image

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, image in enumerate(expected):
        np.testing.assert_array_equal(found[i], image)


# calibration


def test_calibration_is_kept(restorer: Make) -> None:
    source = Image(
        noise("CZYX", C=2, Z=3, Y=8, X=9),
        "CZYX",
        {"Z": 2.0, "Y": 0.1, "X": 0.1},
        "µm",
        channels=("DAPI", "GFP"),
        flavour="ome",
    )
    kept = restorer("identity3d")(source).images["mean"]
    assert facts(kept) == facts(source)
    flat = restorer("projection")(source).images["mean"]
    assert (flat.axes, flat.voxel) == ("CYX", {"Y": 0.1, "X": 0.1})
    assert flat.channels == source.channels


# networks and descriptions that do not fit


@pytest.mark.parametrize(
    "network",
    [
        lambda x: [x, x],
        lambda x: [],
        lambda x: [x[..., :1]],
        lambda x: [x[0]],
        lambda x: [np.concatenate([x, x], axis=1)],
    ],
)
def test_answers_that_the_spec_does_not_describe(network: Any) -> None:
    run = Restorer(tiny.spec("identity2d"), network)
    with pytest.raises(EngineError, match="expected") as error:
        run(noise("YX", Y=8, X=9), "YX")
    one_line(error.value)


def test_an_output_without_a_role(restorer: Make) -> None:
    with pytest.raises(SpecError, match="'mean'") as error:
        restorer("identity2d", outputs={"other": Output("mean", "affine")})
    one_line(error.value)


@pytest.mark.parametrize(
    "care",
    [
        {"normalization": Normalization(axes="YX")},
        {"normalization": Normalization(axes="Z")},
        {"resample": replace(tiny.resampled(2.0), axis="t")},
    ],
)
def test_descriptions_that_cannot_be_followed(
    restorer: Make, care: dict[str, Any]
) -> None:
    with pytest.raises(SpecError, match="expected") as error:
        restorer("identity3d", **care)
    one_line(error.value)


def test_a_plane_cannot_be_resampled_along_z(restorer: Make) -> None:
    with pytest.raises(SpecError, match="'z'"):
        restorer("identity2d", resample=tiny.resampled(2.0))


def test_models_of_others() -> None:
    """Without `config.care`, what the rest of the description says is done."""
    spec = tiny.spec("identity2d")
    image = noise("YX", Y=20, X=30)
    run = Restorer(replace(spec, care=None), lambda x: [x])
    np.testing.assert_array_equal(run(image, "YX").image, image)
    with pytest.raises(SpecError, match=r"inputs\[1\]\.id.*'input' again"):
        Restorer(replace(spec, inputs=spec.inputs * 2), lambda x: [x])
    source = replace(spec.input, axes=spec.input.axes[:3])
    with pytest.raises(SpecError, match="'BCY'"):
        Restorer(replace(spec, inputs=(source,)), lambda x: [x])


# small tiles


@pytest.mark.parametrize("shape", [(4, 4, 84), (5, 5, 83), (13, 83, 5), (83, 5, 6)])
def test_a_tile_is_never_too_small(shape: tuple[int, int, int]) -> None:
    spec = tiny.spec("unet3d")
    sizes = dict(zip("ZYX", shape, strict=True))
    grid = spec.care.tiling.multiple["x"]
    for least in (0, 64, 100_000):
        plan = make(spec, "ZYX", shape, tile=1, least=least).plan
        bottom = np.prod([n // grid for n in plan.tile.values()])
        assert bottom >= least or len(plan) == 1
        for axis, size in sizes.items():
            written = [cut.write for cut in plan.lines[axis].cuts]
            assert sum(w.stop - w.start for w in written) == size


def test_what_is_no_array_is_told_how_to_become_one(
    restorer: Make,
) -> None:
    run = restorer("unet2d")
    for name in ("a.tif", Path("a.tif"), None):
        with pytest.raises(ImageError, match=r"care_runtime\.read") as error:
            run(name, "YX")
        one_line(error.value)
    pixels = np.ma.masked_greater(noise("YX", Y=40, X=50), 200)
    with pytest.raises(ImageError, match="fill it first"):
        run(pixels, "YX")
    np.testing.assert_array_equal(
        run(pixels.filled(0), "YX").image,
        run(np.ma.masked_array(pixels.filled(0)), "YX").image,
    )


def test_half_precision_holds_what_it_can(restorer: Make) -> None:
    run = restorer("unet2d")
    pixels = noise("YX", Y=40, X=50).astype(np.float32)
    found = run(pixels * 1e6, "YX", dtype="float16")
    assert np.isfinite(found.image).all()
    assert 0 < found.saturated <= found.image.size
    assert run(pixels, "YX", dtype="float16").saturated == 0
    with pytest.raises(OptionError, match="found None"):
        run(pixels, "YX", dtype=None)  # type: ignore[arg-type]


def test_wishes_may_be_arrays_and_tuples(restorer: Make) -> None:
    run = restorer("unet2d")
    pixels = noise("YX", Y=40, X=50)
    plain = run(pixels, "YX", normalize=(2, 99.8), tile="16,24").image
    for limits in (np.array([2, 99.8]), [2, 99.8]):
        for tile in ((16, 24), [16, 24], np.array([16, 24])):
            again = run(pixels, "YX", normalize=limits, tile=tile).image
            np.testing.assert_array_equal(again, plain)


def test_a_restoration_is_an_array(restorer: Make) -> None:
    run = restorer("unet2d")
    found = run(noise("YX", Y=40, X=50), "YX")
    assert np.asarray(found) is found.image
    copied = np.array(found)
    assert copied is not found.image
    np.testing.assert_array_equal(copied, found.image)
    assert np.asarray(found, np.float64).dtype == np.float64
    assert np.array(found, copy=False) is found.image
    with pytest.raises(ValueError, match="no copy"):
        np.array(found, np.float64, copy=False)
    assert found in [found]
    assert found != run(noise("YX", Y=40, X=50), "YX")
    assert len({found, found}) == 1
