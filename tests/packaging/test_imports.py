"""Imports: the zoo knows nobody, the runtime the zoo alone, and both are light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import care_runtime
import care_zoo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

HEAVY = {"torch", "onnx", "onnxruntime", "tifffile", "pooch", "requests"}
FRAMEWORKS = {"torch", "onnx", "onnxscript", "tensorflow", "care_training"}
"""What the runtime never imports, nor inside a function."""


def loaded(module: str) -> set[str]:
    """Import a module in a fresh interpreter, and tell all that this loaded."""
    code = f"import sys, {module}; print(*sys.modules)"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return {name.partition(".")[0] for name in done.stdout.split()}


def modules(package: ModuleType) -> list[Path]:
    return sorted(Path(str(package.__file__)).parent.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Go through the packages that a module imports anywhere in its text."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("module", ["care_runtime", "care_runtime.cli"])
def test_the_runtime_is_light(module: str) -> None:
    assert loaded(module) & (HEAVY | FRAMEWORKS) == set()


def test_the_zoo_is_data() -> None:
    assert loaded("care_zoo") & {"care_runtime", "care_training", "numpy"} == set()


@pytest.mark.parametrize("path", modules(care_runtime), ids=lambda path: path.stem)
def test_the_runtime_imports_no_framework(path: Path) -> None:
    assert set(imported(path)) & FRAMEWORKS == set()


@pytest.mark.parametrize("path", modules(care_zoo), ids=lambda path: path.stem)
def test_the_zoo_imports_python_alone(path: Path) -> None:
    assert set(imported(path)) <= sys.stdlib_module_names


def test_onnx_runtime_is_imported_in_one_place() -> None:
    found = [p.stem for p in modules(care_runtime) if "onnxruntime" in imported(p)]
    assert found == ["engine"]
