"""Choice: how files are restored, as a person chose it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from care_runtime import options
from care_runtime.care import Normalization
from care_runtime.errors import OptionError
from care_runtime.form import Form
from care_runtime.selection import Selection
from care_runtime.trust import Trust, given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime.options import TileSize
    from care_runtime.reading import Place
    from care_runtime.spec import Spec

DTYPES = ("float32", "uint8", "int8", "uint16", "int16", "uint32", "int32")
"""Types that files of every kind keep as they are."""


@dataclass(frozen=True, slots=True)
class Options:
    """How files are restored; see `Restorer` for the meaning of each.

    `inputs` are the images of a model's further inputs, by id; see `companions`.

    Raises
    ------
    OptionError
        If one of them means nothing, before any file is opened.
    """

    axes: str | None = None
    normalize: str = "auto"
    tile: TileSize = None
    dtype: str = "auto"
    factor: float | None = None
    outputs: tuple[str, ...] = ("mean",)
    trust: Trust = field(default_factory=Trust)
    join: bool = False
    overwrite: bool = False
    resume: bool = False
    normalize_over: str | None = None
    selection: Selection = field(default_factory=Selection)
    form: Form = field(default_factory=Form)
    inputs: Mapping[str, Place] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options.read_normalization(self.normalize, Normalization(), self.normalize_over)
        options.read_tile(self.tile, {})
        if self.dtype not in ("auto", *DTYPES):
            msg = f"expected a type auto, {', '.join(DTYPES)}, found {self.dtype!r}"
            raise OptionError(msg)

    def meant(self, spec: Spec) -> Options:
        """Return what is meant for a model whose main output has another name."""
        known = [tensor.id for tensor in spec.outputs]
        if self.outputs == ("mean",) and "mean" not in known:
            return replace(self, outputs=(known[0],))
        return self

    def needs(self, spec: Spec) -> list[str]:
        """Name the outputs of a model that have to be computed.

        Raises
        ------
        OptionError
            If the model cannot give what is asked for.
        """
        asked = [readout.id for readout in given(spec, self.outputs)]
        return [*asked, *self.trust.needs(spec)]
