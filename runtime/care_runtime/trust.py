"""Trust: what a person asks a probabilistic model besides the restoration."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

from care_runtime.errors import OptionError
from care_runtime.readout import Draw, Flag, Given, Quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.readout import Readout
    from care_runtime.spec import Spec


MOST = 10_000
"""Random draws of an image; more are no movie."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How far to trust a restoration (Methods, "Probabilistic networks").

    Parameters
    ----------
    confidence
        Probability with which the truth lies between the images ``lower`` and
        ``upper``, above 0 and below 1; None for no such images.
    samples
        Images to draw at random from the predicted distribution.
    seed
        Of these draws.
    flag
        Threshold of the mask ``flag``: of the disagreement of an ensemble, or where the
        model is none, of the relative scale; None for no mask.
    flag_scale
        Threshold of the relative scale: the predicted scale in normalized units, where
        the distance between the image's percentiles is 1. It makes a mask, too.

    Raises
    ------
    OptionError
        If a number makes no sense.
    """

    confidence: float | None = None
    samples: int = 0
    seed: int = 0
    flag: float | None = None
    flag_scale: float | None = None

    def __post_init__(self) -> None:
        for name in ("confidence", "samples", "seed", "flag", "flag_scale"):
            whole, value = name in ("samples", "seed"), getattr(self, name)
            kind = Integral if whole else Real
            if not isinstance(value, kind) and (whole or value is not None):
                number = "whole number" if whole else "number"
                msg = f"expected a {number} as {name}, found {value!r}"
                raise OptionError(msg)
        if self.confidence is not None and not 0 < self.confidence < 1:
            msg = (
                "expected a confidence above 0 and below 1, as 0.9, found "
                f"{self.confidence:g}"
            )
            raise OptionError(msg)
        for name, below in (("samples", MOST), ("seed", 2**64)):
            if not 0 <= getattr(self, name) < below:
                found = getattr(self, name)
                msg = f"expected {name} of 0 or more and below {below}, found {found}"
                raise OptionError(msg)
        for name in ("flag", "flag_scale"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                msg = f"expected a threshold {name} of 0 or more, found {value:g}"
                raise OptionError(msg)

    def readouts(self, spec: Spec) -> list[Readout]:
        """List the images that are asked for.

        Raises
        ------
        OptionError
            If the model predicts nothing that they could be read from.
        """
        found: list[Readout] = []
        if self.confidence is not None:
            tail = (1 - self.confidence) / 2
            found += [Quantile("lower", tail), Quantile("upper", 1 - tail)]
        found += [Draw(number, self.seed) for number in range(self.samples)]
        if self.flag is not None or self.flag_scale is not None:
            found.append(self._flag(spec))
        if any(not isinstance(readout, Flag) for readout in found):
            distribution(spec)
        return found

    def needs(self, spec: Spec) -> tuple[str, ...]:
        """Name the network's outputs that are needed."""
        readouts = self.readouts(spec)
        if not readouts:
            return ()
        needed = {"mean"}
        if any(not isinstance(readout, Flag) for readout in readouts):
            needed |= set(distribution(spec))
        for readout in readouts:
            if isinstance(readout, Flag):
                needed |= (
                    {"disagreement"} if readout.disagreement is not None else set()
                )
                needed |= {_width(spec)} if readout.scale is not None else set()
        return tuple(tensor.id for tensor in spec.outputs if tensor.id in needed)

    def facts(self) -> dict[str, str]:
        """Say in words what was asked for, to be kept with the pixels."""
        said = {}
        if self.confidence is not None:
            said["confidence of lower and upper"] = f"{self.confidence:g}"
        if self.samples:
            said["samples"] = f"{self.samples}, seed {self.seed}"
        return said

    def _flag(self, spec: Spec) -> Flag:
        outputs = {tensor.id for tensor in spec.outputs}
        flag = Flag(self.flag, self.flag_scale)
        if "disagreement" not in outputs:
            given = [t for t in (self.flag, self.flag_scale) if t is not None]
            flag = Flag(None, min(given))
        if flag.scale is not None and not {"scale", "std"} & outputs:
            distribution(spec)
        return flag


def distribution(spec: Spec) -> tuple[str, str]:
    """Name the outputs that tell the distribution of every pixel.

    Raises
    ------
    OptionError
        If there are none.
    """
    outputs = {tensor.id for tensor in spec.outputs}
    for pair in (("member_mean", "member_scale"), ("mean", "scale")):
        if set(pair) <= outputs:
            return pair
    msg = (
        f"the model {spec.name!r} predicts no distribution (its outputs are "
        f"{', '.join(sorted(outputs))}): bounds, samples and flags need one that was "
        "trained with --probabilistic"
    )
    raise OptionError(msg)


def _width(spec: Spec) -> str:
    outputs = {tensor.id for tensor in spec.outputs}
    return "scale" if "scale" in outputs else "std"


def given(spec: Spec, names: Sequence[str] | None) -> list[Readout]:
    """List the network's own outputs that are asked for, None for all of them.

    Raises
    ------
    OptionError
        If the model has none of a name.
    """
    from care_runtime.contract import supported

    roles, known = supported(spec).outputs, [tensor.id for tensor in spec.outputs]
    chosen = known if names is None else list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        msg = (
            f"expected outputs of {', '.join(known)}, those of the model "
            f"{spec.name!r}, found {', '.join(unknown) or 'none'}"
        )
        raise OptionError(msg)
    return [Given(name, roles[name].undo) for name in chosen]
