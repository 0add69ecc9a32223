"""Streaming and resuming: files larger than memory, and runs that were interrupted."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import test_foreign
import tifffile
import tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import noise

from care_runtime import batch, journal, partial, runs, scratch, writing
from care_runtime import source as source_
from care_runtime.batch import Options, Result
from care_runtime.errors import CancelledError, OutOfMemoryError
from care_runtime.form import Form
from care_runtime.mixed import Mixed
from care_runtime.restore import Restorer
from care_runtime.selection import Selection
from care_runtime.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Restorer]


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every image lie in files, as large ones do."""
    monkeypatch.setattr(scratch, "LARGE", 1)
    monkeypatch.setattr(batch, "Scratch", lambda f: scratch.Scratch(f, large=1))
    made = partial.Partial
    monkeypatch.setattr(batch, "Partial", lambda *a, **k: made(*a, large=1, **k))


def interrupted_after(restorer: Restorer, tiles: int, kind: type[BaseException]) -> Any:
    """Restore with a network that ends the process, as it were, at some tile."""
    left = [tiles]

    def network(x: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise kind
        return restorer.network(x)

    for name in ("least", "shortest", "growth"):  # of which tiles are planned
        if hasattr(restorer.network, name):
            setattr(network, name, getattr(restorer.network, name))
    return Restorer(restorer.spec, network, restorer.provenance)


def write(path: Path, pixels: Any, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, imagej=True, **options)
    return path


def run(
    restorer: Restorer, source: Path, target: Path, every: float = 0, **options: Any
) -> Result:
    return batch.run(restorer, source, target, Options(tile=16, **options), every=every)


class KillError(BaseException):
    """The end of a process, in place of kill -9."""


# streaming


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".npy", ".zarr"])
@pytest.mark.parametrize("name", ["unet2d", "unet3d", "identity3d"])
def test_a_large_file_gives_the_same_bytes(
    restorer: Make, tmp_path: Path, name: str, suffix: str, request: Any
) -> None:
    pixels = noise("TZYX", T=2, Z=9, Y=50, X=45)
    source = write(tmp_path / "a.tif", pixels, metadata={"axes": "TZYX"})
    assert run(restorer(name), source, tmp_path / f"small{suffix}").status == "done"
    request.getfixturevalue("small_is_large")
    result = run(restorer(name), source, tmp_path / f"large{suffix}")
    assert result.error is None
    assert content(tmp_path / f"large{suffix}") == content(tmp_path / f"small{suffix}")
    assert not list(tmp_path.glob(".*"))


def test_an_array_of_fortran_is_read_once(
    restorer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    pixels, read = noise("TYX", T=9, Y=250, X=45), [0]
    for name, order in (("c", "C"), ("f", "F")):
        np.save(tmp_path / f"{name}.npy", np.array(pixels, order=order))
    request.getfixturevalue("small_is_large")
    part_of = runs.read

    def counted(path: Path, *rest: Any) -> Any:
        found = part_of(path, *rest)
        read.append(found.nbytes if path.name == "f.npy" else 0)
        return found

    monkeypatch.setattr(runs, "read", counted)
    monkeypatch.setattr(source_, "BLOCK", 1 << 14)
    for name in "cf":
        target = tmp_path / f"{name}.tif"
        made = run(restorer("unet2d"), tmp_path / f"{name}.npy", target, axes="TYX")
        assert made.error is None
    assert sum(read) == pixels.nbytes
    same = [tifffile.imread(tmp_path / f"{name}.tif") for name in "cf"]
    np.testing.assert_array_equal(*same)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_every_kind_of_tiff_streams(
    restorer: Make, tmp_path: Path, compression: Any, tile: Any, request: Any
) -> None:
    pixels = noise("ZYX", Z=5, Y=70, X=45)
    source = tmp_path / "a.tif"
    tifffile.imwrite(
        source,
        pixels,
        compression=compression,
        tile=tile,
        rowsperstrip=None if tile else 7,
        metadata={"axes": "ZYX"},
    )
    whole = restorer("unet3d")(pixels, axes="ZYX", tile=16).image
    request.getfixturevalue("small_is_large")
    result = run(restorer("unet3d"), source, tmp_path / "b.npy")
    assert result.error is None
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), whole)


