"""Foreign: a `CareConfig` for models of others, derived from their descriptions.

bioimage.io says what goes in and comes out, and this is all that is made of it: sizes
become tiles, halos their overlap, and the steps of pre- and postprocessing are taken on
whole frames. What cannot be followed is refused by the name of its field.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from care_runtime.care import CareConfig, Normalization, Output, Tiling
from care_runtime.errors import SpecError
from care_runtime.stepcheck import TYPES
from care_runtime.stepfit import require_fitting
from care_runtime.tensor import Operation, ReferenceSize, SteppedSize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime.spec import Spec
    from care_runtime.tensor import Axis, Tensor

TILES = {2: 512, 3: 64}
"""Default kept size of a tile in planes and volumes, where any size will do."""

LARGEST = 1 << 28
"""Pixels that a network may read at least: its description says so, and nothing else
does, before memory is taken for them."""

OVERLAP = 8
"""Part of a fixed size that serves as halo, where an output tells of none."""


def completed(spec: Spec) -> Spec:
    """Return a description with a `config.care`, its own or a derived one."""
    return spec if spec.care is not None else replace(spec, care=derive(spec))


TYPED = ("ensure_dtype", "binarize")
"""Steps that say of which type their values are."""


def derive(spec: Spec) -> CareConfig:
    """Say in our words what the description of another project says.

    Raises
    ------
    SpecError
        If it asks for what this runtime cannot do; the field is named.
    """
    steps: dict[str, tuple[Operation, ...]] = {}
    try:
        for number, tensor in enumerate(spec.inputs):
            where = f"inputs[{number}]"
            require_fitting(spec, tensor, f"{where}.preprocessing")
            _require_one(tensor, where)
        for number, output in enumerate(spec.outputs):
            where = f"outputs[{number}]"
            require_fitting(spec, output, f"{where}.postprocessing")
            _require_sizes(spec.input, output, where)
            steps[output.id] = _typed(output, where)
        tiling = _tiling(spec)
    except SpecError as error:
        raise _refused(spec, str(error)) from None
    return CareConfig(
        task="other",
        version=str(spec.about.get("version") or 0),
        normalization=Normalization(
            None,
            invert=False,
            # As they are: the engine gives every network the type that it reads.
            steps={tensor.id: tensor.operations for tensor in spec.inputs},
        ),
        tiling=tiling,
        outputs={
            output.id: Output("other", "none", steps[output.id])
            for output in spec.outputs
        },
    )


def _typed(tensor: Tensor, where: str) -> tuple[Operation, ...]:
    """Return the steps of an output, with the last one that the format adds to them.

    Where they do not end with a type of their own, values get that of the tensor; whole
    numbers are what is left of others without their fractions.

    Parameters
    ----------
    tensor
        Output of a network.
    where
        The field that describes it, for errors.

    Raises
    ------
    SpecError
        If it is of no type that is known.
    """
    if tensor.operations and tensor.operations[-1].id in TYPED:
        return tensor.operations
    if tensor.type not in TYPES:
        msg = (
            f"{where}.data, type: expected one of {', '.join(TYPES)}, found "
            f"{tensor.type!r}"
        )
        raise SpecError(msg)
    if tensor.type.startswith("float"):
        return tensor.operations
    return (*tensor.operations, Operation("ensure_dtype", {"dtype": tensor.type}))


def _refused(spec: Spec, problem: str) -> SpecError:
    return SpecError(f"the model {spec.name!r} cannot be run: {problem}")


def _require_sizes(source: Tensor, target: Tensor, where: str) -> None:
    """Refuse outputs of another size than the input's."""
    sizes = {axis.letter: axis for axis in source.axes}
    for axis in target.axes:
        at = f"{where}.axes, {axis.id}"
        if axis.letter in "BC":
            continue
        own = sizes.get(axis.letter)
        if axis.letter not in "ZYX" or own is None:
            msg = (
                f"{at}: expected an axis of space that the input has "
                f"({source.letters}), found one of {axis.kind}"
            )
            raise SpecError(msg)
        match axis.size:
            case ReferenceSize(offset=offset) if offset or axis.scale != own.scale:
                msg = f"{at}: expected the input's size, found an offset or scale"
                raise SpecError(msg)
            case int(size) if size != own.size:
                msg = f"{at}: expected the input's size {own.size}, found {size}"
                raise SpecError(msg)


def _require_one(tensor: Tensor, where: str) -> None:
    """Refuse batches of a size of their own."""
    batch = next((a for a in tensor.axes if a.letter == "B"), None)
    if batch is not None and batch.size not in (None, 1):
        msg = f"{where}.axes, batch: expected a size of 1, found {batch.size!r}"
        raise SpecError(msg)


