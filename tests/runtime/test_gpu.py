"""GPUs: which ones, how large a tile, and what is done where one fails.

On machines without a GPU, sessions of the CPU stand for those of CUDA; tests marked
`gpu` need a real one.
"""

from __future__ import annotations

import ctypes
import math
import platform
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import tifffile
import tiny
from click.testing import CliRunner
from fakegpu import LARGE, LOST, SHORT, Fake
from tiny import noise, one_line

import care_runtime
from care_runtime import (
    batch,
    doctor,
    engines,
    failure,
    footprint,
    gpu,
    job,
    partial,
    scratch,
)
from care_runtime import package as package_
from care_runtime import precision as precision_
from care_runtime.ahead import ahead
from care_runtime.batch import Options
from care_runtime.binding import Bindings, Bound
from care_runtime.cli import main
from care_runtime.contract import supported
from care_runtime.engine import WORKERS, Engine, allocator
from care_runtime.errors import (
    CancelledError,
    DeviceLostError,
    DeviceWarning,
    EngineError,
    OptionError,
    OutOfMemoryError,
    SpecError,
    TileWarning,
)
from care_runtime.fleet import Fleet
from care_runtime.restore import Restorer
from care_runtime.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Restorer]

NO_GPU = gpu.count() == 0
WITHOUT = pytest.mark.skipif(NO_GPU, reason="this machine shows no GPU")


def on(device: str, network: Path) -> Restorer:
    # The library of the GPU, beside which another one rounds otherwise.
    made = engines.load(network, device, engine="onnxruntime")
    return Restorer(tiny.spec("unet2d"), made)


# which ones


@pytest.mark.parametrize(
    ("device", "numbers"),
    [
        ("auto", (0,)),
        ("cpu", ()),
        ("cuda", (0,)),
        ("cuda:1", (1,)),
        ("cuda:0,1", (0, 1)),
        ("cuda:1,0", (1, 0)),
    ],
)
def test_devices(gpus: Fake, device: str, numbers: tuple[int, ...]) -> None:
    assert gpu.numbers(device) == numbers


@pytest.mark.parametrize("device", ["cuda:0,", "cuda:,1", "cuda:0;1", "cuda:0,0"])
def test_devices_that_are_none(gpus: Fake, device: str) -> None:
    with pytest.raises(OptionError, match="expected") as error:
        gpu.numbers(device)
    assert repr(device) in one_line(error.value)


def test_a_gpu_that_is_not_there(gpus: Fake) -> None:
    with pytest.raises(EngineError, match=r"'cuda:0,2'.*only 2") as error:
        gpu.numbers("cuda:0,2")
    one_line(error.value)


def test_no_gpu_at_all(gpus: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus.count = 0
    assert gpu.numbers("auto") == ()
    # What is said of a variable that hides none: there is no driver.
    with pytest.raises(EngineError, match=r"'cuda:0,1'.*NVIDIA"):
        gpu.numbers("cuda:0,1")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver("cuInit", gpu.NONE))
    with pytest.raises(EngineError, match=r"CUDA_VISIBLE_DEVICES='-1' shows no GPU"):
        gpu.numbers("cuda:0,1")


@pytest.mark.parametrize(
    ("code", "said"),
    [(802, "fabric manager"), (803, "restart the machine"), (999, "nvidia-smi")],
)
def test_a_driver_that_does_not_start(
    network: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver("cuInit", code))
    assert gpu.count() == 0
    with pytest.raises(EngineError, match=rf"error {code}\): .*{said}") as error:
        gpu.numbers("cuda")
    one_line(error.value)
    with pytest.warns(DeviceWarning, match="until then, the network runs on the CPU"):
        made = engines.load(network, "auto", engine="onnxruntime")
    assert made.device == "cpu"
    assert engines.gpus("cpu") == engines.gpus("auto", "openvino") == ()
    (found,) = doctor._gpu({})
    assert (found.status, said in found.mend) == ("fault", True)


def test_a_driver_that_knows_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver("cuInit", gpu.NONE))
    assert engines.gpus("auto") == ()
    assert gpu.trouble() == ""


