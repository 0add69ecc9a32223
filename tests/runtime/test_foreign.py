"""Foreign: packages of others run, or are refused by the name of a field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from onnx import TensorProto, helper
from others import (
    STEPPED,
    answer,
    axis,
    channel,
    convolution,
    convolved,
    info,
    load,
    network,
    package,
    plane,
    same,
    tensor,
)
from tiny import noise, one_line

import care_runtime
from care_runtime import package as package_
from care_runtime.cli import main
from care_runtime.errors import AxesError, CareError, OptionError, SpecError
from care_runtime.spec import Spec
from care_runtime.tiling import line
from care_runtime.verify import verify

BROAD = Path(__file__).parents[3] / "shared" / "third_party" / "unet2d_nuclei_broad"


SIZES = [(40, 50), (9, 100), (64, 64), (130, 33), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
def test_a_fixed_size_is_tiled(tmp_path: Path, size: tuple[int, int]) -> None:
    run = load(package(tmp_path, convolution(32), plane(32), answer(halo=4)))
    image = noise("YX", Y=size[0], X=size[1])
    found = run(image, "YX").image
    assert (found.shape, found.dtype) == (size, np.float32)
    inside = (slice(2, -2), slice(2, -2)) if min(size) >= 32 else (slice(0, 0),)
    np.testing.assert_allclose(
        found[inside], convolved(image)[inside], rtol=1e-4, atol=1e-2
    )


def test_a_fixed_size_without_a_halo(tmp_path: Path) -> None:
    run = load(package(tmp_path, convolution(32), plane(32), answer()))
    image = noise("YX", Y=80, X=70)
    found = run(image, "YX").image[2:-2, 2:-2]
    np.testing.assert_allclose(
        found, convolved(image)[2:-2, 2:-2], rtol=1e-4, atol=1e-2
    )


@pytest.mark.parametrize("size", [STEPPED, {"min": 17, "step": 4}, None])
@pytest.mark.parametrize("halo", [0, 4])
def test_stepped_and_free_sizes(tmp_path: Path, size: Any, halo: int) -> None:
    source = plane(size) if size else plane(1)
    for known in source["axes"][2:] if size is None else ():
        known.pop("size")
    run = load(package(tmp_path, convolution(), source, answer(halo=halo)))
    sizes = []

    def network(x: Any) -> Any:
        sizes.append(x.shape[2:])
        return inner(x)

    inner, run.network = run.network, network
    image = noise("YX", Y=75, X=90)
    found = run(image, "YX", tile=20).image[2:-2, 2:-2]
    np.testing.assert_allclose(
        found, convolved(image)[2:-2, 2:-2], rtol=1e-4, atol=1e-2
    )
    for pixels in (n for shape in sizes for n in shape):
        if size is not None:
            assert (pixels - size["min"]) % size["step"] == 0
            assert pixels >= size["min"]
    if halo and size is not None and size["min"] == 16:
        assert len(sizes) > 1


@pytest.mark.parametrize("size", [1, 5, 31, 32, 33, 57, 64, 100])
@pytest.mark.parametrize(
    ("exact", "halo", "multiple"), [(32, 4, 1), (32, 9, 4), (8, 3, 1)]
)
def test_lines_of_one_size(size: int, exact: int, halo: int, multiple: int) -> None:
    made = line(size, exact=exact, halo=halo, multiple=multiple, tile=5)
    written: list[int] = []
    for cut in made.cuts:
        assert cut.read.stop - cut.read.start == exact
        assert 0 <= cut.read.start <= cut.read.stop <= made.padded
        written += range(cut.write.start, cut.write.stop)
        assert cut.keep.stop - cut.keep.start == cut.write.stop - cut.write.start
        assert cut.read.start + cut.keep.start - made.before == cut.write.start
        if cut.read.start > 0:
            assert cut.keep.start >= halo
        if cut.read.stop < made.padded:
            assert exact - cut.keep.stop >= halo
    assert written == list(range(size))


def test_steps_before_and_after(tmp_path: Path) -> None:
    before = [
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}},
    ]
    after = [
        {"id": "sigmoid"},
        {"id": "scale_mean_variance", "kwargs": {"reference_tensor": "raw"}},
    ]
    run = load(
        package(tmp_path, convolution(), plane(STEPPED, *before), answer(*after))
    )
    image = noise("TYX", T=2, Y=32, X=48)
    found = run(image, "TYX").image
    for plane_, result in zip(image.astype(float), found, strict=True):
        x = (plane_ - plane_.mean()) / (plane_.std() + 1e-6)
        y = 1 / (1 + np.exp(-convolved(x)))
        y = (y - y.mean()) / (y.std() + 1e-6) * plane_.std() + plane_.mean()
        np.testing.assert_allclose(result, y, rtol=1e-3, atol=1e-2)


GAIN = {"id": "scale_linear", "kwargs": {"gain": 0.1}}
FLOATS = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}


@pytest.mark.parametrize(
    ("steps", "data", "whole"),
    [
        ([], {"type": "int16"}, True),
        ([GAIN], {"type": "int16"}, True),
        ([GAIN], [{"type": "int16"}], True),
        ([GAIN], {"values": list(range(200))}, True),  # which are uint8
        ([GAIN, FLOATS], {"type": "int16"}, False),
        ([GAIN], {"unit": "arbitrary unit"}, False),
    ],
)
def test_outputs_get_the_type_of_their_description(
    tmp_path: Path, steps: list[Any], data: Any, whole: bool
) -> None:
    """The format says that all steps end with it, if they do not do so themselves."""
    target = answer(*steps) | {"data": data}
    run = load(package(tmp_path, convolution(), plane(STEPPED, GAIN), target))
    image = noise("YX", Y=32, X=32)
    expected = convolved(0.1 * np.float32(image)) * (0.1 if GAIN in steps else 1)
    found = run(image, "YX").image
    # What is a whole number but for a hair goes either way.
    sure = np.abs(expected - np.rint(expected)) > 1e-3
    if "values" in data:
        sure &= (expected > 0) & (expected < 255)
    assert sure.mean() > 0.2
    expected = np.trunc(expected) if whole else expected
    np.testing.assert_allclose(found[sure], expected[sure], rtol=1e-5, atol=1e-4)


def test_inputs_get_the_type_of_the_network(tmp_path: Path) -> None:
    """Cast to that of the image, which is described, they would be another type."""
    source = plane(STEPPED, GAIN) | {"data": {"type": "uint16"}}
    run = load(package(tmp_path, convolution(), source, answer()))
    image = noise("YX", Y=32, X=32)
    expected = convolved(image * np.float32(0.1))
    np.testing.assert_allclose(run(image, "YX").image, expected, rtol=1e-4, atol=1e-2)


def test_percentiles_of_a_person_come_first(tmp_path: Path) -> None:
    step = {"id": "scale_linear", "kwargs": {"gain": 5.0}}
    run = load(package(tmp_path, convolution(), plane(STEPPED, step), answer()))
    image = noise("YX", Y=32, X=32)
    np.testing.assert_allclose(
        run(image, "YX").image, convolved(5.0 * image), rtol=1e-4, atol=0.1
    )
    low, high = np.percentile(image, (1, 99))
    np.testing.assert_allclose(
        run(image, "YX", normalize="1,99").image,
        convolved((image - low) / (high - low)),
        atol=1e-4,
    )


def test_a_channel_last_graph_of_several_outputs(tmp_path: Path) -> None:
    shape = ["b", "y", "x", 3]
    nodes = [
        helper.make_node("Mul", ["rgb", "w"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "last"], ["grey"]),
        helper.make_node("Neg", ["rgb"], ["negative"]),
    ]
    weights = {"w": np.float32([1, 2, 4]), "last": np.int64([3])}
    targets = [info("negative", shape), info("grey", ["b", "y", "x", 1])]
    model = network(nodes, info("rgb", shape), targets, weights)
    source = tensor(
        "raw", axis("batch"), *(axis(a, size=STEPPED) for a in "yx"), channel(3)
    )
    space = [same(a) for a in "yx"]
    first = tensor("inverse", axis("batch"), *space, channel(3))
    second = tensor("sum", axis("batch"), *space, channel())
    folder = package(tmp_path, model, source, first, second)
    image = noise("CYX", "uint8", C=3, Y=20, X=31)
    restored = load(folder)(image, "CYX")
    np.testing.assert_array_equal(restored.outputs["inverse"], -image.astype("f4"))
    total = (image.astype("f4") * np.float32([1, 2, 4])[:, None, None]).sum(0)
    np.testing.assert_array_equal(restored.outputs["sum"].squeeze(), total)
    only = load(folder, outputs=["sum"])(image, "CYX")
    np.testing.assert_array_equal(only.image.squeeze(), total)
    with pytest.raises(AxesError, match="3 channels"):
        load(folder)(image[0], "YX")


@pytest.mark.parametrize("letters", ["yx", "xy", "byx", "cyx", "yxc", "zyx", "bxyzc"])
def test_any_axes_in_any_order(tmp_path: Path, letters: str) -> None:
    names = {"b": "batch", "c": "channel"}
    node = helper.make_node("Neg", ["a"], ["b"])
    shape = [1 if a in "bc" else a for a in letters]
    model = network([node], info("a", shape), [info("b", shape)])
    known = {"b": axis("batch"), "c": channel()}
    source = tensor("raw", *(known.get(a) or axis(a, size=STEPPED) for a in letters))
    target = tensor("out", *(known.get(a) or same(names.get(a, a)) for a in letters))
    run = load(package(tmp_path, model, source, target))
    image = noise("TZYX", T=2, Z=3, Y=20, X=40)
    found = run(image, "TZYX")
    np.testing.assert_array_equal(found.image, -image.astype("f4"))
    assert found.axes == "TZYX"


@pytest.mark.parametrize("kind", ["UINT8", "FLOAT16", "DOUBLE", "INT64"])
def test_networks_of_other_types(tmp_path: Path, kind: str) -> None:
    number = getattr(TensorProto, kind)
    shape = [1, 1, "y", "x"]
    node = helper.make_node("Identity", ["a"], ["b"])
    model = network([node], info("a", shape, number), [info("b", shape, number)])
    run = load(package(tmp_path, model, plane(STEPPED), answer()))
    image = noise("YX", Y=20, X=40)
    np.testing.assert_array_equal(run(image, "YX").image, image)


# format 0.4


def old(**more: Any) -> dict[str, Any]:
    source = {
        "name": "raw",
        "axes": "bcyx",
        "data_type": "float32",
        "shape": {"min": [1, 1, 32, 32], "step": [0, 0, 16, 16]},
        "preprocessing": [
            {
                "name": "scale_range",
                "kwargs": {
                    "mode": "per_sample",
                    "axes": "yx",
                    "min_percentile": 1,
                    "max_percentile": 99.8,
                },
            }
        ],
    }
    target = {
        "name": "out",
        "axes": "bcyx",
        "data_type": "float32",
        "halo": [0, 0, 8, 8],
        "shape": {"reference_tensor": "raw", "scale": [1] * 4, "offset": [0] * 4},
        "postprocessing": [
            {"name": "clip", "kwargs": {"min": 0.0, "max": 0.5}},
            {"name": "scale_linear", "kwargs": {"gain": 2.0, "offset": 1.0}},
        ],
    }
    return {
        "format_version": "0.4.10",
        "inputs": [source],
        "outputs": [target],
        "test_inputs": ["in.npy"],
        "test_outputs": ["out.npy"],
        **more,
    }


def test_format_0_4(tmp_path: Path) -> None:
    folder = package(tmp_path, convolution(), [], **old())
    image = noise("YX", Y=96, X=64)
    low, high = np.percentile(image, (1, 99.8))
    expected = convolved((image - low) / (high - low)).clip(0, 0.5) * 2 + 1
    np.save(folder / "in.npy", image[None, None])
    np.save(folder / "out.npy", expected[None, None].astype(np.float32))
    run = load(folder)
    np.testing.assert_allclose(run(image, "YX").image, expected, atol=1e-5)
    tiled = run(image, "YX", tile=16).image
    np.testing.assert_allclose(tiled[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-5)
    found = package_.read_folder(folder)
    assert verify(found, run.network).test["out"] < 1e-5  # type: ignore[arg-type]


def test_modes_of_format_0_4(tmp_path: Path) -> None:
    """Of a whole data set without axes, and of numbers without a mode."""
    image, fixed = noise("YX", Y=32, X=32), {"mean": [100.0], "std": [10.0]}
    cases = [
        ({"mode": "per_dataset"}, (image - image.mean()) / (image.std() + 1e-6)),
        ({**fixed, "axes": "yx"}, (image - 100.0) / 10),
        ({**fixed, "axes": "yx", "mode": "fixed"}, (image - 100.0) / 10),
    ]
    for number, (kwargs, expected) in enumerate(cases):
        description = old()
        step = {"name": "zero_mean_unit_variance", "kwargs": kwargs}
        description["inputs"][0]["preprocessing"] = [step]
        description["outputs"][0]["postprocessing"] = []
        folder = package(tmp_path / str(number), convolution(), [], **description)
        found = load(folder)(image, "YX").image
        np.testing.assert_allclose(found, convolved(expected), atol=1e-4)


def test_descriptions_of_any_name(tmp_path: Path) -> None:
    folder = package(tmp_path, convolution(), [], **old())
    (folder / "rdf.yaml").rename(folder / "nuclei.bioimageio.yaml")
    assert package_.read(folder, tmp_path / "cache").spec.format == "0.4.10"


@pytest.mark.parametrize(
    ("type_", "gain", "off", "passed"),
    [
        ("uint8", 100, 1, True),
        ("uint8", 100, 2, False),
        ("int16", 100, 1, True),
        ("uint8", 10, 1, False),  # the next one of a few classes is another
        ("float32", 100, 1, False),
    ],
)
def test_whole_numbers_may_differ_by_one(
    tmp_path: Path, type_: str, gain: float, off: int, passed: bool
) -> None:
    values = old()
    step = {"name": "scale_linear", "kwargs": {"gain": gain, "offset": 50.0}}
    values["outputs"][0] |= {"data_type": type_, "postprocessing": [step]}
    folder = package(tmp_path, convolution(), [], **values)
    image = noise("YX", Y=96, X=64)
    np.save(folder / "in.npy", image[None, None])
    expected = load(folder)(image, "YX").image
    expected[5, 7] += off
    np.save(folder / "out.npy", expected[None, None].astype(type_))
    result = CliRunner().invoke(main, ["verify", str(folder)])
    assert result.exit_code == (0 if passed else 1), result.output
    may = type_ != "float32" and gain == 100
    assert ("whole numbers, may differ by one (0.0" in result.stdout) is may


def test_types_of_format_0_4(tmp_path: Path) -> None:
    """Networks get floats of any image, and give back what is said of the output."""
    values = old()
    values["inputs"][0]["data_type"] = "uint16"
    values["outputs"][0] |= {
        "data_type": "uint8",
        "postprocessing": [
            {"name": "scale_linear", "kwargs": {"gain": 100.0, "offset": 50.0}}
        ],
    }
    run = load(package(tmp_path, convolution(), [], **values))
    image = noise("YX", Y=96, X=64)
    low, high = np.percentile(image, (1, 99.8))
    expected = convolved((image - low) / (high - low)) * 100 + 50
    sure = np.abs(expected - np.rint(expected)) > 1e-3
    sure &= (expected > 0) & (expected < 255)
    found = run(image, "YX").image
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(found[sure], np.trunc(expected[sure]))


@pytest.mark.parametrize(
    ("axes", "count", "match"),
    [
        ("cx", 96, ""),  # along y
        ("xc", 96, ""),
        ("yx", 1, ""),
        ("cyx", 1, ""),
        (
            "cx",
            2,
            r"inputs\[0\]\.preprocessing\[0\], scale_linear, gain: .*96.*found 2",
        ),
        ("yx", 3, r"inputs\[0\]\.preprocessing\[0\], scale_linear, gain: .*1 places"),
        ("x", 3, r"inputs\[0\]\.preprocessing\[0\], scale_linear, axes"),
    ],
)
def test_numbers_along_an_axis_of_format_0_4(
    tmp_path: Path, axes: str, count: int, match: str
) -> None:
    """There, the axes are named that share a number."""
    gain = [round(1 + 0.01 * i, 2) for i in range(count)]
    values, size = old(), {"shape": [1, 1, 96, 64]}
    step = {"name": "scale_linear", "kwargs": {"axes": axes, "gain": gain}}
    values["inputs"][0] |= size | {"preprocessing": [step]}
    values["outputs"][0] |= size | {"postprocessing": []}
    folder = package(tmp_path, convolution(), [], **values)
    if match:
        with pytest.raises(SpecError, match=match) as error:
            load(folder)
        one_line(error.value)
        return
    image = noise("YX", Y=96, X=64)
    expected = convolved(image * np.array(gain)[:, None])
    found = load(folder)(image, "YX").image
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("axis_", ["batch", "z"])
def test_numbers_along_an_axis_that_is_none(tmp_path: Path, axis_: str) -> None:
    step = {"id": "scale_linear", "kwargs": {"axis": axis_, "gain": [1.0, 2.0]}}
    folder = package(tmp_path, convolution(), plane(STEPPED), answer(step))
    with pytest.raises(SpecError, match=r"outputs\[0\]\.postprocessing\[0\].*, axis"):
        load(folder)


def test_channels_of_format_0_4() -> None:
    values = old(name="old", weights={"onnx": {"source": "w.onnx"}})
    values["inputs"][0]["shape"] = [1, 3, 64, 64]
    spec = Spec.from_dict(values)
    assert (spec.input.channels, spec.outputs[0].channels) == (3, 3)
    values["inputs"][0]["shape"] = [1, 10**12, 64, 64]
    with pytest.raises(SpecError, match="channels"):
        Spec.from_dict(values)


# what cannot be run


def changed(**more: Any) -> Any:
    return lambda source, target: (source | more, target)


def on(letter: int, **more: Any) -> Any:
    """Change an axis of the output."""

    def change(source: Any, target: Any) -> Any:
        target["axes"][letter] |= more
        return source, target

    return change


def onto(letter: int, **more: Any) -> Any:
    def change(source: Any, target: Any) -> Any:
        source["axes"][letter] |= more
        return source, target

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            changed(preprocessing=[{"id": "magic"}]),
            r"inputs\[0\]\.preprocessing\[0\], magic",
        ),
        (
            lambda s, t: (s, t | {"postprocessing": [{"id": "stardist"}]}),
            r"outputs\[0\]\.postprocessing\[0\], stardist",
        ),
        (onto(0, size=4), r"inputs\[0\]\.axes, batch"),
        (onto(2, size=0), r"inputs\[0\]\.axes, y"),
        (onto(1, type="time", id="time"), "BTYX"),
        (onto(1, type="index", id="index"), r"axes"),
        (on(2, scale=0.5), r"outputs\[0\]\.axes, y.*scale"),
        (on(2, size={"tensor_id": "raw", "axis_id": "y", "offset": -4}), "offset"),
        (on(2, size=7), r"outputs\[0\]\.axes, y.*7"),
        (on(2, halo=-4), r"outputs\[0\]\.axes, y, halo"),
        (onto(2, size=10**10), r"inputs\[0\]\.axes: .*y 10000000000 x"),
        (onto(2, size={"min": 16, "step": 10**12}), r"inputs\[0\]\.axes: expected"),
        (onto(2, size={"min": 10**30, "step": 10**30}), r"inputs\[0\]\.axes: expected"),
        (on(2, type="index", id="i"), r"outputs\[0\]\.axes, i.*index"),
        (on(2, id="z"), r"outputs\[0\]\.axes, z"),
        (
            lambda s, t: (s, t | {"data": {"type": "complex64"}}),
            r"outputs\[0\]\.data, type.*complex64",
        ),
    ],
)
def test_what_is_refused_is_named(tmp_path: Path, change: Any, match: str) -> None:
    source, target = change(plane(STEPPED), answer())
    folder = package(tmp_path, convolution(), source, target)
    with pytest.raises(SpecError, match=match) as error:
        load(folder)
    assert "'of others'" in one_line(error.value)


@pytest.mark.parametrize(
    "words", [("info",), ("restore", "a.npy", "-o", "b.npy", "-m")]
)
def test_descriptions_cannot_speak_for_us(tmp_path: Path, words: Any) -> None:
    """Neither lines of their own nor signs that a terminal obeys are shown."""
    evil = "x\nerror: \x1b[2J\x1b]0;title\x07\u202e"
    more = {"description": evil, "license": evil, "cite": [evil, 5, {"text": evil}]}
    source, target = plane(STEPPED), answer()
    if words[0] == "restore":  # it is refused, and named
        target["axes"][2]["id"] = evil
    folder = package(tmp_path / "p", convolution(), source, target, **more)
    np.save(tmp_path / "a.npy", noise("YX", Y=16, X=16))
    named = [str(tmp_path / w) if w.endswith(".npy") else w for w in words]
    result = CliRunner().invoke(main, [*named, str(folder)])
    assert isinstance(result.exception, SystemExit | None)
    assert not set("\x1b\x07\u202e") & set(result.output)
    begun = [line for line in result.output.splitlines() if line.startswith("error")]
    assert len(begun) == result.exit_code == (words[0] == "restore")


def test_tensors_need_no_ids(tmp_path: Path) -> None:
    source, target = plane(None), answer(halo=4)
    for each in (source, target):
        del each["id"]
    for each in target["axes"][2:]:
        each["size"]["tensor_id"] = "input"
    run = load(package(tmp_path, convolution(), source, target))
    image = noise("YX", Y=40, X=50)
    assert list(run(image, "YX").outputs) == ["output"]


def test_a_volume_out_of_a_plane_is_named(tmp_path: Path) -> None:
    target = answer()
    target["axes"].insert(2, axis("z", size=9))
    folder = package(tmp_path, convolution(), plane(STEPPED), target)
    where = r"outputs\[0\]\.axes, z: expected an axis of space that the input has"
    with pytest.raises(SpecError, match=where):
        load(folder)


def test_no_step_measures_another_output(tmp_path: Path) -> None:
    step = {"id": "scale_range", "kwargs": {"reference_tensor": "out"}}
    targets = [answer(), answer(step, name="second")]
    folder = package(tmp_path, convolution(), plane(STEPPED), *targets)
    where = r"outputs\[1\]\.postprocessing\[0\], scale_range: reference_tensor.*'out'"
    with pytest.raises(SpecError, match=where):
        load(folder)


def test_what_no_distribution_has(tmp_path: Path) -> None:
    run = load(package(tmp_path, convolution(), plane(STEPPED), answer()))
    with pytest.raises(OptionError, match="no distribution"):
        run(noise("YX", Y=32, X=32), "YX", trust=care_runtime.Trust(confidence=0.9))


# the command line, and a package that is real


def test_the_command_line(tmp_path: Path) -> None:
    step = {"id": "scale_linear", "kwargs": {"gain": 2.0}}
    folder = package(
        tmp_path / "model", convolution(), plane(STEPPED, step), answer(name="sum")
    )
    tifffile.imwrite(tmp_path / "a.tif", noise("YX", Y=40, X=50))

    def run(*words: Any) -> Any:
        return CliRunner().invoke(main, [str(word) for word in words])

    out = tmp_path / "out.tif"
    result = run("restore", tmp_path / "a.tif", "-m", folder, "-o", out)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert tifffile.imread(out).shape == (40, 50)
    assert run("info", folder).exit_code == 0
    result = run("verify", folder)
    assert result.exit_code == 1
    assert "test tensor" in result.stderr
    result = run(
        "restore", tmp_path / "a.tif", "-m", folder, "-o", out, "--outputs", "x"
    )
    assert result.exit_code == 2
    assert "sum" in result.stderr


@pytest.mark.skipif(not BROAD.is_dir(), reason=f"{BROAD} is not on this machine")
def test_the_nuclei_of_the_broad_institute() -> None:
    found = package_.read(BROAD, BROAD)
    run = care_runtime.load(found, device="cpu")
    image, expected = (
        np.load(BROAD / f"test_{side}.npy")[0, 0] for side in ("input", "output")
    )
    restored = run(image, "YX").image
    assert np.abs(restored - expected).max() < 1e-4
    assert verify(found, run.network).passed  # type: ignore[arg-type]


def test_errors_of_others_are_ours(tmp_path: Path) -> None:
    """A network that is not the one that is described."""
    run = load(package(tmp_path, convolution(24), plane(32), answer()))
    with pytest.raises(CareError, match="expected") as error:
        run(noise("YX", Y=32, X=32), "YX")
    one_line(error.value)
