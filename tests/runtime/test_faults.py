"""Faults that are really caused: nothing wrong bears a final name."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tiny import noise, one_line

from care_runtime import batch, partial, scratch, work
from care_runtime.bases import Cached
from care_runtime.batch import Options
from care_runtime.errors import (
    CancelledError,
    OptionError,
    OutOfMemoryError,
    TileWarning,
)
from care_runtime.mixed import Mixed
from care_runtime.restore import Restorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Restorer]

CHOSEN = Options(tile=16)


def hooked(restorer: Restorer, hook: Callable[[int], None]) -> Restorer:
    """Restore, and do something before each tile."""
    calls: list[int] = []

    def network(x: Any) -> Any:
        calls.append(0)
        hook(len(calls))
        return restorer.network(x)

    for name in ("least", "shortest", "growth"):  # of which tiles are planned
        if hasattr(restorer.network, name):
            setattr(network, name, getattr(restorer.network, name))
    return Restorer(restorer.spec, network, restorer.provenance)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    tifffile.imwrite(tmp_path / "a.tif", noise("YX", Y=80, X=90), imagej=True)
    return tmp_path / "a.tif"


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Scratch", lambda f: scratch.Scratch(f, large=1))
    made = partial.Partial
    monkeypatch.setattr(batch, "Partial", lambda *a, **k: made(*a, large=1, **k))
    monkeypatch.setattr(batch, "Cached", lambda s: Cached(s, room=1, unit=4096))


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("kind", ["npy", "fortran", "packed", "zarr"])
def test_any_source_cut_short_meanwhile(
    restorer: Make, tmp_path: Path, kind: str
) -> None:
    source, pixels = tmp_path / "a.npy", noise("TYX", T=8, Y=600, X=700)
    if kind == "npy":
        np.save(source, pixels)
    elif kind == "fortran":
        np.save(source, np.asfortranarray(pixels))
    elif kind == "packed":
        source = tmp_path / "a.tif"
        tifffile.imwrite(source, pixels, compression="zlib", metadata={"axes": "TYX"})
    else:
        zarr = pytest.importorskip("zarr")
        source = tmp_path / "a.zarr"
        options = {"shape": pixels.shape, "chunks": (1, 600, 700), "dtype": "u2"}
        zarr.create_array(source, **options)[...] = pixels

    def cut(call: int) -> None:
        if call == 1:
            files = [source] if source.is_file() else [*source.rglob("c/[4-7]/*/*")]
            assert files
            for path in files:
                with path.open("rb+") as file:
                    file.truncate(path.stat().st_size // 2)

    broken = hooked(restorer("identity2d"), cut)
    target = tmp_path / "out" / "b.tif"
    chosen = Options(tile=512, axes="TYX")
    result = batch.run(broken, source, target, chosen, every=0)
    assert result.status == "failed"
    assert str(source) in str(result.error)
    assert "\n" not in str(result.error)
    assert not target.exists()
    assert {p.name for p in target.parent.iterdir()} <= {partial.folder_of(target).name}
    # Of a source that is another one now, nothing is gone on with.
    resumed = Options(tile=512, axes="TYX", resume=True)
    assert batch.run(restorer("identity2d"), source, target, resumed).error
    assert not target.exists()


@pytest.mark.usefixtures("streamed")
def test_a_source_cut_short_meanwhile(restorer: Make, tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    pixels = noise("TYX", T=8, Y=600, X=700).astype(np.float32)
    tifffile.imwrite(source, pixels, imagej=True, metadata={"axes": "TYX"})

    def cut(call: int) -> None:
        if call == 1:
            with source.open("rb+") as file:
                file.truncate(4_000_000)

    broken = hooked(restorer("identity2d"), cut)
    result = batch.run(broken, source, tmp_path / "b.tif", Options(tile=512))
    assert "cut short" in str(result.error)
    assert not (tmp_path / "b.tif").exists()


def test_a_source_changed_meanwhile(
    restorer: Make, tmp_path: Path, source: Path
) -> None:
    def change(call: int) -> None:
        if call == 3:
            tifffile.imwrite(source, noise("YX", seed=2, Y=80, X=91), imagej=True)

    broken = hooked(restorer("identity2d"), change)
    result = batch.run(broken, source, tmp_path / "b.tif", CHOSEN)
    assert "changed" in str(result.error)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif"]


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_no_room_on_the_disk(
    restorer: Make, tmp_path: Path, source: Path, suffix: str
) -> None:
    target, good = tmp_path / f"b{suffix}", restorer("identity2d")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        result = batch.run(good, source, target, CHOSEN, every=0)
        assert result.status == "failed"
        assert not target.exists()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    again = batch.run(good, source, target, Options(tile=16, resume=True))
    assert again.status == "done"
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 2 MB, where that is permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems may not be mounted here")
    yield folder
    # Lazily: what maps a file there may not be collected yet.
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Leave so many bytes of a file system."""
    there = os.statvfs(folder)
    path = folder / "filler"
    path.write_bytes(bytes(there.f_bavail * there.f_frsize - left))
    return path


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".npy", ".zarr"])
@pytest.mark.parametrize("left", [16 << 10, 600 << 10])
@pytest.mark.parametrize("large", [False, True])
def test_a_full_file_system(
    restorer: Make,
    tmp_path: Path,
    small_disk: Path,
    suffix: str,
    left: int,
    large: bool,
    request: Any,
) -> None:
    """Full at once, or in the end: the tiles fit, the file beside them does not."""
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    pixels = np.random.default_rng(0).integers(0, 60000, (400, 512)).astype(np.uint16)
    source, good = tmp_path / "a.npy", restorer("identity2d")
    np.save(source, pixels)
    whole = batch.run(good, source, tmp_path / f"whole{suffix}", Options(tile=64))
    assert whole.error is None
    if large:
        request.getfixturevalue("streamed")
    target = small_disk / f"whole{suffix}"
    filler = fill(small_disk, left)
    result = batch.run(good, source, target, Options(tile=64), every=0)
    assert result.status == "failed"
    words = ("No space left", "the disk may be full")
    assert any(each in str(result.error) for each in words), result.error
    assert "\n" not in str(result.error)
    assert not target.exists()
    kept = partial.folder_of(target)
    assert set(small_disk.iterdir()) <= {kept, filler}
    if left > pixels.nbytes:  # the tiles are there
        assert "--resume" in str(result.error)
        assert kept.is_dir()
    filler.unlink()
    calls: list[int] = []
    rest = hooked(good, calls.append)
    again = batch.run(rest, source, target, Options(tile=64, resume=True))
    assert again.error is None
    assert (left > pixels.nbytes) == (not calls)  # nothing was computed twice
    assert content(target) == content(tmp_path / f"whole{suffix}")
    assert not list(small_disk.glob(".*"))


