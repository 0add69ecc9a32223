"""The default U-Nets with random weights, and the machine, for the other benchmarks."""

import json
import os
import platform
import resource
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HALOS = {2: 40, 3: 22}
"""Context of the default networks, as it is measured when one is published."""


def export(dims: int, folder: Path) -> Path:
    """Write the default network of 2 or 3 dimensions as ONNX; needs the extra training.

    Its description lies beside it as ``unet2.yaml`` or ``unet3.yaml``.
    """
    import torch
    import yaml

    from care_runtime.care import Tiling
    from care_runtime.contract import supported
    from care_training import describe, graph
    from care_training.unet import UNet, UNetConfig

    torch.manual_seed(0)
    network = UNet(UNetConfig(dims=dims)).eval()
    spec = describe.describe(network.form, name=f"unet{dims}", description="Random.")
    care, grid = supported(spec), dict(network.form.grid)
    tiling = Tiling(grid, dict.fromkeys(grid, HALOS[dims]), care.tiling.size)
    spec = replace(spec, care=replace(care, tiling=tiling))
    path = folder / f"unet{dims}.onnx"
    graph.export(network, spec, path)
    path.with_suffix(".yaml").write_text(yaml.safe_dump(spec.to_dict()), "utf-8")
    return path


def peak() -> int:
    """Most bytes that this process ever had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def alone(script: str, **facts: object) -> dict[str, float]:
    """Run a script's part in a process of its own, which prints numbers as JSON."""
    command = [sys.executable, script, json.dumps(facts)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def have(package: str) -> bool:
    """Whether a package is installed."""
    return known(package) != ""


def known(package: str) -> str:
    """Version of a package; none if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def machine() -> str:
    """Say what all this was measured on."""
    from care_runtime.cores import cores

    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
    packages = ("onnxruntime", "onnxruntime-gpu", "openvino", "torch", "numpy")
    found = [f"{package} {known(package)}" for package in packages if have(package)]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    python = f"Python {platform.python_version()}"
    return f"{name}, {cores()} cores{load}; {', '.join([python, *found])}"