def test_a_machine_without_wheels(gpus: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert "no wheel of ONNX Runtime with CUDA for aarch64" in gpu.why_none("cuda")


def test_what_is_read_from_the_cpu_is_not_bound(gpus: Fake, network: Path) -> None:
    gpus.reads_here = True
    made = engines.load(network, "cuda", engine="onnxruntime")
    there = engines.load(network, "cpu", engine="onnxruntime")
    for value in (1, 2):  # a second tile is seen, too
        x = np.full((1, 1, 16, 16), value, np.float32)
        np.testing.assert_array_equal(made(x), there(x))
    assert (made.device, gpus.plain, gpus.calls[0]) == ("cuda:0", 2, 0)


# their memory


class Driver:
    """NVIDIA's driver, of which one function may fail."""

    def __init__(self, failing: str = "", code: int = 999) -> None:
        self.failing, self.code = failing, code
        self.held, self.current = 0, 0

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            if name == self.failing:
                return self.code
            match name:
                case "cuDeviceGetCount":
                    arguments[0]._obj.value = 3
                case "cuDriverGetVersion":
                    arguments[0]._obj.value = 13010
                case "cuDeviceGet":
                    arguments[0]._obj.value = 40 + arguments[1]
                case "cuDevicePrimaryCtxRetain":
                    assert arguments[1].value == 42
                    self.held += 1
                case "cuDevicePrimaryCtxRelease_v2":
                    self.held -= 1
                case "cuCtxPushCurrent_v2":
                    self.current += 1
                case "cuCtxPopCurrent_v2":
                    self.current -= 1
                case "cuMemGetInfo_v2":
                    arguments[0]._obj.value = 60 << 30
                    arguments[1]._obj.value = 80 << 30
            return 0

        return call


def test_what_the_driver_says(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert gpu.count() == 3
    assert gpu.driver_cuda() == (13, 1)
    assert gpu.memory(2) == (60 << 30, 80 << 30)
    assert (driver.held, driver.current) == (0, 0)


@pytest.mark.parametrize(
    "failing",
    [
        "cuInit",
        "cuDeviceGet",
        "cuDevicePrimaryCtxRetain",
        "cuCtxPushCurrent_v2",
        "cuMemGetInfo_v2",
    ],
)
def test_a_driver_that_fails(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    driver = Driver(failing)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert gpu.memory(2) is None
    assert (driver.held, driver.current) == (0, 0)


def test_memory_without_a_driver() -> None:
    assert gpu.memory(0) is None


# how large a tile


def test_bytes_go_by_the_features_at_full_resolution() -> None:
    unet = tiny.NETWORKS["unet3d"]()
    (first, *_) = [n for n in unet.graph.node if n.op_type == "Conv"]
    (weight,) = [w for w in unet.graph.initializer if w.name == first.input[1]]
    found = footprint.bytes_a_pixel(unet.SerializeToString())
    assert found == pytest.approx(1680 * weight.dims[0] / 32)


def test_bytes_of_a_network_without_convolutions() -> None:
    identity = tiny.NETWORKS["identity2d"]().SerializeToString()
    assert footprint.bytes_a_pixel(identity) == pytest.approx(1680)


@pytest.mark.parametrize(
    ("free", "room"),
    [
        (None, None),
        (0, 1),
        (round(1680 * 1000 / 0.8), 512),
        (round(1680 * 1025 / 0.8), 1024),
        (round(1680 * 2047 / 0.8), 1024),
        (200 << 30, 1 << 24),
    ],
)
def test_room_is_a_power_of_two(gpus: Fake, free: int | None, room: int | None) -> None:
    gpus.free = free
    identity = tiny.NETWORKS["identity2d"]().SerializeToString()
    assert footprint.room(identity, 0) == room


@pytest.mark.parametrize(
    ("features", "room"), [(32, 24), (48, 24), (64, 23), (256, 21)]
)
def test_cudnn_can_count_the_features_of_a_tile(
    gpus: Fake, monkeypatch: pytest.MonkeyPatch, features: int, room: int
) -> None:
    gpus.free = 800 << 30
    monkeypatch.setattr(footprint, "_widest", lambda source: (features, 2))
    assert footprint.room(b"", 0) == 1 << room
    assert 2 * features * (1 << room) < 1 << 31


def test_room_for_several_tiles_at_once(gpus: Fake) -> None:
    gpus.free = round(1680 * 4096 / 0.8) + 9
    identity = tiny.NETWORKS["identity2d"]().SerializeToString()
    assert footprint.room(identity, 0, 4) == 1024


@pytest.mark.parametrize("room", [1 << n for n in range(12, 25, 2)])
@pytest.mark.parametrize("name", ["unet2d", "unet3d", "projection"])
def test_tiles_fit_into_the_room(name: str, room: int) -> None:
    spec, shape = tiny.spec(name), {"Z": 12, "Y": 900, "X": 1000}
    axes = "".join(a for a in spec.input.letters if a in shape)
    made = job.make(spec, axes, tuple(shape[a] for a in axes), room=room)
    smallest = {"unet2d": 0, "unet3d": 12 * 20 * 20, "projection": 0}[name]
    assert math.prod(made.plan.tile.values()) <= max(room, smallest)


def test_large_tiles_compute_less_twice() -> None:
    """The paper's volume in the default network's tiles, with the halo of 22."""
    spec = tiny.spec("unet3d")
    care = supported(spec)
    halo = dict.fromkeys("zyx", 22)
    size = {"z": 32, "y": 128, "x": 128}
    tiling = replace(care.tiling, halo=halo, size=size)
    spec = replace(spec, care=replace(care, tiling=tiling))

    def computed(room: int | None) -> float:
        made = job.make(spec, "ZYX", (100, 1024, 1024), room=room)
        tile = math.prod(made.plan.tile.values())
        assert room is None or tile <= room
        return tile * len(made.plan) / (100 * 1024 * 1024)

    assert computed(None) > 2.4
    assert computed(1 << 22) < 1.7
    assert computed(1 << 24) < 1.25


@pytest.mark.parametrize("wish", [{"room": 1 << 12}, {"growth": {2: 4.0}}])
def test_a_model_that_names_no_tile_is_not_cut(wish: Any) -> None:
    spec = tiny.spec("unet2d")
    care = supported(spec)
    spec = replace(spec, care=replace(care, tiling=replace(care.tiling, size={})))
    assert len(job.make(spec, "YX", (200, 300), **wish).plan) == 1


def test_a_wish_counts_more_than_the_room() -> None:
    spec = tiny.spec("unet2d")
    wished = job.make(spec, "YX", (900, 1000), tile=200, room=1 << 10)
    assert wished.plan == job.make(spec, "YX", (900, 1000), tile=200).plan


def test_tiles_are_planned_from_free_memory(gpus: Fake, network: Path) -> None:
    pixels = noise("YX", Y=300, X=310)
    gpus.room(network, 1 << 14)
    small = on("cuda", network)(pixels, axes="YX")
    gpus.room(network, 1 << 18)
    large = on("cuda", network)(pixels, axes="YX")
    np.testing.assert_array_equal(small.image, large.image)
    assert large.provenance["tile"] == "Y 300 x X 310"
    assert small.provenance["tile"] != large.provenance["tile"]


# tiles that are too large


def refused_above(pixels: int, text: str) -> Callable[[int, tuple[int, ...]], None]:
    def before(number: int, shape: tuple[int, ...]) -> None:
        if np.prod(shape) > pixels:
            raise RuntimeError(text)

    return before


@pytest.mark.parametrize("text", [SHORT, LARGE, "first line\n" + SHORT])
@pytest.mark.parametrize("device", ["cuda", "cuda:0,1"])
def test_smaller_tiles_where_memory_is_short(
    gpus: Fake, network: Path, text: str, device: str
) -> None:
    pixels = noise("TYX", T=2, Y=300, X=310)
    gpus.before = refused_above(1 << 14, text)
    with pytest.warns(TileWarning, match="memory is short for tiles of") as caught:
        found = on(device, network)(pixels, axes="TYX")
    assert all(len(str(w.message).splitlines()) == 1 for w in caught)
    sizes = [int(n) for n in found.provenance["tile"].split() if n.isdecimal()]
    assert np.prod(sizes) <= 1 << 14
    gpus.before = lambda number, shape: None
    plans = [300, 150, 75]
    planned = [on(device, network)(pixels, axes="TYX", tile=n) for n in plans]
    for each in planned:
        np.testing.assert_array_equal(found.image, each.image)


def test_the_result_is_that_of_the_smaller_plan(gpus: Fake, network: Path) -> None:
    pixels, tiles = noise("YX", Y=300, X=310), []

    def seen(number: int, shape: tuple[int, ...]) -> None:
        refused_above(1 << 14, SHORT)(number, shape)
        tiles.append(shape)

    gpus.before = seen
    with pytest.warns(TileWarning):
        found = on("cuda", network)(pixels, axes="YX", tile=256)
    taken, tiles[:] = list(tiles), []
    made = job.make(tiny.spec("unet2d"), "YX", (300, 310), tile=256)
    while np.prod([*made.plan.tile.values()]) > 1 << 14:
        fewer = job.smaller(tiny.spec("unet2d"), made, least=0, shortest=1)
        assert fewer is not None
        made = fewer
    halo = 2 * supported(tiny.spec("unet2d")).tiling.halo["y"]
    kept = {
        a.lower(): n - halo if len(made.plan.lines[a].cuts) > 1 else n
        for a, n in made.plan.tile.items()
    }
    planned = on("cuda", network)(pixels, axes="YX", tile=kept)
    np.testing.assert_array_equal(found.image, planned.image)
    assert found.provenance["tile"] == planned.provenance["tile"]
    assert sorted(taken) == sorted(tiles)


def test_no_tile_is_small_enough(gpus: Fake, network: Path) -> None:
    gpus.before = refused_above(0, SHORT)
    restorer = on("cuda", network)
    with pytest.warns(TileWarning), pytest.raises(OutOfMemoryError) as error:
        restorer(noise("YX", Y=300, X=310), axes="YX")
    said = one_line(error.value)
    assert "the smallest that are tried" in said
    assert "smaller than requested bytes" in said


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SHORT, OutOfMemoryError),
        (LARGE, OutOfMemoryError),
        ("CUDA failure 2: out of memory ; GPU=0", OutOfMemoryError),
        (LOST, DeviceLostError),
        ("CUDA error 999: unknown error", DeviceLostError),
        ("CUDA failure 1: invalid argument ; GPU=0", EngineError),
        ("Got invalid dimensions for input", EngineError),
        ("", EngineError),
    ],
)
def test_what_failures_mean(text: str, kind: type[EngineError]) -> None:
    found = failure.explained(RuntimeError(text), (1, 1, 8, 8), "cuda:1")
    assert type(found) is kind
    assert "(1, 1, 8, 8)" in one_line(found)
    assert ("cuda:1" in str(found)) == (kind is DeviceLostError)
    assert not isinstance(failure.explained(RuntimeError(LOST), ()), DeviceLostError)


