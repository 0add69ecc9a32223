"""Restoring on a CPU: the base install, OpenVINO and plain torch, in one run.

The default U-Nets with random weights on 2048 x 2048 and on 32 x 256 x 256 pixels
(``--large``: 64 x 512 x 512): voxels per second, the ratio to the base install, the
same of computing time (which other processes change less), and the peak memory of the
process. Each run is a process of its own; all take turns, and medians are printed.
Torch gets the whole image at once and neither normalizes nor tiles. Run with
``python benchmarks/cpu.py``; needs the extra ``training``.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import unets


def one(file: str, engine: str, shape: list[int]) -> dict[str, float]:
    """Restore one image; a small one before it warms up."""
    image = np.random.default_rng(0).poisson(100, shape).astype(np.uint16)
    small = image[tuple(slice(0, 64) for _ in shape)]
    run = in_torch(len(shape)) if engine == "torch" else restorer(Path(file), engine)
    run(small)
    started, used = time.perf_counter(), time.process_time()
    run(image)
    return {
        "seconds": time.perf_counter() - started,
        "computing": time.process_time() - used,
        "bytes": unets.peak(),
    }


def restorer(file: Path, engine: str):
    """Restore as `care_runtime.load` does."""
    from care_runtime import engines, package
    from care_runtime.restore import Restorer

    network = engines.load(file, "cpu", engine=engine)
    made = Restorer(package.read_spec(file.with_suffix(".yaml")), network)
    return lambda image: made(image, "ZYX"[-image.ndim :])


def in_torch(dims: int):
    """Run the network alone."""
    import torch

    from care_training.unet import UNet, UNetConfig

    network = UNet(UNetConfig(dims=dims)).eval()

    @torch.inference_mode()
    def run(image):
        return network(torch.from_numpy(image.astype(np.float32) / 255)[None, None])

    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", help="Instead of both images, as 16,128,128.")
    asked = parser.parse_args()
    shapes = [(2048, 2048), (64, 512, 512) if asked.large else (32, 256, 256)]
    if asked.shape:
        shapes = [tuple(int(n) for n in asked.shape.split(","))]
    names = ["onnxruntime", *(n for n in ("openvino", "torch") if unets.have(n))]
    print(unets.machine())
    with tempfile.TemporaryDirectory() as folder:
        for shape in shapes:
            file = unets.export(len(shape), Path(folder))
            found = {name: [] for name in names}
            for _ in range(asked.rounds):
                for name in names:
                    found[name].append(
                        unets.alone(__file__, of=(str(file), name, shape))
                    )
            print(" x ".join(map(str, shape)))
            for name, runs in found.items():
                row(name, runs, found["onnxruntime"], math.prod(shape))


def row(
    name: str,
    runs: list[dict[str, float]],
    base: list[dict[str, float]],
    pixels: int,
) -> None:
    """Print what was measured."""

    def middle(of: list[dict[str, float]], what: str) -> float:
        return statistics.median(run[what] for run in of)

    speed = pixels / middle(runs, "seconds") / 1e6
    ratio, work = (middle(base, w) / middle(runs, w) for w in ("seconds", "computing"))
    most = max(run["bytes"] for run in runs) / 2**20
    print(
        f"  {name:12} {speed:7.3f} million voxels/s  {ratio:5.2f} x  ({work:.2f} x by "
        f"computing time)  {most:6.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("{"):
        print(json.dumps(one(*json.loads(sys.argv[1])["of"])))
    else:
        main()
