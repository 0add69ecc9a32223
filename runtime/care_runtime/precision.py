"""Precision: in which numbers a network computes, as its package and device allow."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from care_runtime import engines, trial, tried, vino
from care_runtime.errors import DeviceWarning, OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from care_runtime.engines import AnyEngine
    from care_runtime.package import Package

PRECISIONS = ("auto", "fp32", "fp16", "bf16")


def decide(
    wish: str,
    package: Package,
    outputs: Sequence[str],
    device: str,
    engine: str = "auto",
) -> str:
    """Decide between float32, half precision and bfloat16.

    Parameters
    ----------
    wish
        ``"auto"`` takes half precision on a GPU where the package has such a network,
        and float32 everywhere else; ``"fp32"``, ``"fp16"``; ``"bf16"`` on a CPU that
        multiplies bfloat16, which has 8 significant bits.
    package
        The model.
    outputs
        Those that are to be computed.
    device
        Where the network runs, ``"cpu"`` or one that begins with ``"cuda"``.
    engine
        The library that runs it, as `engines.load` takes it.

    Returns
    -------
    str
        ``"fp32"``, ``"fp16"`` or ``"bf16"``.

    Raises
    ------
    OptionError
        If it is none of these; or half precision was asked for and there is no such
        network, or no GPU: on a CPU it is slower than float32, and less exact; or
        bf16, and the CPU or the library has none, or the outputs need more bits.
    """
    if wish not in PRECISIONS:
        names = ", ".join(repr(name) for name in PRECISIONS)
        msg = f"expected a precision {names}, found {wish!r}"
        raise OptionError(msg)
    on_gpu = device.startswith("cuda")
    if wish == "bf16":
        _require_bf16(package, outputs, device, engine)
        return wish
    has = package.offers(outputs, "fp16")
    if wish == "fp16" and not on_gpu:
        msg = (
            f"expected a GPU for the precision 'fp16', found the device {device!r}, "
            "where it is slower and less exact than 'fp32': take 'auto' or 'fp32', or "
            "another device"
        )
        raise OptionError(msg)
    if wish == "fp16" and not has:
        msg = (
            f"expected a network in half precision in the package of "
            f"{package.spec.name!r}, found none for {', '.join(outputs)}: take the "
            "precision 'auto' or 'fp32', or have one made by care-train publish --fp16"
        )
        raise OptionError(msg)
    return "fp16" if on_gpu and has and wish != "fp32" else "fp32"


def file(package: Package, outputs: Sequence[str], precision: str) -> Path:
    """Find the network that is computed in a precision: for bf16, that of float32."""
    return package.network(outputs, "fp32" if precision == "bf16" else precision)


def _require_bf16(
    package: Package, outputs: Sequence[str], device: str, engine: str
) -> None:
    """Refuse bf16 where it cannot be had, or is not enough."""
    if device.startswith("cuda"):
        msg = (
            f"expected a CPU for the precision 'bf16', found the device {device!r}: "
            "take the device 'cpu', or the precision 'fp16' or 'auto'"
        )
        raise OptionError(msg)
    if engine == "onnxruntime" or not vino.installed():
        found = f"the engine {engine!r}" if vino.installed() else "none"
        msg = (
            f"expected OpenVINO for the precision 'bf16', found {found}: take the "
            "engine 'openvino' (pip install 'care-zoo[openvino]'), or 'fp32'"
        )
        raise OptionError(msg)
    if not vino.has_bf16():
        raise OptionError(vino.NO_BF16)
    care = package.spec.care
    kinds = {} if care is None else {n: o.kind for n, o in care.outputs.items()}
    wide = [name for name in outputs if kinds.get(name) != "mean"]
    if wide:
        msg = (
            f"expected an image alone for the precision 'bf16', found "
            f"{', '.join(wide)}, which need more than its 8 significant bits: ask for "
            "the output 'mean' alone, or take 'fp32'"
        )
        raise OptionError(msg)


def load(
    package: Package,
    outputs: Sequence[str],
    wish: str,
    device: str,
    *,
    engine: str = "auto",
    threads: int = 0,
    exact: bool = False,
    sharing: int = 1,
) -> tuple[AnyEngine, Path, str]:
    """Load the network of a package that is right for a device.

    Parameters
    ----------
    package
        The model.
    outputs
        Ids of those to compute.
    wish
        As `decide` takes it.
    device, engine, threads, exact, sharing
        As `engines.load` takes them.

    Returns
    -------
    network, path, precision
        The engine, its file and what was decided.

    Raises
    ------
    OptionError, FileError, SpecError, EngineError
        If it cannot be had as asked for.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeviceWarning)  # it comes once more below
        there = "cuda" if engines.gpus(device, engine) else "cpu"
    # Networks of others have names of their own; the order is the description's.
    ours = package.spec.care is not None
    places = [i for i, t in enumerate(package.spec.outputs) if t.id in outputs]
    while True:
        precision = decide(wish, package, outputs, there, engine)
        path = file(package, outputs, precision)
        trial.require(package, path)
        network = engines.load(
            path,
            device,
            engine=engine,
            threads=threads,
            exact=exact,
            outputs=list(outputs) if ours else places,
            sharing=sharing,
            precision=precision,
        )
        if precision != "fp16" or network.device != "cpu":
            return tried.guarded(network, package, path), path, precision
        there = device = "cpu"  # 'auto', and the GPU cannot be had
