"""GPU: what NVIDIA's driver knows, and which of them a person means."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from importlib.metadata import distributions
from typing import Any

from care_runtime import wheels
from care_runtime.errors import EngineError, OptionError

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


NONE = 100
"""What the driver says where there is no GPU, or none that may be seen."""

TROUBLES = {
    34: "it is a stub to build with; start the container with --gpus all",
    802: "the GPUs are not ready; start NVIDIA's fabric manager, or wait for it",
    803: "its library and the kernel have other versions; restart the machine",
    804: "a package for compatibility stands in its way; update the driver",
}
"""Errors of the driver's first call, and what mends them."""


def count() -> int:
    """Count the GPUs that the NVIDIA driver knows; without a driver there are none."""
    try:
        driver = _driver()
    except OSError:
        return 0
    found = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(found)):
        return 0
    return found.value


def trouble() -> str:
    """Say what is wrong with a driver that is there and does not work.

    Returns
    -------
    str
        Empty without a driver, and where it works or knows no GPU.
    """
    try:
        code = int(_driver().cuInit(0))
    except OSError:
        return ""
    if code in (0, NONE):
        return ""
    mend = TROUBLES.get(code, "look at it with nvidia-smi")
    return f"NVIDIA's driver does not start (CUDA error {code}): {mend}"


def driver_cuda() -> tuple[int, int]:
    """Newest CUDA that the NVIDIA driver can run, as (13, 0); needs a driver."""
    version = ctypes.c_int(0)
    _driver().cuDriverGetVersion(ctypes.byref(version))
    return version.value // 1000, version.value % 1000 // 10


def memory(number: int) -> tuple[int, int] | None:
    """Bytes of a GPU that are free, and all it has; None where the driver does not say.

    The driver is asked, and not the tools around it (nvidia-smi, NVML): it counts the
    GPUs as sessions do, whatever ``CUDA_VISIBLE_DEVICES`` says, and is always there.

    Parameters
    ----------
    number
        Of the GPU, from 0.
    """
    try:
        driver = _driver()
    except OSError:
        return None
    device = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), number):
        return None
    # The context that sessions have on it, too; while somebody holds it, it costs
    # nothing to hold it once more.
    context = ctypes.c_void_p()
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return None
    try:
        if driver.cuCtxPushCurrent_v2(context):
            return None
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        failed = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
        return None if failed else (free.value, total.value)
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(device)


def numbers(device: str) -> tuple[int, ...]:
    """Decide which GPUs to ask for, before ONNX Runtime is there to complain.

    Parameters
    ----------
    device
        ``"auto"`` means the first GPU if there is one, ``"cpu"`` none, ``"cuda"`` the
        first, ``"cuda:N"`` and ``"cuda:N,M"`` those.

    Raises
    ------
    OptionError
        If it means nothing, or one GPU twice.
    EngineError
        If there is no such GPU.
    """
    if device == "cpu":
        return ()
    if device == "auto":
        return (0,) if count() else ()
    kind, colon, rest = device.partition(":")
    named = rest.split(",") if colon else ["0"]
    if kind != "cuda" or not all(n.isascii() and n.isdecimal() for n in named):
        msg = (
            "expected a device 'auto', 'cpu', 'cuda', 'cuda:N' or several as "
            f"'cuda:N,M', found {device!r}"
        )
        raise OptionError(msg)
    found = tuple(int(n) for n in named)
    if len(set(found)) < len(found):
        msg = f"expected every GPU once, found the device {device!r}"
        raise OptionError(msg)
    if max(found) >= count():
        raise EngineError(why_none(device))
    return found


def why_none(device: str) -> str:
    """Say in a line why a GPU that was asked for cannot be had, and what mends it."""
    found = count()
    if why := trouble():
        return f"device {device!r} was asked for, but {why}, or use device 'cpu'"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not found and hidden is not None and _has_driver():
        return (
            f"device {device!r} was asked for, but CUDA_VISIBLE_DEVICES={hidden!r} "
            "shows no GPU: unset it, or name one in it"
        )
    if not found:
        return (
            f"device {device!r} was asked for, but this machine shows no NVIDIA driver "
            f"({DRIVER}): install the driver, or use device 'cpu'"
        )
    named = [int(n) for n in device.partition(":")[2].split(",") if n]
    if named and max(named) >= found:
        return (
            f"device {device!r} was asked for, but GPUs are counted from 0 and this "
            f"machine shows only {found}: use a smaller number"
        )
    if not wheels.has_gpu():
        return (
            f"device {device!r} was asked for, but there is no wheel of ONNX Runtime "
            f"with CUDA for {platform.machine()}: build one, or use device 'cpu'"
        )
    names = {str(d.metadata["Name"]).lower() for d in distributions()}
    if {"onnxruntime", "onnxruntime-gpu"} <= names:
        return (
            f"device {device!r} cannot be had: onnxruntime and onnxruntime-gpu are "
            "both installed and overwrite each other. Uninstall both, then install "
            "onnxruntime-gpu again"
        )
    return (
        f"device {device!r} was asked for, but ONNX Runtime runs on the CPU: its CUDA "
        "libraries are missing. Install them with: pip install 'care-zoo[cuda]'"
    )


def _has_driver() -> bool:
    try:
        _driver()
    except OSError:
        return False
    return True


def _driver() -> Any:
    return ctypes.CDLL(DRIVER)
