"""GPUs that are none: sessions of the CPU which say that they are of CUDA."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from care_runtime import binding, footprint, gpu
from care_runtime import engine as engine_

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

SHORT = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv "
    "node. Name:'node_conv3d' Status Message: onnxruntime/core/framework/bfc_arena.cc:"
    "359 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, Stream*) "
    "Available memory of 123456 is smaller than requested bytes of 654321\n"
)
"""What ONNX Runtime says where a GPU has no room, as it was seen on an H100."""

LARGE = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv "
    "node. Status Message: CUDNN failure 3000: CUDNN_STATUS_NOT_SUPPORTED ; GPU=0 ; "
    "hostname=h ; expr=cudnnConvolutionForward(...)"
)
"""What it says of a tile of more than 2^31 elements."""

LOST = (
    "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 719: unspecified launch failure ; "
    "GPU=0 ; hostname=h ; file=gpu_data_transfer.cc ; line=73 ; expr=cudaMemcpyAsync()"
)
"""What it says once a GPU is gone."""


class Session:
    """A session of the CPU, said to be on a GPU."""

    def __init__(self, real: Any, number: int, fake: Fake) -> None:
        self._real, self._number, self._fake = real, number, fake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_providers(self) -> list[str]:
        on_gpu = ["CUDAExecutionProvider"] if self._fake.cuda else []
        return [*on_gpu, "CPUExecutionProvider"]

    def get_input_memory_infos(self) -> list[Any]:
        names = ["Cpu" if self._fake.reads_here else "Cuda"]
        return [SimpleNamespace(name=name) for name in names]

    def run(self, *given: Any) -> Any:
        self._fake.plain += 1
        return self._real.run(*given)

    def run_with_iobinding(self, bound: Any) -> None:
        self._fake.calls[self._number] += 1
        self._fake.before(self._number, tuple(bound._bound_inputs["input"].shape()))
        self._real.run_with_iobinding(bound)


class Fake:
    """Some GPUs; tests change how much memory they have, and when they fail."""

    def __init__(self) -> None:
        self.count, self.cuda = 2, True
        self.reads_here, self.plain = False, 0
        self.free: int | None = 80 << 30
        self.calls: Counter[int] = Counter()
        self.before: Callable[[int, tuple[int, ...]], None] = lambda number, shape: None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        make = engine_._session

        def session(path: Any, cuda: int | None, threads: int, *, exact: bool) -> Any:
            real = make(path, None, 1, exact=exact)
            return real if cuda is None else Session(real, cuda, self)

        def memory(number: int) -> tuple[int, int] | None:
            return None if self.free is None else (self.free, 80 << 30)

        patch.setattr(gpu, "count", lambda: self.count)
        patch.setattr(gpu, "memory", memory)
        patch.setattr(engine_, "_session", session)
        patch.setattr(binding, "place", lambda number: ("cpu", 0))

    def room(self, source: Any, pixels: int) -> None:
        """Leave room for tiles of so many pixels, a power of two."""
        cost = footprint.bytes_a_pixel(source) * engine_.WORKERS
        self.free = round(1.1 * pixels * cost / footprint.SHARE)
