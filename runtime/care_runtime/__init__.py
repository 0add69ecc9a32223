"""Restore fluorescence microscopy images with CARE models, without a framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.errors import (
    AxesError,
    BlankImageWarning,
    CareError,
    EngineError,
    FactorWarning,
    FileError,
    ImageError,
    ModelNotFoundError,
    OptionError,
    SpecError,
)
from care_runtime.image import Image
from care_runtime.restore import Restorer
from care_runtime.restored import Restored
from care_runtime.spec import Spec
from care_runtime.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.package import Package

__all__ = [
    "AxesError",
    "BlankImageWarning",
    "CareError",
    "EngineError",
    "FactorWarning",
    "FileError",
    "Image",
    "ImageError",
    "ModelNotFoundError",
    "OptionError",
    "Restored",
    "Restorer",
    "Spec",
    "SpecError",
    "Trust",
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
    outputs: Sequence[str] | None = None,
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
    outputs
        Ids of the outputs to compute, as ``["mean"]``, None for all; an ensemble has a
        network of its own for the mean, which costs less.

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
    from care_runtime.package import sha256

    found = store.locate(model, zoo=zoo) if isinstance(model, str) else model
    care = supported(found.spec)
    spec = found.spec if outputs is None else found.spec.only(outputs)
    names = [tensor.id for tensor in spec.outputs]
    path = found.network(names)
    engine = Engine(path, device, threads=threads, outputs=names)
    provenance = {
        "software": f"care-zoo {__version__}",
        "model": found.spec.name,
        "model version": care.version,
        "model sha256": sha256(path),
        "device": engine.device,
    }
    return Restorer(spec, engine, provenance)
