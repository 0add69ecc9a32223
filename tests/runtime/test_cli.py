"""care-run as a person types it: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

import care_runtime
from care_runtime.cli import main

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real images are not part of the project"
)
MODEL = "denoise_widefield"


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def noisy(shape, dtype=np.uint16, seed=0):
    rng = np.random.default_rng(seed)
    ramp = 100 + 100 * np.sin(np.arange(shape[-1]) / 5)
    return rng.poisson(np.broadcast_to(ramp, shape)).clip(0, 255).astype(dtype)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path,
        noisy((3, 40, 50)),
        imagej=True,
        resolution=(5.0, 5.0),
        metadata={"axes": "TYX", "unit": "um", "finterval": 2.5},
    )
    return path


def test_restore_keeps_axes_calibration_and_type(tmp_path, image):
    out = tmp_path / "deep" / "out.tif"
    result = run("restore", image, "-m", MODEL, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "TYX 3 x 40 x 50, uint16" in result.stdout
    with tifffile.TiffFile(out) as tif:
        assert tif.series[0].axes == "TYX"
        assert tif.series[0].dtype == np.uint16
        assert tif.imagej_metadata["unit"] in ("um", "µm", "\\u00B5m")
        assert tif.imagej_metadata["finterval"] == 2.5
        assert tif.pages[0].tags["XResolution"].value == (5, 1)
        assert "model sha256" in tif.imagej_metadata["Info"]


def test_json_is_the_only_output(tmp_path, image):
    result = run("restore", image, "-m", MODEL, "-o", tmp_path / "o.tif", "--json")
    summary = json.loads(result.stdout)
    assert summary["done"] == 1
    assert summary["failed"] == 0
    assert summary["device"] == "cpu"
    assert summary["results"][0]["image"] == {
        "axes": "TYX",
        "shape": [3, 40, 50],
        "dtype": "uint16",
    }


def test_a_folder_goes_on_after_a_bad_file(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.tif", "b.TIFF", "c.tif"):
        tifffile.imwrite(tmp_path / "in" / name, noisy((40, 40)))
    (tmp_path / "in" / "b.TIFF").write_text("no image")
    result = run("restore", tmp_path / "in", "-m", MODEL, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a.tif", "c.tif"}
    assert len(result.stderr.splitlines()) == 1
    assert "b.TIFF" in result.stderr


def test_an_output_is_not_replaced_unasked(tmp_path, image):
    out = tmp_path / "out.tif"
    out.write_text("precious")
    result = run("restore", image, "-m", MODEL, "-o", out)
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert out.read_text() == "precious"
    assert run("restore", image, "-m", MODEL, "-o", out, "--overwrite").exit_code == 0
    assert run("restore", image, "-m", MODEL, "-o", image, "--overwrite").exit_code == 2


def write_truncated(path):
    tifffile.imwrite(path, noisy((200, 200)))
    path.write_bytes(path.read_bytes()[:30_000])


def write_text(path):
    path.write_text("Dear diary")


def write_nan(path):
    image = noisy((40, 40)).astype(np.float32)
    image[3, 4:7] = np.nan
    tifffile.imwrite(path, image)


BAD_INPUT = {
    "truncated": (write_truncated, [], 1, "truncated.tif"),
    "text": (write_text, [], 1, "text.tif"),
    "nan": (write_nan, [], 1, "3 of 1600 pixels"),
    "missing": (lambda path: None, [], 1, "missing.tif"),
    "axes": (write_nan, ["--axes", "ZYX"], 1, "ZYX"),
    "letters": (write_nan, ["--axes", "YQ"], 1, "YQ"),
    "percentiles": (write_nan, ["--normalize", "99,2"], 2, "99,2"),
    "tile": (write_nan, ["--tile", "big"], 2, "big"),
    "dtype": (write_nan, ["--dtype", "uint7"], 2, "uint7"),
    "device": (write_nan, ["--device", "cuda:x"], 2, "cuda:x"),
    "model": (write_nan, ["-m", "denoise_widefeld"], 2, "'denoise_widefield'"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, name):
    write, words, code, said = BAD_INPUT[name]
    path = tmp_path / f"{name}.tif"
    write(path)
    found = {p.name for p in tmp_path.iterdir()}
    model = [] if "-m" in words else ["-m", MODEL]
    result = run("restore", path, *model, "-o", tmp_path / "o.tif", *words)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert {p.name for p in tmp_path.iterdir()} == found


def test_a_folder_that_cannot_be_written(tmp_path, image):
    (tmp_path / "file").write_text("not a folder")
    result = run("restore", image, "-m", MODEL, "-o", tmp_path / "file" / "o.tif")
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("shape", [(1, 1), (40, 40), (3, 40, 40)])
def test_nothing_to_normalize_is_a_warning(tmp_path, shape):
    path, out = tmp_path / "flat.tif", tmp_path / "o.tif"
    flat = np.full(shape, 7, np.uint8)
    if len(shape) == 3:
        flat[::2] = noisy((2, 40, 40), np.uint8)  # a blank frame in a movie
    tifffile.imwrite(path, flat, photometric="minisblack")
    result = run("restore", path, "-m", MODEL, "-o", out)
    assert result.exit_code == 0, result.output
    assert "warning" in result.stderr
    restored = tifffile.imread(out).reshape(shape)
    assert (restored[1] == 7).all() if len(shape) == 3 else (restored == 7).all()


def test_demo_shows_before_and_after(tmp_path):
    result = run("demo", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    before, after = (
        float(line.split()[2]) for line in result.stdout.splitlines() if "PSNR" in line
    )
    assert after > before + 5
    assert (tmp_path / "care_demo.png").read_bytes()[:4] == b"\x89PNG"
    assert tifffile.imread(tmp_path / "care_demo_restored.tif").ndim == 2


def test_demo_names_the_image_that_it_cannot_restore(tmp_path):
    bad = tmp_path / "bad.tif"
    tifffile.imwrite(bad, np.full((40, 50), np.nan, np.float32))
    result = run("demo", "--input", bad, "-o", tmp_path)
    assert result.exit_code == 1
    assert str(bad) in result.output


def test_demo_takes_a_persons_own_image(tmp_path, image):
    result = run("demo", "--input", image, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert "PSNR" not in result.stdout
    assert tifffile.imread(tmp_path / "care_demo_restored.tif").shape == (3, 40, 50)


def test_list_info_verify_and_fetch():
    assert MODEL in run("list").stdout
    names = [row["name"] for row in json.loads(run("list", "--json").stdout)]
    assert MODEL in names
    assert names == sorted(names) == care_runtime.names()
    told = run("info", MODEL).stdout
    for word in ("percentiles 2, 99.8", "halo", "licence", "score: Gaussian", "steps"):
        assert word in told
    assert json.loads(run("info", MODEL, "--json").stdout)["type"] == "model"
    assert "passed" in run("verify", MODEL).stdout
    assert json.loads(run("verify", MODEL, "--json").stdout)["tiled"]["mean"] == 0
    assert MODEL in run("fetch", MODEL).stdout


def test_verify_of_an_output_that_no_model_has():
    result = run("verify", MODEL, "--outputs", "nosuch")
    assert result.exit_code == 2, result.output
    assert "no output 'nosuch'" in result.stderr


@pytest.mark.parametrize("name", care_runtime.names())
def test_every_model_of_the_zoo_is_told_of(name):
    told = run("info", name)
    assert told.exit_code == 0, told.output
    assert "score: " in told.stdout


def test_an_ensemble_flags_from_the_command_line(tmp_path):
    pixels = noisy((6, 48, 48))
    tifffile.imwrite(tmp_path / "i.tif", pixels, metadata={"axes": "ZYX"}, imagej=True)
    words = ["restore", tmp_path / "i.tif", "-m", "project_flywing", "--device", "cpu"]
    found = run(*words, "-o", tmp_path / "o.tif", "--flag", 0.1)
    assert found.exit_code == 0, found.output
    assert "disagreement > 0.1" in found.stdout
    assert tifffile.imread(tmp_path / "o_flag.ome.tif").shape == (48, 48)


@pytest.mark.parametrize("name", ["x" * 300 + ".tif", "x" * 300])
def test_names_that_no_disk_holds(tmp_path, image, name):
    for words in ((tmp_path / name, "-o", tmp_path / "o.tif"), (image, "-o", name)):
        found = run("restore", "-m", MODEL, *words)
        assert found.exit_code == 1
        assert isinstance(found.exception, SystemExit)
        assert found.stderr.startswith("error: ")
        assert found.stderr.count("\n") == 1


def test_a_name_with_no_room_to_write_is_refused_before_the_work(tmp_path, image):
    place = tmp_path / ("x" * 244 + ".tif")
    found = run("restore", image, "-m", MODEL, "-o", place)
    assert found.exit_code == 1
    assert "too long" in found.stderr or "bytes" in found.stderr
    assert "--resume" not in found.stderr
    assert list(tmp_path.iterdir()) == [image]


@pytest.mark.parametrize("name", ["out.png", "out.czi", "out.h5"])
def test_what_is_not_written_is_no_folder(tmp_path, image, name):
    found = run("restore", image, "-m", MODEL, "-o", tmp_path / name)
    assert found.exit_code == 2
    assert "not written" in found.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("words", [("info", MODEL), ("verify", MODEL)])
def test_ctrl_c_has_its_own_code(monkeypatch, words):
    from care_runtime import store

    def stopped(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "locate", stopped)
    found = run(*words)
    assert found.exit_code == 130
    assert found.stderr == "interrupted\n"


def test_a_folder_that_is_shut_is_one_line(tmp_path, monkeypatch):
    def shut(path):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "in").mkdir()
    monkeypatch.setattr(Path, "iterdir", shut)
    found = run("restore", tmp_path / "in", "-m", MODEL, "-o", tmp_path / "out")
    assert found.exit_code == 1
    assert found.stderr.count("\n") == 1
    assert "Permission denied" in found.stderr


def test_a_terminal_without_the_signs_of_a_name(tmp_path):
    for name in ("a\u8a66.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, noisy((24, 24)))
    words = [sys.executable, "-m", "care_runtime", "restore", str(tmp_path)]
    words += ["-m", MODEL, "-o", str(tmp_path / "out"), "--device", "cpu"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(words, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"a\\u8a66.tif" in done.stdout
    assert (tmp_path / "out" / "b.tif").exists()


def test_verify_finds_a_package_that_lies(tmp_path):
    from care_runtime import store

    folder = store.locate(MODEL).folder
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    expected = np.load(folder / "test_output.npy")
    np.save(tmp_path / "test_output.npy", expected + 0.1)
    result = run("verify", tmp_path)
    assert result.exit_code == 1
    assert "sha256" in result.stderr


def test_nothing_is_printed_but_our_own_lines(tmp_path, image):
    """In a process of its own, where libraries may print behind Python's back."""
    command = [sys.executable, "-m", "care_runtime", "restore", str(image)]
    done = subprocess.run(
        [*command, "-m", MODEL, "-o", str(tmp_path / "o.tif")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@needs_data
@pytest.mark.parametrize(
    ("name", "axes", "dtype"),
    [
        ("w2s_mito_noisy_avg1", "TYX", "uint8"),
        ("neuraltube_organoid_dapi_bcat", "ZCYX", "uint16"),
        ("ctc_cho_nuclei_t00-05-10", "TZYX", "uint8"),
        ("neubias_cell_dna_microtubules_actin", "CYX", "uint16"),
        ("biosr_factin_nonlinear_fov1_widefield", "YX", "float32"),
    ],
)
def test_real_files(tmp_path, name, axes, dtype):
    out = tmp_path / "o.tif"
    result = run("restore", DATA / f"{name}.tif", "-m", MODEL, "-o", out)
    assert result.exit_code == 0, result.output
    before, after = tifffile.imread(DATA / f"{name}.tif"), tifffile.imread(out)
    with tifffile.TiffFile(out) as tif:
        assert sorted(tif.series[0].axes) == sorted(axes)
    assert sorted(after.shape) == sorted(before.shape)
    assert str(after.dtype) == dtype


@pytest.mark.parametrize("address", ["s3://bucket/o.zarr", "https://host/o.tif"])
def test_results_go_to_no_address(tmp_path, image, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    result = run("restore", image, "-m", "denoise_widefield", "-o", address)
    assert result.exit_code == 2
    assert f"found the address {address}" in result.output
    assert [path.name for path in tmp_path.iterdir()] == [image.name]


def in_shell(command, **options):
    """Run it with streams as a shell makes them; the command line is care-run."""
    program = f"exec {sys.executable} -m care_runtime"
    words = ["bash", "-c", command.replace("care-run", program)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300, **options)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("care-run list > /dev/full", "No space left"),
        ("care-run --help > /dev/full", "No space left"),
        ("care-run restore - -m {m} -o c.npy <&-", "input, found it closed"),
        ("care-run restore a.npy -m {m} -o - >&-", "output, found it closed"),
        ("care-run restore a.npy -m {m} -o - > /dev/full", "No space left"),
        ("care-run restore a.npy b.npy -m {m} -o out > /dev/full", "No space left"),
        ("(care-run restore a.npy -m {m} -o -) | head -c 100 > c", "reader has gone"),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path, command, said):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", noisy((400, 400)))
    command = f"set -o pipefail; {command.format(m=MODEL)}"
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": ""}
    result = in_shell(command, cwd=tmp_path, env=env)
    assert result.returncode == 1, result.stderr
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("error: ")
