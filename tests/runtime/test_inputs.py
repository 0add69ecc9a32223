"""Inputs: networks that read several images, tiled together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import tifffile
import tiny
import yaml
from click.testing import CliRunner
from onnx import TensorProto, helper
from others import (
    STEPPED,
    answer,
    axis,
    channel,
    info,
    load,
    network,
    package,
    plane,
    tensor,
)
from tiny import noise, one_line

import care_runtime
from care_runtime import Image, Mixed, trial
from care_runtime import dask as dask_
from care_runtime import package as package_
from care_runtime._parse import Reader
from care_runtime.cli import main
from care_runtime.errors import (
    AxesError,
    CareError,
    EngineError,
    OptionError,
    SpecError,
)
from care_runtime.spec import Spec
from care_runtime.tensor import parse_tensor
from care_runtime.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
KERNELS = {
    "w": RNG.normal(0, 0.3, (1, 1, 5, 5)).astype(np.float32),
    "v": RNG.normal(0, 0.3, (1, 2, 3, 3)).astype(np.float32),
}
IMAGE = noise("YX", Y=75, X=53).astype(np.uint16)
MASK = RNG.gamma(2, 300, (2, 75, 53)).astype(np.float32)
SCALE = {"min_percentile": 1.0, "max_percentile": 99.0, "axes": ["y", "x"]}


def joint(size: Any = "n", kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """Add convolutions of two images, one of them of two channels, and multiply."""
    wide = size if isinstance(size, int) else "m"
    nodes = [
        helper.make_node("Conv", ["in0", "w"], ["a"], pads=[2] * 4),
        helper.make_node("Cast", ["in1"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["real", "v"], ["b"], pads=[1] * 4),
        helper.make_node("Add", ["a", "b"], ["out0"]),
        helper.make_node("Mul", ["a", "b"], ["out1"]),
    ]
    first = info("in0", [1, 1, size, wide])
    second = info("in1", [1, 2, size, wide], kind)
    outs = [info(f"out{i}", [1, 1, size, wide]) for i in range(2)]
    return network(nodes, [first, second], outs, KERNELS)


def second(*steps: Any, sizes: Any = None, **more: Any) -> dict[str, Any]:
    """Describe an input of two channels, as large as the first unless said."""
    like = {a: sizes or {"tensor_id": "raw", "axis_id": a} for a in "yx"}
    space = [axis(a, size=like[a]) for a in "yx"]
    axes = axis("batch"), channel(2), *space
    return tensor("mask", *axes, preprocessing=list(steps), **more)


def steps(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"id": name, "kwargs": kwargs}


def package_of_two(folder: Path, size: Any = STEPPED, **more: Any) -> Path:
    sources = [
        plane(size, steps("zero_mean_unit_variance", axes=["y", "x"])),
        second(steps("scale_range", **SCALE), **more),
    ]
    targets = [answer(halo=4), answer(halo=4, name="product")]
    model = joint(size if isinstance(size, int) else "n")
    return package(folder, model, sources, *targets)


def normalized(image: Any, mask: Any) -> dict[str, Any]:
    """Take the steps of `package_of_two` by hand."""
    image = np.float64(image)
    low, high = np.percentile(mask, (1, 99), axis=(1, 2), keepdims=True)
    return {
        "in0": ((image - image.mean()) / (image.std() + 1e-6))[None, None],
        "in1": ((mask - low) / (high - low + 1e-6))[None],
    }


def direct(folder: Path, feed: dict[str, Any]) -> list[Any]:
    """Run the network on whole images, without this project."""
    import onnxruntime

    cpu = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(folder / "weights.onnx", providers=cpu)
    return list(session.run(None, {k: np.float32(v) for k, v in feed.items()}))


@pytest.mark.parametrize("size", [STEPPED, {"min": 16, "step": 1}, None])
def test_two_inputs_are_tiled_together(tmp_path: Path, size: Any) -> None:
    folder = package_of_two(tmp_path, size)
    run = load(folder)
    images = {"raw": IMAGE, "mask": MASK}
    axes = {"raw": "YX", "mask": "CYX"}
    whole = run(images, axes, tile="whole")
    expected = direct(folder, normalized(IMAGE, MASK))
    inside = (slice(4, -4), slice(4, -4))
    for name, wanted in zip(("out", "product"), expected, strict=True):
        found = whole.outputs[name]
        assert (found.shape, found.dtype, whole.axes) == ((75, 53), np.float32, "YX")
        np.testing.assert_allclose(found[inside], wanted[0, 0][inside], atol=2e-5)
    tiled = run(images, axes, tile=16)
    for name, wanted in whole.outputs.items():
        np.testing.assert_array_equal(tiled.outputs[name], wanted)


def test_openvino_takes_two_inputs(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    folder, images = package_of_two(tmp_path), {"raw": IMAGE, "mask": MASK}
    axes = {"raw": "YX", "mask": "CYX"}
    expected = load(folder, engine="onnxruntime")(images, axes)
    run = load(folder, engine="openvino")
    whole, tiled = (run(images, axes, tile=tile) for tile in ("whole", 16))
    for name, wanted in expected.outputs.items():
        np.testing.assert_allclose(whole.outputs[name], wanted, atol=1e-4)
        np.testing.assert_array_equal(tiled.outputs[name], whole.outputs[name])


def test_the_order_of_ids_and_axes_does_not_matter(tmp_path: Path) -> None:
    run = load(package_of_two(tmp_path))
    expected = run({"raw": IMAGE, "mask": MASK}, {"raw": "YX", "mask": "CYX"}).image
    mask = Image(MASK.transpose(2, 1, 0), "XYC")
    raw = Image(IMAGE, "YX", {"Y": 0.1, "X": 0.2}, "um")
    found = run({"mask": mask, "raw": raw})
    np.testing.assert_array_equal(found.image, expected)
    assert dict(found.images["out"].voxel) == {"Y": 0.1, "X": 0.2}
    assert "raw: zero_mean_unit_variance; mask: scale_range" in str(found.provenance)


def test_frames_are_looped_over_together(tmp_path: Path) -> None:
    run = load(package_of_two(tmp_path))
    movie = RNG.gamma(2, 99, (3, 40, 33))
    masks = RNG.gamma(2, 99, (2, 3, 40, 33))
    axes = {"raw": "TYX", "mask": "CTYX"}
    found = run({"raw": movie, "mask": masks}, axes).outputs["product"]
    for t in range(3):
        one = {"raw": movie[t], "mask": masks[:, t]}
        each = run(one, {"raw": "YX", "mask": "CYX"}).outputs["product"]
        np.testing.assert_array_equal(found[t], each)


def test_steps_may_refer_to_the_other_input(tmp_path: Path) -> None:
    same = {"min_percentile": 5.0, "max_percentile": 95.0}
    sources = [
        plane(None, steps("scale_range", **same, reference_tensor="mask")),
        second(steps("clip", min=0.0, max=400.0)),
    ]
    back = steps("scale_mean_variance", reference_tensor="mask")
    targets = [answer(halo=4), answer(back, halo=4, name="product")]
    folder = package(tmp_path, joint(), sources, *targets)
    found = load(folder)(
        {"raw": IMAGE, "mask": MASK}, {"raw": "YX", "mask": "CYX"}, tile=20
    )
    low, high = np.percentile(MASK, (5, 95))  # as it came, before it was clipped
    scaled = (IMAGE - low) / (high - low + 1e-6)
    feed = {"in0": scaled[None, None], "in1": MASK.clip(0, 400)[None]}
    out, product = (np.float64(y[0, 0]) for y in direct(folder, feed))
    inside = (slice(4, -4), slice(4, -4))
    wide = np.ptp(out)
    np.testing.assert_allclose(found.image[inside], out[inside], atol=1e-5 * wide)
    product = (product - product.mean()) / (product.std() + 1e-6)
    product = product * (MASK.std() + 1e-6) + MASK.mean()
    found_back = found.outputs["product"]
    assert np.abs(found_back - product)[inside].max() < 1e-2 * np.ptp(product)


@pytest.mark.parametrize("size", [(75, 53), (32, 32), (9, 100)])
def test_a_fixed_size_is_tiled(tmp_path: Path, size: tuple[int, int]) -> None:
    run = load(package_of_two(tmp_path, 32))
    free = load(package_of_two(tmp_path / "free", None))
    images = {"raw": RNG.gamma(2, 99, size), "mask": RNG.gamma(2, 99, (2, *size))}
    axes = {"raw": "YX", "mask": "CYX"}
    found, wanted = (each(images, axes).outputs["out"] for each in (run, free))
    assert found.shape == size
    inside = tuple(slice(4, -4) if n > 32 else slice(0, 0) for n in size)
    np.testing.assert_allclose(found[inside], wanted[inside], atol=1e-5)


def test_inputs_of_other_types(tmp_path: Path) -> None:
    sources = [plane(STEPPED), second()]
    targets = [answer(halo=4), answer(halo=4, name="product")]
    model = joint(kind=TensorProto.UINT8)
    folder = package(tmp_path, model, sources, *targets)
    mask = RNG.integers(0, 200, (2, 75, 53)).astype(np.uint8)
    found = load(folder)({"raw": IMAGE, "mask": mask}, {"raw": "YX", "mask": "CYX"})
    plain = load(package(tmp_path / "f", joint(), sources, *targets))
    wanted = plain({"raw": IMAGE, "mask": mask}, {"raw": "YX", "mask": "CYX"})
    np.testing.assert_array_equal(found.image, wanted.image)


# format 0.4, and what a package brings along


def old(size: Any) -> dict[str, Any]:
    """Describe the same in the words of format 0.4."""
    shape = {"min": [1, 2, 16, 16], "step": [0, 0, 16, 16]}
    norm = {"mode": "per_sample", "axes": "yx"}
    percent = {"mode": "per_sample", "axes": "yx"}
    percent |= {"min_percentile": 1.0, "max_percentile": 99.0}
    mask = {
        "name": "mask",
        "axes": "bcyx",
        "data_type": "float32",
        "shape": shape,
        "preprocessing": [{"name": "scale_range", "kwargs": percent}],
    }
    raw = mask | {
        "name": "raw",
        "shape": {"min": [1, 1, 16, 16], "step": [0, 0, 16, 16]},
        "preprocessing": [{"name": "zero_mean_unit_variance", "kwargs": norm}],
    }
    out = {
        "name": "out",
        "axes": "bcyx",
        "data_type": "float32",
        "halo": [0, 0, 4, 4],
        "shape": {
            "reference_tensor": "raw",
            "scale": [1, 1, 1, 1],
            "offset": [0, 0, 0, 0],
        },
    }
    return {
        "format_version": "0.4.9",
        "inputs": [raw, mask],
        "outputs": [out, out | {"name": "product"}],
        "test_inputs": ["in.npy", "mask.npy"],
        "test_outputs": ["out.npy", "product.npy"],
    }


def with_tests(folder: Path) -> Path:
    """Lay test tensors beside a network, as it computes them on its own."""
    image, mask = IMAGE[:64, :48], MASK[:, :64, :48]
    np.save(folder / "in.npy", image[None, None])
    np.save(folder / "mask.npy", mask[None])
    answers = direct(folder, normalized(image, mask))
    for name, each in zip(("out", "product"), answers, strict=True):
        np.save(folder / f"{name}.npy", each)
    return folder


def test_format_0_4_and_its_test_tensors(tmp_path: Path) -> None:
    folder = with_tests(package(tmp_path, joint(), [], **old(STEPPED)))
    newer = load(package_of_two(tmp_path / "newer"))
    run = load(folder)
    images, axes = {"raw": IMAGE, "mask": MASK}, {"raw": "YX", "mask": "CYX"}
    np.testing.assert_array_equal(run(images, axes).image, newer(images, axes).image)
    found = verify(package_.read_folder(folder), run.network)  # type: ignore[arg-type]
    assert found.passed
    assert max(found.test.values()) < 1e-5
    assert set(found.test) == {"out", "product"}
    done = CliRunner().invoke(main, ["verify", str(folder), "--device", "cpu"])
    assert done.exit_code == 0, done.output


def test_a_model_of_ours_may_have_two_inputs() -> None:
    """The same normalization is measured on each image by itself."""
    import tiny

    spec = tiny.spec("identity2d")
    other = tiny.spec("identity2d").input
    both = (spec.input, type(other)("second", other.axes, data=other.data))
    two = type(spec)(**{**_fields(spec), "inputs": both})
    run = care_runtime.Restorer(two, lambda x, y: [x + y - y])
    raw, more = noise("YX", Y=40, X=50), 7 * noise("YX", Y=40, X=50) + 3
    found = run({"input": raw, "second": more}, "YX", dtype="float32")
    np.testing.assert_allclose(found.image, raw, rtol=1e-4, atol=1e-2)
    channels = {"input": np.stack([raw, more]), "second": np.stack([more, raw])}
    both = run(channels, "CYX", dtype="float32")
    np.testing.assert_array_equal(both.image[0], found.image)


def _fields(spec: Spec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


# the first run of a network from elsewhere


def free(*letters: str) -> dict[str, Any]:
    """Describe the first input, some of whose axes may have any size."""
    found = plane(96)
    for each in found["axes"]:
        if each["id"] in letters:
            del each["size"]
    return found


@pytest.mark.parametrize(
    ("first", "sizes", "side"),
    [
        (plane(96), None, 96),
        (plane({"min": 100, "step": 16}), None, 100),
        (plane({"min": 16, "step": 9}), None, 70),
        (free(*"yx"), None, 64),
        (free(*"yx"), 96, 96),
        (free("y"), 96, 96),
        (plane({"tensor_id": "mask", "axis_id": "y"}), 96, 96),
        (plane({"tensor_id": "mask", "axis_id": "y"}), None, 64),  # in a circle
        (plane({"tensor_id": "none", "axis_id": "y"}), None, 64),
    ],
)
def test_trial_sizes_fit_together(first: Any, sizes: Any, side: int) -> None:
    described = (Reader.of(each, "input") for each in (first, second(sizes=sizes)))
    found = [parse_tensor(each, "preprocessing") for each in described]
    shapes = [[trial._size(a, found) for a in each.axes] for each in found]
    assert shapes == [[1, 1, side, side], [1, 2, side, side]]


@pytest.mark.parametrize("tested", [(), (0,), (1,), (0, 1)])
def test_a_trial_of_two_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tested: Any
) -> None:
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))
    size = {"min": 96, "step": 16}
    folder = package_of_two(tmp_path / "model", size)
    values = yaml.safe_load((folder / "rdf.yaml").read_text("utf-8"))
    for number in tested:
        name = f"test_{number}.npy"
        np.save(folder / name, np.zeros((1, number + 1, 112, 112), np.float32))
        values["inputs"][number]["test_tensor"] = {"source": name}
    tiny.write_description(folder, values)
    found = package_.read(folder, tmp_path)
    shown = trial._inputs(found)
    files = [str(folder / f"test_{number}.npy") for number in range(2)]
    assert shown == (files if len(tested) == 2 else ["1,1,96,96", "1,2,96,96"])
    care_runtime.load(found, device="cpu", engine="onnxruntime")


# what is refused


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sizes": {"min": 32, "step": 16}}, r"inputs\[1\]\.axes, y.*one grid"),
        ({"sizes": 64}, r"inputs\[1\]\.axes, y.*64"),
        (
            {"sizes": {"tensor_id": "raw", "axis_id": "y", "offset": 8}},
            r"inputs\[1\]\.axes, y",
        ),
        (
            {"axes": [axis("batch"), {"type": "index", "id": "index", "size": 3}]},
            r"inputs\[1\]\.axes",
        ),
        (
            {"axes": [axis(a) for a in ("batch", "channel", "z", "y", "x")]},
            r"inputs\[1\]\.axes.*BCYX.*BCZYX",
        ),
        ({"axes": [axis("batch", size=3), channel(), *"yx"]}, "batch"),
        ({"id": "raw"}, r"inputs\[1\]\.id"),
        ({"preprocessing": [{"id": "magic"}]}, r"inputs\[1\]\.preprocessing\[0\]"),
        (
            {
                "preprocessing": [
                    steps("scale_range", axes=["y", "x"], reference_tensor="raw")
                ]
            },
            r"inputs\[1\]\.preprocessing\[0\], scale_range, axes.*'raw'.*\(C\)",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_named(
    tmp_path: Path, change: Any, match: str
) -> None:
    more = {key: value for key, value in change.items() if key != "sizes"}
    other = second(sizes=change.get("sizes")) | more
    other["axes"] = [axis(a) if isinstance(a, str) else a for a in other["axes"]]
    targets = [answer(halo=4), answer(halo=4, name="product")]
    folder = package(tmp_path, joint(), [plane(STEPPED), other], *targets)
    with pytest.raises(SpecError, match=match) as error:
        load(folder)
    assert "'of others'" in one_line(error.value)


@pytest.mark.parametrize(
    ("size", "match"),
    [
        (-3, "axes, y: expected a size of 1 or more, found -3"),
        ({"min": -16, "step": 16}, "axes, y: expected a size of 1 or more, found -16"),
        (
            {"tensor_id": "raw", "axis_id": "y", "offset": 8},
            "axes, y: expected a size of its own, found that of 'y' of 'raw'",
        ),
    ],
)
def test_the_input_is_named_that_has_the_size(
    tmp_path: Path, size: Any, match: str
) -> None:
    first = plane(1)
    for known in first["axes"][2:]:
        del known["size"]
    folder = package(tmp_path, joint(), [first, second(sizes=size)], answer(halo=4))
    with pytest.raises(SpecError, match=rf"inputs\[1\]\.{match}"):
        load(folder)


@pytest.mark.parametrize(
    ("images", "axes", "match"),
    [
        (IMAGE, "YX", "raw, mask"),
        ({"raw": IMAGE}, "YX", "raw, mask"),
        ({"raw": IMAGE, "mask": MASK, "more": MASK}, None, "raw, mask.*more"),
        ({"raw": IMAGE, "mask": MASK}, {"raw": "YX", "msk": "CYX"}, "axes.*msk"),
        ({"raw": IMAGE, "mask": MASK}, {"raw": "YX"}, "name the axes"),
        ({"raw": IMAGE, "mask": MASK[:, 1:]}, {"raw": "YX", "mask": "CYX"}, "Y 74"),
        ({"raw": IMAGE, "mask": MASK[0]}, "YX", "'mask'.*2 channels"),
        (
            {"raw": MASK, "mask": MASK},
            "CYX",
            "as many channels.*'mask'.*'raw', found 2 and 2.*by 2 and 1",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(
    tmp_path: Path, images: Any, axes: Any, match: str
) -> None:
    run = load(package_of_two(tmp_path))
    with pytest.raises((AxesError, OptionError), match=match) as error:
        run(images, axes)
    one_line(error.value)


def test_an_optional_input_is_asked_for(tmp_path: Path) -> None:
    folder = package_of_two(tmp_path, optional=True)
    spec = package_.read_folder(folder).spec
    assert Spec.from_dict(spec.to_dict()) == spec
    run = load(folder)
    axes = {"raw": "YX", "mask": "CYX"}
    assert run({"raw": IMAGE, "mask": MASK}, axes).image.shape == IMAGE.shape
    with pytest.raises(OptionError, match="optional"):
        run(IMAGE, "YX")


def test_pixels_of_every_input_are_checked(tmp_path: Path) -> None:
    run = load(package_of_two(tmp_path))
    mask = MASK.copy()
    mask[1, 3, 4] = np.nan
    with pytest.raises(CareError, match="NaN"):
        run({"raw": IMAGE, "mask": mask}, {"raw": "YX", "mask": "CYX"})


def test_a_network_of_other_inputs_than_described(tmp_path: Path) -> None:
    targets = [answer(halo=4), answer(halo=4, name="product")]
    folder = package(tmp_path, joint(), plane(STEPPED), *targets)
    with pytest.raises(EngineError, match="input"):
        load(folder)


def test_what_takes_one_image_refuses_two(tmp_path: Path) -> None:
    pytest.importorskip("dask.array")
    import dask.array

    folder = package_of_two(tmp_path)
    array = dask.array.from_array(IMAGE, chunks=32)
    with pytest.raises(OptionError, match="raw, mask"):
        dask_.restore(array, package_.read_folder(folder), axes="YX", device="cpu")
    with pytest.raises(AxesError, match="2 images together"):
        Mixed(((0, load(folder)),))(IMAGE, "YX")


# the command line


def written(folder: Path) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    raw, mask = folder / "raw.tif", folder / "mask.tif"
    tifffile.imwrite(raw, IMAGE, imagej=True, metadata={"axes": "YX"})
    tifffile.imwrite(mask, MASK, imagej=True, metadata={"axes": "CYX"})
    return raw, mask


def restored(*words: Any) -> Any:
    command = ["restore", "--device", "cpu", *map(str, words)]
    return CliRunner().invoke(main, command)


def test_files_of_several_inputs(tmp_path: Path) -> None:
    folder, out = package_of_two(tmp_path / "model"), tmp_path / "out.tif"
    raw, mask = written(tmp_path)
    words = (raw, "--input", f"mask={mask}", "-m", folder, "-o", out)
    done = restored(*words)
    assert done.exit_code == 0, done.output
    images = {"raw": IMAGE, "mask": MASK}
    whole = load(folder)(images, {"raw": "YX", "mask": "CYX"})
    np.testing.assert_array_equal(tifffile.imread(out), whole.image)
    again = restored(*words, "--resume")
    assert "skipped" in again.output
    done = restored(*words, "--crop", "8:60,4:50", "--overwrite")
    assert done.exit_code == 0, done.output
    assert tifffile.imread(out).shape == (52, 46)


def test_another_second_image_is_another_restoration(tmp_path: Path) -> None:
    folder, out = package_of_two(tmp_path / "model"), tmp_path / "out.tif"
    raw, mask = written(tmp_path)
    words = (raw, "--input", f"mask={mask}", "-m", folder, "-o", out)
    assert restored(*words).exit_code == 0
    tifffile.imwrite(mask, 2 * MASK**2, imagej=True, metadata={"axes": "CYX"})
    done = restored(*words, "--resume")
    assert done.exit_code == 1
    assert "another source" in " ".join(done.output.split())


def test_folders_are_paired_by_name(tmp_path: Path) -> None:
    folder = package_of_two(tmp_path / "model")
    for name in ("raw", "mask"):
        (tmp_path / name).mkdir()
        pixels, axes = (IMAGE, "YX") if name == "raw" else (MASK, "CYX")
        for i in range(2):
            care_runtime.write(tmp_path / name / f"{i}.npy", Image(pixels + i, axes))
    told = "--input", f"mask={tmp_path / 'mask'}", "-m", folder, "-o", tmp_path / "out"
    assert restored(tmp_path / "raw", *told).exit_code == 0
    wanted = load(folder)(
        {"raw": IMAGE + 1, "mask": MASK + 1}, {"raw": "YX", "mask": "CYX"}
    )
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.npy"), wanted.image)
    (tmp_path / "mask" / "1.npy").unlink()
    done = restored(tmp_path / "raw", *told, "--overwrite")
    assert (done.exit_code, "1.npy" in done.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ((), "expected --input mask=IMAGE"),
        (("--input", "msk=MASK"), "expected --input mask=IMAGE"),
        (("--input", "mask"), "ID=IMAGE"),
        (("--input", "mask=MASK", "--input", "mask=MASK"), "ID=IMAGE"),
        (("--input", "mask=-"), "standard input"),
        (("--input", "mask=MASK", "--channel", "0"), "no --channel"),
        (("--input", "mask=MASK", "--watch"), "--watch"),
        (("--input", "mask=MASK", "--dask", "local:1"), "--dask"),
        (("--input", "mask=MASK", "-o", "MASK", "--overwrite"), "would replace"),
    ],
)
def test_what_the_command_line_refuses(
    tmp_path: Path, words: tuple[str, ...], match: str
) -> None:
    folder = package_of_two(tmp_path / "model")
    raw, mask = written(tmp_path)
    told = [word.replace("MASK", str(mask)) for word in words]
    done = restored(raw, "-m", folder, "-o", tmp_path / "out.tif", *told)
    assert done.exit_code in (1, 2), done.output
    assert match in " ".join(done.output.split())


def test_one_input_needs_no_other(tmp_path: Path) -> None:
    raw, mask = written(tmp_path)
    words = "-m", "denoise_widefield", "-o", tmp_path / "out.tif"
    done = restored(raw, "--input", f"mask={mask}", *words)
    assert done.exit_code in (1, 2)
    assert "no --input" in done.output
