"""Wheels: which packages are installed, without importing any of them."""

from __future__ import annotations

import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, distributions, requires

CUDNN = re.compile(r"nvidia-cudnn-cu(\d+)")
RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?")


def has_gpu() -> bool:
    """Tell whether there are wheels of ONNX Runtime with CUDA for this machine."""
    return sys.platform != "darwin" and platform.machine() in ("x86_64", "AMD64")


def installed() -> dict[str, str]:
    """Versions by name, in lower case and with hyphens."""
    found = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:  # a half-removed package has none
            found[re.sub(r"[-_.]+", "-", str(name)).lower()] = one.version
    return found


def runtimes(names: dict[str, str]) -> dict[str, str]:
    """Those that install the package `onnxruntime`, where the last one wins."""
    kinds = ("gpu", "directml", "openvino", "qnn", "rocm", "silicon", "training")
    wanted = {"onnxruntime", *(f"onnxruntime-{kind}" for kind in kinds)}
    return {name: names[name] for name in sorted(wanted & set(names))}


def cuda_wanted(wheel: str = "onnxruntime-gpu") -> int | None:
    """Major version of CUDA that ONNX Runtime's wheel was built for, if it says so."""
    try:
        needed = requires(wheel) or []
    except PackageNotFoundError:
        return None
    found = [match for text in needed if (match := CUDNN.match(text))]
    return int(found[0][1]) if found else None


def cuda_found(names: dict[str, str]) -> dict[str, set[int]]:
    """Major versions of CUDA for which there are wheels, of CUDA and cuDNN."""
    found: dict[str, set[int]] = {"CUDA": set(), "cuDNN": set()}
    for name, version in names.items():
        if match := CUDNN.fullmatch(name):
            found["cuDNN"].add(int(match[1]))
        elif RUNTIME.fullmatch(name):
            found["CUDA"].add(int(version.partition(".")[0]))
    return found
