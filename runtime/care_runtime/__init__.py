"""Restore fluorescence microscopy images with CARE models, without a framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.errors import (
    AxesError,
    BlankImageWarning,
    CareError,
    EngineError,
    FileError,
    ImageError,
    ModelNotFoundError,
    SpecError,
)
from care_runtime.image import Image
from care_runtime.restore import Restorer
from care_runtime.restored import Restored
from care_runtime.spec import Spec

if TYPE_CHECKING:
    from care_runtime.package import Package

__all__ = [
    "AxesError",
    "BlankImageWarning",
    "CareError",
    "EngineError",
    "FileError",
    "Image",
    "ImageError",
    "ModelNotFoundError",
    "Restored",
    "Restorer",
    "Spec",
    "SpecError",
    "__version__",
    "load",
    "names",
]

__version__ = "0.1.0"


def names() -> list[str]:
    """Names of the models in the zoo."""
    from care_runtime import store

    return list(store.registry())


def load(
    model: str | Package,
    *,
    device: str = "auto",
    zoo: str | None = None,
    threads: int = 0,
) -> Restorer:
    """Load a model, ready to restore images.

    Parameters
    ----------
    model
        A zoo name, a package folder, a zip, an ``rdf.yaml``, an address of a zip, or a
        `Package`.
    device
        ``"auto"`` takes a GPU if there is one, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    zoo
        Folder or address of a zoo, in place of ``CARE_ZOO``.
    threads
        CPU threads; 0 leaves the choice to ONNX Runtime.

    Raises
    ------
    ModelNotFoundError, FileError, SpecError, EngineError
        If there is no such model, or it cannot be run.

    Examples
    --------
    >>> import care_runtime, numpy
    >>> restorer = care_runtime.load("denoise_widefield", device="cpu")
    >>> movie = numpy.random.default_rng(0).poisson(100, (2, 64, 64))
    >>> restorer(movie, axes="TYX").image.shape
    (2, 64, 64)
    """
    from care_runtime import store
    from care_runtime.contract import supported
    from care_runtime.engine import Engine

    found = store.locate(model, zoo=zoo) if isinstance(model, str) else model
    care = supported(found.spec)
    path = found.onnx
    engine = Engine(path, device, threads=threads)
    expected = tuple(tensor.id for tensor in found.spec.outputs)
    if engine.outputs != expected:
        msg = f"{path} has the outputs {engine.outputs}, expected {expected}"
        raise SpecError(msg)
    provenance = {
        "software": f"care-zoo {__version__}",
        "model": found.spec.name,
        "model version": care.version,
        "model sha256": _digest(found),
        "device": engine.device,
    }
    return Restorer(found.spec, engine, provenance)


def _digest(package: Package) -> str:
    """Hash of the network, which was checked if the description says it."""
    from care_runtime.package import sha256

    weights = package.spec.weights
    said = weights.onnx.sha256 if weights else None
    return said or sha256(package.onnx)
