"""Wheel: what a user gets holds all it needs, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import care_zoo

pytest.importorskip("build", reason="building needs the extra 'test'")
pytest.importorskip("hatchling", reason="building without it needs the network")

CHECKOUT = Path(__file__).parents[2]
LIMIT = 5 * 2**20
"""Bytes of a wheel."""

PLACES = {
    "runtime/care_runtime": "care_runtime",
    "training/care_training": "care_training",
    "zoo/care_zoo": "care_zoo",
    "zoo/models/denoise_widefield": "care_zoo/models/denoise_widefield",
    "model_specs": "care_zoo/model_specs",
}
"""Where the folders of the checkout lie in a wheel."""

SCRIPTS = {"care-run": "care_runtime", "care-train": "care_training"}

PLATFORMS = {
    "Linux x86-64": ("linux", "x86_64", "onnxruntime-gpu"),
    "Linux ARM": ("linux", "aarch64", "onnxruntime"),
    "Windows x86-64": ("win32", "AMD64", "onnxruntime-gpu"),
    "Windows ARM": ("win32", "ARM64", "onnxruntime"),
    "macOS ARM": ("darwin", "arm64", "onnxruntime"),
    "macOS x86-64": ("darwin", "x86_64", "onnxruntime"),
}


def build(folder: Path, *options: str) -> Path:
    """Build without a network; without options, the wheel is made from an sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", *options]
    done = subprocess.run(
        [*command, "--outdir", str(folder), str(CHECKOUT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "--wheel")


@pytest.fixture(scope="module")
def about(wheel: Path) -> dict[str, bytes]:
    """Read the files about the distribution, by their own names."""
    return {
        name.partition(".dist-info/")[2]: file
        for name, file in contents(wheel).items()
        if ".dist-info/" in name
    }


@pytest.fixture(scope="module")
def requirements(about: dict[str, bytes]) -> list[Requirement]:
    metadata = message_from_bytes(about["METADATA"])
    return [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]


def test_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    found = {name for name in contents(wheel) if ".dist-info/" not in name}
    expected = {
        f"{place}/{path.relative_to(CHECKOUT / folder).as_posix()}"
        for folder, place in PLACES.items()
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".part"}
    }
    assert found == expected
    typed = {f"care_{part}/py.typed" for part in ("runtime", "training", "zoo")}
    assert found >= typed | {"care_zoo/registry.txt"}
    assert wheel.stat().st_size < LIMIT


def test_says_who_may_use_it_and_how(about: dict[str, bytes]) -> None:
    assert about["licenses/LICENSE"] == (CHECKOUT / "LICENSE").read_bytes()
    scripts = about["entry_points.txt"].decode()
    for name, module in SCRIPTS.items():
        assert f"{name} = {module}.cli:main" in scripts
        assert EntryPoint(name, f"{module}.cli:main", "console_scripts").load()


def test_an_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert contents(build(tmp_path)) == contents(wheel)


def test_finds_its_own_zoo(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = """
import care_runtime, care_zoo
from care_runtime import demo, store
assert demo.MODEL in care_runtime.names()
demo.sample()
found = store.locate(demo.MODEL)
print(care_zoo.SPECS, care_zoo.MODELS, care_zoo.REGISTRY, found.onnx, sep="\\n")
"""
    kept = {name: value for name, value in os.environ.items() if name != "CARE_ZOO"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(tmp_path), "CARE_HOME": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert Path(line).exists()
        assert Path(line).is_relative_to(tmp_path / "care_zoo")


def test_the_checkout_finds_its_own_zoo() -> None:
    models = {path.parent.name for path in care_zoo.MODELS.glob("*/rdf.yaml")}
    assert models
    assert models <= {path.stem for path in care_zoo.SPECS.glob("*.yaml")}


@pytest.mark.parametrize("extra", ["", "cuda"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_onnx_runtime_for_each_platform(
    requirements: list[Requirement], platform: str, extra: str
) -> None:
    system, machine, expected = PLATFORMS[platform]
    here = {"sys_platform": system, "platform_machine": machine, "extra": extra}
    found = {
        needed.name
        for needed in requirements
        if needed.name.startswith("onnxruntime")
        and (needed.marker is None or needed.marker.evaluate(here))
    }
    assert found == {expected}


def test_the_runtime_needs_no_framework(requirements: list[Requirement]) -> None:
    needed = {r.name for r in requirements if "extra" not in str(r.marker)}
    assert needed & {"torch", "tensorflow", "onnx", "onnxscript", "scipy"} == set()
