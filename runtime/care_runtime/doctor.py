"""Doctor: what is installed, what is wrong with it, and what mends it."""

from __future__ import annotations

import ctypes
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from care_runtime import cache, cores, engine, gpu, memory, vino, wheels
from care_runtime.errors import CareError
from care_runtime.vino import VinoEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from care_runtime.engines import AnyEngine

# One Conv of a picture with itself, which needs cuDNN on a GPU: 3 x 3 = 9.
NETWORK = (
    b'\x08\x08:N\n\x0f\n\x01x\n\x01x\x12\x01y"\x04Conv\x12\x01gZ\x1b\n\x01x\x12\x16\n'
    b"\x14\x08\x01\x12\x10\n\x02\x08\x01\n\x02\x08\x01\n\x02\x08\x01\n\x02\x08\x01b"
    b"\x1b\n\x01y\x12\x16\n\x14\x08\x01\x12\x10\n\x02\x08\x01\n\x02\x08\x01\n\x02\x08"
    b"\x01\n\x02\x08\x01B\x04\n\x00\x10\x11"
)
LITTLE = 2 << 30
"""Bytes of memory below which a default tile may not fit."""

READERS = {
    "zarr": "OME-Zarr",
    "fsspec": "addresses of clouds",
    "bioio": "vendors' files",
}
"""Optional packages, and what they read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    subject
        What was looked at.
    status
        ``"ok"``, ``"advice"`` where something could be better, ``"fault"`` where
        something does not work.
    found
        What is there.
    mend
        What to do about it.
    """

    subject: str
    status: Literal["ok", "advice", "fault"]
    found: str
    mend: str = ""


def examine() -> list[Finding]:
    """Look at everything; it needs no network and changes nothing."""
    names = wheels.installed()
    checks = (_software, _onnxruntime, _cpu, _gpu, _openvino, _machine, _folders)
    found = [finding for check in checks for finding in check(names)]
    return [*found, _readers(names)]


def _software(names: dict[str, str]) -> Iterator[Finding]:
    python = f"Python {platform.python_version()} on {platform.platform()}"
    yield Finding("software", "ok", f"care-zoo {names.get('care-zoo', '?')}, {python}")


def _onnxruntime(names: dict[str, str]) -> Iterator[Finding]:
    found = wheels.runtimes(names)
    told = ", ".join(f"{name} {version}" for name, version in found.items())
    if len(found) > 1:
        mend = (
            "they overwrite each other, and pip does not notice: pip uninstall -y "
            f"{' '.join(found)}; then pip install {_preferred()}"
        )
        yield Finding("ONNX Runtime", "fault", f"{told}: only one may be there", mend)
    elif not found:
        mend = f"pip install {_preferred()}"
        yield Finding("ONNX Runtime", "fault", "not installed", mend)
    else:
        yield Finding("ONNX Runtime", "ok", told)


def _preferred() -> str:
    return "onnxruntime-gpu" if wheels.has_gpu() else "onnxruntime"


def _cpu(_: dict[str, str]) -> Iterator[Finding]:
    yield _tried("CPU", lambda: engine.Engine(NETWORK, "cpu", threads=1))


def _gpu(names: dict[str, str]) -> Iterator[Finding]:
    """Look at driver, libraries and a session, where there is a GPU."""
    count = gpu.count()
    if not count:
        if why := gpu.trouble():
            yield Finding("GPU", "fault", *why.split(": ", 1))
        elif _card():
            mend = "install NVIDIA's driver; start a container with --gpus all"
            yield Finding("GPU", "advice", "an NVIDIA card without a driver", mend)
        else:
            yield Finding("GPU", "ok", "none: the CPU is used")
        return
    if "onnxruntime-gpu" not in names:
        mend = "pip uninstall -y onnxruntime; then pip install 'care-zoo[cuda]'"
        yield Finding("GPU", "fault", "ONNX Runtime's wheel has no CUDA", mend)
        return
    wanted = wheels.cuda_wanted()
    yield _driver(count, wanted)
    if wanted is not None:
        yield from _libraries(names, wanted)
    yield _tried("GPU", lambda: engine.Engine(NETWORK, "cuda"))


def _driver(count: int, wanted: int | None) -> Finding:
    major, minor = gpu.driver_cuda()
    told = f"{count} GPU(s), a driver for CUDA {major}.{minor}"
    known = [gpu.memory(number) for number in range(count)]
    free = ", ".join(f"{m[0] / 2**30:.1f} of {m[1] / 2**30:.1f} GB" for m in known if m)
    told += f", free memory {free}" if free else ""
    if wanted is not None and major < wanted:
        mend = f"ONNX Runtime needs CUDA {wanted}: update NVIDIA's driver"
        return Finding("driver", "fault", told, mend)
    return Finding("driver", "ok", told)


