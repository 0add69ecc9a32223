"""Doses: the paper's imaging conditions, from the ground truth down to C3.

Light relative to the ground truth is from the paper's Methods (laser power times
exposure). Photons of the ground truth are not in the paper; they are orders of
magnitude, reckoned below, and were not fitted to anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from care_runtime.errors import TrainingError
from care_training.simulate.camera import Camera, sensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

TRUTH = "GT"
"""Name of the condition with the full dose."""


@dataclass(frozen=True, slots=True)
class Doses:
    """The conditions that one data set was taken in.

    Parameters
    ----------
    camera
        Its photons are those of the ground truth, in its brightest structures.
    conditions
        Light of each condition, relative to the ground truth.
    """

    camera: Camera
    conditions: Mapping[str, float]

    def expose(
        self, clean: NDArray[Any], rng: np.random.Generator, *conditions: str
    ) -> dict[str, NDArray[np.uint16]]:
        """Take one scene in several conditions, one after the other.

        Parameters
        ----------
        clean
            Brightness, 1 for the brightest structures.
        rng
            Of the noise.
        *conditions
            Those to take; all, if none is named. The ground truth, ``"GT"``, is one
            exposure at the full dose, as it is at a microscope: not free of noise.

        Returns
        -------
        dict
            Grey values by condition.

        Raises
        ------
        TrainingError
            If there is no such condition.
        """
        doses = {TRUTH: 1.0, **self.conditions}
        names = conditions or tuple(doses)
        if unknown := set(names) - set(doses):
            msg = f"expected conditions of {', '.join(doses)}, found {sorted(unknown)}"
            raise TrainingError(msg)
        return {
            name: self.camera.expose(clean, rng, dose=doses[name]) for name in names
        }


def _conditions(**doses: float) -> Mapping[str, float]:
    return MappingProxyType(doses)


PLANARIA = Doses(
    sensor("scmos", photons=200.0, background=0.05),
    _conditions(
        C1=(0.12 * 20) / (2.31 * 30),
        C2=(0.12 * 10) / (2.31 * 30),
        C3=(0.05 * 10) / (2.31 * 30),
    ),
)
"""Planaria: 1/29, 1/58 and 1/139 of 2.31 mW for 30 ms.

A spinning disk gives some hundred photoelectrons in a bright pixel of a good frame (a
signal-to-noise ratio of 10 to 20; Pawley, Handbook of Biological Confocal Microscopy,
2006). From 200, the paper's "60-fold fewer photons" leave 3 or 4 in the brightest
voxels, no more than twice the read noise; C3 leaves one or two.
"""

TRIBOLIUM = Doses(
    sensor("pmt", photons=300.0, background=0.1),
    _conditions(C1=0.5 / 20, C2=0.2 / 20, C3=0.1 / 20),
)
"""Tribolium: 1/40, 1/100 and 1/200 of 20 mW, C3 the darkest as in the paper's files.

The Methods name a multiphoton microscope, whose signal goes with the square of the
power. But 1/1,600 to 1/40,000 of any possible ground truth is no photon at all in most
nuclei, where the paper shows and segments some; so the powers are taken as relative
photons, as for the other two. Detected from nuclear GFP at about 1 uM, 100 molecules in
focus at up to 10^5 photons a second each, for 10 us, are 100 photons; the ground truth
is taken as three times that.
"""

FLYWING = Doses(
    sensor("emccd", photons=120.0, background=0.1),
    _conditions(
        C1=(120 * 2) / (240 * 20),
        C2=(120 * 3) / (240 * 20),
        C3=(120 * 5) / (240 * 20),
    ),
)
"""Fly wing: 1/20, 1/13 and 1/8 of 240 ms at 20 %; here C1 is the darkest.

E-cadherin at its own level is dim: some hundred GFP in a micrometre of junction, about
a thousand detected photons a second each where a spinning disk scans, so 120
photoelectrons in the brightest pixels after a quarter of a second. The CSU-X1 is taken
with an EMCCD; the paper does not name the camera.
"""

DOSES: Mapping[str, Doses] = MappingProxyType(
    {"planaria": PLANARIA, "tribolium": TRIBOLIUM, "flywing": FLYWING}
)
"""The conditions by data set."""
