"""Request: what a user asks for, read and checked before hours are spent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from care_runtime import store
from care_runtime.errors import OptionError, RecipeError, TrainingError
from care_training import export, folders, networks, pairs, shift, spacing, start
from care_training.axial import axial_blur
from care_training.degrade import Degradation
from care_training.kind import Kind
from care_training.noise import neighbour_correlation
from care_training.train import check_device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from care_runtime.package import Package
    from care_training.compute import Compute
    from care_training.form import Form
    from care_training.networks import Config
    from care_training.pairs import Pair, Split
    from care_training.recipe import Recipe
    from care_training.shift import Shift

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+\-() ]{0,63}")
"""What any file system accepts."""

ROOM = 0.25
"""Part of a single field that a patch takes at most, for others are held back."""

INDEPENDENT = 0.05
"""Correlation of neighbouring noise up to which it may be drawn anew."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for.

    Parameters
    ----------
    low, high
        Folders of images of low and high quality, paired by name. An isotropic network
        has no high ones: `low` is a folder of volumes, or one of them.
    axes
        Of every image, letters of STCZYX; with Z, the network is 3-D. The high images
        of a projection lack Z.
    name
        Of the model.
    out
        Folder for the package (in a folder of that name) and the checkpoint.
    recipe
        How to train.
    compute
        Where to train.
    init
        Model to start from, or None for a new one.
    architecture
        Values of `UNetConfig` other than the paper's, such as ``depth``.
    kind
        What the network is to do.
    blur
        Of lateral planes, for an isotropic network, see `Degradation`; estimated from
        the volumes where it is None.
    recalibrate
        Fit one factor to the predicted scales on the images held back.
    """

    low: Path
    high: Path | None
    axes: str
    name: str
    out: Path
    recipe: Recipe
    compute: Compute
    init: str | None = None
    architecture: Mapping[str, int] = field(default_factory=dict)
    kind: Kind = field(default_factory=Kind)
    blur: float | None = None
    recalibrate: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """Images that passed all checks.

    Parameters
    ----------
    split
        Pairs to train on, and pairs held back.
    shifts
        Of the two images of each pair against each other.
    recipe
        With a patch that fits every image.
    config
        Architecture of the network.
    init
        Package to start from.
    degradation
        What was done to lateral planes, for an isotropic network.
    interpolated
        Whether planes of the targets were, for an upsampling one; see `spacing`.
    """

    split: Split
    shifts: Sequence[Shift]
    recipe: Recipe
    config: Config
    init: Package | None = None
    degradation: Degradation | None = None
    interpolated: bool = False


def prepare(request: Request) -> Prepared:
    """Read and check everything, before hours are spent.

    Raises
    ------
    FileError, TrainingError
        With the file that is wrong.
    OptionError
        If the request makes no sense.
    """
    if not NAME.fullmatch(request.name):
        msg = (
            "expected a name of 1 to 64 letters, digits, spaces and _+-() that begins "
            f"with a letter or digit, found {request.name!r}"
        )
        raise OptionError(msg)
    request.kind.check(request.axes)
    if request.recipe.sharper and request.kind.isotropic is None:
        msg = "--sharper is that of --isotropic: leave it out"
        raise OptionError(msg)
    if request.recalibrate and not request.kind.probabilistic:
        msg = "--recalibrate fits scales, which need --probabilistic: add it"
        raise OptionError(msg)
    export.require_place(request.out / request.name)
    check_device(request.compute.device)
    folders.check_disk(request.out)
    degradation, interpolated = None, False
    if request.kind.isotropic is None:
        found, interpolated = _read(request)
    else:
        found, degradation = _degraded(request, request.kind.isotropic)
    pairs.require_contrast(found)
    init = store.locate(request.init) if request.init else None
    channels = found[0].low.shape[0], found[0].high.shape[0]
    asked = request.kind.config(request.axes, channels, request.architecture)
    config = start.architecture(asked, request.architecture, init)
    form = networks.form(config)
    recipe = _with_patch(request.recipe.for_form(form), form, found)
    if not request.recipe.patch:
        recipe = _with_room(recipe, form, found)
    if recipe.fresh_noise:
        _check_noise(found)
    split = pairs.split(found, patch=recipe.patch, seed=recipe.seed)
    # A block of an image may have none, where the whole image has some.
    pairs.require_contrast((*split.training, *split.validation))
    shifts = [] if form.planes else shift.shifts(found)
    return Prepared(split, shifts, recipe, config, init, degradation, interpolated)


def _degraded(request: Request, factor: float) -> tuple[list[Pair], Degradation]:
    """Read volumes, and make pairs of their lateral planes."""
    if request.high is not None:
        msg = "an isotropic network learns from volumes alone: leave --high out"
        raise OptionError(msg)
    blur = request.blur
    if blur is not None and not 0 <= blur < float("inf"):
        msg = f"expected a --blur of 0 pixels or more, found {blur:g}"
        raise OptionError(msg)
    volumes = folders.volumes(request.low, request.axes, factor)
    if blur is None:
        measured = [axial_blur(v.low, factor) for v in volumes]
        known = [sigma for sigma in measured if sigma is not None]
        blur = float(np.median(known)) if known else None
    degrade = Degradation(factor, blur)
    made = [replace(degrade(v.name, v.low), field=v.field) for v in volumes]
    return made, degrade


def _read(request: Request) -> tuple[list[Pair], bool]:
    """Read pairs, and tell whether the planes of their targets were interpolated."""
    kind = request.kind
    if request.high is None:
        msg = "expected --high, the folder of the targets, beside --low"
        raise OptionError(msg)
    found = folders.read(
        folders.find(request.low, request.high),
        request.axes,
        projected=kind.projection,
        factor=kind.upsample or 1.0,
    )
    same = [pair.name for pair in found if np.array_equal(pair.low, pair.high)]
    if same:
        msg = (
            f"expected {same[0]} in better quality in {request.high}, found the same "
            f"pixels as in {request.low}: name the folder of the targets as --high"
        )
        raise TrainingError(msg)
    if kind.upsample:
        return spacing.registered(found, kind.upsample)
    return folders.equally_deep(found) if kind.projection else found, False


def _with_patch(recipe: Recipe, form: Form, found: Sequence[Pair]) -> Recipe:
    """Shrink a patch to the smallest image, on the grid of the network."""
    smallest = np.min([pair.high.shape[1:] for pair in found], axis=0)
    wish = recipe.patch
    if form.planes and len(wish) == 2:
        wish = (1, *wish)
    grid = [form.grid[axis] for axis in form.restored[-len(smallest) :]]
    if form.planes:
        grid[0] = 1
    if len(wish) != len(grid) or any(p % g for p, g in zip(wish, grid, strict=True)):
        msg = (
            f"expected a patch of {len(grid)} sizes on the grid of {grid} pixels, "
            f"found {wish}"
        )
        raise RecipeError(msg)
    fits = [int(n) // g * g for n, g in zip(smallest, grid, strict=True)]
    patch = tuple(min(p, n) for p, n in zip(wish, fits, strict=True))
    if min(patch) == 0:
        msg = (
            f"the smallest image measures {tuple(int(n) for n in smallest)} pixels, "
            f"but the network needs {grid}: leave it out, or take a smaller --depth"
        )
        raise TrainingError(msg)
    return replace(recipe, patch=patch)


def _with_room(recipe: Recipe, form: Form, found: Sequence[Pair]) -> Recipe:
    """Shrink a patch until a single field has room for two, and a gap between them."""
    if len({pair.field or pair.name for pair in found}) > 1:
        return recipe
    low, high = found[0].low.shape[-2:], found[0].high.shape[-2:]
    alike = [m == n for m, n in zip(low, high, strict=True)]
    room = max(n for n, same in zip(high, alike, strict=True) if same)
    grid = max(form.grid.values())
    most = max(int(ROOM * room) // grid * grid, grid)
    *deep, y, x = recipe.patch
    return replace(recipe, patch=(*deep, min(y, most), min(x, most)))


def _check_noise(found: Sequence[Pair]) -> None:
    """Refuse to draw noise anew where it is not that of single pixels."""
    if any(pair.low.shape[1:] != pair.high.shape[1:] for pair in found):
        msg = (
            "noise can be drawn anew only where the two images of a pair have the same "
            "size: train without --fresh-noise"
        )
        raise TrainingError(msg)
    if len(found[0].low) != len(found[0].high):
        msg = (
            f"noise cannot be drawn anew for {len(found[0].low)} channels that become "
            f"{len(found[0].high)}: train without --fresh-noise"
        )
        raise TrainingError(msg)
    worst = max(
        (abs(neighbour_correlation(low, high)), pair.name)
        for pair in found
        for low, high in zip(pair.low, pair.high, strict=True)
    )
    if worst[0] > INDEPENDENT:
        msg = (
            f"the noise of neighbouring pixels in {worst[1]} correlates by "
            f"{worst[0]:.2f}, more than {INDEPENDENT:g}: train without --fresh-noise"
        )
        raise TrainingError(msg)
