"""Dask: a lazy restoration is the restoration, to the last bit, on any workers."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import others
import pytest
import tiny
from click.testing import CliRunner
from tiny import noise, one_line

import care_runtime
from care_runtime import blocks, cluster, job, reading, remote, store, writing
from care_runtime.batch import Options
from care_runtime.care import Normalization
from care_runtime.cli import main
from care_runtime.errors import (
    AxesError,
    BlankImageWarning,
    EngineError,
    FileError,
    ImageError,
    OptionError,
)
from care_runtime.image import Image
from care_runtime.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


dask = pytest.importorskip("dask", reason="needs the extra 'dask'")
da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")
lazily = pytest.importorskip("care_runtime.dask")
Model = Any


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, engine: Any) -> Model:
    """Write the package of a tiny network, and return its folder."""
    made: dict[str, str] = {}

    def write(name: str, **care: Any) -> str:
        key = f"{name}{care}"
        if key not in made:
            folder = tmp_path_factory.mktemp(name) / name
            made[key] = str(tiny.write_package(folder, name, engine(name), **care))
        return made[key]

    return write


@pytest.fixture(autouse=True)
def no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the tiny networks for what they are, without a process for each."""
    monkeypatch.setattr("care_runtime.trial.require", lambda *_: None)


def require_same(
    model: str, image: Any, axes: str, chunks: Any, block: int = 5000, **wishes: Any
) -> Any:
    """Restore both ways, and compare everything there is."""
    outputs = wishes.get("outputs")
    restorer = care_runtime.load(model, device="cpu", threads=1, outputs=outputs)
    whole = restorer(image, axes, **wishes)
    array = da.from_array(image, chunks=chunks)
    lazy = lazily.restore(array, model, axes, device="cpu", block=block, **wishes)
    assert lazy.image.npartitions > 1
    found = lazy.compute(scheduler="sync")
    assert list(found.images) == list(lazy.images) == list(whole.images)
    for name, pixels in whole.outputs.items():
        assert lazy.outputs[name].shape == pixels.shape
        assert lazy.outputs[name].dtype == found.outputs[name].dtype == pixels.dtype
        np.testing.assert_array_equal(found.outputs[name], pixels)
    for fact in ("main", "axes", "voxel", "saturated", "blank", "flagged"):
        assert getattr(found, fact) == getattr(whole, fact)
    assert found.provenance == whole.provenance
    return lazy


# the same pixels


