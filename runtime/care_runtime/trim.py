"""Trim: a tile's halo is left out of a U-Net's way up as soon as nothing needs it.

Of a tile, only the middle is kept. Its halo is what the bottom of the network looks at;
the convolutions of the top see a few pixels around, and all else that they compute of a
halo is thrown away. Where the ways down and up meet, `care-train` says so in the file,
and there a graph for tiles cuts off what is not needed: its kept pixels are the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from care_runtime import rewire, wire
from care_runtime.errors import EngineError
from care_runtime.protobuf import WireError, fields, message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.engines import AnyEngine

KEY, METADATA = "care_trims", 14
"""Of what is said in the metadata of an ONNX file, and the field that holds these."""

Span = tuple[int, int]
"""First pixel along an axis, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Trims:
    """Where the graph of a U-Net may be cut.

    Parameters
    ----------
    space
        Number of axes of the pixels.
    reach
        Pixels around one that the convolutions of a level on the way up see.
    ladders
        Of each U-Net in the graph, its levels from the top: the tensor that comes up
        from the level below, and the level's own.
    added
        The input, where it is added to the output.
    """

    space: int
    reach: int
    ladders: tuple[tuple[tuple[str, str], ...], ...]
    added: str

    def __post_init__(self) -> None:
        depths = {len(ladder) for ladder in self.ladders}
        if (
            self.space not in (2, 3)
            or self.reach < 0
            or len(depths) != 1
            or 0 in depths
        ):
            msg = "no 2 or 3 axes, no reach, or not as many levels in each U-Net"
            raise ValueError(msg)

    @classmethod
    def read(cls, words: str) -> Trims:
        """Read what is written in a file.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is something else.
        """
        found = json.loads(words)
        ladders = tuple(
            tuple((str(below), str(own)) for below, own in ladder)
            for ladder in found["ladders"]
        )
        space, reach = int(found["space"]), int(found["reach"])
        return cls(space, reach, ladders, str(found["added"]))

    def write(self) -> str:
        """Put it into words, to be kept in a file."""
        said = {n: getattr(self, n) for n in ("space", "reach", "ladders", "added")}
        return json.dumps(said, sort_keys=True)

    @property
    def tensors(self) -> tuple[str, ...]:
        """All that is cut, in order."""
        found = [name for ladder in self.ladders for step in ladder for name in step]
        return (*found, *([self.added] if self.added else ()))

    def spans(self, keep: Sequence[Span], sizes: Sequence[int]) -> list[list[Span]]:
        """Say what the way up has to compute of each level, from the top.

        Parameters
        ----------
        keep
            What is kept of a tile along each axis.
        sizes
            Pixels of the tile along each axis, on the network's grid.
        """
        needed, whole = list(keep), list(sizes)
        found = []
        for _ in self.ladders[0]:
            level = [
                # Even, so that they begin where pixels of the level below do.
                (
                    max(0, a - self.reach) // 2 * 2,
                    min(n, -(-(b + self.reach) // 2) * 2),
                )
                for (a, b), n in zip(needed, whole, strict=True)
            ]
            found.append(level)
            needed = [(a // 2, b // 2) for a, b in level]
            whole = [n // 2 for n in whole]
        return found

    def extents(self, levels: Sequence[Sequence[Span]]) -> list[NDArray[np.int64]]:
        """Say where each tensor is cut: its first pixels, then its ends, in order."""
        found: list[Sequence[Span]] = []
        for number, level in enumerate(levels):
            below = [(a // 2, b // 2) for a, b in level]
            if number + 1 < len(levels):  # it was cut before, where it came from
                starts = [a for a, _ in levels[number + 1]]
                below = [
                    (a - s, b - s) for (a, b), s in zip(below, starts, strict=True)
                ]
            found += [below, level]
        found *= len(self.ladders)
        found += [levels[0]] if self.added else []
        starts_and_stops = (zip(*cut, strict=True) for cut in found)
        return [np.array(ends, np.int64) for pair in starts_and_stops for ends in pair]


class Trimmed:
    """An engine of a graph that is cut as each tile needs it; threads may share it.

    Parameters
    ----------
    engine
        Runs the graph that `prepared` made.
    trims
        Where it is cut.

    Attributes
    ----------
    inputs : tuple of str
        Names of the network's own tensors.
    trims : bool
        That a call may say what is kept.

    Others are those of the engine.
    """

    trims = True

    def __init__(self, engine: AnyEngine, trims: Trims) -> None:
        self._engine, self._trims = engine, trims
        self.inputs = engine.inputs[: -2 * len(trims.tensors)]

    def __getattr__(self, name: str) -> Any:
        """Be like the engine in all else."""
        return getattr(self._engine, name)

    def __call__(
        self, *batches: NDArray[np.float32], keep: Sequence[Span] = ()
    ) -> list[NDArray[np.float32]]:
        """Run the network.

        Parameters
        ----------
        *batches
            One for each input of the network, in its axes.
        keep
            What is wanted of the answers along each axis of space; none is all. What
            lies outside is 0 where it was not computed.

        Raises
        ------
        EngineError, OutOfMemoryError
            As the engine does.
        """
        sizes = batches[0].shape[-self._trims.space :]
        whole = [(0, n) for n in sizes]
        levels = self._trims.spans(keep or whole, sizes)
        fewest = min(
            np.prod([b - a for a, b in level], dtype=np.int64) for level in levels
        )
        if fewest < self._engine.least:  # it would add in another order
            levels = self._trims.spans(whole, sizes)
        extents: list[Any] = self._trims.extents(levels)
        answers = self._engine(*batches, *extents)
        return [_placed(y, levels[0], sizes) for y in answers]


def _placed(
    y: NDArray[np.float32], top: Sequence[Span], sizes: Sequence[int]
) -> NDArray[np.float32]:
    """Lay an answer where it belongs in the tile."""
    if y.shape[-len(sizes) :] == tuple(sizes):
        return y
    made = np.zeros((*y.shape[: -len(sizes)], *sizes), np.float32)
    at: Any = (..., *(slice(a, b) for a, b in top))
    made[at] = y
    return made


def engine(made: AnyEngine, trims: Trims) -> AnyEngine:
    """Return an engine that takes what is kept of a tile."""
    return cast("AnyEngine", Trimmed(made, trims))


def prepared(source: Path) -> tuple[bytes, Trims] | None:
    """Make the graph for tiles of a file; None where that does not say how.

    Raises
    ------
    EngineError
        If the file is no network that may be run, or says what cannot be done.
    """
    try:
        view = wire.mapped(source)
        said = map(_metadata, rewire.all_of(view, METADATA))
        words = next((each for each in said if each), "")
    except (WireError, OSError):
        words = ""
    if not words:
        return None  # the engine reads the file as it is, and checks it
    wire.check(source)
    try:
        trims = Trims.read(words)
        return rewire.cut(view, trims), trims
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        msg = (
            f"expected {source} to say where its graph may be cut, found {words[:80]} "
            f"({error}): export it again"
        )
        raise EngineError(msg) from error


def _metadata(view: memoryview) -> str:
    """Read what is said under the key."""
    said = {
        key: bytes(message(value)).decode("utf-8", "replace")
        for key, value in fields(view)
    }
    return said.get(2, "") if said.get(1) == KEY else ""
