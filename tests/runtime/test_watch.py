"""Watch: images are restored when they are complete, and not before."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from tiny import noise, one_line

from care_runtime import batch, reading, table
from care_runtime import watch as watch_
from care_runtime.batch import Options, Result
from care_runtime.cli import main
from care_runtime.errors import OptionError
from care_runtime.watch import Pace, Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.restore import Restorer


class Clock:
    """Time that passes while the watch sleeps; what is planned happens then."""

    def __init__(self, plan: dict[float, Callable[[], Any]], end: float) -> None:
        self.now, self.plan, self.end = 0.0, dict(plan), end

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for when in sorted(self.plan):
            if when <= self.now:
                self.plan.pop(when)()
        if self.now >= self.end:
            raise KeyboardInterrupt


@pytest.fixture
def followed(
    tmp_path: Path, restorer: Callable[..., Restorer]
) -> Callable[..., list[tuple[float, Result]]]:
    """Watch a folder for some time; return the results and when they came."""
    (tmp_path / "in").mkdir()

    def follow(
        plan: dict[float, Callable[[], Any]],
        end: float = 60,
        run: Any = None,
        options: Options | None = None,
        **pace: float,
    ) -> list[tuple[float, Result]]:
        clock, told = Clock(plan, end), []
        made = restorer("unet2d")
        times = {"interval": 1.0, "settle": 5.0, "patience": 20.0, **pace}
        watch = Watch(
            (tmp_path / "in",),
            tmp_path / "out",
            options or Options(),
            Pace(**times, clock=clock.time, sleep=clock.sleep),
        )
        one = run or (lambda *args: batch.run(made, *args))
        follow.results = watch_.follow(  # type: ignore[attr-defined]
            watch, one, lambda result: told.append((clock.now, result))
        )
        return told

    return follow


def tiff(pages: int = 3, **options: Any) -> bytes:
    file = io.BytesIO()
    pixels = noise("ZYX", Z=pages, Y=48, X=50)
    tifffile.imwrite(file, pixels, photometric="minisblack", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"imagej": True}, {"ome": True}, {"compression": "zlib"}]
)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.97])
def test_half_a_tiff_is_not_restored(
    tmp_path: Path, followed: Any, options: Any, share: float
) -> None:
    """The second half comes long after the file has settled."""
    whole, path = tiff(**options), tmp_path / "in" / "a.tif"
    half = int(share * len(whole))

    def end() -> None:
        with path.open("ab") as file:
            file.write(whole[half:])

    told = followed({3: lambda: path.write_bytes(whole[:half]), 18: end})
    ((when, result),) = told
    assert result.status == "done", result.error
    assert 18 + 5 <= when <= 18 + 5 + 2
    assert reading.read(tmp_path / "out" / "a.tif").pixels.shape == (3, 48, 50)


def test_a_file_that_grows_is_waited_for(tmp_path: Path, followed: Any) -> None:
    """Page by page, it is a whole TIFF all the time."""
    path = tmp_path / "in" / "a.tif"

    def page(number: int) -> Callable[[], None]:
        return lambda: tifffile.imwrite(
            path, noise("YX", seed=number, Y=40, X=40), metadata=None, append=number > 0
        )

    told = followed({3.0 * i + 1: page(i) for i in range(6)})
    ((when, result),) = told
    assert result.status == "done", result.error
    assert when >= 16 + 5
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 6


def test_a_bad_file_fails_and_others_go_on(tmp_path: Path, followed: Any) -> None:
    folder = tmp_path / "in"
    (folder / "bad.tif").write_text("no image")
    (folder / ".hidden.tif").write_bytes(tiff())
    (folder / "notes.txt").write_text("no image either")
    nan = np.full((40, 40), np.nan, np.float32)
    told = followed(
        {
            1: lambda: tifffile.imwrite(folder / "nan.tif", nan),
            2: lambda: (folder / "good.tif").write_bytes(tiff()),
        }
    )
    states = {result.source.name: result.status for _, result in told}
    assert states == {"bad.tif": "failed", "nan.tif": "failed", "good.tif": "done"}
    assert [result.source.name for _, result in told][-1] == "bad.tif"  # it had time
    for _, result in told:
        if result.error:
            one_line(Exception(result.error))
    lines = table.lines(followed.results)
    assert lines[-1] == "1 done, 2 failed, 0 skipped"
    assert sorted(line.split()[0] for line in lines[:-1]) == [
        "done",
        "failed",
        "failed",
    ]


def test_whatever_is_raised_the_watch_goes_on(tmp_path: Path, followed: Any) -> None:
    for name in "ab":
        (tmp_path / "in" / f"{name}.tif").write_bytes(tiff())

    def run(file: Path, target: Path, chosen: Options) -> Result:
        if file.stem == "a":
            raise ZeroDivisionError("surprise")  # noqa: EM101
        return Result(file, target, "done")

    told = followed({}, run=run)
    assert [r.status for _, r in told] == ["failed", "done"]
    assert "ZeroDivisionError: surprise" in str(told[0][1].error)


def test_what_is_done_is_skipped(tmp_path: Path, followed: Any) -> None:
    (tmp_path / "in" / "a.tif").write_bytes(tiff())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.tif").write_text("precious")
    told = followed({})
    assert [r.status for _, r in told] == ["skipped"]
    assert (tmp_path / "out" / "a.tif").read_text() == "precious"
    told = followed({}, options=Options(overwrite=True))
    assert [r.status for _, r in told] == ["done"]


def test_a_file_that_changes_is_restored_again(tmp_path: Path, followed: Any) -> None:
    path = tmp_path / "in" / "a.tif"
    path.write_bytes(tiff(2))
    told = followed({20: lambda: path.write_bytes(tiff(4))})
    assert [r.status for _, r in told] == ["done", "done"]
    assert reading.read(tmp_path / "out" / "a.tif").pixels.shape[0] == 4
    assert table.lines(followed.results)[-1] == "1 done, 0 failed, 0 skipped"


def test_a_change_meanwhile_is_seen(tmp_path: Path, followed: Any) -> None:
    path = tmp_path / "in" / "a.tif"
    path.write_bytes(tiff(2))
    seen: list[int] = []

    def run(file: Path, target: Path, chosen: Options) -> Result:
        seen.append(file.stat().st_size)
        if len(seen) == 1:
            file.write_bytes(tiff(4))
        assert chosen.overwrite == (len(seen) > 1)
        return Result(file, target, "done")

    followed({}, run=run)
    assert len(set(seen)) == len(seen) == 2


def test_a_zarr_counts_once_it_is_quiet(tmp_path: Path, followed: Any) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "in" / "a.zarr"

    def begin() -> None:
        zarr.create_array(path, shape=(96, 64), chunks=(32, 64), dtype="u2")

    def chunk(i: int) -> Callable[[], None]:
        def write() -> None:
            zarr.open_array(path)[32 * i : 32 * i + 32] = noise("YX", Y=32, X=64)

        return write

    told = followed({1: begin, 4: chunk(0), 7: chunk(1), 10: chunk(2)})
    ((when, result),) = told
    assert result.status == "done", result.error
    assert when >= 15


def test_ctrl_c_tells_what_was_not_done(tmp_path: Path, followed: Any) -> None:
    (tmp_path / "in" / "a.tif").write_bytes(tiff()[:4000])
    (tmp_path / "in" / "b.tif").write_bytes(tiff())

    def run(file: Path, target: Path, chosen: Options) -> Result:
        raise KeyboardInterrupt

    assert followed({}, run=run) == []
    states = {r.source.name: r for r in followed.results}
    assert {r.status for r in states.values()} == {"skipped"}
    assert "truncated" in str(states["a.tif"].error)
    assert "when the watch ended" in str(states["b.tif"].error)


def test_a_folder_that_goes_away_comes_back(tmp_path: Path, followed: Any) -> None:
    away = tmp_path / "away"

    def back() -> None:
        away.rename(tmp_path / "in")
        (tmp_path / "in" / "a.tif").write_bytes(tiff())

    told = followed({2: lambda: (tmp_path / "in").rename(away), 9: back})
    assert [r.status for _, r in told] == ["done"]


def test_two_folders_do_not_share_a_restoration(
    tmp_path: Path, restorer: Callable[..., Restorer]
) -> None:
    clock, made = Clock({}, 40), restorer("unet2d")
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        pixels = noise("YX", seed=number, Y=40, X=40)
        tifffile.imwrite(tmp_path / name / "i.tif", pixels)
    watch = Watch(
        (tmp_path / "a", tmp_path / "b"),
        tmp_path / "out",
        Options(overwrite=True),
        Pace(1, 5, 20, clock.time, clock.sleep),
    )
    told: list[Result] = []
    watch_.follow(watch, lambda *args: batch.run(made, *args), told.append)
    found = {result.source: result for result in told}
    assert found[tmp_path / "a" / "i.tif"].status == "done"
    twin = found[tmp_path / "b" / "i.tif"]
    assert twin.status == "failed"
    assert str(tmp_path / "a" / "i.tif") in str(twin.error)
    expected = made(noise("YX", Y=40, X=40), "YX").image
    found_pixels = reading.read(tmp_path / "out" / "i.tif").pixels
    np.testing.assert_array_equal(found_pixels, expected)


def test_it_sleeps_between_looks(tmp_path: Path, followed: Any) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    watch = Watch((tmp_path / "in",), tmp_path / "out", pace=Pace(7.0, sleep=sleep))
    assert watch_.follow(watch, lambda *_: None, print) == []  # type: ignore[arg-type,return-value]
    assert slept == [7.0] * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("in/a.tif", "-o", "out"), "expected folders"),
        (("in", "-o", "in"), "another folder"),
        (("in", "-o", "out.tif"), "a folder as output"),
        (("none", "-o", "out"), "expected folders"),
        (("in", "-o", "out", "--settle", "-1"), "--settle"),
        (("in", "-o", "out", "--interval", "0"), "--interval"),
    ],
)
def test_refusals(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tif").write_bytes(tiff())
    words = tuple(
        str(tmp_path / w) if w.startswith(("in", "out", "none")) else w for w in words
    )
    found = CliRunner().invoke(
        main, ["restore", *words, "-m", "denoise_widefield", "--watch"]
    )
    assert found.exit_code == 2, found.output
    assert said in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("bad", [False, True])
def test_the_command_line_ends_with_a_table(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch, bad: bool
) -> None:
    monkeypatch.setattr("care_runtime.trial.require", lambda *_: None)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tif").write_bytes(tiff())
    if bad:
        nan = np.full((40, 40), np.nan, np.float32)
        tifffile.imwrite(tmp_path / "in" / "b.tif", nan)
    clock = Clock({}, 30)
    quick = replace(Pace(1, 5), clock=clock.time, sleep=clock.sleep)
    monkeypatch.setattr(watch_, "Pace", lambda *_: quick)
    words = ["restore", str(tmp_path / "in"), "-m", str(package), "--watch"]
    found = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "out")])
    assert found.exit_code == int(bad), found.output
    assert found.stdout.splitlines()[-1] == f"1 done, {int(bad)} failed, 0 skipped"


def test_pace_refuses_nonsense() -> None:
    with pytest.raises(OptionError) as caught:
        Pace(interval=float("nan"))
    one_line(caught.value)