def test_short_of_memory(restorer: Make) -> None:
    good, pixels = restorer("unet2d"), noise("YX", Y=200, X=220)

    def network(x: Any) -> Any:
        if x.size > 100 * 100:
            msg = "no room"
            raise OutOfMemoryError(msg)
        return good.network(x)

    with pytest.warns(TileWarning, match="memory is short"):
        found = Restorer(good.spec, network)(pixels, axes="YX", tile=160)
    np.testing.assert_array_equal(found.image, good(pixels, axes="YX").image)


def test_no_room_for_the_pixels_of_a_tile(
    restorer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = work.gather

    def gather(frame: Any, window: Any, **more: Any) -> Any:
        if len(window[-1].below) > 40:
            raise MemoryError
        return cut(frame, window, **more)

    image = noise("YX", Y=64, X=64)
    expected = restorer("identity2d")(image, "YX", tile=16).image
    monkeypatch.setattr(work, "gather", gather)
    with pytest.warns(TileWarning, match="memory is short"):
        found = restorer("identity2d")(image, "YX", tile=64)
    np.testing.assert_array_equal(found.image, expected)


def test_no_tile_is_small_enough(restorer: Make) -> None:
    good = restorer("unet2d")

    def network(x: Any) -> Any:
        raise MemoryError

    with pytest.warns(TileWarning), pytest.raises(OutOfMemoryError) as caught:
        Restorer(good.spec, network)(noise("YX", Y=200, X=220), axes="YX")
    one_line(caught.value)


def test_ctrl_c_says_how_to_go_on(
    package: Path, tmp_path: Path, source: Path, monkeypatch: Any
) -> None:
    from click.testing import CliRunner

    from care_runtime import cli, restorecli

    monkeypatch.setattr(batch, "EVERY", 0)
    loaded = restorecli._loaded

    def stop(call: int) -> None:
        if call == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(restorecli, "_loaded", lambda *a: hooked(loaded(*a), stop))
    target = tmp_path / "b.tif"
    words = ["restore", str(source), "-m", str(package), "-o", str(target)]
    result = CliRunner().invoke(cli.main, [*words, "--tile", "16"])
    assert result.exit_code == 130
    assert "--resume" in result.stderr
    assert partial.folder_of(target).is_dir()
    assert not target.exists()


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    """The system ends a process that takes too much memory, as others may."""
    np.save(tmp_path / "a.npy", noise("YX", Y=80, X=90))
    target = tmp_path / "out" / "b.tif"
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(tests=str(Path(__file__).parent)))

    def work(*words: str) -> int:
        line = [sys.executable, str(script), str(tmp_path / "a.npy"), *words]
        return subprocess.run(line, timeout=120, check=False).returncode

    assert work(str(target), "9") == -signal.SIGKILL
    assert [p.name for p in target.parent.iterdir()] == [partial.folder_of(target).name]
    assert work(str(target), "0") == 0
    assert work(str(tmp_path / "whole" / "b.tif"), "0") == 0
    assert content(target.parent) == content(tmp_path / "whole")


