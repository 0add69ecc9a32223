"""The runtime against CSBDeep, bioimageio.core and torch, from TIFF to TIFF on a CPU.

CSBDeep makes its default 2-D and 3-D networks with random weights; ``care-train
import-csbdeep`` turns them into packages, so that all programs compute the same. The
images are 2048 x 2048 and 64 x 512 x 512 pixels of 16 bits. Every restoration is a
process of its own, all take turns, and medians are printed: seconds of the first image
of a process and of the second, how many times as fast as CSBDeep's the second is, peak
memory, and how far a result lies from CSBDeep's, of its range (bioimageio.core cannot
undo the normalization, so that its result has other grey values).

Run with ``python benchmarks/against.py --csbdeep PYTHON --bioimageio PYTHON``, the
interpreters of environments with csbdeep 0.8.2 and tensorflow, and with
bioimageio.core 0.11 and onnxruntime; needs the extra ``training``, and ``openvino``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
import unets

IMAGES = {"YX": (2048, 2048), "ZYX": (64, 512, 512)}
SCRIPT = str(Path(__file__).with_name("rivals.py"))
SECOND = "CSBDeep"
"""What the others are compared with."""

MAKE = """
import sys
import numpy as np
from csbdeep.models import CARE, Config
axes, folder = sys.argv[1:]
model = CARE(Config(axes=axes, n_channel_in=1, n_channel_out=1), "model", folder)
model.keras_model.save_weights(str(model.logdir / "weights_best.h5"))
"""


def prepare(axes: str, shape: tuple[int, ...], folder: Path, python: str) -> None:
    """Make the network, its package and an image."""
    folder.mkdir()
    subprocess.run([python, "-c", MAKE, axes, str(folder)], check=True, **QUIET)
    package = str(folder / "package")
    command = ["import-csbdeep", str(folder / "model"), "-o", package]
    subprocess.run([*TRAIN, *command], check=True, **QUIET)
    image = np.random.default_rng(0).poisson(100, shape).astype(np.uint16)
    tifffile.imwrite(folder / "image.tif", image)
    (folder / "tile.json").write_text(json.dumps(block(Path(package), axes, shape)))


def block(package: Path, axes: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Take the tile that the runtime computes; none for a plane, which goes whole."""
    from care_runtime import job
    from care_runtime.package import read_spec

    if axes == "YX":
        return {}
    tile = job.make(read_spec(package / "rdf.yaml"), axes, shape).plan.tile
    return {axis.lower(): size for axis, size in tile.items()}


TRAIN = [sys.executable, "-c", "from care_training.cli import main; main()"]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def one(python: str, program: str, folder: Path, axes: str) -> dict[str, float]:
    """Restore with a program, in a process of its own."""
    out = str(folder / f"{program}.tif")
    asked = json.dumps({"of": (program, str(folder), axes, out)})
    command = [python, SCRIPT, asked]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    wanted, got = (tifffile.imread(folder / f"{n}.tif") for n in (SECOND, program))
    far = float(np.abs(wanted - got).max() / np.ptp(wanted))
    return found | {"far": far}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csbdeep", required=True)
    parser.add_argument("--bioimageio")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--axes", choices=IMAGES, action="append")
    parser.add_argument("--program", action="append", help="As CSBDeep; else all.")
    asked = parser.parse_args()
    programs = {SECOND: asked.csbdeep, "care-zoo": sys.executable}
    if unets.have("openvino"):
        from care_runtime import vino

        programs["care-zoo, OpenVINO"] = sys.executable
        if vino.has_bf16():
            programs["care-zoo, OpenVINO, bf16"] = sys.executable
    if asked.bioimageio:
        programs["bioimageio.core"] = asked.bioimageio
    programs["torch"] = sys.executable
    wanted = {SECOND, *(asked.program or programs)}
    programs = {name: programs[name] for name in programs if name in wanted}
    print(unets.machine())
    print("| image | program | first s | second s | speed | MiB | difference |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for axes in asked.axes or IMAGES:
            folder = Path(name, axes)
            prepare(axes, IMAGES[axes], folder, asked.csbdeep)
            found: dict[str, list[dict[str, float]]] = {n: [] for n in programs}
            for _ in range(asked.rounds):
                for program, python in programs.items():
                    found[program].append(one(python, program, folder, axes))
                    print(axes, program, found[program][-1], file=sys.stderr)
            for program, runs in found.items():
                row(axes, program, runs, found[SECOND])


def row(axes: str, program: str, runs: list, others: list) -> None:
    """Print what was measured."""

    def middle(of: list[dict[str, float]], what: str) -> float:
        return statistics.median(run[what] for run in of)

    size = " x ".join(map(str, IMAGES[axes]))
    cells = [
        f"{middle(runs, 'first') + middle(runs, 'loading'):.1f}",
        f"{middle(runs, 'second'):.1f}",
        f"{middle(others, 'second') / middle(runs, 'second'):.2f}",
        f"{max(run['bytes'] for run in runs) / 2**20:.0f}",
        f"{max(run['far'] for run in runs):.1e}",
    ]
    print("|", " | ".join([size, program, *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
