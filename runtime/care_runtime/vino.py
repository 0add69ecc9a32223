"""Vino: the network in OpenVINO, on a CPU. The only module that imports it."""

from __future__ import annotations

import sys
from functools import cache, partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import cores, footprint, wire
from care_runtime.compiled import PRECISION, Compiled, Shapes
from care_runtime.errors import EngineError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CONVERTER = "openvino.tools.ovc"
"""A part of OpenVINO that reports to Intel over the network as soon as it is imported,
and takes longer to import than all the rest; nothing of it is needed here."""

GROWTH = {2: 7.0, 3: 2.0}
"""As for `care_runtime.engine.GROWTH`, with 400 to 550 bytes a pixel."""

SHORTEST = 16
"""Pixels of a tile along an axis, below which OpenVINO may add in another order.

On CPUs with AVX-512 it computes convolutions of a single channel otherwise where rows
have no more pixels than a kernel of 3 and one, and tiled then differs from whole in the
last bit. Tiles of models that read more than a few pixels around are longer anyway.
"""

HINTS = {
    # On a CPU that has bf16, OpenVINO takes it by itself: 1e-3 of the range.
    PRECISION: "f32",
    "EXECUTION_MODE_HINT": "ACCURACY",
    "PERFORMANCE_HINT": "LATENCY",
    # Pinned, two processes share one core while others are idle.
    "ENABLE_CPU_PINNING": False,
}

BF16_HINTS = {
    PRECISION: "bf16",
    "EXECUTION_MODE_HINT": "PERFORMANCE",
}
"""Hints for products of bfloat16, which has 8 significant bits; sums and what follows
the last convolution keep float32."""

NO_BF16 = (
    "expected a CPU that multiplies in bf16 (with AMX or AVX-512 BF16), found one that "
    "does not: take the precision 'auto' or 'fp32'"
)


