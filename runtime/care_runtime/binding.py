"""Binding: buffers on a GPU that are made once for all tiles of a shape."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class Bound:
    """Buffers of one shape, which a session reads from and writes to.

    One tile at a time: every thread has its own, see `Bindings`.

    Parameters
    ----------
    session, allocate
        Of ONNX Runtime, and what makes a tensor of a shape and type at a place.
    outputs
        Names of those to give back.
    shapes, dtypes
        Of the inputs.
    place
        Kind and number of the device, as ONNX Runtime takes them.
    """

    def __init__(
        self,
        session: Any,
        allocate: Callable[..., Any],
        outputs: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
        dtypes: Sequence[np.dtype[Any]],
        place: tuple[str, int],
    ) -> None:
        self._session, self._names, self._place = session, tuple(outputs), place
        self._inputs = [
            allocate(list(shape), dtype.type, *place)
            for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        self._binding = session.io_binding()
        for tensor, value in zip(session.get_inputs(), self._inputs, strict=True):
            self._binding.bind_ortvalue_input(tensor.name, value)
        for name in self._names:  # the first run says how large they are
            self._binding.bind_output(name, *place)
        self._outputs: list[Any] = []

    def __call__(self, *batches: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Run the network.

        Parameters
        ----------
        *batches
            Of the shapes and types that there are buffers for, C-contiguous.
        """
        for value, x in zip(self._inputs, batches, strict=True):
            value.update_inplace(x)
        self._session.run_with_iobinding(self._binding)
        if not self._outputs:
            self._outputs = list(self._binding.get_outputs())
            for name, value in zip(self._names, self._outputs, strict=True):
                self._binding.bind_ortvalue_output(name, value)
        # From a GPU they come as copies; here, the next run would write over them.
        copied = np.array if self._place[0] == "cpu" else np.asarray
        return [copied(y.numpy(), np.float32) for y in self._outputs]


class Bindings:
    """Buffers for as many threads as run a session at once, of the last shapes.

    Parameters
    ----------
    session, allocate, outputs, dtypes, place
        As `Bound` takes them.
    """

    def __init__(
        self,
        session: Any,
        allocate: Callable[..., Any],
        outputs: Sequence[str],
        dtypes: Sequence[np.dtype[Any]],
        place: tuple[str, int],
    ) -> None:
        self._made = session, allocate, tuple(outputs)
        self._dtypes, self._place = tuple(dtypes), place
        self._shapes: list[tuple[int, ...]] = []
        self._idle: list[Bound] = []
        self._lock = Lock()

    def __call__(self, *batches: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Run the network with buffers that are free, or with new ones."""
        shapes = [x.shape for x in batches]
        with self._lock:
            if shapes != self._shapes:
                self._shapes, self._idle = shapes, []
            bound = self._idle.pop() if self._idle else None
        if bound is None:
            bound = Bound(*self._made, shapes, self._dtypes, self._place)
        answers = bound(*batches)
        with self._lock:  # after a failure, they are made anew
            if shapes == self._shapes:
                self._idle.append(bound)
        return answers


def possible(session: Any) -> bool:
    """Tell whether a session reads its inputs from the GPU.

    What it reads from the memory of the CPU is copied when it is bound, and never
    again: later tiles would not be seen. Networks that begin with an operator which
    CUDA lacks do so.
    """
    asked = getattr(session, "get_input_memory_infos", None)  # from 1.23 on
    return asked is None or all(place.name != "Cpu" for place in asked())


def place(number: int) -> tuple[str, int]:
    """Say where the buffers of a session on a GPU lie."""
    return "cuda", number
