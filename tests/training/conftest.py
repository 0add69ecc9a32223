"""Small image pairs and networks for the training tests."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch

from care_training.pairs import Pair
from care_training.simulate import Camera, filaments
from care_training.unet import UNet, UNetConfig


def make_pair(name: str, shape: tuple[int, ...], seed: int) -> Pair:
    rng = np.random.default_rng(seed)
    clean = filaments(shape, rng)
    camera = Camera()
    return Pair(name, camera.expose(clean, rng)[None], camera.truth(clean)[None])


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pairs() -> list[Pair]:
    return [make_pair(f"image{i}", (96, 96), i) for i in range(4)]


@pytest.fixture
def tiny() -> UNet:
    torch.manual_seed(0)
    return UNet(UNetConfig(depth=1, kernel=3, filters=4))


@pytest.fixture
def folders(tmp_path):
    """Two folders of paired TIFF files, as a user has them."""
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
    for i in range(4):
        pair = make_pair(f"field{i}", (96, 80), i)
        for side in ("low", "high"):
            image = getattr(pair, side)[0]
            tifffile.imwrite(tmp_path / side / f"field{i}.tif", image)
    return tmp_path
