"""Export: a trained network as a package, refused unless it does the same."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
import yaml
from onnx import numpy_helper

from care_runtime import package as package_
from care_runtime.contract import supported
from care_runtime.engine import Engine
from care_runtime.errors import ExportError, FileError
from care_runtime.restore import Restorer
from care_runtime.spec import Weights
from care_runtime.tensor import File
from care_runtime.variant import Variant
from care_runtime.verify import difference, least_range, preprocessed, verify
from care_training import describe, graph, plot
from care_training.ensemble import Ensemble, MeanOnly
from care_training.sample import test_image, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_training.calibration import Calibration
    from care_training.form import Network
    from care_training.sample import Sample

CALIBRATION = "calibration.png"
"""Accuracy against confidence, in the package of a probabilistic model."""

PARITY = 1e-4
"""Largest difference between ONNX Runtime and torch, as a fraction of the range."""

TIES = 0.01
"""Share of pixels in which whole numbers, as of an argmax, may differ more."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a package beside the network.

    Parameters
    ----------
    sample
        Test tensors, sample and cover are made from it.
    card
        README of the model, markdown.
    training
        Facts about the training, for `config.care`.
    calibrations
        To be drawn as ``calibration.png``, by name.
    """

    sample: Sample
    card: str
    training: Mapping[str, Any] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)


def export(
    network: Network, spec: Spec, fill: Callable[[Restorer], Contents], folder: Path
) -> Package:
    """Write a package.

    Parameters
    ----------
    network
        Trained, on any device.
    spec
        Its description without measured parts, files and hashes.
    fill
        Makes sample, card and facts; it is given the exported network, to score it as
        a user runs it.
    folder
        Of the package; it appears whole, in place of one that was there before.

    Raises
    ------
    ExportError
        If ONNX Runtime does not reproduce torch to 1e-4 of the range, or tiled is not
        exactly whole.
    FileError
        If the folder is something else than a package.
    """
    require_place(folder)
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        _write(network, spec, fill, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        msg = f"cannot write the package {folder}: {error}"
        raise FileError(msg) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return package_.read_folder(folder)


def require_place(folder: Path) -> None:
    """Refuse to replace what is no package."""
    if folder.exists() and not (folder / package_.NAMES[0]).is_file():
        msg = f"{folder} exists and is no model package: name another folder"
        raise FileError(msg)


def _write(
    network: Network, spec: Spec, fill: Callable[[Restorer], Contents], folder: Path
) -> None:
    facts = {"network": network.config.to_dict()}
    spec = describe.complete(spec, network, facts)
    path = folder / "model.onnx"
    graph.export(network, spec, path)
    engine = Engine(path, "cpu")
    restorer = Restorer(spec, engine)
    contents = fill(restorer)
    spec = describe.with_training(spec, contents.training)
    spec = describe.as_deep(spec, contents.sample.low.shape)
    graph.embed(spec, path)
    tested = test_image(contents.sample.low, spec)
    x = preprocessed(spec, tested)
    check_parity(network, engine, x, spec)
    spec = _with_variants(network, spec, x, folder)
    np.save(folder / "test_input.npy", tested)
    for tensor, y in zip(spec.outputs, engine(x), strict=True):
        np.save(folder / f"test_{_suffix(tensor.id)}.npy", y)
    (folder / "README.md").write_text(contents.card, "utf-8")
    if contents.calibrations:
        plot.calibration(folder / CALIBRATION, contents.calibrations)
    write(contents.sample, restorer, folder)
    spec = _with_files(spec, folder)
    text = yaml.safe_dump(spec.to_dict(), sort_keys=False, allow_unicode=True, width=88)
    (folder / package_.NAMES[0]).write_text(text, "utf-8")
    found = verify(package_.read_folder(folder), engine)
    if not found.passed:
        msg = (
            f"the package does not verify (test {found.test}, tiled against whole "
            f"{found.tiled}, as fractions of the range): it is not written"
        )
        raise ExportError(msg)


def _with_variants(
    network: Network, spec: Spec, x: NDArray[np.float32], folder: Path
) -> Spec:
    """Write the mean of an ensemble alone: the whole graph always computes the rest."""
    if not isinstance(network, Ensemble):
        return spec
    name, only = "model.mean.onnx", spec.only(["mean"])
    lean = MeanOnly(network)
    graph.export(lean, only, folder / name)
    graph.embed(only, folder / name)
    check_parity(lean, Engine(folder / name, "cpu"), x, only)
    variants = {name: Variant(("mean",), package_.sha256(folder / name))}
    return replace(spec, care=replace(supported(spec), variants=variants))


@torch.no_grad()
def check_parity(
    network: Network, engine: Engine, x: NDArray[np.float32], spec: Spec
) -> None:
    """Compare ONNX Runtime with torch, on one image and on a batch of another size.

    Raises
    ------
    ExportError
        If they differ by more than 1e-4 of the range.
    """
    grid = network.form.grid
    half = [slice(None), slice(None)]
    for axis, size in zip(network.form.space, x.shape[2:], strict=True):
        half.append(slice(0, max(grid[axis], size // 2 // grid[axis] * grid[axis])))
    small = x[tuple(half)]
    for batch in (x, np.concatenate([small, small[..., ::-1]])):
        answers = network(torch.from_numpy(np.ascontiguousarray(batch)))
        expected = [answers] if isinstance(answers, torch.Tensor) else list(answers)
        for name, y, z in zip(engine.outputs, engine(batch), expected, strict=True):
            found = difference(y, z.numpy(), least=least_range(spec, name))
            if not found <= PARITY and not _tied(y, z.numpy()):
                msg = (
                    f"output {name!r}: ONNX Runtime differs from torch by {found:.2g} "
                    f"of the range, more than {PARITY:g}: the export is refused"
                )
                raise ExportError(msg)


def _tied(y: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    """Tell whether whole numbers differ in a few pixels alone.

    Where two planes weigh the same to rounding, as in what registration left black, the
    greater of them is the one or the other, and they may lie far apart.
    """
    whole = all(np.array_equal(each, np.rint(each)) for each in (y, expected))
    return whole and bool(np.mean(y != expected) <= TIES)


def _with_files(spec: Spec, folder: Path) -> Spec:
    """Name every file of the package in its description, with its hash."""

    def file(name: str) -> File:
        return File(name, package_.sha256(folder / name))

    def plain(name: str) -> dict[str, str]:
        return {"source": name, "sha256": package_.sha256(folder / name)}

    outputs = tuple(
        replace(tensor, test=file(f"test_{_suffix(tensor.id)}.npy"))
        for tensor in spec.outputs
    )
    source = replace(spec.input, test=file("test_input.npy"), sample=file("sample.tif"))
    about = {**spec.about, "covers": ["cover.png"], "documentation": "README.md"}
    more = [n for n in ("sample_truth.tif", CALIBRATION) if (folder / n).is_file()]
    if more:
        about["attachments"] = [plain(name) for name in more]
    weights = Weights(file("model.onnx"), graph.OPSET)
    return replace(
        spec, inputs=(source,), outputs=outputs, about=about, weights=weights
    )


def _suffix(name: str) -> str:
    return "output" if name == "mean" else f"output_{name}"


def read_config(package: Package) -> Mapping[str, Any]:
    """Read the architecture of a package's network, as values of its configuration.

    Raises
    ------
    ExportError
        If the package does not say it.
    """
    care = package.spec.care
    if care is None or "network" not in care.training:
        msg = (
            f"the package of {package.spec.name!r} does not say how its network is "
            "built (config.care, training, network): only packages of care-train can "
            "be trained further"
        )
        raise ExportError(msg)
    values: Mapping[str, Any] = care.training["network"]
    return values


def read_weights(package: Package) -> dict[str, torch.Tensor]:
    """Read the weights of a package's network by name, to train them further."""
    model = onnx.load(str(package.onnx))
    return {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in model.graph.initializer
    }