# a GPU that is lost


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Scratch", lambda f: scratch.Scratch(f, large=1))
    made = partial.Partial
    monkeypatch.setattr(batch, "Partial", lambda *a, **k: made(*a, large=1, **k))


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("device", ["cuda", "cuda:0,1"])
def test_a_gpu_lost_in_the_middle(
    gpus: Fake, network: Path, tmp_path: Path, device: str
) -> None:
    source, target = tmp_path / "a.tif", tmp_path / "out" / "b.tif"
    tifffile.imwrite(source, noise("YX", Y=300, X=310), imagej=True)
    chosen = Options(tile=64)
    whole = batch.run(on(device, network), source, tmp_path / "whole" / "b.tif", chosen)
    assert whole.error is None
    every = sum(gpus.calls.values())

    def lose(number: int, shape: tuple[int, ...]) -> None:
        if sum(gpus.calls.values()) > every + every // 2:
            raise RuntimeError(LOST)

    gpus.before = lose
    result = batch.run(on(device, network), source, target, chosen, every=0)
    assert result.status == "failed"
    assert "was lost" in str(result.error)
    assert "go on with --resume" in str(result.error)
    assert len(str(result.error).splitlines()) == 1
    assert [*target.parent.iterdir()] == [partial.folder_of(target)]
    gpus.before = lambda number, shape: None
    gpus.calls.clear()
    again = replace(chosen, resume=True)
    result = batch.run(on(device, network), source, target, again)
    assert result.error is None
    assert 0 < sum(gpus.calls.values()) < every
    assert target.read_bytes() == (tmp_path / "whole" / "b.tif").read_bytes()
    assert [*target.parent.iterdir()] == [target]