@pytest.mark.parametrize("form", [{"compress": "zlib"}, {"pyramid": 2}])
def test_packed_and_pyramids_stream(
    restorer: Make, tmp_path: Path, form: dict[str, Any], request: Any
) -> None:
    pixels = noise("CZYX", C=2, Z=3, Y=300, X=290)
    source = write(tmp_path / "a.tif", np.moveaxis(pixels, 0, 1))
    options = {"form": Form(**form), "axes": "ZCYX"}
    run(restorer("identity2d"), source, tmp_path / "small.ome.tif", **options)
    request.getfixturevalue("small_is_large")
    result = run(restorer("identity2d"), source, tmp_path / "large.ome.tif", **options)
    assert result.error is None
    small, large = (content(tmp_path / f"{n}.ome.tif") for n in ("small", "large"))
    assert small == large


def content(path: Path) -> Any:
    """Return all bytes of a file or folder."""
    if path.is_file():
        return path.read_bytes()
    files = sorted(f for f in path.rglob("*") if f.is_file())
    return {str(f.relative_to(path)): f.read_bytes() for f in files}


# resuming


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".zarr"])
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stops=st.lists(st.integers(0, 12), min_size=1, max_size=3), large=st.booleans())
def test_resumed_is_undisturbed(
    restorer: Make,
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    stops: list[int],
    large: bool,
) -> None:
    folder = tmp_path_factory.mktemp("resume")
    pixels = noise("TYX", T=2, Y=40, X=61).astype(np.float32)
    source = write(folder / "a.tif", pixels, metadata={"axes": "TYX"})
    good = restorer("unet2d")
    assert run(good, source, folder / f"good{suffix}").error is None
    target = folder / "b" / f"good{suffix}"
    with pytest.MonkeyPatch.context() as patch:
        if large:
            made = partial.Partial
            patch.setattr(batch, "Partial", lambda *a, **k: made(*a, large=1, **k))
        for stop in stops:
            killed = interrupted_after(good, stop, KillError)
            try:
                run(killed, source, target, resume=True)
            except KillError:
                assert not target.exists()
        result = run(good, source, target, resume=True)
    assert result.error is None
    assert content(target) == content(folder / f"good{suffix}")
    assert [p.name for p in target.parent.glob(".*")] == []
    shutil.rmtree(folder)


