"""CareConfig: what bioimage.io 0.5 cannot say about a model, under `config.care`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from care_runtime import variant
from care_runtime._parse import Reader
from care_runtime.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from care_runtime.tensor import Operation
    from care_runtime.variant import Variant

UNDO = ("affine", "scale", "none")


@dataclass(frozen=True, slots=True)
class Normalization:
    """How an image is normalized (Methods, "Normalization").

    Parameters
    ----------
    percentiles
        Those that become 0 and 1; None feeds grey values as they are.
    axes
        Axes measured over, of ``TZYX``; channels, samples and (without T) time points
        each have percentiles of their own. With T, a whole movie shares them.
    invert
        Whether the restoration is taken back to the input's grey values.
    steps
        What is done in place of all this by models of others, by input, see
        `operations`; derived from their descriptions and never written.
    """

    percentiles: tuple[float, float] | None = (2.0, 99.8)
    axes: str = "ZYX"
    invert: bool = True
    steps: Mapping[str, tuple[Operation, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.percentiles is not None:
            low, high = self.percentiles
            if not 0 <= low < high <= 100:
                msg = (
                    "expected percentiles that rise between 0 and 100, found "
                    f"{low:g}, {high:g}"
                )
                raise SpecError(msg)
        if not set(self.axes) <= set("TZYX"):
            msg = f"expected percentiles over axes of 'TZYX', found {self.axes!r}"
            raise SpecError(msg)


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an image may be cut so that tiled equals whole.

    All are in pixels of the network's input, by lower-case axis.

    Parameters
    ----------
    multiple
        Sizes and tile starts lie on this grid (2 to the depth).
    halo
        Context that a tile needs on each side; measured at export.
    size
        Default kept size of a tile; an axis without one is not cut by default.
    whole
        Axes that are never cut.
    least, exact
        Sizes below which, or other than which, the network takes none; derived from
        descriptions of others and never written.
    """

    multiple: Mapping[str, int] = field(default_factory=dict)
    halo: Mapping[str, int] = field(default_factory=dict)
    size: Mapping[str, int] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    least: Mapping[str, int] = field(default_factory=dict)
    exact: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("multiple", 1), ("halo", 0), ("size", 1)):
            pixels: Mapping[str, int] = getattr(self, name)
            wrong = {a: n for a, n in pixels.items() if a not in "zyx" or n < least}
            if wrong:
                msg = (
                    f"expected the tiling's {name} as {least} or more pixels of the "
                    f"axes 'z', 'y', 'x', found {wrong}"
                )
                raise SpecError(msg)
        if not set(self.whole) <= set("zyx"):
            msg = f"expected whole axes of 'z', 'y', 'x', found {self.whole}"
            raise SpecError(msg)

    def margin(self, axis: str) -> int:
        """Halo along an axis, rounded up to the grid."""
        grid = self.multiple.get(axis, 1)
        return -(-self.halo.get(axis, 0) // grid) * grid


@dataclass(frozen=True, slots=True)
class Resample:
    """Linear interpolation along one axis before the network.

    Parameters
    ----------
    axis
        Lower-case axis, such as ``"z"``.
    factor
        Pixels after per pixel before.
    when
        ``"before"`` normalization, so that percentiles are those of the resampled
        image, or ``"after"`` it.
    round
        Whether interpolated values are rounded to the image's integers, as CSBDeep's
        upsampling does.
    cubic
        Whether voxels are to become cubic, so that an image with voxel sizes has a
        factor of its own, and `factor` is that of the training.
    """

    axis: str
    factor: float
    when: Literal["before", "after"] = "before"
    round: bool = False
    cubic: bool = False

    def rounds(self, dtype: np.dtype[Any]) -> bool:
        """Whether interpolated values of an image of this type are rounded."""
        return self.round and dtype.kind in "ui"

    def __post_init__(self) -> None:
        if not 0 < self.factor < float("inf"):
            msg = f"expected a resampling factor above 0, found {self.factor:g}"
            raise SpecError(msg)


@dataclass(frozen=True, slots=True)
class Output:
    """What an output of the network is.

    Parameters
    ----------
    kind
        ``"mean"``, ``"scale"``, ``"std"``, ``"disagreement"`` and so on.
    undo
        How normalization is undone: ``"affine"`` (``a * x + b``), ``"scale"``
        (``a * x``) or ``"none"``.
    steps
        Postprocessing of models of others, on whole frames; never written.
    """

    kind: str
    undo: Literal["affine", "scale", "none"]
    steps: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class CareConfig:
    """The part of a spec that is CARE's own.

    Parameters
    ----------
    task
        Such as ``"denoising"`` or ``"projection"``; for people, nothing branches on it.
    version
        Of the model.
    normalization, tiling, resample
        How an image becomes tiles for the network.
    outputs
        What each output is, by id.
    variants
        Other forms of the network by file name.
    training
        Experiment, data and their origin, steps, seed and scores; as it stands.
    """

    task: str
    version: str
    normalization: Normalization
    tiling: Tiling
    outputs: Mapping[str, Output]
    resample: Resample | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Any) -> CareConfig:
        """Parse `config.care`; an error names every missing or unknown key."""
        read = Reader.of(values, "config.care", strict=True)
        outputs, resample = read.child("outputs"), read.maybe("resample")
        variants = read.maybe("variants")
        care = cls(
            task=read.text("task"),
            version=read.text("version"),
            normalization=_normalization(read.child("normalization")),
            tiling=_tiling(read.child("tiling")),
            outputs={key: _output(outputs.child(key)) for key in outputs.keys},
            resample=_resample(resample) if resample else None,
            variants=variant.parse(variants) if variants else {},
            training=read.mapping("training", {}),
        )
        read.done()
        return care

    def to_dict(self) -> dict[str, Any]:
        """Write plain values; `from_dict` is the inverse."""
        norm, tiling, resample = self.normalization, self.tiling, self.resample
        out: dict[str, Any] = {
            "task": self.task,
            "version": self.version,
            "normalization": {
                "percentiles": list(norm.percentiles) if norm.percentiles else "none",
                "axes": norm.axes,
                "invert": norm.invert,
            },
            "tiling": {
                "multiple": dict(tiling.multiple),
                "halo": dict(tiling.halo),
                "size": dict(tiling.size),
                "whole": list(tiling.whole),
            },
            "outputs": {
                key: {"kind": output.kind, "undo": output.undo}
                for key, output in self.outputs.items()
            },
        }
        if resample is not None:
            out["resample"] = {
                "axis": resample.axis,
                "factor": resample.factor,
                "when": resample.when,
                "round": resample.round,
                "cubic": resample.cubic,
            }
        if self.variants:
            out["variants"] = variant.write(self.variants)
        if self.training:
            out["training"] = dict(self.training)
        return out


def _normalization(read: Reader) -> Normalization:
    none = read.value("percentiles") == "none"
    norm = Normalization(
        None if none else read.two_numbers("percentiles"),
        read.text("axes", "ZYX"),
        read.flag("invert", True),
    )
    read.done()
    return norm


def _tiling(read: Reader) -> Tiling:
    tiling = Tiling(
        multiple=_pixels(read, "multiple"),
        halo=_pixels(read, "halo"),
        size=_pixels(read, "size"),
        whole=read.texts("whole"),
    )
    read.done()
    return tiling


def _pixels(read: Reader, key: str) -> dict[str, int]:
    part = Reader.of(read.mapping(key, {}), f"{read.where}, {key}")
    return {axis: part.integer(axis) for axis in part.keys}


def _resample(read: Reader) -> Resample:
    resample = Resample(
        read.text("axis"),
        read.number("factor"),
        read.choice("when", ("before", "after"), "before"),
        read.flag("round", False),
        read.flag("cubic", False),
    )
    read.done()
    return resample


def _output(read: Reader) -> Output:
    output = Output(read.text("kind"), read.choice("undo", UNDO))
    read.done()
    return output
