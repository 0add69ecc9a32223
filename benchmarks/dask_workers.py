"""Dask: how much faster two workers of one thread each are than one.

An OME-Zarr is restored into another by ``care-run restore --dask local:1`` and
``local:2`` (what lies behind them, in one process), with the default 2-D network and
random weights. Both clusters are up and have loaded the network; runs take turns, so
that a busy machine slows both alike. Beside it: the same network in one and in two
processes at once without dask, image or disk, which is all that two cores of the
machine give at that time.
``--asleep 0.5`` is for a machine whose cores others use: each tile sleeps for that long
in place of being computed, so that the ratio tells what the graph, the scheduler,
reading, counting and writing cost, and nothing of the cores.
Run with ``python benchmarks/dask_workers.py`` (``--plot FILE.png``); needs the extras
``dask``, ``zarr`` and ``training``, which exports the network and plots.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import unets

TILE = 512
"""Kept pixels of a tile; what is read of it is larger by the halo."""


def package(folder: Path) -> Path:
    """Write a package with random weights."""
    from care_training import describe, export, networks
    from care_training.sample import Sample
    from care_training.unet import UNetConfig

    network = networks.build(UNetConfig(dims=2))
    spec = describe.describe(network.form, name="unet2", description="Random weights.")
    low = np.random.default_rng(0).poisson(100, (1, 256, 256)).astype(np.uint16)
    contents = export.Contents(Sample(low), "# Random weights")
    export.export(network, spec, lambda _: contents, folder)
    return folder


def image(path: Path, planes: int, side: int) -> None:
    """Write a movie of noise."""
    import care_runtime

    rng = np.random.default_rng(0)
    pixels = rng.poisson(100, (planes, side, side)).astype(np.uint16)
    care_runtime.write(path, care_runtime.Image(pixels, "TYX"))


class Asleep:
    """A network that takes its time and answers with its input."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, x: Any) -> list[Any]:
        """Sleep."""
        time.sleep(self.seconds)
        return [x]


def lull(seconds: float) -> None:
    """Have this worker sleep in place of computing."""
    from care_runtime import worker

    network = Asleep(seconds)
    worker.network = lambda recipe: network


def tiles(file: str, count: int, start: Any, times: Any) -> None:
    """Run the network alone on some tiles, when all processes are ready."""
    from care_runtime import engines

    network = engines.load(Path(file), "cpu", engine="onnxruntime", threads=1)
    x = np.random.default_rng(0).random((1, 1, TILE, TILE), np.float32)
    network(x)
    start.wait()
    began = time.perf_counter()
    for _ in range(count):
        network(x)
    times.put(time.perf_counter() - began)


def plain(file: Path, processes: int, count: int) -> float:
    """Tiles a second of processes that know nothing of each other."""
    context = multiprocessing.get_context("spawn")
    start, times = context.Barrier(processes), context.Queue()
    each = count // processes
    found = [
        context.Process(target=tiles, args=(str(file), each, start, times))
        for _ in range(processes)
    ]
    for process in found:
        process.start()
    seconds = max(times.get() for _ in found)
    for process in found:
        process.join()
    return each * processes / seconds


def main() -> None:
    """Print a row for each round, and the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--planes", type=int, default=4)
    parser.add_argument("--side", type=int, default=1536)
    parser.add_argument("--workers", type=int, default=2, help="against one")
    parser.add_argument("--asleep", type=float, help="seconds a tile")
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    from care_runtime import cluster, remote, store
    from care_runtime.batch import Options

    many = asked.workers
    packages = ("dask", "distributed", "zarr")
    found = ", ".join(f"{name} {unets.known(name)}" for name in packages)
    print(f"{unets.machine()}, {found}")
    size = f"{asked.planes} x {asked.side} x {asked.side}"
    print(f"{size} uint16, OME-Zarr to OME-Zarr, tiles of {TILE} kept pixels")
    print(f"round  load  1 worker  {many} workers  ratio   processes alone, ratio")
    rows = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        made = store.locate(str(package(folder / "model")))
        model = remote.Remote(made, device="cpu", engine="onnxruntime")
        image(folder / "image.zarr", asked.planes, asked.side)
        image(folder / "small.zarr", many, 256)
        clients = {
            n: stack.enter_context(cluster.connected(f"local:{n}")) for n in (1, many)
        }
        if asked.asleep:
            for client in clients.values():
                client.run(lull, asked.asleep)
        chosen = Options(tile=TILE, overwrite=True)

        def seconds(source: str, workers: int) -> float:
            result = remote.run(
                model,
                clients[workers],
                folder / source,
                folder / f"out{workers}.zarr",
                chosen,
            )
            if result.error:
                raise SystemExit(result.error)
            return result.seconds

        for _ in range(2):
            for n in clients:
                seconds("small.zarr", n)
        for number in range(asked.rounds):
            load = os.getloadavg()[0]
            turn = (1, many) if number % 2 else (many, 1)
            times = {n: seconds("image.zarr", n) for n in turn}
            alone = dict.fromkeys(turn, 1.0)
            if not asked.asleep:
                alone = {n: plain(made.onnx, n, 8) for n in turn}
            ratios = times[1] / times[many], alone[many] / alone[1]
            rows.append((times[1], times[many], *ratios))
            limit = "         asleep" if asked.asleep else f"{ratios[1]:15.2f}"
            print(
                f"{number:5}  {load:4.1f}  {times[1]:6.1f} s  {times[many]:7.1f} s  "
                f"{ratios[0]:5.2f}   {limit}",
                flush=True,
            )
    one, two, ratio, limit = (
        statistics.median(column) for column in zip(*rows, strict=True)
    )
    last = "" if asked.asleep else f"{limit:15.2f}"
    print(f"median       {one:6.1f} s  {two:7.1f} s  {ratio:5.2f}   {last}".rstrip())
    if asked.plot:
        draw(asked.plot, rows, f"{unets.machine()}, {found}", many)


def draw(path: Path, rows: list[tuple[float, ...]], said: str, many: int) -> None:
    """Plot the ratios of all rounds."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    numbers = range(1, len(rows) + 1)
    axes.plot(numbers, [row[2] for row in rows], "o-", label="dask, Zarr to Zarr")
    axes.plot(numbers, [row[3] for row in rows], "s--", label="processes alone")
    axes.axhline(0.85 * many, color="grey", lw=0.8, label=f"{0.85 * many:g}, wanted")
    axes.set(xlabel="round", ylabel=f"speed of {many} over 1", ylim=(0, 1.1 * many))
    axes.set_title(said, fontsize=5, wrap=True)
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
