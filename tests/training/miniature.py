"""Miniatures of the published archives, with images and patches in their places."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import tifffile

from care_training.datasets import Archive


def stack(shape, seed=0, dtype=np.uint16):
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(dtype)


def write(path, shape, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = stack(shape, seed)
    tifffile.imwrite(path, image, photometric="minisblack", **options)
    return image


def patches(path, low, high, axes="SCZYX", save=np.savez):
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {} if axes is None else {"axes": axes}
    save(path, X=low, Y=high, **more)
    return path


def archive(folder, tmp_path, form="gztar"):
    """Pack a folder as it was published, to be fetched from a file."""
    packed = shutil.make_archive(
        str(tmp_path / folder.name), form, folder.parent, folder.name
    )
    return Archive(Path(packed).name, Path(packed).as_uri(), None, "CC0-1.0", "page")
