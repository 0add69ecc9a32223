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

from care_runtime import wire
from care_runtime.errors import EngineError
from care_runtime.protobuf import bytes_of, fields, message, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.engines import AnyEngine
    from care_runtime.protobuf import Field

KEY = "care_trims"
"""Of the metadata of an ONNX file."""

AXES = "care_trims:axes"
"""Name of the constant that says which axes are cut: those of space."""

GRAPH, METADATA, NODE, WEIGHT, INPUT, OUTPUT = 7, 14, 1, 5, 11, 12
"""Fields of a model, and of its graph."""

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
    wire.check(source)
    view = wire.mapped(source)
    words = ""
    try:
        words = next((w for w in map(_metadata, _all(view, METADATA)) if w), "")
        if not words:
            return None
        trims = Trims.read(words)
        return _cut(view, trims), trims
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        msg = (
            f"expected {source} to say where its graph may be cut, found {words[:80]} "
            f"({error}): export it again"
        )
        raise EngineError(msg) from error


def _all(view: memoryview, key: int) -> Iterator[memoryview]:
    return (message(value) for found, value in fields(view) if found == key)


def _metadata(view: memoryview) -> str:
    """Read what is said under the key."""
    said = {key: bytes(message(value)).decode() for key, value in fields(view)}
    return said.get(2, "") if said.get(1) == KEY else ""


def _cut(view: memoryview, trims: Trims) -> bytes:
    """Write the model with the graph cut."""
    return b"".join(
        bytes_of(key, _graph(message(value), trims) if key == GRAPH else value)
        for key, value in fields(view)
    )


def _graph(view: memoryview, trims: Trims) -> bytes:
    """Write the graph: whoever read a tensor that is cut reads what is left of it."""
    owns = {own for ladder in trims.ladders for _, own in ladder}
    left, parts = set(trims.tensors), []
    inputs = [_name(value) for value in _all(view, INPUT)]
    if trims.added:
        parts.append(_slice(trims.added))
        left.remove(trims.added)
        if inputs != [trims.added]:
            msg = f"the inputs {', '.join(inputs)}"
            raise ValueError(msg)
    for key, value in fields(view):
        if key == NODE:
            node = list(fields(message(value)))
            parts.append(bytes_of(NODE, _node(node, trims, owns)))
            made = left & {text(name) for k, name in node if k == 2}
            parts += map(_slice, sorted(made))
            left -= made
        elif key == OUTPUT:
            parts.append(bytes_of(OUTPUT, _shapeless(message(value))))
        else:
            parts.append(bytes_of(key, value))
    if left:
        msg = f"no tensor {', '.join(sorted(left))}"
        raise ValueError(msg)
    axes = range(2, 2 + trims.space)
    weight = b"".join([bytes_of(1, trims.space), bytes_of(2, 7), bytes_of(8, AXES)])
    weight += b"".join(bytes_of(7, axis) for axis in axes)
    parts.append(bytes_of(WEIGHT, weight))
    for name in trims.tensors:
        parts += [bytes_of(INPUT, _integers(e, trims.space)) for e in _ends(name)]
    return b"".join(parts)


def _node(node: list[Field], trims: Trims, owns: set[str]) -> bytes:
    """Write a node, reading what is left of the tensors where they are cut.

    Those on the way down go whole into a pooling, and the input into a convolution.
    """
    kind = next((text(value) for key, value in node if key == 4), "")
    cut = {below for ladder in trims.ladders for below, _ in ladder}
    cut |= owns if not kind.endswith("Pool") else set()
    cut |= {trims.added} if kind == "Add" else set()
    return b"".join(
        bytes_of(key, _left(text(value)) if key == 1 and text(value) in cut else value)
        for key, value in node
    )


def _slice(name: str) -> bytes:
    """Write a node that cuts a tensor."""
    inputs = [bytes_of(1, n) for n in (name, *_ends(name), AXES)]
    return bytes_of(
        NODE, b"".join([*inputs, bytes_of(2, _left(name)), bytes_of(4, "Slice")])
    )


def _left(name: str) -> str:
    return f"{name}:left"


def _ends(name: str) -> tuple[str, str]:
    return f"{name}:start", f"{name}:stop"


def _integers(name: str, count: int) -> bytes:
    """Describe an input of so many integers."""
    shape = bytes_of(1, bytes_of(1, count))
    kind = bytes_of(1, bytes_of(1, 7) + bytes_of(2, shape))
    return bytes_of(1, name) + bytes_of(2, kind)


def _shapeless(view: memoryview) -> bytes:
    """Describe an output without its shape, which is no longer that of the input."""

    def without(inner: memoryview) -> bytes:
        return b"".join(bytes_of(k, v) for k, v in fields(inner) if k != 2)

    parts = []
    for key, value in fields(view):
        if key == 2:
            kinds = ((k, without(message(v))) for k, v in fields(message(value)))
            parts.append(bytes_of(2, b"".join(bytes_of(k, v) for k, v in kinds)))
        else:
            parts.append(bytes_of(key, value))
    return b"".join(parts)


def _name(view: memoryview) -> str:
    return next((text(value) for key, value in fields(view) if key == 1), "")