def _one_grid(spec: Spec) -> list[tuple[Axis, str]]:
    """Return the axes of space of the first input, with the sizes that all have.

    Beside each is the field that has its size, for errors.

    Raises
    ------
    SpecError
        If another input has other axes or sizes, and refers to no axis of the first.
    """
    first = [axis for axis in spec.input.axes if axis.kind == "space"]
    found = {axis.letter: axis for axis in first}
    named = {axis.letter: f"inputs[0].axes, {axis.id}" for axis in first}
    for number, tensor in enumerate(spec.inputs):
        own = {axis.letter: axis for axis in tensor.axes if axis.kind == "space"}
        where = f"inputs[{number}].axes"
        if set(own) != set(found):
            msg = (
                f"{where}: expected those of the first input, {spec.input.letters!r}, "
                f"found {tensor.letters!r}"
            )
            raise SpecError(msg)
        for letter, axis in own.items():
            if axis.size is None or _refers(spec, axis, number):
                continue
            known = found[letter]
            if known.size is None or _refers(spec, known, 0):
                found[letter] = replace(known, size=axis.size)
                named[letter] = f"{where}, {axis.id}"
            elif axis.size != known.size:
                msg = (
                    f"{where}, {axis.id}: expected the size of the first input, "
                    f"{known.size}, found {axis.size}: only inputs of one grid are run"
                )
                raise SpecError(msg)
    return [(axis, named[letter]) for letter, axis in found.items()]


def _refers(spec: Spec, axis: Axis, number: int) -> bool:
    """Tell whether an input has the size of the same axis of another input."""
    size = axis.size
    if not isinstance(size, ReferenceSize):
        return False
    for other in spec.inputs:
        if other.id == size.tensor and other is not spec.inputs[number]:
            alike = [a for a in other.axes if a.id == size.axis]
            same = alike and (alike[0].letter, alike[0].scale) == (
                axis.letter,
                axis.scale,
            )
            return bool(same) and not size.offset
    return False


def _tiling(spec: Spec) -> Tiling:
    space = _one_grid(spec)
    multiple, least, exact, halos = {}, {}, {}, {}
    whole = []
    for axis, where in space:
        name = axis.letter.lower()
        halo = _halo(spec, axis.letter)
        size, grid = _sizes(axis, TILES.get(len(space), 64), where)
        multiple[name] = grid
        lost = any(axis.letter not in output.letters for output in spec.outputs)
        if size is not None:
            exact[name] = size
            halos[name] = size // OVERLAP if halo is None else halo
            if 2 * halos[name] >= size or lost:
                halos[name] = 0
        else:
            halos[name] = halo or 0
            least[name] = axis.size.least if isinstance(axis.size, SteppedSize) else 1
            if halo is None or lost:
                whole.append(name)
        if lost:
            whole.append(name)
    _require_readable(
        {n: exact.get(n) or max(least[n], grid) for n, grid in multiple.items()}
    )
    kept = {n: TILES.get(len(space), 64) for n in multiple if n not in exact}
    return Tiling(multiple, halos, kept, tuple(dict.fromkeys(whole)), least, exact)


def _require_readable(sizes: Mapping[str, int]) -> None:
    """Refuse tiles of a size that no memory holds."""
    if math.prod(sizes.values()) > LARGEST:
        found = " x ".join(f"{axis} {size}" for axis, size in sizes.items())
        msg = (
            f"inputs[0].axes: expected at most {LARGEST} pixels that are read at once, "
            f"found {found}"
        )
        raise SpecError(msg)


def _sizes(axis: Axis, wished: int, where: str) -> tuple[int | None, int]:
    """Return the one size that is used, if there is only one, and the grid."""
    match axis.size:
        case int(size):
            return _positive(size, where), 1
        case SteppedSize(least, step):
            _positive(least, where)
            if step <= 0:
                return least, 1
            if least % step:
                return least + max(0, -(-(wished - least) // step)) * step, step
            return None, step
        case None:
            return None, 1
    msg = f"{where}: expected a size of its own, found {axis.size}"
    raise SpecError(msg)


def _positive(size: int, where: str) -> int:
    if size < 1:
        msg = f"{where}: expected a size of 1 or more, found {size}"
        raise SpecError(msg)
    return size


def _halo(spec: Spec, letter: str) -> int | None:
    """Return the largest halo of an axis, None if no output tells of one."""
    most = 0
    for number, output in enumerate(spec.outputs):
        if letter not in output.letters:
            continue
        axis = output.axis(letter)
        if axis.halo < 0:
            where = f"outputs[{number}].axes, {axis.id}, halo"
            msg = f"{where}: expected 0 or more pixels, found {axis.halo}"
            raise SpecError(msg)
        most = max(most, axis.halo)
    return most or None
