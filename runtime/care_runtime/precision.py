"""Precision: in which numbers a network computes, as its package and device allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime import engines, trial
from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from care_runtime.engines import AnyEngine
    from care_runtime.package import Package

PRECISIONS = ("auto", "fp32", "fp16")


def decide(wish: str, package: Package, outputs: Sequence[str], device: str) -> str:
    """Decide between float32 and half precision.

    Parameters
    ----------
    wish
        ``"auto"`` takes half precision on a GPU where the package has such a network;
        ``"fp32"``, ``"fp16"``.
    package
        The model.
    outputs
        Those that are to be computed.
    device
        Where the network runs, ``"cpu"`` or one that begins with ``"cuda"``.

    Returns
    -------
    str
        ``"fp32"`` or ``"fp16"``.

    Raises
    ------
    OptionError
        If it is none of these; or half precision was asked for and there is no such
        network, or no GPU: on a CPU it is slower than float32, and less exact.
    """
    if wish not in PRECISIONS:
        names = ", ".join(repr(name) for name in PRECISIONS)
        msg = f"expected a precision {names}, found {wish!r}"
        raise OptionError(msg)
    on_gpu = device.startswith("cuda")
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
    there = "cuda" if engines.gpus(device, engine) else "cpu"
    # Networks of others have names of their own; the order is the description's.
    ours = package.spec.care is not None
    places = [i for i, t in enumerate(package.spec.outputs) if t.id in outputs]
    while True:
        precision = decide(wish, package, outputs, there)
        path = package.network(outputs, precision)
        trial.require(package, path)
        network = engines.load(
            path,
            device,
            engine=engine,
            threads=threads,
            exact=exact,
            outputs=list(outputs) if ours else places,
            sharing=sharing,
        )
        if precision == "fp32" or network.device != "cpu":
            return network, path, precision
        there = device = "cpu"  # 'auto', and the GPU cannot be had
