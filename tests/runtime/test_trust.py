"""Trust: bounds, random draws and masks of probabilistic networks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny
from tiny import facts, noise, one_line

from care_runtime import Image, Restorer, Trust
from care_runtime.care import Output
from care_runtime.errors import BlankImageWarning, OptionError
from care_runtime.tensor import ReferenceSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from care_runtime.spec import Spec

    Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]

GREY = "values:100,300"
LOW, WIDTH = 100, 200
UNDO = {
    "mean": "affine",
    "scale": "scale",
    "std": "scale",
    "disagreement": "none",
    "member_mean": "affine",
    "member_scale": "scale",
}
ALL = Trust(confidence=0.9, samples=3, seed=4, flag=0.3)


# networks


def spec(*names: str, channels: int = 1, members: int = 2, **care: Any) -> Spec:
    """Describe a network of 2-D images with these outputs."""
    size = {a: ReferenceSize("input", a) for a in "yx"}
    outputs = []
    for name in names:
        count = channels * (members if name.startswith("member") else 1)
        outputs.append(tiny.tensor(name, "yx", count, size=size))
    roles = {name: Output(name, UNDO[name]) for name in names}
    made = tiny.spec("laplace", outputs=roles, **care)
    source = tiny.tensor(
        "input", "yx", channels, size=dict.fromkeys("yx", made.input.axes[2].size)
    )
    return replace(made, inputs=(source,), outputs=tuple(outputs))


def single(
    network: Network | None = None, *, channels: int = 1, **care: Any
) -> Restorer:
    """Predict one Laplace distribution: the input, and a scale that grows with it."""
    ask = network or (lambda x: [x, np.float32(0.1) + np.float32(0.2) * np.abs(x)])
    return Restorer(spec("mean", "scale", channels=channels, **care), ask)


def side_by_side(
    x: NDArray[np.float32], values: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Order members as in a package: all of one channel, then all of the next."""
    stacked = np.stack(values, axis=2)
    return stacked.reshape(len(x), -1, *x.shape[2:]).astype(np.float32)


