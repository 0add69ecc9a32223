"""Engine: the network in ONNX Runtime. The only module that imports it."""

from __future__ import annotations

import ctypes
import io
import sys
from contextlib import redirect_stdout
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import cores, wire
from care_runtime.errors import EngineError, OptionError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
COLUMNS = 128
"""Columns of a matrix, for each thread, above which ONNX Runtime adds in one order.

Its 3-D convolutions are matrix products, and where a thread gets 64 columns or fewer
they are blocked otherwise: tiled then differs from whole by 4e-7 of the range.
"""

GROWTH = {2: 4.0, 3: 1.5}
"""How many times the pixels of a model's own tiles are read at once on a CPU, by axes.

There, tiles of all sizes are computed at about the same speed, so that only the halo
counts, which is computed twice, against memory: the default U-Nets take 600 to 800
bytes a pixel, and so many of their own tiles 1.1 GB in 2-D, 2.1 GB in 3-D.
"""

TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    **{f"tensor({s}int{n})": f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)},
}
"""What a network may read, by ONNX Runtime's words; its answers become float32."""

SHORT = (
    "Failed to allocate memory",
    "bad allocation",
    "bad_alloc",
    "smaller than requested bytes",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_SUPPORTED",
)
"""What ONNX Runtime says where a tile is too large."""

FATAL_ONLY = 4
"""What ONNX Runtime may print; its errors come as exceptions already."""


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
        How many times the model's own tiles may be enlarged; see `GROWTH`.

    Raises
    ------
    EngineError
        If the file is no network that ONNX Runtime can load, or a GPU was asked for
        and cannot be had.
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
    ) -> None:
        number, count = cuda_number(device), cores.threads(threads)
        self._session = _session(path, number, count, exact=exact)
        self.version = _version()
        got = self._session.get_providers()[0]
        self.device = f"cuda:{number}" if got == "CUDAExecutionProvider" else "cpu"
        if device not in ("auto", "cpu") and self.device == "cpu":
            raise EngineError(_why_no_cuda(device))
        self.least = COLUMNS * count if self.device == "cpu" else 0
        self.growth = GROWTH if self.device == "cpu" else {}
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

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network.

        Parameters
        ----------
        *batches
            One for each input of the network, in its axes.
        """
        try:
            feed = {
                name: np.ascontiguousarray(x, kind)
                for name, x, kind in zip(self.inputs, batches, self._types, strict=True)
            }
            found = self._session.run(self.outputs, feed)
            return [np.asarray(y, np.float32) for y in found]
        except Exception as error:
            lines = str(error).splitlines() or [""]
            msg = (
                f"expected the network to run on a tile of shape {batches[0].shape}, "
                f"found: {lines[0]}; if memory is short, take smaller tiles"
            )
            short = any(text in lines[0] for text in SHORT)
            raise (OutOfMemoryError if short else EngineError)(msg) from error


def cuda_number(device: str) -> int | None:
    """Decide which GPU to ask for, before ONNX Runtime is there to complain."""
    if device == "cpu":
        return None
    if device == "auto":
        return 0 if gpus() else None
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number.isdecimal() or device == "cuda"):
        msg = f"expected a device 'auto', 'cpu', 'cuda' or 'cuda:N', found {device!r}"
        raise OptionError(msg)
    if int(number or 0) >= gpus():
        raise EngineError(_why_no_cuda(device))
    return int(number or 0)


def gpus() -> int:
    """Count the GPUs that the NVIDIA driver knows; without a driver there are none."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def driver_cuda() -> tuple[int, int]:
    """Newest CUDA that the NVIDIA driver can run, as (13, 0); needs a driver."""
    version = ctypes.c_int(0)
    ctypes.CDLL(DRIVER).cuDriverGetVersion(ctypes.byref(version))
    return version.value // 1000, version.value % 1000 // 10


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def _session(path: Path | bytes, cuda: int | None, threads: int, *, exact: bool) -> Any:
    if not isinstance(path, bytes):
        wire.check(path)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    options.intra_op_num_threads = threads
    # Its own format is read where a file is called .ort; none of it was looked at.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # From the second tile on, a plan takes what the arena keeps already once more.
    options.enable_mem_pattern = cuda is not None
    providers: list[Any] = ["CPUExecutionProvider"]
    if cuda is not None:
        with redirect_stdout(io.StringIO()):  # it prints what it does not find
            onnxruntime.preload_dlls()
        settings = {
            "device_id": cuda,
            # One search per tile shape, and all tiles have one shape.
            "cudnn_conv_algo_search": "HEURISTIC",
            "use_tf32": int(not exact),
        }
        providers.insert(0, ("CUDAExecutionProvider", settings))
    try:
        source = path if isinstance(path, bytes) else str(path)
        return onnxruntime.InferenceSession(source, options, providers=providers)
    except Exception as error:
        lines = str(error).splitlines() or [""]
        msg = (
            f"expected a network that ONNX Runtime {onnxruntime.__version__} can load, "
            f"found {_called(path)}: {lines[0]}; fetch it again, or update ONNX Runtime"
        )
        raise EngineError(msg) from error


def _called(path: Path | bytes) -> str:
    return f"{len(path)} bytes" if isinstance(path, bytes) else str(path)


def _why_no_cuda(device: str) -> str:
    found = gpus()
    if not found:
        return (
            f"device {device!r} was asked for, but this machine shows no NVIDIA driver "
            f"({DRIVER}): install the driver, or use device 'cpu'"
        )
    number = device.partition(":")[2]
    if number and int(number) >= found:
        return (
            f"device {device!r} was asked for, but GPUs are counted from 0 and this "
            f"machine shows only {found}: use a smaller number"
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