@pytest.mark.usefixtures("streamed")
def test_smaller_tiles_are_gone_on_with(
    gpus: Fake, network: Path, tmp_path: Path
) -> None:
    """What was done with tiles that had to be smaller is not done again."""
    source, target = tmp_path / "a.tif", tmp_path / "out" / "b.tif"
    tifffile.imwrite(source, noise("YX", Y=300, X=310), imagej=True)
    chosen = Options(tile=128)
    short = refused_above(1 << 13, SHORT)
    gpus.before = short
    whole = batch.run(on("cuda", network), source, tmp_path / "w" / "b.tif", chosen)
    assert whole.error is None
    assert any("memory is short" in note for note in whole.notes)
    done: list[int] = []

    def lose(number: int, shape: tuple[int, ...]) -> None:
        short(number, shape)
        done.append(0)
        if len(done) > 8:
            raise RuntimeError(LOST)

    gpus.before = lose
    result = batch.run(on("cuda", network), source, target, chosen, every=0)
    assert "go on with --resume" in str(result.error)
    gpus.before = short
    again = batch.run(on("cuda", network), source, target, replace(chosen, resume=True))
    assert again.error is None
    assert any("went on" in note for note in again.notes)
    assert not any("memory is short" in note for note in again.notes)
    assert target.read_bytes() == (tmp_path / "w" / "b.tif").read_bytes()


