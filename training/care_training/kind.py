"""Kind: which of the paper's networks a user asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from care_runtime.care import Resample
from care_runtime.errors import OptionError
from care_runtime.image import AXES
from care_training.ensemble import EnsembleConfig
from care_training.isotropic import IsotropicConfig
from care_training.projection import ProjectionConfig
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_training.networks import Config, MemberConfig


@dataclass(frozen=True, slots=True)
class Kind:
    """What a network is to do besides denoising.

    Parameters
    ----------
    projection
        Stacks become the plane in which the tissue lies (Fig. 2).
    height
        Height map of a projection: ``"expectation"``, ``"argmax"`` or empty.
    upsample
        Planes after per plane before, of stacks recorded with few planes; None for as
        many as there were.
    isotropic
        Pixels along Z after per plane before, learnt from lateral planes (Fig. 3); None
        for networks of another kind.
    probabilistic
        A distribution is predicted for every pixel (Fig. 5a).
    ensemble
        Networks that are trained and put into one graph (Fig. 5b); 1 for a single one.

    Raises
    ------
    OptionError
        If two of them exclude each other.
    """

    projection: bool = False
    height: Literal["", "expectation", "argmax"] = ""
    upsample: float | None = None
    isotropic: float | None = None
    probabilistic: bool = False
    ensemble: int = 1

    def __post_init__(self) -> None:
        chosen = {
            "--projection": self.projection,
            "--upsample": self.upsample is not None,
            "--isotropic": self.isotropic is not None,
        }
        names = [name for name, wanted in chosen.items() if wanted]
        if len(names) > 1:
            msg = f"expected one of {' and '.join(names)}: a network does one of them"
            raise OptionError(msg)
        for name, factor in (("upsample", self.upsample), ("factor", self.isotropic)):
            if factor is not None and not 1 < factor < float("inf"):
                msg = f"expected --{name} above 1, the stretching of Z, found {factor}"
                raise OptionError(msg)
        if self.height and not self.projection:
            msg = "--height-map is the surface that --projection finds: give both"
            raise OptionError(msg)
        if self.ensemble < 1:
            msg = f"expected --ensemble of 1 or more networks, found {self.ensemble}"
            raise OptionError(msg)
        if self.ensemble > 1 and not self.probabilistic:
            msg = (
                "an ensemble compares the distributions that its networks predict: "
                "give --probabilistic with --ensemble"
            )
            raise OptionError(msg)
        if self.ensemble > 1 and self.height == "argmax":
            msg = (
                "expected one network for --height-map argmax, found an ensemble, of "
                "which the mean would lie between planes: take expectation"
            )
            raise OptionError(msg)

    def check(self, axes: str) -> None:
        """Refuse axes without the Z that all of these but denoising need.

        Raises
        ------
        OptionError
            If it is missing, or they are no axes of images.
        """
        axes = axes.upper()
        distinct = len(set(axes)) == len(axes)
        if not distinct or not set("YX") <= set(axes) <= set(AXES):
            msg = (
                f"expected distinct letters of {AXES} as --axes, Y and X among them, "
                f"found {axes!r}"
            )
            raise OptionError(msg)
        special = self.projection or self.upsample or self.isotropic
        if special and "Z" not in axes:
            msg = f"expected axes with Z, as ZYX, for a network of this kind: {axes!r}"
            raise OptionError(msg)

    def config(
        self, axes: str, channels: tuple[int, int], architecture: Mapping[str, int]
    ) -> Config:
        """Decide the architecture.

        Parameters
        ----------
        axes
            Of the images; with Z, a network that keeps it is 3-D.
        channels
            Of input and target.
        architecture
            Values of `UNetConfig` other than the paper's.
        """
        flat = "Z" not in axes or self.projection or self.isotropic is not None
        values: dict[str, Any] = {
            "dims": 2 if flat else 3,
            "channels_in": channels[0],
            "channels_out": channels[1],
            "probabilistic": self.probabilistic,
            **architecture,
        }
        if self.projection:
            values.setdefault("kernel", 3)
        unet = UNetConfig(**values)
        member: MemberConfig = unet
        if self.projection:
            member = ProjectionConfig(unet, height=self.height)
        elif self.isotropic is not None:
            member = IsotropicConfig(unet)
        return EnsembleConfig(member, self.ensemble) if self.ensemble > 1 else member

    @property
    def resample(self) -> Resample | None:
        """How the runtime stretches an image before the network."""
        if self.upsample is not None:
            return Resample("z", self.upsample, "before")
        if self.isotropic is not None:
            return Resample("z", self.isotropic, "after", cubic=True)
        return None
