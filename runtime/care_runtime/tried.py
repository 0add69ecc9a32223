"""Tried: an engine of others' network, of which every larger tile has a trial.

What went well on a small input says little of a large one: the memory that a graph
takes may grow faster than the image. A tile that is larger than all before is therefore
computed in a process of its own first, of zeros, which may take the memory that is free
and no more. Where that is too little, smaller tiles are taken, as wherever memory is
short; of a network that reads images as a whole, there are none.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from care_runtime import memory, trial
from care_runtime.errors import EngineError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from care_runtime.engines import AnyEngine
    from care_runtime.package import Package

    Shapes = tuple[tuple[int, ...], ...]

MORE = 1.5
"""How many times as much memory has to be free for a tile that failed to be tried
again."""


def guarded(engine: AnyEngine, package: Package, network: Path) -> AnyEngine:
    """Return an engine that tries tiles first, where that is to be feared.

    Parameters
    ----------
    engine
        One that has been loaded; on a GPU, a tile that is too large is an error anyway.
    package
        The model. Those that are listed are known, and those that `care-train` made
        would only lose the time of a tile.
    network
        Its file, which the engine runs.
    """
    ours = package.listed or package.spec.care is not None
    if ours or engine.device != "cpu" or trial.frozen():
        return engine
    return cast("AnyEngine", Tried(engine, package.spec.name, network))


class Tried:
    """An engine of which every larger tile has a trial; threads may share it.

    Parameters
    ----------
    engine
        What runs the network here.
    name
        Of the model, for errors.
    network
        Its file.

    Attributes are those of the engine.
    """

    def __init__(self, engine: AnyEngine, name: str, network: Path) -> None:
        self._engine, self._name, self._network = engine, name, network
        self._note = trial.note(network)
        self._known = _read(self._note)
        self._refused: dict[Shapes, tuple[int, str]] = {}
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        """Be like the engine in all else."""
        return getattr(self._engine, name)

    def __call__(
        self, *batches: NDArray[np.float32], **wishes: Any
    ) -> list[NDArray[np.float32]]:
        """Run the network.

        Parameters
        ----------
        *batches
            One for each input of the network, in its axes.
        **wishes
            As the engine takes them.

        Raises
        ------
        OutOfMemoryError
            If the trial had too little memory or time.
        EngineError
            If it, or the network here, failed otherwise.
        """
        self.require([batch.shape for batch in batches])
        return self._engine(*batches, **wishes)

    def require(self, shapes: Sequence[Sequence[int]]) -> None:
        """Have a trial of a tile, unless a larger one went well.

        Parameters
        ----------
        shapes
            Of the tile, one for each input of the network.

        Raises
        ------
        EngineError
            As in a call.
        """
        asked = tuple(tuple(shape) for shape in shapes)
        with self._lock:
            if any(_holds(known, asked) for known in self._known):
                return
            most = memory.free() or trial.MEMORY
            had, problem = self._refused.get(asked, (0, ""))
            if most > MORE * had:
                problem = self._try(asked, most)
                self._refused[asked] = most, problem
        if problem:
            raise OutOfMemoryError(problem)

    def _try(self, asked: Shapes, most: int) -> str:
        """Compute a tile elsewhere; say where that memory is too little."""
        words = [",".join(str(n) for n in shape) for shape in asked]
        expected = (
            f"expected the network of {self._name!r} to run on a tile of shape "
            f"{asked[0]} in a process of its own, found that"
        )
        try:
            trial.write(self._note, trial.run(self._network, words, most))
        except OutOfMemoryError as error:
            return f"{expected} {error}"
        except EngineError as error:
            msg = f"{expected} {error}: do not use it"
            raise EngineError(msg) from None
        self._known.append(asked)
        return ""


def _holds(known: Shapes, asked: Shapes) -> bool:
    """Tell whether what was read before is as large as what is to be read, and more."""
    if [len(shape) for shape in known] != [len(shape) for shape in asked]:
        return False
    pairs = zip(known, asked, strict=True)
    return all(a <= b for k, n in pairs for a, b in zip(n, k, strict=True))


def _read(note: Path) -> list[Shapes]:
    """Read what a network was run on, from the lines after its name."""
    try:
        lines = note.read_text("utf-8").splitlines()[1:]
        return [
            tuple(tuple(map(int, shape.split(","))) for shape in line.split())
            for line in lines
        ]
    except (OSError, ValueError):
        return []
