"""Engine: the network in ONNX Runtime. The only module that imports it."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import binding, cores, failure, footprint, gpu, wire
from care_runtime.errors import DeviceWarning, EngineError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

COLUMNS = 128
"""Columns of a matrix, for each thread, above which ONNX Runtime adds in one order.

Its 3-D convolutions are matrix products, and where a thread gets 64 columns or fewer
they are blocked otherwise: tiled then differs from whole by 4e-7 of the range.
"""

GROWTH = {2: 7.0, 3: 1.5}
"""How many times the pixels of a model's own tiles are read at once on a CPU, by axes.

There, tiles of all sizes are computed at about the same speed, so that only the halo
counts, which is computed twice, against memory: the default U-Nets take 400 to 650
bytes a pixel, and so many of their own tiles 1.6 GB in 2-D, 2.1 GB in 3-D.
"""

TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    **{f"tensor({s}int{n})": f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)},
}
"""What a network may read, by ONNX Runtime's words; its answers become float32."""

FATAL_ONLY = 4
"""What ONNX Runtime may print; its errors come as exceptions already."""

WORKERS = 2
"""Tiles that a GPU is given at once: while it computes one, the next is on its way.

Measured on an H100, 227 million voxels a second in fp16 where one at a time gave 169.
"""


class Engine:
    """An ONNX network in a session of ONNX Runtime.

    Parameters
    ----------
    path
        The ONNX file, or its content.
    device
        ``"auto"`` takes a GPU if there is one, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    threads
        CPU threads; 0 for the cores that this process has.
    exact
        Compute in full float32 on a GPU too, without TF32.
    outputs
        Names or places of those to give back, in the order of the network; None for
        all.
    sharing
        Networks that have the memory of the GPU together, this one counted.

    Attributes
    ----------
    name, version : str
        Of the library.
    device : str
        Where the network really runs, read back from the session: ``"cpu"`` or
        ``"cuda:N"``.
    inputs, outputs : tuple of str
        Names of the network's tensors.
    least : int
        Pixels that a tile needs at the bottom of the network, so that its sums are
        added in the same order as those of the whole image; see `COLUMNS`.
    shortest : int
        Pixels that a tile needs along each axis that is cut: one.
    growth : mapping
        How many times the model's own tiles may be enlarged; see `GROWTH` and
        `footprint.growth`.
    room : int or None
        Pixels that fit into the memory of a GPU as one tile; None where that is not
        known, and on a CPU. See `footprint`.
    workers : int
        Threads that may run it at once to some use; see `WORKERS`.

    Raises
    ------
    EngineError
        If the file is no network that ONNX Runtime can load, or a GPU was asked for
        and cannot be had.

    Warns
    -----
    DeviceWarning
        If ``"auto"`` found a GPU that cannot be had, and took the CPU.
    """

    name, shortest = "onnxruntime", 1

    def __init__(
        self,
        path: Path | bytes,
        device: str = "auto",
        *,
        threads: int = 0,
        exact: bool = False,
        outputs: Sequence[str | int] | None = None,
        sharing: int = 1,
    ) -> None:
        number, count = _one(device), cores.threads(threads)
        self._session, why = _opened(path, number, count, exact=exact)
        self.version = _version()
        got = self._session.get_providers()[0]
        on_gpu = number is not None and got == "CUDAExecutionProvider"
        self.device = f"cuda:{number}" if on_gpu else "cpu"
        if number is not None and not on_gpu:
            why = why or EngineError(gpu.why_none(device))
            if device != "auto":
                raise why
            msg = f"{why}; until then, the network runs on the CPU"
            warnings.warn(msg, DeviceWarning, stacklevel=2)
        self.least = 0 if on_gpu else COLUMNS * count
        self.growth = {} if on_gpu else footprint.growth(GROWTH, path)
        self.workers = 1
        self.room: int | None = None
        if number is not None and on_gpu:
            self.workers = WORKERS
            self.room = footprint.room(path, number, WORKERS * sharing)
        self.inputs = tuple(i.name for i in self._session.get_inputs())
        found = tuple(o.name for o in self._session.get_outputs())
        wanted = found if outputs is None else tuple(outputs)
        if not set(wanted) <= {*found, *range(len(found))}:
            msg = f"expected the outputs {wanted} from {_called(path)}, found {found}"
            raise EngineError(msg)
        self.outputs = tuple(found[o] if isinstance(o, int) else o for o in wanted)
        kinds = [tensor.type for tensor in self._session.get_inputs()]
        strange = [kind for kind in kinds if kind not in TYPES]
        if strange:
            msg = f"expected numbers as input of {_called(path)}, found {strange[0]}"
            raise EngineError(msg)
        self._types = [np.dtype(TYPES[kind]) for kind in kinds]
        self._bound: binding.Bindings | None = None
        if number is not None and on_gpu and binding.possible(self._session):
            self._bound = binding.Bindings(
                self._session,
                allocator(),
                self.outputs,
                self._types,
                binding.place(number),
            )

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network.

        Parameters
        ----------
        *batches
            One for each input of the network, in its axes.
        """
        try:
            images = [
                np.ascontiguousarray(x, kind)
                for x, kind in zip(batches, self._types, strict=True)
            ]
            if self._bound is not None:
                return self._bound(*images)
            feed = dict(zip(self.inputs, images, strict=True))
            found = self._session.run(self.outputs, feed)
            return [np.asarray(y, np.float32) for y in found]
        except Exception as error:
            shape = batches[0].shape if batches else ()
            raise failure.explained(error, shape, self.device) from error


def _one(device: str) -> int | None:
    """Say for which GPU a session is made; None for the CPU."""
    found = gpu.numbers(device)
    if len(found) > 1:
        msg = (
            f"expected one device, found {device!r}: name one GPU, or use "
            "care_runtime.load, which shares tiles among several"
        )
        raise OptionError(msg)
    return found[0] if found else None


def allocator() -> Callable[..., Any]:
    """Return what makes tensors that a session reads, as `binding` takes it."""
    made: Callable[..., Any] = _onnxruntime().OrtValue.ortvalue_from_shape_and_type
    return made


def _version() -> str:
    return str(_onnxruntime().__version__)


def _onnxruntime() -> Any:
    """Import ONNX Runtime, which reports to Microsoft unless it is told not to.

    It reads the variable once, when it is imported; a program that wants it otherwise,
    or that imported it before, is left alone.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def _opened(
    path: Path | bytes, cuda: int | None, threads: int, *, exact: bool
) -> tuple[Any, EngineError | None]:
    """Make a session on a GPU; on the CPU where that fails, and say why.

    Raises
    ------
    EngineError
        If neither can load the network: then it is to blame, and no GPU.
    """
    try:
        return _session(path, cuda, threads, exact=exact), None
    except EngineError as error:
        if cuda is None:
            raise
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        why = failure.unopened(cause, f"cuda:{cuda}")
        why.__cause__ = cause
    return _session(path, None, threads, exact=exact), why


