"""Camera: photons to grey values, by an sCMOS, an EMCCD or a photomultiplier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera: Poisson shot noise, Gaussian read noise, gain and offset.

    The defaults are those of an sCMOS: about half an electron a grey value, 1 to 2
    electrons of read noise, an offset of 100. An EMCCD multiplies electrons before they
    are read, which drowns the read noise but doubles the variance of the shot noise
    (Robbins and Hadwen, IEEE Trans. Electron Devices 50, 2003). A photomultiplier does
    the same, with less excess: its first dynodes multiply by about 5 each, so that the
    variance grows by 5 / (5 - 1).

    Parameters
    ----------
    photons
        Photoelectrons in a pixel of brightness 1, at the full dose of light.
    background
        Brightness of the field without structures.
    read_noise
        Standard deviation in electrons, as they are read: after multiplication.
    gain
        Electrons a grey value, as they are read.
    offset
        Grey value without light.
    em_gain
        Electrons that are read for each photoelectron: 1 in an sCMOS.
    excess
        Variance of the shot noise after multiplication over that before, the square of
        the excess noise factor: 1 in an sCMOS, 2 in an EMCCD (factor sqrt 2), 1.25 in a
        photomultiplier.

    Raises
    ------
    TrainingError
        If `excess` is below 1.
    """

    photons: float = 20.0
    background: float = 0.1
    read_noise: float = 1.6
    gain: float = 0.5
    offset: float = 100.0
    em_gain: float = 1.0
    excess: float = 1.0

    def __post_init__(self) -> None:
        if self.excess < 1:
            msg = (
                f"multiplication only adds noise, but excess is {self.excess:g}: give "
                "1 (sCMOS) or more (2 for an EMCCD)"
            )
            raise TrainingError(msg)

    def expose(
        self, clean: NDArray[Any], rng: np.random.Generator, *, dose: float = 1.0
    ) -> NDArray[np.uint16]:
        """Take one frame.

        Parameters
        ----------
        clean
            Brightness, of any shape: 0 is dark, 1 the brightest of the structures.
        rng
            Of the noise.
        dose
            Light, relative to the full dose: it multiplies the photons of structures
            and background alike.

        Returns
        -------
        numpy.ndarray
            Grey values, of the shape of `clean`.
        """
        electrons = rng.poisson(dose * self.photons * (clean + self.background))
        if self.excess > 1:
            spread = self.excess - 1
            multiplied = rng.gamma(electrons / spread, spread * self.em_gain)
        else:
            multiplied = electrons.astype(float) * self.em_gain
        multiplied += rng.normal(0.0, self.read_noise, clean.shape)
        return _grey(multiplied / self.gain + self.offset)

    def truth(self, clean: NDArray[Any], *, frames: int = 400) -> NDArray[np.uint16]:
        """Take the scene without noise at `frames` times the light."""
        electrons = frames * self.photons * (clean + self.background)
        return _grey(self.em_gain * electrons / self.gain + self.offset)


def sensor(kind: str, **changed: float) -> Camera:
    """Make a camera of a kind.

    Parameters
    ----------
    kind
        ``"scmos"``; ``"emccd"``: 300-fold multiplication, 50 electrons of read noise,
        12 electrons a grey value (back-illuminated, 10 MHz, by its makers' data
        sheets); or ``"pmt"``, whose read noise is a tenth of a photon.
    **changed
        Parameters of `Camera` that are to differ.

    Returns
    -------
    Camera

    Raises
    ------
    TrainingError
        If there is no such kind.
    """
    kinds: dict[str, dict[str, float]] = {
        "scmos": {},
        "emccd": {"read_noise": 50.0, "gain": 12.0, "em_gain": 300.0, "excess": 2.0},
        "pmt": {"read_noise": 0.1, "gain": 0.05, "offset": 20.0, "excess": 1.25},
    }
    if kind not in kinds:
        msg = f"expected a camera of {', '.join(kinds)}, found {kind!r}"
        raise TrainingError(msg)
    return Camera(**kinds[kind] | changed)


def _grey(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.clip(np.rint(values), 0, 65535).astype(np.uint16)