def test_what_was_done_is_not_done_again(restorer: Make, tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", noise("YX", Y=80, X=90))
    good, target = restorer("identity2d"), tmp_path / "b.tif"
    with pytest.raises(KillError):
        run(interrupted_after(good, 7, KillError), source, target)
    calls = []
    rest = Restorer(good.spec, lambda x: calls.append(1) or good.network(x))
    result = run(rest, source, target, resume=True)
    total = 5 * 6
    assert len(calls) == total - 7
    assert result.notes == ("went on with what was done before: 7 tiles",)


@pytest.mark.parametrize("every", [0, 1000])
@pytest.mark.parametrize("end", [KillError, CancelledError])
def test_smaller_tiles_have_done_nothing_yet(
    restorer: Make, tmp_path: Path, every: float, end: type[BaseException]
) -> None:
    """What greater tiles did, before memory was short, is not theirs."""
    source = write(tmp_path / "a.tif", noise("YX", Y=80, X=90))
    good, target = restorer("identity2d"), tmp_path / "b.tif"
    assert run(good, source, tmp_path / "whole.tif").status == "done"
    sizes: list[int] = []

    def network(x: Any) -> Any:
        sizes.append(x.size)
        if len(sizes) == 6:
            msg = "too large"
            raise OutOfMemoryError(msg)
        if len(sizes) > 6:
            assert x.size < sizes[0]
            raise end
        return good.network(x)

    try:
        result = run(Restorer(good.spec, network), source, target, every)
        assert result.status == "failed"
    except KillError:
        assert end is KillError
    assert len(sizes) == 7
    seen: list[int] = []
    rest = Restorer(good.spec, lambda x: seen.append(x.size) or good.network(x))
    assert run(rest, source, target, resume=True).status == "done"
    pixels = tifffile.imread(target)
    np.testing.assert_array_equal(pixels, tifffile.imread(tmp_path / "whole.tif"))
    assert sum(seen) >= pixels.size  # by whichever plan, all of it


def test_without_resume_it_begins_anew(restorer: Make, tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", noise("YX", Y=80, X=90))
    good, target = restorer("identity2d"), tmp_path / "b.tif"
    with pytest.raises(KillError):
        run(interrupted_after(good, 7, KillError), source, target)
    result = run(good, source, target)
    assert "--resume" in result.notes[0]


@pytest.mark.parametrize("change", ["source", "model", "option"])
def test_a_change_begins_anew_with_a_word(
    restorer: Make, tmp_path: Path, change: str
) -> None:
    source = write(tmp_path / "a.tif", noise("YX", Y=80, X=90))
    good, target = restorer("identity2d"), tmp_path / "b.tif"
    with pytest.raises(KillError):
        run(interrupted_after(good, 7, KillError), source, target)
    options: dict[str, Any] = {}
    if change == "source":
        write(source, noise("YX", seed=5, Y=80, X=90))
        os.utime(source, ns=(1, 1))
    elif change == "model":
        good = Restorer(good.spec, good.network, {"model sha256": "other"})
    else:
        options = {"dtype": "float32"}
    result = run(good, source, target, resume=True, **options)
    assert result.status == "done"
    assert change in result.notes[0]
    assert "afresh" in result.notes[0]
    run(good, source, tmp_path / "c.tif", **options)
    assert content(target) == content(tmp_path / "c.tif")


@pytest.mark.parametrize("tail", [b'{"part": 0, "pl', b"\x00" * 30, b"[]\n", b"{}x\n"])
def test_a_torn_record_is_ignored(restorer: Make, tmp_path: Path, tail: bytes) -> None:
    source = write(tmp_path / "a.tif", noise("YX", Y=80, X=90))
    good, target = restorer("unet2d"), tmp_path / "b.tif"
    with pytest.raises(KillError):
        run(interrupted_after(good, 5, KillError), source, target)
    path = partial.folder_of(target) / "journal.jsonl"
    with path.open("ab") as file:
        file.write(tail)
    result = run(good, source, target, resume=True)
    assert "5 tiles" in result.notes[0]
    run(good, source, tmp_path / "c.tif")
    assert content(target) == content(tmp_path / "c.tif")


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(0, 200))
def test_a_journal_cut_anywhere_is_read(numbers: list[int], cut: int) -> None:
    lines = [json.dumps({"tiles": n}).encode() + b"\n" for n in numbers]
    records, end = journal.read(b"".join(lines)[:cut])
    assert [r["tiles"] for r in records] == numbers[: len(records)]
    assert end <= cut


def test_two_processes_do_not_share_a_partial(restorer: Make, tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", noise("YX", Y=40, X=50))
    target, good = tmp_path / "b.tif", restorer("identity2d")
    kept, _ = journal.opened(partial.folder_of(target) / "journal.jsonl")
    assert "another process" in str(run(good, source, target).error)
    kept.close()
    assert run(good, source, target).status == "done"


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_a_run_at_work_is_left_alone(
    restorer: Make,
    tmp_path: Path,
    resume: bool,
    large: bool,
    request: pytest.FixtureRequest,
) -> None:
    if large:
        request.getfixturevalue("small_is_large")
    source = write(tmp_path / "a.tif", noise("YX", Y=40, X=50))
    target, good = tmp_path / "b.tif", restorer("identity2d")
    head = batch._head(good, source, Options(tile=16))
    first = partial.Partial(target, head or {}, large=1, every=0)
    first.open(resume=False)
    pixels = first.empty((40, 50), np.dtype(np.uint16))
    first.begin(0, "plan")
    first.add(0, partial.Done(1, (0,), 0))
    assert first.kept
    before = content(first.folder / "0.raw")
    found = run(good, source, target, resume=resume)
    assert "another process" in str(found.error)
    assert first.folder.is_dir()
    assert content(first.folder / "0.raw") == before
    assert pixels.shape == (40, 50)
    first.close()
    assert first.folder.is_dir()


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.usefixtures("small_is_large")
def test_pixels_that_are_gone_are_not_zeros(
    restorer: Make, tmp_path: Path, cut: bool
) -> None:
    source = write(tmp_path / "a.tif", noise("YX", Y=80, X=90))
    good, target = restorer("unet2d"), tmp_path / "b.tif"
    run(good, source, tmp_path / "c.tif")
    for _ in range(2):  # the second time, what the first one began is gone on with
        with pytest.raises(KillError):
            run(interrupted_after(good, 5, KillError), source, target, resume=True)
    raw = partial.folder_of(target) / "0.raw"
    if cut:
        raw.write_bytes(raw.read_bytes()[:-1])
    else:
        raw.unlink()
    with pytest.raises(KillError):
        run(interrupted_after(good, 0, KillError), source, target, resume=True)
    result = run(good, source, target, resume=True)
    assert result.status == "done"
    assert content(target) == content(tmp_path / "c.tif")


@pytest.mark.usefixtures("small_is_large")
def test_a_folder_that_goes_away_fails_its_image_alone(
    restorer: Make, tmp_path: Path
) -> None:
    source = write(tmp_path / "a.tif", noise("YX", Y=80, X=90))
    good, target = restorer("unet2d"), tmp_path / "out" / "b.tif"

    def network(x: Any) -> Any:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return good.network(x)

    bad = Restorer(good.spec, network, good.provenance)
    result = run(bad, source, target)
    assert result.status == "failed"
    assert "\n" not in str(result.error)
    assert "--resume" not in str(result.error)


def test_an_array_that_is_replaced_is_gone_before_its_words_change(
    restorer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two renames is not taken for a restoration that is done."""
    source = tmp_path / "a.tif"
    write(source, noise("ZYX", Z=2, Y=40, X=50), metadata={"axes": "ZYX"})
    good, target = restorer("unet2d"), tmp_path / "b.npy"
    first, second = (Selection(z=(z, z + 1)) for z in range(2))
    assert run(good, source, target, selection=first).status == "done"
    replace_, named = Path.replace, []

    def killed(path: Path, place: Path) -> Path:
        named.append(place.name)
        if place.name == "b.npy":
            raise KillError
        return replace_(path, place)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KillError):
        run(good, source, target, selection=second, overwrite=True)
    assert named == ["b.npy.json", "b.npy"]
    monkeypatch.undo()
    assert run(good, source, target, selection=second, resume=True).status == "done"
    expected = run(good, source, tmp_path / "c.npy", selection=second)
    assert expected.status == "done"
    assert content(target) == content(tmp_path / "c.npy")


def test_done_images_are_skipped(restorer: Make, tmp_path: Path) -> None:
    source, good = (
        write(tmp_path / "a.tif", noise("YX", Y=40, X=50)),
        restorer("unet2d"),
    )
    for name in ("b.tif", "b.ome.tif", "b.npy", "b.zarr"):
        assert run(good, source, tmp_path / name).status == "done"
        assert run(good, source, tmp_path / name, resume=True).status == "skipped"
        again = run(good, source, tmp_path / name, resume=True, dtype="float32")
        assert "--overwrite" in str(again.error)


# the process itself ends


SCRIPT = """
import sys, time
from pathlib import Path
import numpy as np
sys.path.insert(0, {tests!r})
import tiny
from care_runtime import batch, partial, scratch
from care_runtime.restore import Restorer
from care_runtime.selection import Selection
from care_runtime.trust import Trust

def network(x):
    time.sleep(0.004)
    return [np.ascontiguousarray(x[..., ::1] * 0.5)]

source, target, large = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
made = partial.Partial
batch.Partial = lambda *a, **k: made(*a, large=large, **k)
batch.Scratch = lambda folder: scratch.Scratch(folder, large=large)
chosen = batch.Options(tile=16, resume=True)
found = batch.run(Restorer(tiny.spec("identity2d"), network), source, target, chosen,
                  every=0.02)
assert found.error is None, found.error
"""


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
@pytest.mark.parametrize("large", [1, 1 << 28])
def test_kill_9_at_random_points(tmp_path: Path, suffix: str, large: int) -> None:
    source = write(tmp_path / "a.tif", noise("TYX", T=2, Y=80, X=90))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))

    def start(target: Path) -> subprocess.Popen[bytes]:
        words = [sys.executable, str(script), str(source), str(target), str(large)]
        return subprocess.Popen(words)

    begun = time.monotonic()
    undisturbed = tmp_path / f"whole{suffix}"
    assert start(undisturbed).wait(60) == 0
    seconds = time.monotonic() - begun
    target, chance = tmp_path / "b" / f"whole{suffix}", random.Random(large)
    kills = 0
    for _ in range(12):
        process = start(target)
        try:
            process.wait(chance.uniform(0.3, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            kills += 1
        # What bears the name is whole, even if the process ended right after.
        assert not target.exists() or content(target) == content(undisturbed)
        if kills == 4 or (kills and process.returncode == 0):
            break
        if process.returncode == 0:  # the undisturbed one was on a busier machine
            shutil.rmtree(target.parent)
            seconds /= 2
    assert kills
    assert start(target).wait(60) == 0
    assert content(target) == content(undisturbed)
    assert [p.name for p in target.parent.iterdir()] == [f"whole{suffix}"]


INTERRUPTED = """
import signal, sys, time
from care_runtime import batch, cli, partial, restorecli
from care_runtime.restore import Restorer
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may ignore it
made, loaded = partial.Partial, restorecli._loaded
batch.Partial = lambda *a, **k: made(*a, **(k | {"every": 0.05}))

def slow(*words):
    good = loaded(*words)

    def network(x):
        time.sleep(0.05)
        return good.network(x)

    return Restorer(good.spec, network, good.provenance)

restorecli._loaded = slow
cli.main()
"""


def test_a_real_ctrl_c_is_resumed_by_the_command_it_names(
    package: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "a.tif", noise("TYX", T=4, Y=80, X=90))
    script, target = tmp_path / "slow.py", tmp_path / "b.tif"
    script.write_text(INTERRUPTED)

    def words(to: Path) -> list[str]:
        return [str(source), "-m", str(package), "-o", str(to), "--tile", "16"]

    command = [sys.executable, str(script), "restore", *words(target)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        journal_ = partial.folder_of(target) / "journal.jsonl"
        for _ in range(3000):
            if journal_.exists() and b"tiles" in journal_.read_bytes():
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert not target.exists()
    assert said.count("\n") == 1, said
    told = shlex.split(said.partition("care-run ")[2])
    assert told == ["restore", *words(target), "--resume"]
    again = subprocess.run(
        [sys.executable, "-m", "care_runtime", *told], capture_output=True, check=True
    )
    assert b"went on with what was done before" in again.stderr
    whole = [
        sys.executable,
        "-m",
        "care_runtime",
        "restore",
        *words(tmp_path / "c.tif"),
    ]
    subprocess.run(whole, check=True, capture_output=True)
    assert content(target) == content(tmp_path / "c.tif")
    assert not partial.folder_of(target).exists()


# every option


def steps(tmp_path: Path) -> Restorer:
    """Load a model of others, with steps that measure whole frames."""
    before = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}]
    after = [{"id": "scale_mean_variance", "kwargs": {"reference_tensor": "raw"}}]
    described = test_foreign.plane(16, *before), test_foreign.answer(*after, halo=1)
    network = test_foreign.convolution(16)
    return test_foreign.load(test_foreign.package(tmp_path / "m", network, *described))


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "bounds and draws": (
        "laplace",
        {"trust": Trust(confidence=0.9, samples=2, flag_scale=0.1)},
    ),
    "joined": ("laplace", {"outputs": ("mean", "scale"), "join": True}),
    "movie": ("unet2d", {"normalize_over": "movie"}),
    "selected": ("unet2d", {"selection": Selection.parse(time="1:", crop="3:60,2:70")}),
    "stretched": ("stretched", {"factor": 2.5}),
    "projected": ("projection", {}),
    "mixed": ("mixed", {}),
    "steps": ("steps", {"outputs": ("out",)}),
    "packed": ("unet2d", {"form": Form(compress="zlib", pyramid=1)}),
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_every_option_is_resumed(
    restorer: Make, tmp_path: Path, case: str, large: bool, request: Any
) -> None:
    name, options = CASES[case]
    options = dict(options)
    axes, sizes = {
        "stretched": ("ZYX", {"Z": 6, "Y": 90, "X": 99}),
        "projected": ("TZYX", {"T": 2, "Z": 4, "Y": 40, "X": 45}),
        "mixed": ("CYX", {"C": 2, "Y": 50, "X": 64}),
    }.get(case, ("TYX", {"T": 2, "Y": 70, "X": 80}))
    if case == "bounds and draws":
        axes, sizes = "YX", {"Y": 70, "X": 80}
    pixels = noise(axes, **sizes)
    source = tmp_path / "a.npy"
    np.save(source, pixels)
    options["axes"] = axes
    if name == "steps":
        one = steps(tmp_path)
    elif name == "stretched":
        one = restorer("unet3d", resample=tiny.resampled(2.0))
    else:
        one = restorer("unet2d" if name == "mixed" else name)

    def made(stop: int | None) -> Any:
        killed = one if stop is None else interrupted_after(one, stop, KillError)
        if name == "mixed":
            return Mixed(((0, restorer("identity2d")), (1, killed)))
        return killed

    good = run(made(None), source, tmp_path / "good" / "b.ome.tif", **options)
    assert good.error is None
    if large:
        request.getfixturevalue("small_is_large")
    target = tmp_path / "again" / "b.ome.tif"
    # Steps on whole frames begin a frame anew.
    for stop in (40, 10, 3) if case == "steps" else (2, 3, 2):
        with pytest.raises(KillError):
            run(made(stop), source, target, resume=True, **options)
        assert partial.folder_of(target).is_dir()
    result = run(made(None), source, target, resume=True, **options)
    assert result.error is None
    assert "went on" in result.notes[0]
    assert content(target.parent) == content(tmp_path / "good")


@pytest.mark.parametrize("after", [1, 2, 3])
def test_killed_between_two_files(
    restorer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Those that are there already are no reason to refuse."""
    source = write(tmp_path / "a.tif", noise("YX", Y=40, X=50))
    good, target = restorer("laplace"), tmp_path / "out" / "b.npy"
    options: dict[str, Any] = {
        "outputs": ("mean", "scale"),
        "trust": Trust(confidence=0.9, samples=2),
    }
    real, calls = writing.write, []

    def write_(*words: Any, **more: Any) -> None:
        calls.append(words)
        if len(calls) > after:
            raise KillError
        real(*words, **more)

    monkeypatch.setattr(writing, "write", write_)
    with pytest.raises(KillError):
        run(good, source, target, **options)
    monkeypatch.setattr(writing, "write", real)
    assert not target.exists()
    assert len(list(target.parent.glob("b*"))) >= after
    refused = run(good, source, target, **options)
    assert "exists already" in str(refused.error)
    assert run(good, source, target, resume=True, **options).status == "done"
    assert run(good, source, target, resume=True, **options).status == "skipped"
    run(good, source, tmp_path / "whole" / "b.npy", **options)
    assert content(target.parent) == content(tmp_path / "whole")


@pytest.mark.parametrize("resume", [False, True])
def test_leftovers_of_the_dead_are_swept(
    restorer: Make, tmp_path: Path, resume: bool
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(60)
    source = write(tmp_path / "a.tif", noise("YX", Y=40, X=50))
    folder = tmp_path / "out"
    folder.mkdir()
    left = folder / f".b.zarr.{dead.pid}.part"
    left.mkdir()
    (left / "c").write_text("half")
    other = folder / f".b.zarr.{os.getppid()}.part"  # of a process that runs
    other.write_text("half")
    target = folder / "b.zarr"
    assert run(restorer("identity2d"), source, target, resume=resume).status == "done"
    assert sorted(p.name for p in folder.iterdir()) == [other.name, "b.zarr"]


def test_a_done_image_has_no_partial(restorer: Make, tmp_path: Path) -> None:
    """As after a kill in the last moment."""
    source, good = (
        write(tmp_path / "a.tif", noise("YX", Y=40, X=50)),
        restorer("unet2d"),
    )
    with pytest.raises(KillError):
        run(interrupted_after(good, 5, KillError), source, tmp_path / "b.tif")
    kept = partial.folder_of(tmp_path / "b.tif")
    shutil.copytree(kept, tmp_path / "kept")
    assert run(good, source, tmp_path / "b.tif", resume=True).status == "done"
    shutil.copytree(tmp_path / "kept", kept)
    assert run(good, source, tmp_path / "b.tif", resume=True).status == "skipped"
    assert not kept.exists()


# the caller


def test_cancelled(restorer: Make) -> None:
    asked = iter([False] * 3 + [True])
    with pytest.raises(CancelledError, match="after 3 of 4 tiles"):
        restorer("identity2d")(
            noise("YX", Y=32, X=32), axes="YX", tile=16, cancel=lambda: next(asked)
        )


def test_a_batch_goes_on_and_counts(package: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from care_runtime.cli import main

    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.tif", "c.tif"):
        write(folder / name, noise("YX", Y=40, X=50))
    words = ["restore", str(folder), "-m", str(package), "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(main, words).exit_code == 0
    (folder / "b.tif").write_text("no image")
    write(folder / "d.tif", noise("YX", Y=40, X=50))
    result = CliRunner().invoke(main, [*words, "--resume"])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "1 done, 1 failed, 2 skipped"
