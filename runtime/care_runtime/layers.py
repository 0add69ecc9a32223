"""Layers: the tasks of a restoration as dask arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import graph
from care_runtime.source import Source

if TYPE_CHECKING:
    from care_runtime.graph import Graph
    from care_runtime.worker import Work


@dataclass(frozen=True, slots=True)
class Layers:
    """The dask arrays of a restoration: its outputs, and two lines of counts."""

    outputs: tuple[Any, ...]
    blank: Any
    clipped: Any

    @classmethod
    def of(cls, work: Work, pixels: Any) -> Layers:
        """Make the graph of a dask array, or of a file that tasks read themselves."""
        from dask.base import tokenize
        from dask.highlevelgraph import HighLevelGraph

        if isinstance(pixels, Source):
            token = tokenize(object())
            file = f"care-file-{token}"
            readers: Any = (graph.Filed(file), graph.Filed(file))
            base, above = HighLevelGraph({file: {file: pixels}}, {file: set()}), [file]
        else:
            token = tokenize(pixels.name, work.recipe, str(work))
            # Chunks that are counted are read anew to be restored, and not kept.
            again = _again(pixels, token)
            readers = tuple(
                graph.Chunked(a.name, a.chunks, f"care-{use}-{token}")
                for a, use in ((again, "look"), (pixels, "piece"))
            )
            base = HighLevelGraph.merge(again.dask, pixels.dask)
            above = [again.name, pixels.name]
        made = graph.build(work, np.dtype(pixels.dtype), token, readers)
        return cls._layered(work, made, base, above, token)

    @classmethod
    def _layered(
        cls, work: Work, made: Graph, base: Any, above: list[str], token: str
    ) -> Layers:
        import dask.array
        from dask.highlevelgraph import HighLevelGraph

        layers, depends = dict(base.layers), dict(base.dependencies)
        first, second = f"care-measure-{token}", f"care-restore-{token}"
        layers |= {first: made.measure, second: made.restore}
        depends |= {first: set(above), second: {first, *above}}

        def array(name: str, tasks: Any, chunks: Any, dtype: Any, on: str) -> Any:
            whole = HighLevelGraph({**layers, name: tasks}, {**depends, name: {on}})
            return dask.array.Array(whole, name, chunks=chunks, dtype=dtype)

        def line(name: str, tasks: Any, on: str) -> Any:
            return array(name, tasks, ((1,) * len(tasks),), np.int64, on)

        outputs = tuple(
            array(
                graph.output_name(i, token), tasks, chunks, canvas.pixels.dtype, second
            )
            for i, ((tasks, chunks), canvas) in enumerate(
                zip(made.outputs, work.canvases, strict=True)
            )
        )
        blank = line(f"care-blank-{token}", made.blank, first)
        return cls(outputs, blank, line(f"care-clipped-{token}", made.clipped, second))


def _again(pixels: Any, token: str) -> Any:
    """Copy an array's tasks under other names, so that they are run once more.

    dask's own ``clone`` leaves in some tasks the names of the ones they were copied
    from, and dask fails to fuse them.
    """
    import dask.array
    from dask._task_spec import convert_legacy_graph
    from dask.base import clone_key
    from dask.highlevelgraph import HighLevelGraph

    (plain,) = dask.optimize(pixels)
    tasks = convert_legacy_graph(dict(plain.dask))
    names = {key: clone_key(key, token) for key in tasks}
    copies = {
        names[key]: node.substitute(names, key=names[key])
        for key, node in tasks.items()
    }
    name = clone_key(plain.name, token)
    graph = HighLevelGraph({name: copies}, {name: set()})
    return dask.array.Array(graph, name, chunks=plain.chunks, meta=plain._meta)
