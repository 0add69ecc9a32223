"""Simulation: scenes in micrometres, microscopes and cameras, each with its truth.

A scene (`stained_nuclei`, `epithelium`, `microtubules`, `insulin_granules`) is blurred
by `OPTICS` and exposed at the paper's `DOSES`::

    scene = stained_nuclei((64, 256, 256), rng, voxel_size=voxel_size)
    seen = brightness(blur(scene.density, OPTICS["planaria"].psf(voxel_size)))
    frames = DOSES["planaria"].expose(seen, rng, "GT", "C2")

`filaments` and `nuclei` are quick sketches in pixels that are blurred already.
"""

from care_training.simulate.camera import Camera, sensor
from care_training.simulate.doses import DOSES, Doses
from care_training.simulate.granules import insulin_granules
from care_training.simulate.image import blur, brightness
from care_training.simulate.liver import envelopes, hepatocytes
from care_training.simulate.membranes import Epithelium, Tissue, epithelium
from care_training.simulate.microscopes import OPTICS
from care_training.simulate.movie import epithelium_movie
from care_training.simulate.nucleus import stained_nuclei
from care_training.simulate.optics import Optics
from care_training.simulate.perlin import perlin_noise
from care_training.simulate.scene import Scene
from care_training.simulate.sketch import filaments, nuclei
from care_training.simulate.surface import height_map, project
from care_training.simulate.tubules import microtubules

__all__ = [
    "DOSES",
    "OPTICS",
    "Camera",
    "Doses",
    "Epithelium",
    "Optics",
    "Scene",
    "Tissue",
    "blur",
    "brightness",
    "envelopes",
    "epithelium",
    "epithelium_movie",
    "filaments",
    "height_map",
    "hepatocytes",
    "insulin_granules",
    "microtubules",
    "nuclei",
    "perlin_noise",
    "project",
    "sensor",
    "stained_nuclei",
]