VOLUME = {"Z": 18, "Y": 52, "X": 60}
CASES: dict[str, tuple[str, str, dict[str, int], Any, dict[str, Any]]] = {
    "plane": ("unet2d", "YX", {"Y": 130, "X": 140}, 50, {"tile": 32}),
    "odd order": ("unet2d", "YXZ", {"Y": 60, "X": 70, "Z": 3}, 40, {"tile": 24}),
    "time, channels": (
        "unet2d",
        "TCYX",
        {"T": 2, "C": 2, "Y": 70, "X": 90},
        (1, 2, 40, 40),
        {"tile": 32, "normalize_over": "movie"},
    ),
    "volume": ("unet3d", "CZYX", {"C": 2, **VOLUME}, 25, {"tile": "16,24,24"}),
    "grey values": ("unet3d", "ZYX", VOLUME, 25, {"normalize": "values:3,200"}),
    "no values": ("unet3d", "ZYX", VOLUME, 25, {"normalize": "none", "tile": 24}),
    "projection": (
        "projection",
        "TZYX",
        {"T": 2, "Z": 5, "Y": 70, "X": 60},
        (1, 2, 40, 40),
        {"tile": 24},
    ),
    "channels read together": (
        "mixture",
        "CYX",
        {"C": 3, "Y": 80, "X": 70},
        (1, 40, 40),
        {"tile": 32},
    ),
    "distribution": (
        "laplace",
        "TYX",
        {"T": 2, "Y": 80, "X": 70},
        (1, 40, 40),
        {"tile": 32, "trust": Trust(0.8, 2, 5, 0.3)},
    ),
    "one output": (
        "laplace",
        "YX",
        {"Y": 80, "X": 90},
        40,
        {"tile": 32, "outputs": ["scale"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_lazy_is_whole(model: Model, name: str) -> None:
    network, axes, sizes, chunks, wishes = CASES[name]
    # A tile of 3 axes needs room on the 3-D network's grid.
    block = 12_000 if network == "unet3d" else 3000
    if name in ("grey values",):
        wishes = {**wishes, "tile": 24}
    require_same(model(network), noise(axes, **sizes), axes, chunks, block, **wishes)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64", ">u2"])
def test_percentiles_of_every_type_are_exact(model: Model, dtype: str) -> None:
    image = noise("ZYX", Z=3, Y=60, X=70).astype(dtype)
    image = image * 3 if image.dtype.kind == "u" else image * 7919 - 3
    require_same(model("unet2d"), image.astype(dtype), "ZYX", 33, 3000, tile=24)


@pytest.mark.filterwarnings("ignore::care_runtime.FactorWarning")
@pytest.mark.parametrize("round_", [False, True])
@pytest.mark.parametrize("factor", [3.0, 2.7, 0.6])
@pytest.mark.parametrize("when", ["before", "after"])
def test_stretched_volumes(
    model: Model, when: str, factor: float, round_: bool
) -> None:
    stretch = tiny.resampled(3.0, when=when, round=round_)
    image = noise("ZYX", Z=13, Y=30, X=50)
    wishes = {"tile": "16,16,24", "factor": factor}
    require_same(model("unet3d", resample=stretch), image, "ZYX", (4, 30, 30), **wishes)


def test_planes_with_percentiles_of_their_own(model: Model) -> None:
    each = model("unet2d", normalization=Normalization(axes="YX"))
    image = noise("TZYX", T=2, Z=20, Y=40, X=60)
    lazy = require_same(each, image, "TZYX", (1, 4, 30, 30), 20_000, tile=24)
    assert max(lazy.image.chunks[1]) <= blocks.PLANES


def test_blank_frames_are_counted_and_told(model: Model) -> None:
    image = noise("TYX", T=3, Y=40, X=50)
    image[1] = 7
    with pytest.warns(BlankImageWarning, match="1 frame"):
        require_same(model("unet2d"), image, "TYX", (1, 30, 30), tile=16)


# the plan


def test_blocks_are_the_tiles_of_the_plan(model: Model) -> None:
    spec = tiny.spec("unet3d")
    made = job.make(spec, "ZYX", (40, 150, 170), tile="16,24,24")
    for most in (1, 20_000, 200_000, 10**9):
        shared = blocks.share(made, most, flat=False)
        for axis, line in made.plan.lines.items():
            spans = shared.restored[axis]
            assert tuple(c for span in spans for c in span.cuts) == line.cuts
            assert [s.first for s in spans[1:]] == [s.stop for s in spans[:-1]]
        sizes = [max(len(s) for s in spans) for spans in shared.restored.values()]
        tile = [
            max(c.write.stop - c.write.start for c in line.cuts)
            for line in made.plan.lines.values()
        ]
        assert np.prod(sizes) <= max(most, np.prod(tile))


def test_nothing_is_read_before_it_is_asked_for(model: Model) -> None:
    read: list[Any] = []

    def load(block: Any) -> Any:
        where = block[0]["array-location"]
        read.append(tuple(where))
        return noise("TYX", T=1, Y=64, X=64)

    array = da.map_blocks(
        lambda block_info=None: load({0: block_info[None]}),
        chunks=((1,) * 3, (64, 64), (64,)),
        dtype=np.uint16,
        meta=np.empty((0, 0, 0), np.uint16),
    )
    lazy = lazily.restore(array, model("unet2d"), "TYX", device="cpu", tile=24)
    assert read == []
    lazy.image[1].compute(scheduler="sync")
    # Another frame's percentiles have nothing to do with this one.
    assert {where[0] for where in read} == {(1, 2)}


def test_the_whole_input_is_never_held(model: Model) -> None:
    """A task that restores reads little more than its block."""
    array = da.zeros((64, 512, 512), chunks=(16, 128, 128), dtype=np.uint16)
    lazy = lazily.restore(
        array, model("unet3d"), "ZYX", device="cpu", tile="16,64,64", block=1 << 18
    )
    tasks = [
        task
        for key, task in dict(lazy.image.dask).items()
        if isinstance(key, tuple) and str(key[0]).startswith("care-restore")
    ]
    assert len(tasks) == lazy.image.npartitions > 32
    assert all(np.prod(task[3].shape) < 8 * (1 << 18) for task in tasks)


# refusals


def test_refusals_are_one_line(model: Model, tmp_path: Path) -> None:
    image, name = da.zeros((40, 40), chunks=20, dtype="u2"), model("unet2d")
    restore = lazily.restore
    unknown = image[image[:, 0] > 0]
    cases = [
        (AxesError, "axes='ZYX'", lambda: restore(image, name)),
        (ImageError, "dask array", lambda: restore(np.zeros((4, 4)), name, "YX")),
        (ImageError, "compute_chunk_sizes", lambda: restore(unknown, name, "YX")),
        (ImageError, "complex64", lambda: restore(image.astype("c8"), name, "YX")),
        (AxesError, "Z axis", lambda: restore(image, model("unet3d"), "YX")),
        (
            OptionError,
            "every worker loads it",
            lambda: restore(image, care_runtime.load(name), "YX"),  # type: ignore[arg-type]
        ),
    ]
    for kind, said, call in cases:
        with pytest.raises(kind, match=said) as caught:
            call()
        one_line(caught.value)


def test_steps_on_whole_frames_are_refused_by_name(model: Model) -> None:
    from care_runtime.tensor import Operation

    taken = {"input": (Operation("zero_mean_unit_variance", {}),)}
    step = Normalization(None, steps=taken)
    made = job.make(tiny.spec("unet2d", normalization=step), "YX", (40, 40))
    with pytest.raises(OptionError, match="zero_mean_unit_variance"):
        lazily._require_local("theirs", made, [])


def test_types_of_outputs_are_no_steps_on_whole_frames(tmp_path: Path) -> None:
    """Others give whole numbers back, pixel by pixel."""
    output = others.answer(halo=4) | {"data": {"type": "uint8"}}
    source = others.plane(others.STEPPED)
    folder = others.package(tmp_path, others.convolution(), source, output)
    image = noise("TYX", "uint8", T=2, Y=70, X=50)
    whole = care_runtime.load(folder, device="cpu")(image, "TYX").image
    lazy = lazily.restore(da.from_array(image), str(folder), axes="TYX", tile=32)
    found = lazy.compute().image
    np.testing.assert_array_equal(found, np.trunc(found))  # uint8, as floats
    np.testing.assert_array_equal(found, whole)


def test_pixels_that_are_no_numbers_are_counted(model: Model) -> None:
    image = noise("TYX", T=2, Y=80, X=60).astype(np.float32)
    image[1, 3:5, 7] = np.nan
    for normalize in ("auto", "none"):
        array = da.from_array(image, chunks=(1, 30, 30))
        lazy = lazily.restore(
            array, model("unet2d"), "TYX", tile=24, block=900, normalize=normalize
        )
        lazy.image[0].compute(scheduler="sync")  # the other frame is whole
        with pytest.raises(ImageError, match="2 of 4800 pixels"):
            lazy.compute(scheduler="sync")


def test_a_worker_without_the_model_says_so(model: Model, tmp_path: Path) -> None:
    from care_runtime import recipe

    known = recipe.Recipe("", None, str(tmp_path / "no.onnx"), "0", "cpu", "", 1, ())
    with pytest.raises(EngineError, match="on this worker"):
        recipe.network(known)


def test_dask_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, care_runtime.dask, care_runtime.cli, care_runtime.remote;"
        "sys.exit('dask' in sys.modules or 'distributed' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_dask_it_says_what_to_install(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(FileError, match=r"care-zoo\[dask\]"):
        lazily.restore(None, model("unet2d"), "YX")


# a cluster


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    pytest.importorskip("zarr", reason="needs the extra 'zarr'")
    with cluster.connected("local:2") as found:
        yield found


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    image = Image(
        noise("TCYX", T=2, C=2, Y=300, X=330),
        "TCYX",
        {"Y": 0.1, "X": 0.2},
        "µm",
        channels=("nuclei", "actin"),
        flavour="zarr-0.4",
    )
    writing.write(tmp_path / "movie.zarr", image)
    return tmp_path / "movie.zarr"


def networks(*, forget: bool = False) -> int:
    from care_runtime import recipe

    if forget:
        recipe._networks.clear()
    return len(recipe._networks)


def _unsigned(content: bytes) -> bytes:
    """Leave out the digest that --resume knows a file by; a cluster resumes nothing."""
    return re.sub(rb',\s*"restoration": "[0-9a-f]+"', b"", content)


def test_a_cluster_writes_the_file_that_one_process_writes(
    client: Any, model: Model, movie: Path, tmp_path: Path
) -> None:
    from care_runtime import batch

    package = store.locate(model("laplace"))
    chosen = Options(
        tile="64",
        outputs=("mean", "scale"),
        trust=Trust(confidence=0.5),
        dtype="float32",
    )
    told: list[tuple[int, int]] = []
    client.run(networks, forget=True)
    model_ = remote.Remote(package, device="cpu")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(60)
    (tmp_path / f".far_scale.zarr.{dead.pid}.part").mkdir()
    found = remote.run(
        model_,
        client,
        movie,
        tmp_path / "far.zarr",
        chosen,
        lambda done, total: told.append((done, total)),
    )
    assert found.status == "done", found.error
    assert told[-1][0] == told[-1][1] > 1
    restorer = care_runtime.load(package, device="cpu", threads=1)
    near = batch.run(restorer, movie, tmp_path / "near.zarr", chosen)
    assert (near.image, near.saturated) == (found.image, found.saturated)
    for output in ("", "_scale", "_lower", "_upper"):
        far, here = (tmp_path / f"{name}{output}.zarr" for name in ("far", "near"))
        files = {p.relative_to(far) for p in far.rglob("*")}
        assert files == {p.relative_to(here) for p in here.rglob("*")}
        for file in files:
            if (far / file).is_file():
                assert (far / file).read_bytes() == _unsigned(
                    (here / file).read_bytes()
                )
    assert not list(tmp_path.glob(".*"))
    # One session in each process, however many tasks it ran.
    assert set(client.run(networks).values()) == {1}
    again = remote.run(model_, client, movie, tmp_path / "far.zarr", chosen)
    assert "--overwrite" in str(again.error)
    inside = remote.run(model_, client, movie, movie / "inner.zarr", chosen)
    assert "lies in an image" in str(inside.error)


def test_a_damaged_image_leaves_nothing(
    client: Any, model: Model, movie: Path, tmp_path: Path
) -> None:
    chunk = next(p for p in sorted(movie.rglob("0/*")) if p.is_dir())
    for file in chunk.rglob("*"):
        if file.is_file():
            file.write_bytes(b"rubbish")
    package = store.locate(model("laplace"))
    found = remote.run(
        remote.Remote(package), client, movie, tmp_path / "o.zarr", Options()
    )
    assert found.status == "failed"
    assert "movie.zarr" in str(found.error)
    assert [p.name for p in tmp_path.iterdir()] == ["movie.zarr"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "o.zarr", "--dask", "local"), "local:N"),
        (("-o", "o.zarr", "--dask", "local:0"), "local:N"),
        (("-o", "o.tif", "--dask", "local:2"), "o.tif"),
        (("-o", "o.zarr", "--dask", "local:2", "--samples", "2"), "--samples"),
        (("-o", "o.zarr", "--dask", "local:2", "--resume"), "--resume"),
        (("-o", "o.zarr", "--dask", "local:2", "--join"), "--join"),
    ],
)
def test_the_command_line_refuses(
    model: Model, movie: Path, words: tuple[str, ...], said: str
) -> None:
    made = model("laplace")
    words = tuple(str(movie.parent / w) if w.startswith("o.") else w for w in words)
    found = CliRunner().invoke(main, ["restore", str(movie), "-m", made, *words])
    assert found.exit_code == 2, found.output
    assert said in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert [p.name for p in movie.parent.iterdir()] == ["movie.zarr"]


def test_the_command_line_takes_an_address(
    client: Any, model: Model, movie: Path, tmp_path: Path
) -> None:
    address = client.scheduler.address
    out = tmp_path / "o.zarr"
    words = ["restore", str(movie), "-m", model("laplace"), "-o", str(out), "--dask"]
    found = CliRunner().invoke(main, [*words, address])
    assert found.exit_code == 0, found.output
    assert reading.read(out).axes == "TCYX"
    tif = tmp_path / "a.tif"
    tif.write_bytes(b"")
    words[1] = str(tif)
    found = CliRunner().invoke(main, [*words, address])
    assert found.exit_code == 2
    assert "expected OME-Zarr" in found.stderr


def test_no_scheduler_is_an_error_of_one_line(monkeypatch: Any) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    monkeypatch.setattr(cluster, "WAIT", "0.3 s")
    with pytest.raises(EngineError, match="none"), cluster.connected("tcp://[::1]:9"):
        pass


def graphs() -> dict[str, Any]:
    """Make lazy images as people do: cut, joined, computed with, read by delay."""
    image = noise("TYX", T=3, Y=90, X=85)
    whole = da.from_array(image, chunks=(1, 33, 47))
    delayed = dask.delayed(lambda number: image[number])
    frames = [da.from_delayed(delayed(i), (90, 85), np.uint16) for i in range(3)]
    return {
        "rechunked": whole.rechunk((1, 64, 64)) + 1,
        "cut": whole[:, 10:] + 1,
        "turned": whole[:, ::-1].transpose(1, 2, 0).transpose(2, 0, 1),
        "delayed": da.stack(frames),
        "overlapped": whole.map_overlap(
            lambda part: part + 1, depth=(0, 3, 3), boundary="reflect", dtype=np.uint16
        ),
        "joined": da.concatenate([whole[:1] + 1, whole[1:]]),
    }


@pytest.mark.parametrize("name", graphs())
def test_any_graph_of_dask(restorer: Any, model: Model, name: str) -> None:
    pixels = graphs()[name]
    expected = restorer("unet2d")(pixels.compute(scheduler="sync"), "TYX").image
    lazy = lazily.restore(pixels, model("unet2d"), axes="TYX", engine="onnxruntime")
    np.testing.assert_array_equal(lazy.image.compute(scheduler="sync"), expected)


def test_chunks_are_read_twice_and_not_kept(model: Model) -> None:
    """Once to be counted, once to be restored: no task waits for both."""
    count: list[int] = []

    def read(part: Any) -> Any:
        count.append(1)
        return part + 1

    image = da.from_array(noise("TYX", T=3, Y=40, X=40), chunks=(1, 40, 40))
    pixels = image.map_blocks(read, dtype=np.uint16, meta=np.zeros((0, 0, 0), "u2"))
    lazy = lazily.restore(pixels, model("unet2d"), axes="TYX", engine="onnxruntime")
    lazy.image.compute(scheduler="sync")
    assert len(count) == 2 * 3
