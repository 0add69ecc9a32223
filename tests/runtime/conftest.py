"""Fixtures: engines, restorers and packages of tiny networks."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import onnx
import pytest
import tiny
from fakegpu import Fake

from care_runtime.engine import Engine
from care_runtime.restore import Restorer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Engine]:
    """Load a tiny network by name, once for all tests."""
    folder = tmp_path_factory.mktemp("networks")

    @cache
    def load(name: str) -> Engine:
        onnx.save(tiny.NETWORKS[name](), folder / f"{name}.onnx")
        return Engine(folder / f"{name}.onnx", "cpu", threads=1)

    return load


@pytest.fixture(scope="session")
def restorer(engine: Callable[[str], Engine]) -> Callable[..., Restorer]:
    """Make a restorer by name; keywords replace fields of `config.care`."""

    def make(name: str, **care: Any) -> Restorer:
        return Restorer(tiny.spec(name, **care), engine(name))

    return make


@pytest.fixture
def package(tmp_path: Path, engine: Callable[[str], Engine]) -> Path:
    """Write the package of a 2-D U-Net."""
    return tiny.write_package(tmp_path / "unet2d", "unet2d", engine("unet2d"))


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Stand-ins for GPUs."""
    fake = Fake()
    fake.install(monkeypatch)
    return fake


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Write a tiny network as a file."""
    onnx.save(tiny.NETWORKS["unet2d"](), tmp_path / "unet2d.onnx")
    return tmp_path / "unet2d.onnx"
