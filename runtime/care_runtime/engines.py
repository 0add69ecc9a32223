"""Engines: which library runs a network, and where."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Protocol

from care_runtime import gpu, trim, vino
from care_runtime.engine import Engine
from care_runtime.errors import DeviceWarning, OptionError
from care_runtime.fleet import Fleet
from care_runtime.vino import VinoEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

ENGINES = ("auto", "onnxruntime", "openvino")


class AnyEngine(Protocol):
    """What a restorer knows of an engine; see `Engine` and `VinoEngine`."""

    @property
    def name(self) -> str:
        """The library."""
        ...

    @property
    def version(self) -> str:
        """Of the library."""
        ...

    @property
    def device(self) -> str:
        """Where the network really runs: ``"cpu"``, ``"cuda:N"`` or ``"cuda:N,M"``."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the network's inputs."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that a call gives back, in this order."""
        ...

    @property
    def least(self) -> int:
        """Pixels that a tile needs at the bottom of the network."""
        ...

    @property
    def shortest(self) -> int:
        """Pixels that a tile needs along each axis that is cut."""
        ...

    @property
    def growth(self) -> Mapping[int, float]:
        """How many times the model's own tiles may be enlarged, by number of axes."""
        ...

    @property
    def room(self) -> int | None:
        """Pixels that a tile may have at most; None where nobody knows."""
        ...

    @property
    def workers(self) -> int:
        """Threads that may run it at once to some use."""
        ...

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network on a batch for each of its inputs."""
        ...


def load(
    source: Path,
    device: str = "auto",
    *,
    engine: str = "auto",
    threads: int = 0,
    exact: bool = False,
    outputs: Sequence[str | int] | None = None,
    sharing: int = 1,
    precision: str = "fp32",
) -> AnyEngine:
    """Load a network.

    Parameters
    ----------
    source
        The ONNX file.
    device
        ``"auto"`` takes a GPU if there is one, ``"cpu"``, ``"cuda"``, ``"cuda:N"``, or
        several GPUs that share the tiles: ``"cuda:0,1"``.
    engine
        ``"onnxruntime"``, ``"openvino"`` (on CPUs), or ``"auto"``: ONNX Runtime on a
        GPU, OpenVINO on a CPU if it is installed. Where that fails, it is an error.
    threads
        CPU threads; 0 for the cores that this process has.
    exact
        Compute in full float32 on a GPU too.
    outputs
        Names or places of those to give back; None for all.
    sharing
        Networks that have the memory of a GPU together, this one counted.
    precision
        In which it computes: ``"bf16"`` multiplies so, which only OpenVINO does;
        ``"fp16"`` and ``"fp32"`` are the file's own.

    Raises
    ------
    OptionError
        If there is no such engine or device, or less than one network.
    EngineError
        If they cannot be had, or cannot load the network.

    Warns
    -----
    DeviceWarning
        If ``"auto"`` found a GPU that cannot be had, and took the CPU.
    """
    numbers = gpus(device, engine)
    if sharing < 1:
        msg = f"expected 1 or more models that share a GPU, found {sharing}"
        raise OptionError(msg)
    there = partial(VinoEngine, threads=threads, outputs=outputs, precision=precision)
    if engine == "openvino" or (engine == "auto" and not numbers and vino.installed()):
        return _trimmed(there, source)
    one = partial(
        Engine, threads=threads, exact=exact, outputs=outputs, sharing=sharing
    )
    if len(numbers) > 1:
        return Fleet([one(source, f"cuda:{number}") for number in numbers])
    if not numbers:
        return _trimmed(partial(one, device=device), source)
    made = one(source, device)
    if engine == "auto" and made.device == "cpu" and vino.installed():
        return _trimmed(there, source)
    return made


def _trimmed(make: Callable[[Path | bytes], AnyEngine], source: Path) -> AnyEngine:
    """Load a network for a CPU, with its graph for tiles where it has one.

    On a GPU, every new shape of a tensor costs a search for how to compute it.
    """
    found = trim.prepared(source)
    return trim.engine(make(found[0]), found[1]) if found else make(source)


def gpus(device: str, engine: str = "auto") -> tuple[int, ...]:
    """Decide which GPUs a network is to run on; none is the CPU.

    Parameters
    ----------
    device, engine
        As `load` takes them.

    Raises
    ------
    OptionError
        If there is no such engine or device, or not together.
    EngineError
        If there is no such GPU.

    Warns
    -----
    DeviceWarning
        If NVIDIA's driver is there and does not start.
    """
    if engine not in ENGINES:
        names = ", ".join(repr(name) for name in ENGINES)
        msg = f"expected an engine {names}, found {engine!r}"
        raise OptionError(msg)
    if engine == "openvino" and device.startswith("cuda"):
        msg = (
            f"expected a CPU for the engine 'openvino', found the device {device!r}: "
            "take the device 'cpu', or the engine 'onnxruntime'"
        )
        raise OptionError(msg)
    if engine == "openvino" or device != "auto":
        return gpu.numbers("cpu" if device == "auto" else device)
    found = gpu.numbers(device)
    if not found and (why := gpu.trouble()):
        msg = f"{why}; until then, the network runs on the CPU"
        warnings.warn(msg, DeviceWarning, stacklevel=3)
    return found
