"""Export: a trained network as a package, refused unless it does the same."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
import yaml

from care_runtime import package as package_
from care_runtime import picture
from care_runtime.engine import Engine
from care_runtime.errors import ExportError, FileError
from care_runtime.restore import Restorer
from care_runtime.spec import Weights
from care_runtime.tensor import File
from care_runtime.verify import difference, preprocessed, verify
from care_training import describe, graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_training.form import Network

PARITY = 1e-4
"""Largest difference between ONNX Runtime and torch, as a fraction of the range."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An image that a package carries, to test and to show the model.

    Parameters
    ----------
    low
        Raw input of shape (C, [Z,] Y, X).
    truth
        What it should become, if that is known.
    """

    low: NDArray[Any]
    truth: NDArray[Any] | None = None


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
    """

    sample: Sample
    card: str
    training: Mapping[str, Any] = field(default_factory=dict)


def export(network: Network, spec: Spec, contents: Contents, folder: Path) -> Package:
    """Write a package.

    Parameters
    ----------
    network
        Trained, on any device.
    spec
        Its description without measured parts, files and hashes.
    contents
        Sample, card and facts.
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
    if folder.exists() and not (folder / package_.NAMES[0]).is_file():
        msg = f"{folder} exists and is no model package: name another folder"
        raise FileError(msg)
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        _write(network.cpu().eval(), spec, contents, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        msg = f"cannot write the package {folder}: {error}"
        raise FileError(msg) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return package_.read(folder, folder)


def _write(network: Network, spec: Spec, contents: Contents, folder: Path) -> None:
    facts = {"network": network.config.to_dict(), **contents.training}
    spec = describe.complete(spec, network, facts)
    graph.export(network, spec, folder / "model.onnx")
    engine = Engine(folder / "model.onnx", "cpu")
    tested = _test_image(contents.sample.low, spec)
    check_parity(network, engine, preprocessed(spec, tested))
    np.save(folder / "test_input.npy", tested)
    for tensor, y in zip(spec.outputs, engine(preprocessed(spec, tested)), strict=True):
        np.save(folder / f"test_{_suffix(tensor.id)}.npy", y)
    (folder / "README.md").write_text(contents.card, "utf-8")
    _write_sample(contents.sample, spec, engine, folder)
    spec = _with_files(spec, folder)
    text = yaml.safe_dump(spec.to_dict(), sort_keys=False, allow_unicode=True, width=88)
    (folder / package_.NAMES[0]).write_text(text, "utf-8")
    found = verify(package_.read(folder, folder), engine)
    if not found.passed:
        msg = (
            f"the package does not verify (test {found.test}, tiled against whole "
            f"{found.tiled}, as fractions of the range): it is not written"
        )
        raise ExportError(msg)


@torch.no_grad()
def check_parity(
    network: torch.nn.Module, engine: Engine, x: NDArray[np.float32]
) -> None:
    """Compare ONNX Runtime with torch, on one image and on a batch of another size.

    Raises
    ------
    ExportError
        If they differ by more than 1e-4 of the range.
    """
    half = tuple(
        slice(0, n // 2) if i > 1 else slice(None) for i, n in enumerate(x.shape)
    )
    for batch in (x, np.concatenate([x[half], x[half][..., ::-1]])):
        answers = network(torch.from_numpy(np.ascontiguousarray(batch)))
        expected = [answers] if isinstance(answers, torch.Tensor) else list(answers)
        for name, y, z in zip(engine.outputs, engine(batch), expected, strict=True):
            found = difference(y, z.numpy())
            if not found <= PARITY:
                msg = (
                    f"output {name!r}: ONNX Runtime differs from torch by {found:.2g} "
                    f"of the range, more than {PARITY:g}: the export is refused"
                )
                raise ExportError(msg)


def _test_image(low: NDArray[Any], spec: Spec) -> NDArray[np.float32]:
    """Crop a sample to the smallest image that bioimage.io tools may cut into tiles."""
    assert spec.care is not None
    tiling, letters = spec.care.tiling, spec.input.letters
    crop: list[slice] = []
    for size, letter in zip(low.shape, letters[1:], strict=True):
        axis = letter.lower()
        if letter == "C":
            crop.append(slice(None))
            continue
        step = tiling.multiple[axis]
        margin = -(-tiling.halo[axis] // step) * step
        crop.append(slice(0, min(size // step * step, 2 * margin + 4 * step)))
    return low[tuple(crop)][None].astype(np.float32)


def _write_sample(sample: Sample, spec: Spec, engine: Engine, folder: Path) -> None:
    axes = spec.input.letters[1:]
    restored = Restorer(spec, engine)(sample.low, axes).image
    shown = [_plane(sample.low), _plane(restored)]
    tifffile.imwrite(folder / "sample.tif", sample.low, photometric="minisblack")
    if sample.truth is not None:
        truth = folder / "sample_truth.tif"
        tifffile.imwrite(truth, sample.truth, photometric="minisblack")
    side = min(*shown[0].shape[-2:], 256)
    crops = [image[..., :side, :side] for image in shown]
    picture.write_png(folder / "cover.png", _two_to_one(picture.side_by_side(crops)))


def _plane(image: NDArray[Any]) -> NDArray[Any]:
    return image[0] if image.ndim in (3, 4) else image


def _two_to_one(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop a picture to the 2:1 that bioimage.io asks of covers."""
    height = image.shape[1] // 2
    width = 2 * min(image.shape[0], height)
    return image[: width // 2, :width]


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
    if (folder / "sample_truth.tif").is_file():
        about["attachments"] = [plain("sample_truth.tif")]
    weights = Weights(file("model.onnx"), graph.OPSET)
    return replace(
        spec, inputs=(source,), outputs=outputs, about=about, weights=weights
    )


def _suffix(name: str) -> str:
    return "output" if name == "mean" else f"output_{name}"


def read_weights(
    package: Package,
) -> tuple[Mapping[str, Any], Mapping[str, torch.Tensor]]:
    """Read architecture and weights back from a package, to train them further.

    Returns
    -------
    config, weights
        Values of `UNetConfig`, and tensors by name.
    """
    import onnx
    from onnx import numpy_helper

    care = package.spec.care
    if care is None or "network" not in care.training:
        msg = (
            f"the package of {package.spec.name!r} does not say how its network is "
            "built (config.care, training, network): only packages of care-train can "
            "be trained further"
        )
        raise ExportError(msg)
    model = onnx.load(str(package.onnx))
    weights = {
        t.name: torch.from_numpy(numpy_helper.to_array(t).copy())
        for t in model.graph.initializer
    }
    return care.training["network"], weights