def _libraries(names: dict[str, str], wanted: int) -> Iterator[Finding]:
    """Compare the wheels of CUDA and cuDNN with the version that is wanted."""
    system = {"CUDA": f"libcudart.so.{wanted}", "cuDNN": "libcudnn.so.9"}
    if sys.platform == "win32":
        system = {"CUDA": f"cudart64_{wanted}.dll", "cuDNN": "cudnn64_9.dll"}
    for library, majors in wheels.cuda_found(names).items():
        if wanted in majors:
            yield Finding(library, "ok", f"wheels for CUDA {wanted}")
        elif _loads(system[library]):
            yield Finding(library, "ok", f"the system's {system[library]}")
        else:
            others = " and ".join(f"CUDA {major}" for major in sorted(majors))
            told = f"wheels for {others} alone" if others else "missing"
            mend = f"ONNX Runtime needs CUDA {wanted}: pip install 'care-zoo[cuda]'"
            yield Finding(library, "fault", told, mend)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _card() -> bool:
    """Whether Linux sees a graphics card of NVIDIA's."""
    for device in Path("/sys/bus/pci/devices").glob("*"):
        try:
            vendor = (device / "vendor").read_text("ascii").strip()
            kind = (device / "class").read_text("ascii").strip()
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


def _openvino(_: dict[str, str]) -> Iterator[Finding]:
    if vino.installed():
        looked = _tried("OpenVINO", lambda: VinoEngine(NETWORK, threads=1))
        if looked.status == "ok" and vino.has_bf16():
            more = "; this CPU has bf16: --precision bf16 is several times as fast"
            looked = replace(looked, found=looked.found + more)
        yield looked
    elif gpu.count():
        yield Finding("OpenVINO", "ok", "not installed; a GPU does not need it")
    else:
        mend = (
            "without a GPU it makes 3-D models about twice as fast: pip install "
            "'care-zoo[openvino]'"
        )
        yield Finding("OpenVINO", "advice", "not installed", mend)


def _tried(subject: str, load: Callable[[], AnyEngine]) -> Finding:
    """Run a network of one node, and say where it really ran."""
    try:
        made = load()
        (answer,) = made(np.full((1, 1, 1, 1), 3, np.float32))
    except (CareError, ImportError) as error:
        mend = "" if isinstance(error, CareError) else "install it again"
        return Finding(subject, "fault", " ".join(str(error).split()), mend)
    told = f"{made.name} {made.version} runs on {made.device}"
    if answer.shape != (1, 1, 1, 1) or answer.item() != 9:
        told = f"{told}, and computes 3 x 3 = {answer.ravel()[:1]}"
        return Finding(subject, "fault", told, "install it again")
    return Finding(subject, "ok", told)


def _machine(_: dict[str, str]) -> Iterator[Finding]:
    yield Finding("cores", "ok", f"{cores.cores()} for this process")
    free = memory.free()
    if free is None:
        yield Finding("memory", "ok", "the system does not tell")
    elif free < LITTLE:
        mend = "if a restoration fails, take smaller tiles: --tile 256 or --tile 64"
        yield Finding("memory", "advice", f"{free / 2**30:.1f} GiB free", mend)
    else:
        yield Finding("memory", "ok", f"{free / 2**30:.1f} GiB free")


def _folders(_: dict[str, str]) -> Iterator[Finding]:
    mend = "set CARE_HOME to a folder that you may write to"
    yield _folder("cache folder", cache.folder(), "fault", mend)
    mend = "give -o a place that you may write to"
    yield _folder("this folder", Path.cwd(), "advice", mend)


def _folder(
    subject: str, folder: Path, status: Literal["advice", "fault"], mend: str
) -> Finding:
    """Try to write, into the nearest folder that exists."""
    place = next((f for f in (folder, *folder.parents) if f.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            room = shutil.disk_usage(place).free
    except OSError as error:
        told = f"{folder} cannot be written to ({error.strerror or error})"
        return Finding(subject, status, told, mend)
    return Finding(subject, "ok", f"{folder}, {room / 2**30:.1f} GiB free")


def _readers(names: dict[str, str]) -> Finding:
    found = [f"{name} {names[name]}" for name in READERS if name in names]
    missing = [f"{name} ({READERS[name]})" for name in READERS if name not in names]
    told = f"installed: {', '.join(found) or 'none'}"
    if missing:
        told += f"; not installed: {', '.join(missing)}"
    return Finding("optional readers", "ok", told)
