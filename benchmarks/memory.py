"""Memory against file size: a one-layer network on sparse files that double in size.

    python benchmarks/memory.py --most 2                       # in some minutes
    python benchmarks/memory.py --first 20 --most 20 --folder /scratch

Every size is restored by a process of its own, of which the memory that belongs to it
alone (RssAnon) and all that it shows (VmHWM, with what it maps of files) are looked at
every 20 ms. Seconds are those of the clock, and of computing, which other processes
change less. The input is sparse and takes no room; the output and its unfinished copy
take twice its size. ``--save NAME`` writes the table to NAME.md, plots it to NAME.png
(needs matplotlib), and keeps its rows in NAME.json, to which later runs add theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile

WORK = """
import sys
from pathlib import Path
from care_runtime import batch
from care_runtime.engine import Engine
from care_runtime.restore import Restorer
from care_runtime.spec import Spec
import yaml
folder, source, target = map(Path, sys.argv[1:4])
spec = Spec.from_dict(yaml.safe_load((folder / "rdf.yaml").read_text()))
restorer = Restorer(spec, Engine(folder / "model.onnx", "cpu"))
found = batch.run(restorer, source, target, batch.Options())
sys.exit(found.error)
"""

HEAD = (
    "| input GB | shape | RssAnon MB | VmHWM MB | seconds | of computing |\n"
    "|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Row:
    """What one size cost."""

    gigabytes: float
    shape: tuple[int, ...]
    anonymous: float
    shown: float
    seconds: float
    computing: float

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        return (
            f"| {self.gigabytes:g} | {shape} | {self.anonymous:.0f} | {self.shown:.0f} "
            f"| {self.seconds:.0f} | {self.computing:.0f} |"
        )


def network(folder: Path) -> None:
    """Write a network of one 3-D convolution, and what it is."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "runtime"))
    import tiny

    shape = ["b", 1, "z", "y", "x"]
    kernel = np.full((1, 1, 3, 3, 3), 1 / 27, np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "w"], ["mean"], pads=[1] * 6)],
        "one",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(kernel, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(
        helper.make_model(graph, opset_imports=opset, ir_version=8),
        folder / "model.onnx",
    )
    from care_runtime.care import Tiling

    space = "zyx"
    tiling = Tiling(
        multiple=dict.fromkeys(space, 1),
        halo=dict.fromkeys(space, 1),
        size={"z": 32, "y": 256, "x": 256},
    )
    spec = tiny.spec("identity3d", tiling=tiling)
    tiny.write_description(folder, spec.to_dict())


def sparse(path: Path, gigabytes: float) -> tuple[int, ...]:
    """Make a BigTIFF of uint16 that is nearly all hole, with some contrast."""
    shape = (max(2, round(gigabytes * 2**30 / (2 * 2048 * 2048))), 2048, 2048)
    mapped = tifffile.memmap(
        path, shape=shape, dtype=np.uint16, bigtiff=True, metadata={"axes": "ZYX"}
    )
    mapped[0] = np.random.default_rng(0).integers(0, 1000, shape[1:])
    mapped[-1, ::7] = 500
    mapped.flush()
    return shape


def measured(words: list[str]) -> tuple[float, float, float, float]:
    """Run a process; return peaks of RssAnon and VmHWM in MB, and both seconds."""
    begun, before, anon, shown = time.perf_counter(), os.times(), 0, 0
    with subprocess.Popen(words) as process:
        while process.poll() is None:
            try:
                text = Path(f"/proc/{process.pid}/status").read_text("ascii")
            except OSError:
                break
            found = dict(re.findall(r"(RssAnon|VmHWM):\s+(\d+) kB", text))
            anon = max(anon, int(found.get("RssAnon", 0)))
            shown = max(shown, int(found.get("VmHWM", 0)))
            time.sleep(0.02)
    if process.returncode:
        sys.exit(process.returncode)
    now = os.times()
    computing = now.children_user + now.children_system
    computing -= before.children_user + before.children_system
    return anon / 1024, shown / 1024, time.perf_counter() - begun, computing


def restored(gigabytes: float, kind: str, place: Path | None) -> Row:
    """Measure one size; its files vanish afterwards."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        network(folder)
        shape = sparse(folder / "in.tif", gigabytes)
        words = [folder, folder / "in.tif", folder / f"out{kind}"]
        found = measured([sys.executable, "-c", WORK, *map(str, words)])
    return Row(gigabytes, shape, *found)


def machine() -> str:
    """Say what was measured on what."""
    import onnxruntime

    from care_runtime import __version__, cores

    text = Path("/proc/cpuinfo").read_text("utf-8")
    model = re.search(r"model name\s*:\s*(.*)", text)
    return (
        f"{model[1] if model else platform.machine()}, {cores.threads(0)} cores; "
        f"care-zoo {__version__}, ONNX Runtime {onnxruntime.__version__}, "
        f"NumPy {np.__version__}, Python {platform.python_version()}"
    )


def save(rows: list[Row], name: Path) -> None:
    """Write the table, its plot, and the rows themselves."""
    kept = name.with_suffix(".json")
    if kept.exists():
        earlier = [Row(**each) for each in json.loads(kept.read_text("utf-8"))]
        new = {row.gigabytes for row in rows}
        rows = [row for row in earlier if row.gigabytes not in new] + rows
    rows = sorted(rows, key=lambda row: row.gigabytes)
    kept.write_text(json.dumps([asdict(row) for row in rows], indent=1), "utf-8")
    lines = [machine(), "", HEAD, *map(str, rows), ""]
    name.with_suffix(".md").write_text("\n".join(lines), "utf-8")
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    sizes = [row.gigabytes for row in rows]
    axis.plot(sizes, [row.anonymous for row in rows], "o-", label="its own (RssAnon)")
    axis.plot(sizes, [row.shown for row in rows], "s-", label="all it shows (VmHWM)")
    axis.plot(sizes, [1024 * n for n in sizes], "k:", label="the image itself")
    axis.axhline(1536, color="red", lw=1, label="1.5 GB")
    axis.set(xscale="log", xlabel="input, GB (uint16)", ylabel="peak memory, MB")
    axis.set_ylim(0, 1.2 * max(1536, *(row.shown for row in rows)))
    axis.set_xticks(sizes, [f"{n:g}" for n in sizes])
    axis.minorticks_off()
    axis.legend()
    axis.set_title(machine().replace("; ", "\n"), fontsize=8)
    figure.savefig(name.with_suffix(".png"), dpi=120)


def main() -> None:
    """Measure every size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=float, default=0.25, help="GB of the first")
    parser.add_argument("--most", type=float, default=1, help="GB of the last, as 20")
    parser.add_argument("--folder", type=Path, help="on a disk with room")
    parser.add_argument("--kind", default=".ome.tif", help=".ome.tif, .npy or .zarr")
    parser.add_argument("--save", type=Path, help="name of table, plot and rows")
    chosen = parser.parse_args()
    print(f"{machine()}\n\n{HEAD}", flush=True)
    rows, size = [], chosen.first
    while size <= chosen.most:
        rows.append(restored(size, chosen.kind, chosen.folder))
        print(rows[-1], flush=True)
        size *= 2
    if chosen.save is not None:
        save(rows, chosen.save)


if __name__ == "__main__":
    main()
