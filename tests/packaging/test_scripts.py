"""Scripts beside the packages: what they import is still there."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SCRIPTS = sorted([*CHECKOUT.glob("benchmarks/*.py"), *CHECKOUT.glob("examples/*.py")])


def _ours(script: Path) -> list[tuple[str, str]]:
    """Modules of the project that a script imports, and the names it takes of them."""
    nodes = list(ast.walk(ast.parse(script.read_text("utf-8"))))
    named = [
        (node.module or "", alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    whole = [
        (alias.name, "")
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    return [(m, n) for m, n in named + whole if m.split("_")[0] == "care"]


def _missing(module: str, name: str) -> bool:
    """Tell whether a module is not there, or has no such name."""
    try:
        found = import_module(module)
        if name and not hasattr(found, name):
            import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return True
    return False


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_what_a_script_imports_is_there(script: Path) -> None:
    assert [pair for pair in _ours(script) if _missing(*pair)] == []


@pytest.mark.parametrize(
    ("module", "name", "missing"),
    [
        ("care_training.patches", "order", False),
        ("care_training", "patches", False),
        ("care_training.patches", "_order", True),
        ("care_training.gone", "", True),
        ("care_training", "gone", True),
    ],
)
def test_what_is_missing(module: str, name: str, missing: bool) -> None:
    assert _missing(module, name) == missing


def test_scripts_are_looked_into() -> None:
    found = {script.name: _ours(script) for script in SCRIPTS}
    assert ("care_training.patches", "order") in found["training_parity.py"]
