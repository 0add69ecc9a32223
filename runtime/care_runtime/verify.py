"""Verification: a model does on this machine what its package says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import arrays
from care_runtime.contract import supported
from care_runtime.errors import SpecError
from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles
from care_runtime.restore import Restorer
from care_runtime.verified import Verified

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from care_runtime.engines import AnyEngine
    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_runtime.work import Network

LEVELS = 32
"""Grey levels from which on outputs in whole numbers may differ by one, as rounding has
it. Fewer are classes, of which the next one is another."""

LINEAR = ("mean", "member_mean")
"""Kinds of outputs that a network computes without exponentials."""


def verify(package: Package, engine: AnyEngine, precision: str = "fp32") -> Verified:
    """Run a package's test tensors, and compare tiled with whole.

    Parameters
    ----------
    package
        The model; where its description has some of the outputs only, those.
    engine
        One of its networks, of these outputs.
    precision
        In which that computes, ``"fp32"``, ``"fp16"`` or ``"bf16"``.

    Raises
    ------
    SpecError
        If the package has no test tensors.
    """
    spec = package.spec
    if any(tensor.test is None for tensor in (*spec.inputs, *spec.outputs)):
        msg = (
            f"expected a test tensor for each input and output of {spec.name!r}, found "
            "some without: fetch a package that is complete, or export it again"
        )
        raise SpecError(msg)
    images = {
        tensor.id: arrays.read(package.path(tensor.test))
        for tensor in spec.inputs
        if tensor.test is not None
    }
    if spec.care is None:
        return _verify_foreign(package, engine, images)
    tiled = tiled_difference(spec, engine, images)
    answers = engine(*(preprocessed(spec, x, name) for name, x in images.items()))
    test = {
        tensor.id: difference(
            y,
            arrays.read(package.path(tensor.test)),
            least=least_range(spec, tensor.id),
        )
        for tensor, y in zip(spec.outputs, answers, strict=True)
        if tensor.test is not None
    }
    library = f"{engine.name} {engine.version}"
    curved = curved_outputs(spec)
    return Verified(test, tiled, engine.device, curved, library, precision)


def _verify_foreign(
    package: Package, engine: AnyEngine, images: Mapping[str, NDArray[Any]]
) -> Verified:
    """Restore the test inputs of a model of others as any images.

    How far its tiles have to overlap is its own word, so tiled and whole are not
    compared.
    """
    spec = package.spec
    restorer = Restorer(spec, engine)
    restored = restorer(images, _axes(spec))
    test, levels = {}, {}
    for tensor in spec.outputs:
        if tensor.test is not None:
            expected = arrays.read(package.path(tensor.test)).astype(np.float64)
            found = restored.images[tensor.id]
            axes = found.axes.replace("S", "B")
            missing = [a for a in tensor.letters if a not in axes]
            pixels = np.expand_dims(found.pixels, tuple(range(len(missing))))
            order = ["".join([*missing, axes]).index(a) for a in tensor.letters]
            if pixels.ndim == len(order):
                pixels = pixels.transpose(order)
            test[tensor.id] = difference(pixels, expected)
            if _is_rounded(restorer.spec, tensor.id) and np.ptp(expected) >= LEVELS:
                levels[tensor.id] = 1 / float(np.ptp(expected))
    named = f"{engine.name} {engine.version}"
    return Verified(test, {}, engine.device, engine=named, levels=levels)


def _is_rounded(spec: Spec, output: str) -> bool:
    """Tell whether the last step of an output makes whole numbers of it."""
    last = supported(spec).outputs[output].steps[-1:]
    return any(np.dtype(step.kwargs.get("dtype")).kind in "iu" for step in last)


def _axes(spec: Spec) -> dict[str, str]:
    """Name the axes of test inputs as those of images."""
    return {tensor.id: tensor.letters.replace("B", "S") for tensor in spec.inputs}


def _letters(spec: Spec, name: str | None) -> str:
    found = (tensor.letters for tensor in spec.inputs if tensor.id == name)
    return next(found, spec.input.letters)


def preprocessed(
    spec: Spec, image: NDArray[Any], name: str | None = None
) -> NDArray[Any]:
    """Normalize a batch in the axes of an input as bioimage.io tools do.

    The input is that called `name`, or the first.
    """
    q = supported(spec).normalization.percentiles
    if q is None:
        return image.astype(np.float32)
    letters = _letters(spec, name)
    axes = tuple(i for i, letter in enumerate(letters) if letter in "TZYX")
    return Affine.between(*percentiles(image, q, axes))(image)


def tiled_difference(
    spec: Spec, network: Network, image: NDArray[Any] | Mapping[str, NDArray[Any]]
) -> dict[str, float]:
    """Compare small tiles with the whole image, one axis after the other.

    Parameters
    ----------
    image
        A batch in the axes of the network, or one for each input by id, mirrored where
        it is too small to be cut. One row and one column are left out, so that the
        comparison includes padding. Of an axis that is stretched, so much is taken as
        becomes that long.

    Returns
    -------
    dict
        Largest difference as a fraction of the range, by output.
    """
    restorer, tiling = Restorer(spec, network), supported(spec).tiling
    axes, fewest = _axes(spec), getattr(network, "least", 0)
    given = image if isinstance(image, Mapping) else {spec.input.id: image}
    images = {name: _part(x, spec, name, fewest) for name, x in given.items()}
    whole = restorer(images, axes, tile="whole", dtype="float32").outputs
    least = {name: least_range(spec, name) for name in whole}
    for name in curved_outputs(spec):
        least[name] = max(least[name], float(np.abs(whole[name]).max()))
    worst = dict.fromkeys(whole, 0.0)
    for axis in (a for a in tiling.multiple if a not in tiling.whole):
        tile = {axis: 3 * tiling.multiple[axis]}
        tiled = restorer(images, axes, tile=tile, dtype="float32").outputs
        for name, y in tiled.items():
            found = difference(y, whole[name], least=least[name])
            # numpy's maximum keeps a NaN, which no tolerance lets pass.
            worst[name] = float(np.maximum(worst[name], found))
    return worst


def _part(image: NDArray[Any], spec: Spec, name: str, least: int) -> NDArray[Any]:
    """Take what comes off the grid, and no more planes than are stretched to enough."""
    image, resample = extended(image, spec, name, least=least), supported(spec).resample
    shrunk = {resample.axis.upper(): resample.factor} if resample else {}
    sizes = zip(_letters(spec, name), image.shape, strict=True)
    ends = [math.ceil(n / shrunk.get(a, 1)) - (a in "YX") for a, n in sizes]
    return image[tuple(map(slice, ends))]


def extended(
    image: NDArray[Any], spec: Spec, name: str | None = None, *, least: int = 0
) -> NDArray[Any]:
    """Mirror an image until every axis that may be cut is long enough for four tiles.

    Parameters
    ----------
    image
        A batch in the axes of the network.
    spec
        Gives halo and grid.
    name
        Id of the input that the image is for; None for the first.
    least
        Pixels that a tile needs at the bottom of the network.
    """
    tiling, needed, bottom = supported(spec).tiling, {}, 1
    letters = _letters(spec, name)
    for letter in letters:
        axis = letter.lower()
        if letter in "ZYX" and axis not in tiling.whole:
            grid = tiling.multiple.get(axis, 1)
            needed[letter] = 2 * tiling.margin(axis) + 4 * grid
            bottom *= needed[letter] // grid
    more = math.ceil((2 * least / bottom) ** (1 / len(needed))) if needed else 1
    widths = [
        (0, max(0, needed.get(letter, 0) * max(1, more) - size))
        for letter, size in zip(letters, image.shape, strict=True)
    ]
    return np.pad(image, widths, mode="reflect")


def curved_outputs(spec: Spec) -> tuple[str, ...]:
    """Name the outputs that go through exponentials."""
    roles, names = supported(spec).outputs, [tensor.id for tensor in spec.outputs]
    return tuple(name for name in names if roles[name].kind not in LINEAR)


def least_range(spec: Spec, output: str) -> float:
    """Say what range an output has at least: 1 where it is no grey value."""
    return float(supported(spec).outputs[output].undo == "none")


def difference(
    found: NDArray[Any], expected: NDArray[Any], *, least: float = 0.0
) -> float:
    """Largest absolute difference, as a fraction of the expected range.

    `least` stands for the range where that is smaller: 1 for what lies within 0 and 1.
    """
    if found.shape != expected.shape:
        return float("inf")
    width = max(float(np.ptp(expected)), least) or 1.0
    return float(np.abs(found.astype(np.float64) - expected).max()) / width
