"""Verification: a package that does what it says passes, and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import tiny
from tiny import one_line

from care_runtime import package as package_
from care_runtime.care import Resample, Tiling
from care_runtime.engine import Engine
from care_runtime.errors import EngineError, SpecError
from care_runtime.verified import Verified
from care_runtime.verify import difference, tiled_difference, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Load = Callable[[str], Engine]


def read(folder: Path) -> package_.Package:
    return package_.read(folder, folder)


@pytest.mark.parametrize("name", sorted(tiny.NETWORKS))
def test_every_package_verifies(engine: Load, tmp_path: Path, name: str) -> None:
    found = verify(
        read(tiny.write_package(tmp_path / name, name, engine(name))), engine(name)
    )
    assert found.passed
    assert found.device == "cpu"
    assert set(found.test) == set(found.tiled)
    assert set(found.tiled.values()) == {0.0}


def test_an_isotropic_package_verifies(engine: Load, tmp_path: Path) -> None:
    folder = tiny.write_package(
        tmp_path / "p", "unet3d", engine("unet3d"), resample=Resample("z", 2.3)
    )
    assert verify(read(folder), engine("unet3d")).passed


@pytest.mark.parametrize("factor", [1.0, 2.3, 4.0])
def test_a_stretched_axis_is_as_long_as_the_others(factor: float) -> None:
    seen = []

    def network(x: Any) -> list[Any]:
        seen.append(x.shape)
        return [x]

    spec = tiny.spec("identity3d", resample=Resample("z", factor))
    assert tiled_difference(spec, network, tiny.noise("BCZYX", Z=20, Y=20, X=20))
    whole = seen[0]
    assert 20 <= whole[2] <= 20 + factor
    assert whole[3:] == (19, 19)
    for axis in (2, 3, 4):  # each was cut, and into more than one tile
        assert sum(x[axis] < whole[axis] for x in seen) > 1


def test_another_network_fails(package: Path, tmp_path: Path) -> None:
    changed = tiny.NETWORKS["unet2d"]()
    bias = next(w for w in changed.graph.initializer if w.name == "mean.b")
    value = onnx.numpy_helper.to_array(bias) + np.float32(0.1)
    bias.CopyFrom(onnx.numpy_helper.from_array(value, "mean.b"))
    onnx.save(changed, tmp_path / "changed.onnx")
    found = verify(read(package), Engine(tmp_path / "changed.onnx", "cpu"))
    assert found.test["mean"] > 1e-3
    assert not found.passed


def test_too_small_a_halo_fails(engine: Load, package: Path) -> None:
    found = read(package)
    assert found.spec.care
    small = Tiling({"y": 2, "x": 2}, {"y": 2, "x": 2})
    spec = replace(found.spec, care=replace(found.spec.care, tiling=small))
    result = verify(replace(found, spec=spec), engine("unet2d"))
    assert result.tiled["mean"] > 0
    assert not result.passed


def test_no_test_tensors(engine: Load, package: Path) -> None:
    found = read(package)
    bare = replace(found.spec, inputs=(replace(found.spec.input, test=None),))
    with pytest.raises(SpecError, match="test tensor") as error:
        verify(replace(found, spec=bare), engine("unet2d"))
    one_line(error.value)


def test_a_network_with_other_outputs(engine: Load, package: Path) -> None:
    with pytest.raises(EngineError, match="expected outputs") as error:
        verify(read(package), engine("laplace"))
    one_line(error.value)


def test_nan_passes_nothing() -> None:
    calls = 0

    def network(x: Any) -> list[Any]:
        nonlocal calls
        calls += 1
        return [x if calls == 1 else x * np.float32("nan")]

    image = tiny.noise("BCYX", "float32", Y=20, X=20)
    worst = tiled_difference(tiny.spec("identity2d"), network, image)
    assert np.isnan(worst["mean"])
    assert not Verified({}, worst, "cpu").passed


@pytest.mark.parametrize(
    ("test", "tiled", "device", "passed"),
    [
        (0.0, 0.0, "cpu", True),
        (1e-3, 0.0, "cpu", True),
        (2e-3, 0.0, "cpu", False),
        (0.0, 1e-9, "cpu", False),
        (0.0, 1e-3, "cuda:1", True),
        (0.0, 2e-3, "cuda:1", False),
        (float("nan"), 0.0, "cpu", False),
    ],
)
def test_tolerances(test: float, tiled: float, device: str, passed: bool) -> None:
    assert Verified({"mean": test}, {"mean": tiled}, device).passed is passed


def test_difference_is_a_fraction_of_the_range() -> None:
    expected = np.array([0.0, 10.0])
    assert difference(np.array([0.0, 11.0]), expected) == pytest.approx(0.1)
    assert difference(expected[:1], expected) == float("inf")
    assert difference(np.ones(2), np.ones(2)) == 0