def _session(path: Path | bytes, cuda: int | None, threads: int, *, exact: bool) -> Any:
    if not isinstance(path, bytes):
        wire.check(path)
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    options.intra_op_num_threads = threads
    # Its own format is read where a file is called .ort; none of it was looked at.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # From the second tile on, a plan takes what the arena keeps already once more, in
    # one piece; on a GPU as well, where an arena takes what is asked for and no more.
    options.enable_mem_pattern = False
    providers: list[Any] = ["CPUExecutionProvider"]
    if cuda is not None:
        with redirect_stdout(io.StringIO()):  # it prints what it does not find
            onnxruntime.preload_dlls()
        # From 1.26 on, its default logger warns of every session on a GPU.
        onnxruntime.set_default_logger_severity(FATAL_ONLY)
        settings = {
            "device_id": cuda,
            # One search per tile shape, and all tiles have one shape.
            "cudnn_conv_algo_search": "HEURISTIC",
            "use_tf32": int(not exact),
            # Else it takes up to twice as much as a tile needs; see `footprint`.
            "arena_extend_strategy": "kSameAsRequested",
        }
        providers.insert(0, ("CUDAExecutionProvider", settings))
    try:
        source = path if isinstance(path, bytes) else str(path)
        # Else it prints to standard output, where images go, and takes the CPU.
        return onnxruntime.InferenceSession(
            source, options, providers=providers, enable_fallback=0
        )
    except Exception as error:
        lines = str(error).splitlines() or [""]
        msg = (
            f"expected a network that ONNX Runtime {onnxruntime.__version__} can load, "
            f"found {_called(path)}: {lines[0]}; fetch it again, or update ONNX Runtime"
        )
        raise EngineError(msg) from error


def _called(path: Path | bytes) -> str:
    return f"{len(path)} bytes" if isinstance(path, bytes) else str(path)