class VinoEngine:
    """An ONNX network compiled by OpenVINO for this CPU; threads may share it.

    It is compiled once, for tiles of any shape: that is as fast as a network compiled
    for one shape, takes the same memory, and the same sums are added in the same order,
    so that tiled equals whole.

    Parameters
    ----------
    source
        The ONNX file, or its content.
    threads
        CPU threads; 0 for the cores that this process has.
    outputs
        Names or places of those to compute and give back, in this order; None for all.
    precision
        In which it computes: ``"bf16"`` multiplies so, see `has_bf16`.

    Attributes
    ----------
    name, version : str
        Of the library.
    device : str
        Always ``"cpu"``.
    inputs, outputs : tuple of str
        Names of the network's tensors.
    least : int
        Pixels that a tile needs at the bottom of the network: none.
    shortest : int
        Pixels that a tile needs along each axis that is cut; see `SHORTEST`.
    growth : mapping
        How many times the model's own tiles may be enlarged; see `GROWTH`.
    room, workers
        None and 1: those of a GPU; see `Engine`.

    Raises
    ------
    EngineError
        If OpenVINO is missing, the file is no network that it can compile, or it does
        not compile it as asked for.
    """

    name, device, least, shortest = "openvino", "cpu", 0, SHORTEST
    room: int | None = None
    workers = 1

    def __init__(
        self,
        source: Path | bytes,
        *,
        threads: int = 0,
        outputs: Sequence[str | int] | None = None,
        precision: str = "fp32",
    ) -> None:
        count = cores.threads(threads)
        bf16 = precision == "bf16"
        if bf16 and not has_bf16():
            raise EngineError(NO_BF16)
        if not isinstance(source, bytes):
            wire.check(source)
        self.version = str(_openvino().__version__).partition("-")[0]
        network = self._read(source)
        self.growth = footprint.growth(GROWTH, source)
        self.inputs = tuple(tensor.any_name for tensor in network.inputs)
        self._types = [tensor.element_type.to_dtype() for tensor in network.inputs]
        self.outputs, self._order = _select(network, source, outputs)
        hints = {**HINTS, **(BF16_HINTS if bf16 else {})}
        hints["INFERENCE_NUM_THREADS"] = count
        self._compile = partial(Compiled, _core(), network, hints)
        try:
            self._compiled = self._compile()
            self._shapes = Shapes(network)
        except Exception as error:
            raise EngineError(self._refused(source, error)) from error
        type_ = self._compiled.precision
        if type_ != hints[PRECISION]:
            msg = (
                f"expected OpenVINO {self.version} to compute in "
                f"{hints[PRECISION]}, found {type_}: take the engine "
                "'onnxruntime' with the precision 'fp32'"
            )
            raise EngineError(msg)
        self._lock = Lock()

    def _read(self, source: Path | bytes) -> Any:
        """Read ONNX and nothing else: left to itself, OpenVINO tries every format."""
        content = BytesIO(source) if isinstance(source, bytes) else str(source)
        try:
            reader = _openvino().frontend.FrontEndManager().load_by_framework("onnx")
            network = reader.convert(reader.load(content))
            network.input(0)  # an empty file is a network of nothing
            return network
        except Exception as error:
            raise EngineError(self._refused(source, error)) from error

    def _refused(self, source: Path | bytes, error: Exception) -> str:
        return (
            f"expected a network that OpenVINO {self.version} can compile, found "
            f"{_called(source)}: {_reason(error)}; fetch it again, or take the engine "
            "'onnxruntime'"
        )

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network.

        Parameters
        ----------
        *batches
            One for each input of the network, in its axes.

        Raises
        ------
        EngineError
            If the network does not take tiles of these shapes, or fails on them.
        OutOfMemoryError
            If there is not the memory for them.
        """
        try:
            images = [
                np.ascontiguousarray(x, kind)
                for x, kind in zip(batches, self._types, strict=True)
            ]
            with self._lock:
                self._shapes.check(*(x.shape for x in images))
                if self._compiled.failed:
                    self._compiled = self._compile()
                compiled = self._compiled
            return compiled.infer(images, self._order)
        except Exception as error:
            msg = (
                f"expected the network to run on a tile of shape {batches[0].shape}, "
                f"found: {_reason(error)}; if memory is short, take smaller tiles"
            )
            texts = ("allocate", "bad_alloc", "memory")
            short = any(text in _reason(error) for text in texts)
            raise (OutOfMemoryError if short else EngineError)(msg) from error


def installed() -> bool:
    """Whether OpenVINO is there, without importing it."""
    found = find_spec("openvino")
    return found is not None and found.origin is not None


def has_bf16() -> bool:
    """Whether this CPU has products of bf16: with AMX or AVX-512 BF16."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _openvino() -> Any:
    blocked = CONVERTER not in sys.modules
    if blocked:
        sys.modules[CONVERTER] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        msg = (
            f"the engine 'openvino' cannot be had ({error}): install it with pip "
            "install 'care-zoo[openvino]', or take the engine 'onnxruntime'"
        )
        raise EngineError(msg) from error
    finally:
        if blocked:
            sys.modules.pop(CONVERTER, None)
    return openvino


@cache
def _core() -> Any:
    return _openvino().Core()


def _select(
    network: Any, source: Path | bytes, outputs: Sequence[str | int] | None
) -> tuple[tuple[str, ...], list[int]]:
    """Take away the outputs that nobody asks for, so that they are not computed.

    Returns
    -------
    names, places
        Of those that are left, in the order asked for. They are known by their places
        from here on: compiled, a tensor may have another name, of one that it equals.
    """
    found = tuple(tensor.any_name for tensor in network.outputs)
    outputs = found if outputs is None else outputs
    if not set(outputs) <= {*found, *range(len(found))}:
        msg = (
            f"expected the outputs {tuple(outputs)} from {_called(source)}, found "
            f"{found}"
        )
        raise EngineError(msg)
    wanted = tuple(found[o] if isinstance(o, int) else o for o in outputs)
    for name, result in zip(found, network.get_results(), strict=True):
        if name not in wanted:
            network.remove_result(result)
    left = [name for name in found if name in wanted]
    return wanted, [left.index(name) for name in wanted]


def _called(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else f"{len(source)} bytes"


def _reason(error: Exception) -> str:
    """Pick the last line, which tells what is wrong; the others tell where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__
