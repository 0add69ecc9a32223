"""The report: what it finds, what it says, and that it is made from end to end."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from care_runtime.errors import OptionError
from care_runtime.score import Scores
from care_training import describe, evaluate, fit, reproduce
from care_training.baselines import GAUSSIAN, MAXIMUM
from care_training.calibration import Calibration
from care_training.cli import main
from care_training.compute import Compute
from care_training.evaluate import INPUT, NETWORK
from care_training.measure import Measure
from care_training.pairs import Pair
from care_training.product import About, Judges, package
from care_training.report import (
    Wish,
    document,
    errors,
    page,
    report,
    scores,
    spectra,
    trust,
)
from care_training.report.boxes import box, limits, plot
from care_training.report.chart import TRUTH
from care_training.report.contrast import fitted, reference, shown
from care_training.report.gather import Gathered, Seen
from care_training.report.profile import crossing
from care_training.report.tiles import Row, Tile, framed, grey, named
from care_training.report.view import View, views, window
from care_training.unet import UNet, UNetConfig


class Blur:
    """Stands for a restorer: it gives the low image back."""

    spec = describe.describe(
        UNet(UNetConfig(depth=1, filters=2)).form, name="blur model", description="x"
    )

    def __call__(self, image, axes, **options):
        return type("Restored", (), {"image": np.asarray(image, np.float32)})()


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    truth = rng.random((1, 12, 96, 96))
    return truth, truth + 0.01 * rng.standard_normal(truth.shape)


@pytest.mark.parametrize("planes", [True, False])
def test_a_planted_hallucination_and_a_planted_loss_are_found(scene, planes):
    truth, restored = (image if planes else image[:, 0] for image in scene)
    cut = (slice(4, 7),) if planes else ()
    restored[(0, *cut, slice(20, 29), slice(60, 69))] += 0.5
    restored[(0, *cut, slice(70, 79), slice(8, 17))] -= 0.3
    found = errors.spots("image", truth, restored, truth)
    invented, lost = found["invented"][0], found["lost"][0]
    assert invented.place == ((5, 24, 64) if planes else (24, 64))
    assert lost.place == ((5, 74, 12) if planes else (74, 12))
    assert invented.error == pytest.approx(0.5, abs=0.02)
    assert lost.error == pytest.approx(0.3, abs=0.02)
    assert found["invented"][1].error < 0.1
    middle = invented.crops[1][invented.marked] - invented.crops[2][invented.marked]
    assert middle == pytest.approx(0.5, abs=0.05)
    assert all(crop.shape == (errors.CROP, errors.CROP) for crop in lost.crops)
    assert "image" in errors.row(lost, 1).title


def test_errors_at_a_border_are_shown_inside_the_image(scene):
    truth, restored = scene
    restored[0, :9, :9, 90:] += 1.0
    spot = errors.spots("image", truth, restored, truth, axial=True)["invented"][0]
    assert spot.crops[0].shape == (12, errors.CROP)
    y, x = spot.marked
    assert spot.crops[1][y, x] - spot.crops[2][y, x] > 0.9
    errors.row(spot, 1)


def test_the_strongest_errors_come_first_and_do_not_overlap():
    error = np.zeros((60, 60))
    error[10, 10], error[12, 12], error[40, 40] = 3, 2, 1
    places = errors.peaks(error, (5, 5))
    assert places == [((10, 10), 3.0), ((40, 40), 1.0)]


def test_a_box_holds_the_middle_half_and_leaves_outliers_out():
    found = box([1.0, 2.0, 3.0, 4.0, 5.0, 100.0])
    assert (found.low, found.median, found.high) == (2.25, 3.5, 4.75)
    assert (found.least, found.greatest) == (1.0, 5.0)
    alone = box([7.0])
    assert (alone.least, alone.median, alone.greatest) == (7.0, 7.0, 7.0)


def test_boxes_leave_out_what_is_infinite():
    values = {INPUT: [1.0, float("inf")], NETWORK: [float("inf")]}
    assert limits([values])[1] < 2
    made = [plot("a", "label", values, limits([values])).png for _ in range(2)]
    assert made[0] == made[1]
    assert made[0][:4] == b"\x89PNG"


def test_the_page_escapes_names_and_needs_no_other_file():
    evil = '<script src="https://x.y/z.js">&'
    tile = Tile(evil, grey(np.eye(4)), strong=True)
    parts = [
        page.heading(evil),
        page.paragraph(evil, "quiet"),
        page.facts({evil: evil}),
        page.table([evil], [[evil]], evil),
        page.charts([plot(evil, "label", {evil: [1.0]})], [evil]),
        page.row(Row("row", evil, (tile,))),
    ]
    html = page.page(evil, parts)
    assert "<script" not in html
    assert html.count("&lt;script") > 8
    assert not re.search(r'(src|href)="(?!data:image/png;base64,)', html)
    assert not re.search(r"url\(|@import|<link", html)
    assert html == page.page(evil, parts)


def test_names_of_files_are_plain():
    assert named("SEG / <C1>", "", None, 2) == "seg_c1_2"


def test_views_show_where_the_truth_does():
    truth = np.zeros((1, 20, 200, 300))
    truth[0, 7, 150:160, 210:230] = 1
    lateral, axial = views(truth, 64)
    z, rows, columns = lateral.cut
    assert z == 7
    assert rows.start <= 150 < 160 <= rows.stop
    assert columns.start <= 210 < 230 <= columns.stop
    assert lateral.of(truth).shape == (1, 64, 64)
    assert axial.of(truth).shape == (1, 20, 64)
    assert axial.of(truth).max() == 1
    assert lateral.place.startswith("Z 7, Y ")
    assert views(truth[:, 0], 500)[0].of(truth[:, 0]).shape == (1, 200, 300)


def test_a_window_may_be_as_large_as_the_plane():
    assert window(np.eye(9), 9) == (slice(0, 9), slice(0, 9))


def test_all_images_get_the_contrast_of_the_truth(scene):
    truth = reference(scene[0])
    other = 7 * scene[0] + 300
    np.testing.assert_allclose(fitted(other, truth), truth, atol=1e-5)
    noisy = other + 20 * np.random.default_rng(1).standard_normal(other.shape)
    slope = np.polyfit(truth.ravel(), shown(noisy, truth).ravel(), 1)[0]
    assert slope == pytest.approx(1, abs=0.02)
    assert np.isfinite(shown(np.zeros_like(other), truth)).all()


def test_a_profile_crosses_the_structures():
    plane = np.zeros((80, 100))
    plane[:, 40:44] = plane[:, 60:64] = 1
    across = crossing(plane).values(plane)
    assert np.count_nonzero(np.diff(across > 0.5)) == 4
    upright = crossing(plane.T, upright=True)
    assert upright.start[1] == upright.stop[1]
    assert crossing(np.zeros((3, 40)), upright=True).length == 2


def test_doubt_that_knows_the_error_is_seen_to():
    error = np.random.default_rng(0).random((1, 50, 50))
    right = trust.relation(error**3, error)
    assert right.spearman == pytest.approx(1)
    assert list(right.deciles) == sorted(right.deciles)
    none = trust.relation(np.ones_like(error), error)
    assert np.isnan(none.pearson)
    assert trust.mean([right, right]) == right


def test_the_json_agrees_with_evaluate(pairs):
    bright = Measure("brightest", lambda image, pair: float(image.max()))
    found = evaluate.evaluate(Blur(), pairs[:2], [GAUSSIAN], measures=[bright])
    told = scores.to_dict(found)
    assert told["means"] == found.to_dict()
    assert told["images"] == [pair.name for pair in pairs[:2]]
    for method, means in found.to_dict().items():
        each = told["each"][method]
        assert np.mean([e["psnr"] for e in each]) == pytest.approx(
            means["psnr"], abs=0.01
        )
        assert np.mean([e["brightest"] for e in each]) == pytest.approx(
            means["brightest"], abs=1e-4
        )
    gain = found.rows[NETWORK].psnr - found.rows[told["best_baseline"]].psnr
    assert told["gain_db"]["mean"] == pytest.approx(gain)
    heads, rows = scores.table(found)
    assert [row[0] for row in rows] == list(found.each)
    assert rows[-1][-1].startswith(f"{gain:+.2f}")
    assert len(heads) == len(rows[0])


def test_channels_are_kept_apart_in_the_json():
    rng = np.random.default_rng(0)
    pairs = [Pair(str(i), *rng.random((2, 2, 16, 16))) for i in range(3)]
    told = scores.to_dict(evaluate.evaluate(Blur(), pairs, []))
    assert told["best_baseline"] is None
    assert [len(e["psnr"]) for e in told["each"][INPUT]] == [2, 2, 2]


def test_doubt_height_and_spectra_are_drawn_where_there_are_any():
    rng = np.random.default_rng(0)
    planes = {m: rng.random((2, 40, 30)) for m in (INPUT, NETWORK, TRUTH)}
    maps = {name: rng.random((2, 40, 30)) for name in ("height", "disagreement")}
    off = np.abs(planes[NETWORK] - planes[TRUTH])
    doubt = {"disagreement": trust.relation(maps["disagreement"], off)}
    plane = View("plane", (slice(0, 40), slice(0, 30)))
    seen = Seen("C1", "wing", 20.0, (plane,), {"plane": planes}, maps, doubt)
    judged = {m: [Scores(20.0, 0.1, 0.5)] * 2 for m in (INPUT, NETWORK)}
    found = Gathered(
        evaluations={"C1": evaluate.Evaluation(("wing",), judged)},
        seen=[seen],
        spectra={m: [spectra.measured(rng.random((1, 16, 9, 16)))] for m in planes},
        calibrations={"C1": Calibration((0.5,), (0.4,), 9)},
    )
    made = document.Document()
    document.errors_of_all(made, found, (), "seed 0")
    document.images(made, found)
    document.frequencies(made, found)
    document.strongest(made, found)
    document.reliability(made, found, plot("calibration", "label", {INPUT: [1.0]}))
    wanted = {"calibration", "doubt", "trust_c1", "spectrum_axial", "nrmse_c1"}
    assert wanted | {"panel_c1_plane_channel_1"} < set(made.files)
    html = "".join(made.parts)
    assert "height, planes" in html
    assert "disagreement and the absolute error correlate" in html
    assert "C1: 0.100" in html
    assert all(png[:4] == b"\x89PNG" for png in made.files.values())


def test_numbers_without_end_are_none_in_json():
    assert scores.plain({"a": (float("inf"), 1.23456789)}) == {"a": [None, 1.234568]}


def test_a_projection_is_compared_from_its_raw_stack():
    rng = np.random.default_rng(0)
    pair = Pair("wing", rng.random((1, 6, 20, 20)), rng.random((1, 20, 20)))
    ways = evaluate.rivals([MAXIMUM], [pair])
    assert all(way(pair).shape == (1, 20, 20) for way in ways.values())


def test_a_frame_stays_inside():
    for centre in ((0, 0), (9, 9), (4, 5)):
        assert framed(grey(np.zeros((10, 10))), centre, (9, 9)).any()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense",), "care-train list"),
        (("granules_ins1", "--recalibrate"), "--low"),
        (("granules_ins1", "--low", "x"), "--high"),
        (("m", "--low", "x", "--high", "y", "--axes", "YX", "--seed", "1"), "--seed"),
        (("granules_ins1", "--images", "0"), "1 or more"),
        (("granules_ins1", "--baseline", "bm5d"), "bm4d"),
    ],
)
def test_what_cannot_be_reported_is_told(tmp_path, words, said):
    result = CliRunner().invoke(main, ["evaluate", *words, "-o", str(tmp_path)])
    assert result.exit_code == 2
    assert said in result.stderr


def test_recorded_images_must_be_given_and_have_no_seed(tmp_path):
    with pytest.raises(OptionError, match="--data"):
        report(Wish("denoise_widefield", tmp_path))
    with pytest.raises(OptionError, match="--seed"):
        report(Wish("denoise_widefield", tmp_path, data=tmp_path, seed=3))


@pytest.fixture
def quick(tmp_path):
    """Make a package of a small network that has hardly learnt."""
    found = reproduce.quick(reproduce.experiment("granules_ins1"))
    recipe = replace(found.recipe, steps=1, validate_every=1, batch=1)
    split = found.source.split(tmp_path / "data")
    made = fit.network(UNetConfig(depth=1, kernel=3, filters=4), 0)
    trained = fit.fit(made, split, recipe, Compute("cpu"), tmp_path / "c.pt")
    trained.facts["owed"] = "the full run of 20000 steps"
    spec = reproduce.reviewed_spec(found.name)
    about = About(found.name, found.facts, found.sample())
    package(trained, spec, about, Judges({}), tmp_path / found.name)
    return tmp_path


def test_a_report_from_end_to_end(quick):
    command = ["evaluate", "granules_ins1", "--quick", "--data", str(quick / "data")]
    command += ["--baseline", "median"]
    command += ["--model", str(quick / "granules_ins1"), "-o", str(quick / "out")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    html = (quick / "out" / "report.html").read_text("utf-8")
    assert "Trained on synthetic data" in html
    assert "the full run of 20000 steps is owed" in html
    assert "Fig. 4b" in html
    assert not re.search(r'(src|href)="(?!data:image/png;base64,)', html)
    told = json.loads((quick / "out" / "report.json").read_text("utf-8"))
    package = quick / "granules_ins1" / "rdf.yaml"
    assert told["model"]["sha256"] in package.read_text("utf-8")
    means = told["conditions"]["all"]["means"]
    (network,) = told["conditions"]["all"]["each"][NETWORK]
    assert any(method.startswith("median (") for method in means)
    assert network["psnr"][0] == pytest.approx(means[NETWORK]["psnr"], abs=0.01)
    assert {"nrmse.png", "ssim.png", "profile.png", "panel_plane.png"} < {
        file.name for file in (quick / "out").iterdir()
    }
    spots = told["strongest_errors"]["invented"]
    assert [s["error"] for s in spots] == sorted(s["error"] for s in spots)[::-1]
