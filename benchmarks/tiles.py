"""Tile size and threads on a CPU: what a tile costs, and what its halo makes of it.

A network computes whole tiles and keeps them without their halo. For each size that is
kept this prints what is computed of 2048 x 2048 or of 64 x 512 x 512 for each voxel of
it, how many voxels a second are computed and how many restored (in millions), and the
peak memory for each voxel of a tile. Each row is a process of its own.
Run with ``python benchmarks/tiles.py`` (``--dims 2`` or ``3``); needs the extra
``training``, which exports the default networks with random weights.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import unets

if TYPE_CHECKING:
    from care_runtime.tiling import Plan

IMAGES = {2: {"y": 2048, "x": 2048}, 3: {"z": 64, "y": 512, "x": 512}}
KEPT = {2: [128, 256, 512, 1024, 2048], 3: [32, 64, 128, 192, 256]}


def one(file: str, engine: str, threads: int, tile: list[int]) -> dict[str, float]:
    """Compute one tile again and again."""
    from care_runtime import engines

    x = np.random.default_rng(0).random((1, 1, *tile), np.float32)
    network = engines.load(Path(file), "cpu", engine=engine, threads=threads)
    before, times = unets.peak(), []
    for _ in range(2):  # the first warms up
        started = time.perf_counter()
        network(x)
        times.append(time.perf_counter() - started)
    return {
        "seconds": times[-1],
        "bytes": (unets.peak() - before) / x.size,
    }


def plan(file: Path, dims: int, kept: int) -> Plan:
    """Cut the image, whole in Z."""
    from care_runtime import package
    from care_runtime.contract import supported
    from care_runtime.tiling import Plan, line

    tiling = supported(package.read_spec(file.with_suffix(".yaml"))).tiling
    lines = {}
    for axis, size in IMAGES[dims].items():
        grid, halo = tiling.multiple[axis], tiling.halo[axis]
        tile = None if axis == "z" else kept
        lines[axis.upper()] = line(size, multiple=grid, halo=halo, tile=tile)
    return Plan(lines)


def main() -> None:
    """Print a row for each engine, number of threads and size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dims", type=int, choices=(2, 3), action="append")
    parser.add_argument("--threads", type=int, action="append")
    parser.add_argument("--kept", type=int, action="append")
    asked = parser.parse_args()
    print(unets.machine())
    print(
        "engine       threads  kept  tile             work  computed  restored   bytes"
    )
    names = ["onnxruntime", *(["openvino"] if unets.have("openvino") else [])]
    with tempfile.TemporaryDirectory() as folder:
        for dims in asked.dims or (2, 3):
            file = unets.export(dims, Path(folder))
            for kept in asked.kept or KEPT[dims]:
                made = plan(file, dims, kept)
                for threads in asked.threads or (0,):
                    for name in names:
                        facts = (str(file), name, threads, [*made.tile.values()])
                        cost = unets.alone(__file__, of=facts)
                        row(name, threads, kept, made, cost)


def row(name: str, threads: int, kept: int, made: Plan, cost: dict[str, float]) -> None:
    """Print what was measured."""
    tile = [*made.tile.values()]
    image = math.prod(line.size for line in made.lines.values())
    work = len(made) * math.prod(tile) / image
    speed = math.prod(tile) / cost["seconds"] / 1e6
    print(
        f"{name:12} {threads or 'all':>7}  {kept:4}  {' x '.join(map(str, tile)):14}"
        f" {work:6.2f} {speed:9.3f} {speed / work:9.3f} {cost['bytes']:7.0f}",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("{"):
        print(json.dumps(one(*json.loads(sys.argv[1])["of"])))
    else:
        main()
