"""Restore fluorescence microscopy images with CARE models, without a framework."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime.errors import (
    AxesError,
    BlankImageWarning,
    CancelledError,
    CareError,
    ChannelWarning,
    DeviceLostError,
    DeviceWarning,
    EngineError,
    FactorWarning,
    FileError,
    ImageError,
    ModelNotFoundError,
    OptionError,
    OutOfMemoryError,
    SeriesWarning,
    SourceWarning,
    SpecError,
    TileWarning,
)
from care_runtime.form import Form
from care_runtime.image import Image
from care_runtime.mixed import Mixed
from care_runtime.restore import Restorer
from care_runtime.restored import Restored
from care_runtime.selection import Selection
from care_runtime.spec import Spec
from care_runtime.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from care_runtime.package import Package
    from care_runtime.reading import Place

__all__ = [
    "AxesError",
    "BlankImageWarning",
    "CancelledError",
    "CareError",
    "ChannelWarning",
    "DeviceLostError",
    "DeviceWarning",
    "EngineError",
    "FactorWarning",
    "FileError",
    "Form",
    "Image",
    "ImageError",
    "Mixed",
    "ModelNotFoundError",
    "OptionError",
    "OutOfMemoryError",
    "Restored",
    "Restorer",
    "Selection",
    "SeriesWarning",
    "SourceWarning",
    "Spec",
    "SpecError",
    "TileWarning",
    "Trust",
    "__version__",
    "load",
    "names",
    "read",
    "write",
]

__version__ = "0.1.0"


def names(zoo: str | None = None, key: str | None = None) -> list[str]:
    """Names of the models in the zoo, or in that at a folder or address.

    With a public `key`, its lists have to be signed; see `load`.
    """
    from care_runtime import store

    return list(store.names(zoo, key))


def load(
    model: str | PathLike[str] | Package,
    *,
    device: str = "auto",
    engine: str = "auto",
    zoo: str | None = None,
    key: str | None = None,
    threads: int = 0,
    outputs: Sequence[str] | None = None,
    precision: str = "auto",
    sharing: int = 1,
) -> Restorer:
    """Load a model, ready to restore images.

    Parameters
    ----------
    model
        A zoo name, ``NAME@VERSION``, a package folder, a zip, an ``rdf.yaml`` (each as
        a string or a path), an address of a zip, or a `Package`.
    device
        ``"auto"`` takes a GPU if there is one, ``"cpu"``, ``"cuda"``, ``"cuda:N"``, or
        several GPUs that share the tiles of an image: ``"cuda:0,1"``.
    engine
        ``"onnxruntime"``, ``"openvino"``, or ``"auto"``: OpenVINO where the network
        runs on a CPU and it is installed (``pip install 'care-zoo[openvino]'``).
    zoo
        Folder or address of a zoo, in place of ``CARE_ZOO``.
    key
        Public key (minisign's) with which the lists of that zoo have to be signed, or
        a file that holds it, in place of ``CARE_ZOO_KEY``. None of both is no check.
    threads
        CPU threads; 0 for the cores that this process has.
    outputs
        Ids of the outputs to compute, as ``["mean"]``, None for all; an ensemble has a
        network of its own for the mean, which costs less.
    precision
        ``"fp32"``, ``"fp16"`` on a GPU if the package has such a network, or
        ``"auto"``: fp16 wherever that can be had, fp32 else. On a GPU, fp32 may take
        TF32 for products. ``"bf16"`` multiplies in bfloat16, by OpenVINO and on CPUs
        that have that: several times as fast, for the mean alone.
    sharing
        Models that you load and use on one GPU, this one counted. Each plans its tiles
        for its part of the memory that is free when it is loaded, and keeps what it
        took: two that do not know of each other would each take most of it.

    Raises
    ------
    ModelNotFoundError, FileError, SpecError, EngineError, OptionError
        If there is no such model, or it cannot be run as asked for.

    Warns
    -----
    SourceWarning
        If a source of models failed and another had the model.
    DeviceWarning
        If ``"auto"`` found a GPU that cannot be had, and took the CPU.

    Examples
    --------
    >>> import care_runtime, numpy
    >>> restorer = care_runtime.load("denoise_widefield", device="cpu")
    >>> movie = numpy.random.default_rng(0).poisson(100, (2, 64, 64))
    >>> restorer(movie, axes="TYX").image.shape
    (2, 64, 64)
    """
    from care_runtime import precision as precision_
    from care_runtime import store
    from care_runtime.contract import supported
    from care_runtime.package import sha256

    if isinstance(model, str | PathLike):
        found = store.locate(fspath(model), zoo=zoo, key=key)
    else:
        found = model
    care = supported(found.spec)
    spec = found.spec if outputs is None else found.spec.only(outputs)
    names = [tensor.id for tensor in spec.outputs]
    network, path, numbers = precision_.load(
        found,
        names,
        precision,
        device,
        engine=engine,
        threads=threads,
        sharing=sharing,
    )
    if len(network.inputs) != len(spec.inputs):
        msg = (
            f"expected a network with the {len(spec.inputs)} input(s) that the "
            f"description of {spec.name!r} tells of, found {', '.join(network.inputs)}"
        )
        raise EngineError(msg)
    provenance = {
        "software": f"care-zoo {__version__}",
        "model": found.spec.name,
        "model version": care.version,
        "model sha256": sha256(path),
        "device": network.device,
        "engine": f"{network.name} {network.version}",
        "precision": numbers,
    }
    return Restorer(spec, network, provenance)


def read(
    place: Place, axes: str | None = None, *, selection: Selection | None = None
) -> Image:
    """Read an image: TIFF, OME-Zarr, npy, or what a microscope wrote.

    Parameters
    ----------
    place
        File, folder or address of an OME-Zarr.
    axes
        Letters of ``STCZYX``, one for each dimension, if the file does not name them.
    selection
        What to read of it, None for everything.

    Raises
    ------
    FileError, AxesError, ImageError, OptionError
        If it cannot be read, or lacks what is asked for.
    """
    from care_runtime import reading

    where = reading.place(place) if isinstance(place, str) else Path(place)
    return reading.read(where, axes, selection=selection)


def write(
    path: Path | str,
    image: Image,
    *,
    description: Mapping[str, str] | None = None,
    form: Form | None = None,
) -> None:
    """Write an image as TIFF, OME-Zarr or npy, as the suffix of its name says.

    Parameters
    ----------
    path
        File to write or replace.
    image
        Axes in any order.
    description
        Provenance, such as that of a `Restored`.
    form
        Compression and smaller copies.

    Raises
    ------
    FileError, AxesError, ImageError, OptionError
        If it cannot be written, or the kind of file does not hold such an image.
    """
    from care_runtime import writing

    writing.write(Path(path), image, description=description, form=form)