def ensemble(
    *, gap: float = 0.25, width: float = 0.05, channels: int = 1, **care: Any
) -> Restorer:
    """Predict two distributions `gap` to each side of the input."""

    def ask(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        means = [x - np.float32(gap), x + np.float32(gap)]
        scales = [np.full_like(x, width)] * 2
        std = np.full_like(x, np.sqrt(gap**2 + 2 * width**2))
        doubt = np.clip(np.abs(x), 0, 1)
        return [
            x,
            std,
            doubt,
            side_by_side(x, means),
            side_by_side(x, scales),
        ]

    names = "mean", "std", "disagreement", "member_mean", "member_scale"
    return Restorer(spec(*names, channels=channels, **care), ask)


def frame(y: int = 37, x: int = 41, seed: int = 0) -> NDArray[np.float32]:
    return noise("YX", "float32", seed, Y=y, X=x) + np.float32(50)


# bounds


@pytest.mark.parametrize("confidence", [0.01, 0.5, 0.9, 0.999])
def test_bounds_of_one_network_are_in_closed_form(confidence: float) -> None:
    image = frame()
    trust = Trust(confidence=confidence)
    found = single()(image, "YX", normalize=GREY, trust=trust).outputs
    scale = WIDTH * (0.1 + 0.2 * np.abs((image - LOW) / WIDTH))
    reach = -np.log(1 - confidence) * scale
    np.testing.assert_allclose(found["mean"], image, rtol=1e-5)
    np.testing.assert_allclose(found["scale"], scale, rtol=1e-5)
    np.testing.assert_allclose(found["lower"], image - reach, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found["upper"], image + reach, rtol=1e-4, atol=1e-3)
    assert (found["lower"] <= found["mean"]).all()
    assert (found["mean"] <= found["upper"]).all()


def test_bounds_of_equal_members_are_those_of_one() -> None:
    image, width = frame(), 0.05
    found = ensemble(gap=0, width=width)(
        image, "YX", normalize=GREY, trust=Trust(confidence=0.8)
    ).outputs
    reach = -np.log(0.2) * width * WIDTH
    np.testing.assert_allclose(found["lower"], image - reach, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found["upper"], image + reach, rtol=1e-4, atol=1e-3)


def test_bounds_of_far_members_hold_both() -> None:
    image, gap, width = frame(), 2.0, 0.01
    found = ensemble(gap=gap, width=width)(
        image, "YX", normalize=GREY, trust=Trust(confidence=0.9)
    ).outputs
    # A tail of 5 % of both is one of 10 % of the outer member.
    reach = WIDTH * (gap - width * np.log(2 * 0.1))
    np.testing.assert_allclose(found["lower"], image - reach, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found["upper"], image + reach, rtol=1e-4, atol=1e-3)


def test_bounds_have_the_type_and_calibration_of_the_image() -> None:
    source = Image(
        noise("YX", Y=20, X=21), "YX", {"Y": 0.1, "X": 0.1}, "µm", flavour="ome"
    )
    restored = single()(source, trust=replace(ALL, samples=0))
    for name in ("mean", "lower", "upper"):
        assert restored.outputs[name].dtype == np.uint16
    assert restored.outputs["scale"].dtype == np.float32
    assert restored.outputs["flag"].dtype == np.uint8
    for image in restored.images.values():
        assert facts(image) == facts(source)
    assert restored.provenance["confidence of lower and upper"] == "0.9"


# tiles


@pytest.mark.parametrize("make", [single, ensemble])
@pytest.mark.parametrize("tile", [7, {"y": 5, "x": 16}, {"x": 3}])
def test_tiled_is_whole(make: Callable[[], Restorer], tile: Any) -> None:
    image, run = frame(), make()
    whole = run(image, "YX", tile="whole", trust=ALL)
    tiled = run(image, "YX", tile=tile, trust=ALL)
    assert set(whole.outputs) >= {"lower", "upper", "samples", "flag"}
    assert set(tiled.outputs) == set(whole.outputs)
    for name, pixels in whole.outputs.items():
        np.testing.assert_array_equal(tiled.outputs[name], pixels, name, strict=True)
    assert tiled.flagged == whole.flagged


# draws


def test_a_seed_is_a_draw() -> None:
    image, run = frame(), single()

    def draw(seed: int, samples: int = 3) -> NDArray[Any]:
        trust = Trust(samples=samples, seed=seed)
        return run(image, "YX", trust=trust).outputs["samples"]

    np.testing.assert_array_equal(draw(5), draw(5))
    np.testing.assert_array_equal(draw(5, samples=2), draw(5)[:2])
    planes = [*draw(5), *draw(6)]
    for i, plane in enumerate(planes):
        for other in planes[i + 1 :]:
            assert np.mean(plane == other) < 0.01


def test_frames_planes_and_channels_are_drawn_on_their_own() -> None:
    image = np.broadcast_to(frame(20, 20), (2, 2, 2, 20, 20))
    restored = single()(image, "TZCYX", trust=Trust(samples=2))
    samples = restored.images["samples"]
    assert (samples.axes, samples.pixels.shape) == ("STZCYX", (2, *image.shape))
    planes = samples.pixels.reshape(-1, 400)
    for i, plane in enumerate(planes):
        assert all(np.mean(plane == other) < 0.05 for other in planes[i + 1 :])


def test_draws_have_the_predicted_width() -> None:
    image = frame(60, 60)
    run = single(lambda x: [x, np.full_like(x, 0.1)])
    drawn = run(image, "YX", normalize=GREY, trust=Trust(samples=4)).outputs["samples"]
    errors = (drawn - image) / (0.1 * WIDTH)
    assert abs(errors.mean()) < 0.05
    assert abs(np.abs(errors).mean() - 1) < 0.05
    lower = np.mean(errors < np.log(0.2))
    assert abs(lower - 0.1) < 0.01


def test_draws_of_two_far_members_have_two_modes() -> None:
    image = frame(60, 60)
    run = ensemble(gap=1, width=0.01)
    drawn = run(image, "YX", normalize=GREY, trust=Trust(samples=4)).outputs["samples"]
    errors = (drawn - image) / WIDTH
    assert np.mean(np.abs(np.abs(errors) - 1) < 0.1) > 0.99  # a Gaussian has 5 % there
    assert np.mean(np.abs(errors) < 0.5) == 0  # and 38 % here
    assert abs(np.mean(errors > 0) - 0.5) < 0.03
    assert abs(errors.std() - 1) < 0.01


@pytest.mark.parametrize("axes", ["YX", "XY", "ZYX", "YXC", "TZCYX"])
def test_samples_lie_along_s(axes: str) -> None:
    image = noise(axes, "float32", T=2, Z=2, C=2, Y=9, X=8)
    restored = single()(image, axes, trust=Trust(samples=2, confidence=0.5))
    samples = restored.images["samples"]
    assert samples.axes == "S" + axes
    assert samples.pixels.shape == (2, *image.shape)
    assert restored.axes == axes
    assert restored.provenance["samples"] == "2, seed 0"


def test_an_image_of_samples_has_no_draws() -> None:
    image, run = noise("SYX", "float32", S=2, Y=9, X=8), single()
    with pytest.raises(OptionError, match="axis S") as error:
        run(image, "SYX", trust=Trust(samples=1))
    one_line(error.value)
    assert "lower" in run(image, "SYX", trust=Trust(confidence=0.5)).outputs


# masks


def test_disagreement_of_an_ensemble_is_flagged() -> None:
    image = frame()
    restored = ensemble()(image, "YX", normalize=GREY, trust=Trust(flag=0.3))
    found = restored.outputs
    expected = found["disagreement"] > 0.3
    np.testing.assert_array_equal(found["flag"], np.where(expected, 255, 0))
    assert restored.flagged == pytest.approx(expected.mean())
    assert 0 < restored.flagged < 1
    assert "disagreement > 0.3" in restored.provenance["flagged"]


@pytest.mark.parametrize("asked", [Trust(flag=0.3), Trust(flag_scale=0.3)])
def test_a_flag_needs_no_more_than_it_compares(asked: Trust) -> None:
    """The command line computes what is needed, and asks the network of that alone."""
    whole = ensemble().spec
    needed = asked.needs(whole)
    fewer = replace(whole, outputs=tuple(t for t in whole.outputs if t.id in needed))
    assert len(fewer.outputs) == 2
    assert asked.readouts(fewer) == asked.readouts(whole)


def test_what_is_not_predicted_cannot_be_flagged() -> None:
    found = spec("mean", "disagreement")
    assert Trust(flag=0.3).needs(found) == ("mean", "disagreement")
    with pytest.raises(OptionError, match="no distribution") as error:
        Trust(flag_scale=0.3).needs(found)
    one_line(error.value)


def test_scale_of_one_network_is_flagged() -> None:
    image = frame()
    for trust in (Trust(flag=0.1537), Trust(flag_scale=0.1537)):
        restored = single()(image, "YX", normalize=GREY, trust=trust)
        found = restored.outputs
        expected = found["scale"] > 0.1537 * WIDTH
        np.testing.assert_array_equal(found["flag"], np.where(expected, 255, 0))
        assert restored.flagged == pytest.approx(expected.mean())
        assert 0 < restored.flagged < 1
        assert "relative scale > 0.1537" in restored.provenance["flagged"]


def test_an_ensemble_is_flagged_by_either() -> None:
    image = frame()
    wide = Trust(flag=1, flag_scale=0.01)
    assert ensemble()(image, "YX", trust=wide).flagged == 1
    narrow = Trust(flag=1, flag_scale=10)
    assert ensemble()(image, "YX", trust=narrow).flagged == 0


@pytest.mark.parametrize("make", [single, ensemble])
def test_brightness_alone_flags_nothing(make: Callable[[], Restorer]) -> None:
    image, run = frame(), make()
    expected = run(image, "YX", trust=Trust(flag=0.2)).outputs["flag"]
    for factor, offset in ((8, 0), (1, 512), (0.125, 0)):
        other = image * np.float32(factor) + np.float32(offset)
        found = run(other, "YX", trust=Trust(flag=0.2)).outputs["flag"]
        np.testing.assert_array_equal(found, expected)
    assert 0 < np.mean(expected == 255) < 1


def test_nothing_is_flagged_unasked() -> None:
    restored = single()(frame(), "YX", trust=Trust(confidence=0.9, samples=1))
    assert restored.flagged is None
    assert "flagged" not in restored.provenance
    assert "flag" not in restored.outputs


# channels


def test_channels_read_together_are_undone_on_their_own() -> None:
    image = noise("CYX", "float32", C=2, Y=30, X=31)
    image[1] = 50 * image[0] + 3000
    trust = Trust(confidence=0.9, samples=2, flag=0.5)
    restored = ensemble(channels=2)(image, "CYX", trust=trust)
    found = restored.outputs
    assert found["member_mean"].shape == (4, 30, 31)
    np.testing.assert_allclose(found["mean"], image, rtol=1e-4, atol=1e-2)
    for name in ("mean", "lower", "upper"):
        np.testing.assert_allclose(
            found[name][1], 50 * found[name][0] + 3000, rtol=1e-3, atol=0.1
        )
    for name in ("member_mean", "member_scale", "std"):
        half = len(found[name]) // 2
        offset = 3000 if name == "member_mean" else 0
        np.testing.assert_allclose(
            found[name][half:], 50 * found[name][:half] + offset, rtol=1e-3, atol=0.1
        )
    low, high = found["member_mean"][0], found["member_mean"][1]
    np.testing.assert_allclose((low + high) / 2, image[0], rtol=1e-4, atol=1e-2)
    assert (low < high).all()
    np.testing.assert_array_equal(found["flag"][0], found["flag"][1])
    assert found["samples"].shape == (2, 2, 30, 31)
    apart = np.abs(found["samples"][:, 1] - image[1]).mean()
    near = np.abs(found["samples"][:, 0] - image[0]).mean()
    assert apart / near == pytest.approx(50, rel=0.1)


# what is returned


def test_the_first_output_is_the_main_image() -> None:
    image, run = frame(), ensemble()
    restored = run(image, "YX", outputs=["disagreement"])
    assert (restored.main, set(restored.outputs)) == ("disagreement", {"disagreement"})
    assert restored.image.dtype == np.float32
    assert 0 <= restored.image.min() <= restored.image.max() <= 1
    np.testing.assert_array_equal(
        restored.image, run(image, "YX").outputs[restored.main]
    )
    both = run(image, "YX", outputs=["std", "mean"], trust=Trust(confidence=0.5))
    assert (both.main, [*both.outputs]) == ("std", ["std", "mean", "lower", "upper"])


@pytest.mark.parametrize("names", [["skale"], ["mean", "lower"], []])
def test_outputs_that_are_none(names: list[str]) -> None:
    with pytest.raises(OptionError, match="mean, scale") as error:
        single()(frame(), "YX", outputs=names)
    one_line(error.value)


def test_trust_needs_few_outputs() -> None:
    many = ensemble().spec
    assert Trust().needs(many) == ()
    assert Trust(flag=0.1).needs(many) == ("mean", "disagreement")
    assert Trust(flag_scale=0.1).needs(many) == ("mean", "std")
    members = ("mean", "member_mean", "member_scale")
    assert Trust(confidence=0.5).needs(many) == members
    assert Trust(flag=0.1).needs(single().spec) == ("mean", "scale")
    assert Trust(samples=1).needs(single().spec) == ("mean", "scale")


# blank frames


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("make", [single, ensemble])
def test_a_blank_frame_has_no_doubt(make: Callable[[], Restorer], dtype: str) -> None:
    image = np.full((20, 21), 117, dtype)
    with pytest.warns(BlankImageWarning):
        restored = make()(image, "YX", trust=ALL)
    found = restored.outputs
    for name in ("mean", "lower", "upper", "samples"):
        assert (found[name] == 117).all(), name
    for name in {"scale", "std", "disagreement", "flag"} & set(found):
        assert (found[name] == 0).all(), name
    assert restored.flagged == 0


def test_a_blank_channel_of_two_has_no_doubt() -> None:
    image = noise("CYX", "float32", C=2, Y=20, X=21)
    image[1] = 117
    with pytest.warns(BlankImageWarning, match="^1 frame"):
        restored = ensemble(channels=2)(image, "CYX", trust=ALL)
    found = restored.outputs
    for name in ("mean", "lower", "upper"):
        assert (found[name][1] == 117).all(), name
        assert np.ptp(found[name][0]) > 100, name
    assert (found["samples"][:, 1] == 117).all()
    assert (found["member_mean"][2:] == 117).all()
    for name in ("std", "disagreement", "flag"):
        assert (found[name][1] == 0).all(), name


# options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"confidence": 0}, "confidence"),
        ({"confidence": 1}, "confidence"),
        ({"confidence": 95}, "as 0.9, found 95"),
        ({"confidence": -0.5}, "confidence"),
        ({"confidence": np.nan}, "confidence"),
        ({"samples": -1}, "samples of 0 or more"),
        ({"seed": -1}, "seed"),
        ({"flag": -0.1}, "threshold flag"),
        ({"flag": np.inf}, "threshold flag"),
        ({"flag_scale": np.nan}, "threshold flag_scale"),
    ],
)
def test_numbers_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words) as error:
        Trust(**options)
    one_line(error.value)


@pytest.mark.parametrize(
    "options", [{"confidence": 0.9}, {"samples": 1}, {"flag": 0.1}, {"flag_scale": 1}]
)
def test_a_model_without_a_distribution(options: dict[str, float]) -> None:
    run = Restorer(tiny.spec("identity2d"), lambda x: [x])
    trust = Trust(**options)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="predicts no distribution") as error:
        run(frame(), "YX", trust=trust)
    assert "--probabilistic" in one_line(error.value)


@pytest.mark.parametrize(
    "wish",
    [
        {"samples": 1.5},
        {"samples": "2"},
        {"samples": None},
        {"seed": 0.5},
        {"confidence": "0.9"},
        {"flag": "much"},
        {"flag_scale": [1]},
    ],
)
def test_what_is_no_number_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(wish))) as error:
        Trust(**wish)
    one_line(error.value)


def test_numbers_of_numpy_are_numbers() -> None:
    trust = Trust(confidence=np.float32(0.5), samples=np.int64(3), flag=np.float64(1))
    assert (trust.confidence, trust.samples, trust.flag) == (0.5, 3, 1)