WORKER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import tiny
from care_runtime import batch
from care_runtime.restore import Restorer

source, target, last = sys.argv[1:]
calls = []

def network(x):
    calls.append(x)
    if len(calls) == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
    return [x]

chosen = batch.Options(tile=16, axes="YX", resume=True)
restorer = Restorer(tiny.spec("identity2d"), network)
found = batch.run(restorer, Path(source), Path(target), chosen, every=0)
assert found.error is None, found.error
assert (target.endswith("whole/b.tif")) == (not found.notes), found.notes
"""


def content(path: Path) -> Any:
    """Return all bytes of a file or folder."""
    if path.is_file():
        return path.read_bytes()
    files = sorted(f for f in path.rglob("*") if f.is_file())
    return {str(f.relative_to(path)): f.read_bytes() for f in files}


# arrays of others


class Chunked:
    """An array of another library, which counts what is read of it."""

    def __init__(self, pixels: Any, chunks: Any = None) -> None:
        self.pixels, self.chunks, self.reads = pixels, chunks, 0
        self.shape, self.dtype = pixels.shape, pixels.dtype

    def __getitem__(self, part: Any) -> Any:
        self.reads += 1
        return self.pixels[part]

    def __setitem__(self, part: Any, values: Any) -> None:
        self.pixels[part] = values


@pytest.mark.parametrize("name", ["unet2d", "unet3d"])
def test_any_array_in_and_out(restorer: Make, name: str) -> None:
    pixels, good = noise("TZYX", T=2, Z=6, Y=40, X=50), restorer(name)
    whole = good(pixels, axes="TZYX").image
    out = Chunked(np.zeros(pixels.shape, pixels.dtype))
    given = Chunked(pixels, (1, 2, 16, 16))
    found = good(given, axes="TZYX", tile=16, out=out)
    np.testing.assert_array_equal(out.pixels, whole)
    np.testing.assert_array_equal(np.asarray(found), whole)
    assert given.reads < 40  # far fewer than tiles


@pytest.mark.parametrize("name", ["unet2d", "unet3d"])
@pytest.mark.parametrize("version", [2, 3])
def test_arrays_of_zarr(
    restorer: Make, tmp_path: Path, name: str, version: int
) -> None:
    zarr = pytest.importorskip("zarr")
    pixels, good = noise("TZYX", T=2, Z=6, Y=40, X=50), restorer(name)
    options = {"chunks": (1, 4, 16, 32), "dtype": "u2", "zarr_format": version}
    options["shape"] = pixels.shape
    given = zarr.create_array(tmp_path / "in.zarr", **options)
    out = zarr.create_array(tmp_path / "out.zarr", **options)
    given[...] = pixels
    found = good(given, axes="TZYX", tile=16, out=out)
    whole = good(pixels, axes="TZYX").image
    np.testing.assert_array_equal(zarr.open(tmp_path / "out.zarr")[...], whole)
    np.testing.assert_array_equal(np.asarray(found), whole)


@pytest.mark.parametrize("name", ["unet2d", "unet3d"])
def test_arrays_of_dask(restorer: Make, name: str) -> None:
    da = pytest.importorskip("dask.array")
    pixels, good = noise("TZYX", T=2, Z=6, Y=40, X=50), restorer(name)
    computed: list[int] = []

    def plus(block: Any) -> Any:
        computed.append(block.size)
        return block + np.uint16(1)

    lazy_ = da.from_array(pixels, chunks=(1, 3, 16, 25)).map_blocks(plus, dtype="u2")
    found = good(lazy_, axes="TZYX", tile=16)
    whole = good(pixels + np.uint16(1), axes="TZYX").image
    np.testing.assert_array_equal(found.image, whole)
    assert max(computed) <= 3 * 16 * 25  # block by block, never as a whole
    flipped = good(lazy_[:, ::-1].transpose(0, 1, 3, 2), axes="TZXY", tile=16)
    turned = (pixels + np.uint16(1))[:, ::-1].transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(flipped.image, good(turned, axes="TZXY").image)


def test_arrays_of_h5py(restorer: Make, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    pixels, good = noise("TYX", T=3, Y=40, X=50), restorer("unet2d")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        given = file.create_dataset("in", data=pixels, chunks=(1, 16, 16))
        out = file.create_dataset("out", shape=pixels.shape, dtype="u2")
        good(given, axes="TYX", tile=16, out=out)
        whole = good(pixels, axes="TYX").image
        np.testing.assert_array_equal(out[...], whole)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_maps_of_files_in_and_out(restorer: Make, tmp_path: Path, dtype: str) -> None:
    pixels, good = noise("TYX", T=2, Y=40, X=50), restorer("unet2d")
    np.save(tmp_path / "in.npy", pixels)
    given = np.load(tmp_path / "in.npy", mmap_mode="r")
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", dtype, pixels.shape)
    found = good(given, axes="TYX", tile=16, out=out)
    assert found.image is out
    out.flush()
    wish = "auto" if dtype == "uint16" else "float32"
    whole = good(pixels, axes="TYX", dtype=wish).image
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), whole)


def test_an_array_for_each_output(restorer: Make) -> None:
    pixels, good = noise("YX", Y=40, X=50), restorer("laplace")
    whole, scale = good(pixels, axes="YX"), np.zeros((40, 50), np.float32)
    found = good(pixels, axes="YX", tile=16, out={"scale": scale})
    np.testing.assert_array_equal(scale, whole.outputs["scale"])
    np.testing.assert_array_equal(found.image, whole.image)
    with pytest.raises(OptionError, match="found deviation"):
        good(pixels, axes="YX", out={"deviation": scale})


def test_one_array_for_several_models(restorer: Make) -> None:
    both = Mixed(((0, restorer("unet2d")), (1, restorer("identity2d"))))
    pixels, calls = noise("CYX", C=2, Y=40, X=50), []
    out = Chunked(np.zeros(pixels.shape, pixels.dtype))
    found = both(
        Chunked(pixels, (1, 16, 16)),
        axes="CYX",
        tile=16,
        out=out,
        progress=lambda *n: calls.append(n),
    )
    whole = both(pixels, axes="CYX").image
    np.testing.assert_array_equal(out.pixels, whole)
    np.testing.assert_array_equal(np.asarray(found), whole)
    assert calls[-1][0] == calls[-1][1]
    assert calls == sorted(calls)
    with pytest.raises(CancelledError):
        both(pixels, axes="CYX", cancel=lambda: True)
    with pytest.raises(OptionError, match="to write 'mean' into"):
        both(pixels, axes="CYX", out=np.zeros((2, 40, 51), np.uint16))


def test_out_has_to_fit(restorer: Make) -> None:
    pixels = noise("YX", Y=40, X=50)
    for out in (np.zeros((40, 51), np.uint16), np.zeros((40, 50), np.uint8)):
        with pytest.raises(OptionError, match="to write 'mean' into"):
            restorer("unet2d")(pixels, axes="YX", out=out)


def test_two_threads_one_restorer_one_lazy_array(restorer: Make) -> None:
    pixels, good = noise("TYX", T=4, Y=60, X=70), restorer("unet2d")
    whole, given, found = good(pixels, axes="TYX").image, Chunked(pixels), []
    threads = [
        threading.Thread(
            target=lambda: found.append(good(given, axes="TYX", tile=16).image)
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        np.testing.assert_array_equal(each, whole)
    assert len(found) == 2