# several at once


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_gpus_make_what_one_does(gpus: Fake, network: Path, count: int) -> None:
    gpus.count, pixels = count, noise("TCYX", T=3, C=2, Y=150, X=160)
    plain = on("cpu", network)(pixels, axes="TCYX", tile=32)
    device = "cuda:" + ",".join(map(str, range(count)))
    restorer, told = on(device, network), []
    found = restorer(pixels, axes="TCYX", tile=32, progress=lambda *n: told.append(n))
    np.testing.assert_array_equal(found.image, plain.image)
    assert [n for n, _ in told] == list(range(1, len(told) + 1))
    assert {n for _, n in told} == {len(told)} == {sum(gpus.calls.values())}
    assert set(gpus.calls) == set(range(count))
    assert restorer.network.device == device  # type: ignore[attr-defined]
    assert restorer.network.workers == WORKERS * count  # type: ignore[attr-defined]


def test_a_fleet_plans_for_the_least_of_them(gpus: Fake, network: Path) -> None:
    found = [Engine(network, "cuda:0"), Engine(network, "cuda:1")]
    found[1].room = 99
    assert Fleet(found).room == 99
    found[0].room = None
    assert Fleet(found).room is None


def test_whichever_is_free_gets_the_tile(gpus: Fake, network: Path) -> None:
    def slow(number: int, shape: tuple[int, ...]) -> None:
        time.sleep(0.05 if number == 0 else 0)

    gpus.before = slow
    on("cuda:0,1", network)(noise("TYX", T=20, Y=40, X=40), axes="TYX")
    assert gpus.calls[1] > gpus.calls[0] > 0


def test_stopped_as_asked_on_a_gpu(gpus: Fake, network: Path) -> None:
    done: list[int] = []
    with pytest.raises(CancelledError, match="after 5 of "):
        on("cuda:0,1", network)(
            noise("YX", Y=150, X=160),
            axes="YX",
            tile=16,
            progress=lambda n, _: done.append(n),
            cancel=lambda: len(done) == 5,
        )
    assert done == [1, 2, 3, 4, 5]
    assert not [t for t in threading.enumerate() if t.name.startswith("care-tile")]


