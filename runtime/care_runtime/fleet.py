"""Fleet: one network on several GPUs, each tile on whichever is free."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from care_runtime.engines import AnyEngine


class Fleet:
    """Engines of one network that share its tiles; threads may share it.

    Every tile is computed by one engine, from the same plan: with GPUs of one kind, the
    result is that of any of them alone. Tiles are planned for the one of least room.

    Parameters
    ----------
    engines
        One for each device, of the same network and outputs.

    Attributes
    ----------
    device : str
        All of them, as ``"cuda:0,1"``.
    workers : int
        Threads that may run it at once to some use: those of all engines.

    Others are those of `Engine`.
    """

    def __init__(self, engines: Sequence[AnyEngine]) -> None:
        first, *_ = self._engines = tuple(engines)
        self.name, self.version = first.name, first.version
        self.inputs, self.outputs = first.inputs, first.outputs
        kind = first.device.partition(":")[0]
        numbers = [each.device.partition(":")[2] for each in engines]
        self.device = f"{kind}:{','.join(numbers)}"
        self.least = max(each.least for each in engines)
        self.shortest = max(each.shortest for each in engines)
        self.growth = first.growth
        rooms = [each.room for each in engines]
        known = [n for n in rooms if n is not None]
        self.room = min(known) if len(known) == len(rooms) else None
        self.workers = sum(each.workers for each in engines)
        # Each engine has threads of its own: CUDA remembers a GPU for every thread, and
        # ONNX Runtime's buffers are those of the GPU that it remembers.
        places = [
            (each, ThreadPoolExecutor(each.workers, f"care-{each.device}"))
            for each in engines
        ]
        # One place for each tile that an engine computes at once; every engine has its
        # first one before any has a second.
        self._free: SimpleQueue[tuple[AnyEngine, ThreadPoolExecutor]] = SimpleQueue()
        for turn in range(max(each.workers for each in engines)):
            for each, pool in places:
                if turn < each.workers:
                    self._free.put((each, pool))

    def __call__(self, *batches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network on the first engine that is free.

        Parameters
        ----------
        *batches
            One for each input of the network, in its axes.

        Raises
        ------
        EngineError, OutOfMemoryError, DeviceLostError
            If that engine fails; others are not asked.
        """
        engine, pool = self._free.get()
        try:
            return pool.submit(engine, *batches).result()
        finally:
            self._free.put((engine, pool))
