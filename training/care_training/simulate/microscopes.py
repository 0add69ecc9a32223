"""Microscopes: the optics of the paper's experiments.

Objectives and excitation are those of the paper's Methods, but for what is marked (k):
common knowledge, where the paper says nothing. Emission is the dye's peak (k).
Immersion is water (1.333), silicone oil (1.406), 80 % glycerol (1.45) or oil (1.518).
The holes of a Yokogawa disk are 50 um wide: over the magnification, and over
1.22 emission / NA, they are the pinhole.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from care_training.simulate.optics import Optics

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTICS: Mapping[str, Optics] = MappingProxyType(
    {
        # 30x / 1.05 silicone, 640 nm; RedDot1.
        "planaria": Optics("spinning_disk", 1.05, 1.406, 0.694, 0.64, pinhole=2.1),
        # Zeiss 710 multiphoton, 25x multi-immersion, NA 0.8 (k); GFP at 950 nm (k).
        "tribolium": Optics("two_photon", 0.8, 1.333, 0.51, 0.95),
        # CSU-X1, 63x / 1.3 (water or glycerol, here glycerol); GFP at 488 nm (k).
        "flywing": Optics("spinning_disk", 1.3, 1.45, 0.51, 0.488, pinhole=1.7),
        # Ref. 45 of the paper: a light sheet of 4 um, NA 0.8 in water (k); mRFP1.
        "drosophila": Optics("light_sheet", 0.8, 1.333, 0.607, 0.584, sheet=4.0),
        # 60x / 1.3 (silicone, k), 638 nm; DRAQ5, and 488 nm; GFP-LAP2b.
        "retina_nuclei": Optics("spinning_disk", 1.3, 1.406, 0.697, 0.638, pinhole=1.3),
        "retina_envelope": Optics(
            "spinning_disk", 1.3, 1.406, 0.51, 0.488, pinhole=1.7
        ),
        # LSM 780, two photons of 780 nm, 63x / 1.3 glycerol; DAPI and phalloidin.
        "liver": Optics("two_photon", 1.3, 1.45, 0.46, 0.78),
        # OMX widefield, 60x / 1.43; SNAP-Cell 505-Star and SiR-tubulin.
        "granules": Optics("widefield", 1.43, 1.518, 0.532, 0.488),
        "tubules": Optics("widefield", 1.43, 1.518, 0.674, 0.642),
        # Elyra PS.1, TIRF, 100x / 1.46, 488 nm; mEGFP.
        "hela": Optics("tirf", 1.46, 1.518, 0.51, 0.488),
    }
)
"""Optics by experiment, and by channel where it has two."""