def test_two_threads_share_a_fleet(gpus: Fake, network: Path) -> None:
    restorer, found = on("cuda:0,1", network), {}
    images = {n: noise("YX", seed=n, Y=90, X=100) for n in range(4)}

    def work(number: int) -> None:
        found[number] = restorer(images[number], axes="YX", tile=16).image

    threads = [threading.Thread(target=work, args=(n,)) for n in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number, image in images.items():
        expected = on("cpu", network)(image, axes="YX", tile=16).image
        np.testing.assert_array_equal(found[number], expected)


# ahead


def run(steps: Any, compute: Any, workers: int) -> list[Any]:
    with ahead(steps, compute, workers) as running:
        return [(step, result()) for step, result in running]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_order(workers: int) -> None:
    rng = np.random.default_rng(0)

    def compute(n: int) -> int:
        time.sleep(rng.random() / 500)
        return n * n

    assert run(range(40), compute, workers) == [(n, n * n) for n in range(40)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_than_so_many_at_once(workers: int) -> None:
    begun, most = [0], [0]

    def steps() -> Any:
        for n in range(30):
            begun[0] += 1
            yield n

    taken = 0
    with ahead(steps(), lambda n: n, workers) as running:
        for _, result in running:
            most[0] = max(most[0], begun[0] - taken)
            result()
            taken += 1
    assert taken == 30
    assert most[0] == (1 if workers == 1 else workers + 1)


@pytest.mark.parametrize("workers", [1, 3])
def test_errors_come_in_order_and_nothing_goes_on(workers: int) -> None:
    begun: list[int] = []

    def compute(n: int) -> int:
        begun.append(n)
        if n == 4:
            raise EngineError(str(n))
        return n

    taken = []
    with (  # noqa: PT012
        pytest.raises(EngineError, match="4"),
        ahead(range(100), compute, workers) as running,
    ):
        for _, result in running:
            taken.append(result())
    assert taken == [0, 1, 2, 3]
    assert max(begun) <= 4 + workers


@pytest.mark.parametrize("workers", [1, 3])
def test_errors_of_steps_and_ctrl_c(workers: int) -> None:
    def steps() -> Any:
        yield from range(6)
        raise KeyboardInterrupt

    taken = []
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        ahead(steps(), lambda n: n, workers) as running,
    ):
        for _, result in running:
            taken.append(result())
    assert taken == list(range(len(taken)))
    assert not [t for t in threading.enumerate() if t.name.startswith("care-tile")]


# buffers


def bound(network: Path) -> tuple[Engine, Bindings]:
    engine = Engine(network, "cpu", threads=1)
    kinds, place = [np.dtype("float32")], ("cpu", 0)
    buffers = Bindings(engine._session, allocator(), engine.outputs, kinds, place)
    return engine, buffers


@pytest.mark.parametrize("name", ["unet2d", "unet3d", "laplace", "projection"])
def test_buffers_change_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.onnx"
    onnx.save(tiny.NETWORKS[name](), path)
    engine, buffers = bound(path)
    letters, rng = tiny.spec(name).input.letters, np.random.default_rng(0)
    sizes = {"B": 1, "C": 1, "Z": 8, "Y": 24, "X": 32}
    images = [rng.random([sizes[a] for a in letters], np.float32) for _ in range(4)]
    images.append(np.ascontiguousarray(images[0][..., :16]))
    images.append(images[1])
    found = [buffers(image) for image in images]
    for image, answers in zip(images, found, strict=True):  # none was written over
        for y, expected in zip(answers, engine(image), strict=True):
            assert y.dtype == np.float32
            np.testing.assert_array_equal(y, expected)


def test_buffers_of_several_inputs(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Sub", ["a", "b"], ["y"])
    a, b, y = (
        onnx.helper.make_tensor_value_info(name, 1, ["n", "m"]) for name in "aby"
    )
    graph = onnx.helper.make_graph([node], "g", [a, b], [y])
    opset = [onnx.helper.make_opsetid("", 17)]
    made = onnx.helper.make_model(graph, ir_version=8, opset_imports=opset)
    onnx.save(made, tmp_path / "sub.onnx")
    engine = Engine(tmp_path / "sub.onnx", "cpu", threads=1)
    kinds = [np.dtype("float32")] * 2
    buffers = Bindings(engine._session, allocator(), ["y"], kinds, ("cpu", 0))
    for shape in ((3, 4), (3, 4), (5, 2)):
        left, right = np.random.default_rng(0).random((2, *shape), np.float32)
        np.testing.assert_array_equal(buffers(left, right)[0], left - right)


def test_buffers_are_made_once_for_a_shape(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, ...]] = []
    before = Bound.__init__

    def counted(self: Any, *arguments: Any) -> None:
        made.extend(arguments[3])
        before(self, *arguments)

    monkeypatch.setattr(Bound, "__init__", counted)
    _, buffers = bound(network)
    x, y = np.zeros((1, 1, 16, 16), np.float32), np.zeros((1, 1, 16, 32), np.float32)
    for image in (x, x, x, y, y, x):
        buffers(image)
    assert made == [x.shape, y.shape, x.shape]


def test_every_thread_has_its_own_buffers(network: Path) -> None:
    engine, buffers = bound(network)
    images = np.random.default_rng(0).random((20, 1, 1, 64, 64), np.float32)
    expected = [engine(image)[0] for image in images]
    found = run(range(20), lambda n: buffers(images[n])[0], 4)
    for number, y in found:
        np.testing.assert_array_equal(y, expected[number])


# precision


@pytest.fixture
def halved(package: Path) -> Path:
    """Make a package with a second network, which stands for one in half precision."""
    found = package_.read_folder(package)
    model = onnx.load(str(package / "model.onnx"))
    model.doc_string = "another file"
    onnx.save(model, str(package / "model.fp16.onnx"))
    digest = tiny.hashed(package / "model.fp16.onnx").sha256
    assert found.spec.care is not None
    variants = {"model.fp16.onnx": Variant(("mean",), digest, "fp16")}
    care = replace(found.spec.care, variants=variants)
    tiny.write_description(package, replace(found.spec, care=care).to_dict())
    return package


@pytest.mark.parametrize(
    ("wish", "device", "found"),
    [
        ("auto", "cpu", "fp32"),
        ("auto", "cuda:0", "fp16"),
        ("auto", "cuda:0,1", "fp16"),
        ("fp32", "cuda:0", "fp32"),
        ("fp32", "cpu", "fp32"),
        ("fp16", "cuda", "fp16"),
    ],
)
def test_what_is_computed_in(halved: Path, wish: str, device: str, found: str) -> None:
    package = package_.read_folder(halved)
    assert precision_.decide(wish, package, ["mean"], device) == found
    name = "model.onnx" if found == "fp32" else "model.fp16.onnx"
    assert package.network(["mean"], found).name == name


def test_fp16_on_a_cpu_is_an_error(halved: Path) -> None:
    with pytest.raises(OptionError, match=r"'fp16'.*'cpu'.*'fp32'") as error:
        care_runtime.load(package_.read_folder(halved), device="cpu", precision="fp16")
    one_line(error.value)


def test_fp16_of_a_package_without_it(gpus: Fake, package: Path) -> None:
    found = package_.read_folder(package)
    assert care_runtime.load(found).provenance["precision"] == "fp32"
    with pytest.raises(OptionError, match=r"half precision.*publish --fp16") as error:
        care_runtime.load(found, precision="fp16")
    one_line(error.value)
    with pytest.raises(SpecError, match="precision fp16"):
        found.network(["mean"], "fp16")


def test_a_precision_that_is_none(package: Path) -> None:
    with pytest.raises(
        OptionError, match="'auto', 'fp32', 'fp16', 'bf16', found 'half'"
    ):
        care_runtime.load(package_.read_folder(package), precision="half")


def test_the_network_in_half_precision_is_taken(gpus: Fake, halved: Path) -> None:
    found = package_.read_folder(halved)
    facts = care_runtime.load(found, device="cuda").provenance
    assert facts["precision"] == "fp16"
    assert facts["model sha256"] == package_.sha256(halved / "model.fp16.onnx")
    plain = care_runtime.load(found, device="cuda", precision="fp32").provenance
    assert plain["precision"] == "fp32"
    assert plain["model sha256"] == package_.sha256(halved / "model.onnx")


def test_auto_without_the_libraries_of_cuda(gpus: Fake, halved: Path) -> None:
    gpus.cuda = False
    found = package_.read_folder(halved)
    with pytest.warns(DeviceWarning, match=r"libraries are missing.*on the CPU"):
        facts = care_runtime.load(found, engine="onnxruntime").provenance
    assert (facts["device"], facts["precision"]) == ("cpu", "fp32")
    assert facts["model sha256"] == package_.sha256(halved / "model.onnx")
    with pytest.warns(DeviceWarning), pytest.raises(OptionError, match="'cpu'"):
        care_runtime.load(found, engine="onnxruntime", precision="fp16")


def test_a_variant_of_an_unknown_precision(halved: Path) -> None:
    text = (halved / "rdf.yaml").read_text("utf-8")
    (halved / "rdf.yaml").write_text(text.replace("precision: fp16", "precision: int8"))
    with pytest.raises(SpecError, match=r"model\.fp16\.onnx.*'int8'"):
        package_.read_folder(halved)


@pytest.mark.parametrize("wish", ["auto", "fp32", "fp16"])
def test_workers_of_dask_take_the_same_network(
    gpus: Fake, halved: Path, wish: str
) -> None:
    da = pytest.importorskip("dask.array")
    from care_runtime import dask

    found = package_.read_folder(halved)
    pixels = noise("YX", Y=60, X=70)
    lazy = da.from_array(pixels, chunks=32)
    here = care_runtime.load(found, device="cuda", precision=wish)
    there = dask.restore(lazy, found, "YX", device="cuda", precision=wish, tile=32)
    np.testing.assert_array_equal(
        there.compute(scheduler="sync").image, here(pixels, "YX", tile=32).image
    )
    facts = there.provenance
    for key in ("precision", "model sha256"):
        assert facts[key] == here.provenance[key]
    assert gpus.calls[0] > 0


def test_precision_on_the_command_line(
    gpus: Fake, halved: Path, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise("YX", Y=80, X=90), imagej=True)

    def restore(*words: str) -> Any:
        line = ["restore", str(tmp_path / "a.tif"), "-m", str(halved), "--overwrite"]
        line += ["-o", str(tmp_path / "b.tif"), "--engine", "onnxruntime", *words]
        return CliRunner().invoke(main, line)

    assert restore("--precision", "fp16", "--device", "cuda:0,1").exit_code == 0
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        assert tif.imagej_metadata is not None
        assert "fp16" in str(tif.imagej_metadata)
        assert "cuda:0,1" in str(tif.imagej_metadata)
    failed = restore("--precision", "fp16", "--device", "cpu")
    assert failed.exit_code == 2
    assert "'fp16'" in failed.stderr
    assert restore("--precision", "half").exit_code == 2
    assert restore("--precision", "auto", "--device", "cpu").exit_code == 0


# where there is one


@pytest.mark.gpu
@WITHOUT
def test_a_real_gpu_says_its_memory() -> None:
    found = gpu.memory(0)
    assert found is not None
    assert 0 < found[0] <= found[1]


@pytest.mark.gpu
@WITHOUT
@pytest.mark.parametrize("name", ["unet2d", "unet3d", "laplace", "projection"])
def test_a_real_gpu_does_as_the_cpu(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.onnx"
    onnx.save(tiny.NETWORKS[name](), path)
    here, there = Engine(path, "cpu"), Engine(path, "cuda", exact=True)
    assert there.device == "cuda:0"
    assert there.room is not None
    spec = tiny.spec(name)
    pixels = noise("TZYX", T=3, Z=8, Y=200, X=210)
    expected = Restorer(spec, here)(pixels, "TZYX", dtype="float32").image
    for tile in (None, 32):
        found = Restorer(spec, there)(pixels, "TZYX", dtype="float32", tile=tile)
        width = float(np.ptp(expected))
        assert np.abs(found.image - expected).max() <= 1e-3 * width


@pytest.mark.gpu
@WITHOUT
def test_a_real_gpu_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limit the memory of the session, so that it fails as a small GPU does."""
    import onnxruntime

    make = onnxruntime.InferenceSession

    def limited(source: Any, options: Any, providers: list[Any], **more: Any) -> Any:
        if len(providers) == 1:
            return make(source, options, providers=providers, **more)
        name, settings = providers[0]
        settings = {**settings, "gpu_mem_limit": 64 << 20}
        places = [(name, settings), *providers[1:]]
        return make(source, options, providers=places, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", limited)
    monkeypatch.setattr(footprint, "room", lambda *a: None)
    path = tmp_path / "unet2d.onnx"
    onnx.save(tiny.NETWORKS["unet2d"](), path)
    pixels = noise("YX", Y=4000, X=4000)
    restorer = Restorer(tiny.spec("unet2d"), Engine(path, "cuda", exact=True))
    with pytest.warns(TileWarning, match="memory is short"):
        found = restorer(pixels, axes="YX", tile=4000, dtype="float32").image
    expected = Restorer(tiny.spec("unet2d"), Engine(path, "cpu"))
    whole = expected(pixels, axes="YX", dtype="float32").image
    assert np.abs(found - whole).max() <= 1e-3 * float(np.ptp(whole))


def test_every_gpu_has_threads_of_its_own(gpus: Fake, network: Path) -> None:
    seen: dict[int, set[str]] = {0: set(), 1: set()}

    def before(number: int, shape: tuple[int, ...]) -> None:
        seen[number].add(threading.current_thread().name)
        time.sleep(0.002)

    gpus.before = before
    image, run = noise("ZYX", Z=12, Y=60, X=70), on("cuda:0,1", network)
    for _ in range(3):
        run(image, "ZYX", tile=16)
    assert seen[0]
    assert seen[1]
    assert not seen[0] & seen[1]
