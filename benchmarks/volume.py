"""The paper's volume, 1024 x 1024 x 100 voxels of 16 bits, from TIFF to TIFF.

The default 3-D network with random weights restores it in one process, warm, with what
each part takes: reading, measuring percentiles, the network, writing, and what is left
(normalizing, copying, cutting tiles; on a GPU, where parts go on beside each other,
what of them the network does not hide). Beside it the time of ``care-run restore`` as
a process of its own, from its start to its end. Medians of the rounds are printed.
Run with ``python benchmarks/volume.py --device cuda``, and with ``--fp16`` for a
package that has its network in half precision, too; on a CPU it takes minutes a round,
and ``--shape 32,256,256`` a smaller volume. Needs the extra ``training``.
"""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import unets

RUN = [sys.executable, "-m", "care_runtime", "restore"]
PERCENTILES = 2, 99.8


class Timed:
    """A network, and the time in which it computed one tile or several."""

    def __init__(self, network: Any) -> None:
        self.network, self.seconds = network, 0.0
        self._lock, self._running, self._since = threading.Lock(), 0, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def __call__(self, *tiles: Any, **wishes: Any) -> Any:
        """Run the network on a tile of each of its inputs."""
        with self._lock:
            if not self._running:
                self._since = time.perf_counter()
            self._running += 1
        try:
            return self.network(*tiles, **wishes)
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self.seconds += time.perf_counter() - self._since


def package(folder: Path, *, fp16: bool = False) -> Path:
    """Write a package with the default network, if asked in half precision, too."""
    from care_training import describe, export, half, networks
    from care_training.sample import Sample
    from care_training.unet import UNetConfig

    network = networks.build(UNetConfig(dims=3))
    spec = describe.describe(network.form, name="unet3", description="Random weights.")
    low, truth = np.random.default_rng(0).poisson(100, (2, 1, 32, 64, 64))
    sample = Sample(low.astype(np.uint16), truth.astype(np.uint16))
    contents = export.Contents(sample, "# Random weights")
    export.export(network, spec, lambda _: contents, folder)
    if not fp16:
        return folder
    return half.add(folder, folder.with_name("halved"))[0].folder


def timed(seconds: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """Do a part of the work, and write down how long it took."""
    started = time.perf_counter()
    done = work()
    seconds[name] = time.perf_counter() - started
    return done


def warm(restorer: Any, file: Path, out: Path) -> dict[str, float]:
    """Restore a file, part by part."""
    import care_runtime
    from care_runtime.percentiles import percentiles

    parts: dict[str, float] = {}
    restorer.network.seconds = 0.0
    image = timed(parts, "read", lambda: care_runtime.read(file))
    restored = timed(parts, "restore", lambda: restorer(image))
    timed(parts, "write", lambda: care_runtime.write(out, restored.images["mean"]))
    total = sum(parts.values())
    timed(parts, "percentiles", lambda: percentiles(image.pixels, PERCENTILES))
    parts["network"] = restorer.network.seconds
    around = parts.pop("restore") - parts["network"] - parts["percentiles"]
    return parts | {"around": around, "total": total}


def cold(folder: Path, file: Path, out: Path, device: str, precision: str) -> float:
    """Restore a file by the command."""
    command = [*RUN, str(file), "-m", str(folder), "-o", str(out), "--overwrite"]
    command += ["--device", device, "--precision", precision]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    import care_runtime

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--fp16", action="store_true")
    parser.add_argument("--shape", default="100,1024,1024")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    shape = tuple(int(n) for n in asked.shape.split(","))
    print(unets.machine())
    with tempfile.TemporaryDirectory() as name:
        folder, file, out = (Path(name, n) for n in ("package", "in.tif", "out.tif"))
        folder = package(folder, fp16=asked.fp16)
        pixels = np.random.default_rng(0).poisson(100, shape).astype(np.uint16)
        care_runtime.write(file, care_runtime.Image(pixels, "ZYX"))
        where = {"device": asked.device, "precision": asked.precision}
        # Before this process takes memory of the GPU, and keeps it.
        starts = [cold(folder, file, out, **where) for _ in range(asked.rounds)]
        restorer = care_runtime.load(folder, **where)
        restorer.network = Timed(restorer.network)
        # A GPU chooses its algorithms for each shape of tiles, and keeps their memory.
        on_cpu = restorer.network.device == "cpu"
        restorer(pixels[:16, :64, :64] if on_cpu else pixels, "ZYX")
        rounds = [warm(restorer, file, out) for _ in range(asked.rounds)]
    numbers = restorer.provenance["precision"]
    engine = f"{restorer.network.device}, {restorer.network.name}, {numbers}"
    print(f"{' x '.join(map(str, shape))} on {engine}; median seconds")
    for part in rounds[0]:
        print(f"  {part:12} {statistics.median(r[part] for r in rounds):8.3f}")
    median = statistics.median(starts)
    print(f"  {'cold':12} {median:8.3f}")
    print(f"  warm: {math.prod(shape) / 1e6 / _total(rounds):.2f} million voxels/s")


def _total(rounds: list[dict[str, float]]) -> float:
    return statistics.median(parts["total"] for parts in rounds)


if __name__ == "__main__":
    main()
