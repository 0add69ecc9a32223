"""Graph: a torch network as an ONNX file that old and new runtimes load."""

from __future__ import annotations

import io
import json
import logging
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import onnx
import torch

from care_runtime.errors import ExportError
from care_runtime.files import written
from care_training import joins
from care_training.folding import fold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from care_runtime.spec import Spec
    from care_training.form import Network

OPSET, IR = 17, 8
"""The newest that Fiji's JDLL and ONNX Runtime 1.15 load."""

SPEC = "care_spec"
"""Key of the description among the metadata."""


def export(network: Network, spec: Spec, path: Path) -> None:
    """Write a network as ONNX, with dynamic batch and space.

    Parameters
    ----------
    network
        Takes (B, C, [Z,] Y, X) and returns the outputs of the spec.
    spec
        Names the tensors and axes.
    path
        The ONNX file.

    Raises
    ------
    ExportError
        If the graph came out in other versions than those asked for.
    """
    letters, grid = spec.input.letters, network.form.grid
    sizes = [3 * grid[a.lower()] if a in "ZYX" else 2 for a in letters]
    sizes[letters.index("C")] = spec.input.channels
    dynamic = {i: torch.export.Dim.DYNAMIC for i, a in enumerate(letters) if a != "C"}
    assert isinstance(network, torch.nn.Module)
    module = fold(network.cpu().float().eval())
    # torch documents it, and leaves it out of the types of a module's `to`.
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with _quiet():
        program = torch.onnx.export(
            module,
            (torch.zeros(sizes),),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=(dynamic,),
            input_names=[spec.input.id],
            output_names=[tensor.id for tensor in spec.outputs],
            verbose=False,
        )
    assert program is not None  # as it is for torch's older exporter
    model = program.model_proto
    model.ir_version = IR
    _tidy(model, spec)
    joins.tell(model, network)
    onnx.checker.check_model(model, full_check=True)
    found = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    if found != {"ai.onnx": OPSET}:
        msg = f"expected a graph of opset {OPSET} alone, found {found}: another torch"
        raise ExportError(msg)
    with written(path) as partial:
        onnx.save(model, str(partial))


def embed(spec: Spec, path: Path) -> None:
    """Put a spec into the metadata of a graph, without the hashes it would change."""
    model = onnx.load(str(path))
    text = json.dumps(_without_hashes(spec.to_dict()), sort_keys=True)
    kept = [said for said in model.metadata_props if said.key != SPEC]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=SPEC, value=text)
    with written(path) as partial:
        onnx.save(model, str(partial))


def _tidy(model: onnx.ModelProto, spec: Spec) -> None:
    """Name the axes and drop torch's notes."""
    graph = model.graph
    tensors = (spec.input, *spec.outputs)
    for value, tensor in zip([*graph.input, *graph.output], tensors, strict=True):
        for dim, axis in zip(
            value.type.tensor_type.shape.dim, tensor.axes, strict=True
        ):
            if axis.kind != "channel":
                dim.dim_param = axis.id
        del value.metadata_props[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.metadata_props[:], graph.value_info[:]
    model.producer_name, model.producer_version, model.doc_string = "care-zoo", "", ""
    del model.metadata_props[:]


def _without_hashes(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_hashes(v) for k, v in value.items() if k != "sha256"}
    if isinstance(value, list):
        return [_without_hashes(v) for v in value]
    return value


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from talking about itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
