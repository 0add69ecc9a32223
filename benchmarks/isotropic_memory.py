"""Memory of an isotropic restoration, while the volume doubles and doubles again.

CSBDeep holds about six times the upsampled volume. Here image and restoration lie in
files that are mapped, the volume is stretched tile by tile, and what is measured is the
memory that the process has for itself (RssAnon; mapped pages belong to the file).
Run with ``python benchmarks/isotropic_memory.py`` on Linux; each size in a process of
its own.
"""

import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

FACTOR = 8
SIZES = ((8, 256, 256), (16, 256, 256), (32, 256, 256), (32, 512, 512))


def anonymous() -> int:
    """Bytes that this process has for itself alone."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(row for row in status.splitlines() if row.startswith("RssAnon"))
    return int(line.split()[1]) << 10


class Peak(threading.Thread):
    """Watches memory until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes, self.watching = anonymous(), True

    def run(self) -> None:
        """Look every few milliseconds."""
        while self.watching:
            self.bytes = max(self.bytes, anonymous())
            time.sleep(0.005)


def model(folder: Path) -> None:
    """Export an isotropic network with random weights, narrow so that it is quick."""
    from care_runtime.care import Resample
    from care_training import describe, export, networks
    from care_training.isotropic import IsotropicConfig
    from care_training.sample import Sample
    from care_training.unet import UNetConfig

    network = networks.build(IsotropicConfig(UNetConfig(kernel=3, filters=8)))
    spec = describe.describe(
        network.form,
        name="isotropic",
        description="Random weights.",
        resample=Resample("z", FACTOR, "after", cubic=True),
    )
    low = np.random.default_rng(0).poisson(100, (1, 16, 96, 96)).astype(np.uint16)
    contents = export.Contents(Sample(low), "# Random weights")
    export.export(network, spec, lambda _: contents, folder)


def restore(folder: Path, shape: tuple[int, ...]) -> None:
    """Restore one volume, and print what it took."""
    import care_runtime
    from care_runtime.scratch import Scratch

    volume = np.lib.format.open_memmap(
        folder / "volume.npy", "w+", np.uint16, shape=shape
    )
    rng = np.random.default_rng(0)
    for plane in volume:
        plane[:] = rng.poisson(100, plane.shape)
    restorer = care_runtime.load(str(folder / "model"), device="cpu")
    restorer(np.asarray(volume[:4, :64, :64]), "ZYX")  # warm
    before, peak = anonymous(), Peak()
    peak.start()
    started = time.perf_counter()
    tile = {"z": 32, "y": 64, "x": 64}
    made = restorer(volume, "ZYX", tile=tile, empty=Scratch(folder, large=0))
    seconds = time.perf_counter() - started
    peak.watching = False
    sizes = " -> ".join(" x ".join(map(str, n)) for n in (shape, made.image.shape))
    print(
        f"{sizes:34} upsampled float32 {made.image.size * 4 >> 20:5d} MB   "
        f"peak {(peak.bytes - before) >> 20:5d} MB   {seconds:6.1f} s"
    )


def main() -> None:
    """Restore volumes of every size."""
    if len(sys.argv) > 1:
        restore(Path(sys.argv[1]), tuple(int(n) for n in sys.argv[2:]))
        return
    print(f"{platform.machine()}, factor {FACTOR}, tiles of 32 x 64 x 64 kept pixels")
    with tempfile.TemporaryDirectory() as name:
        model(Path(name) / "model")
        for shape in SIZES:
            command = [sys.executable, __file__, name, *map(str, shape)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
