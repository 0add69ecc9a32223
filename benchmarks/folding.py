"""Folding: what it saves, of time and of memory.

Computes one tile with the default 3-D network, exported as it is trained and folded
(`care_training.folding`), in ONNX Runtime and in OpenVINO if it is installed. Each row
is a process of its own, all take turns, and medians are printed: seconds, the ratio to
the network that is not folded, and bytes for each voxel of the tile.
Run with ``python benchmarks/folding.py``; needs the extra ``training``.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import unets


def one(file: str, engine: str, tile: list[int]) -> dict[str, float]:
    """Compute a tile twice; the first warms up."""
    from care_runtime import engines

    x = np.random.default_rng(0).random((1, 1, *tile), np.float32)
    network = engines.load(Path(file), "cpu", engine=engine)
    before = unets.peak()
    for _ in range(2):
        started = time.perf_counter()
        network(x)
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "bytes": (unets.peak() - before) / x.size}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tile", default="64,204,204")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    tile = [int(n) for n in asked.tile.split(",")]
    print(unets.machine())
    names = ["onnxruntime", *(["openvino"] if unets.have("openvino") else [])]
    with tempfile.TemporaryDirectory() as name:
        (folded := Path(name, "folded")).mkdir()
        (plain := Path(name, "plain")).mkdir()
        files = {"folded": unets.export(3, folded)}
        with mock.patch("care_training.graph.fold", lambda network: network):
            files["plain"] = unets.export(3, plain)
        runs = {(engine, form): [] for engine in names for form in ("plain", "folded")}
        for _ in range(asked.rounds):
            for engine, form in runs:
                facts = (str(files[form]), engine, tile)
                runs[engine, form].append(unets.alone(__file__, of=facts))
    print("| engine | network | s | ratio | bytes a voxel |\n|---|---|---|---|---|")
    for (engine, form), found in runs.items():
        seconds = statistics.median(run["seconds"] for run in found)
        first = statistics.median(run["seconds"] for run in runs[engine, "plain"])
        most = max(run["bytes"] for run in found)
        numbers = f"{seconds:.2f} | {seconds / first:.2f} | {most:.0f}"
        print(f"| {engine} | {form} | {numbers} |")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("{"):
        print(json.dumps(one(*json.loads(sys.argv[1])["of"])))
    else:
        main()
