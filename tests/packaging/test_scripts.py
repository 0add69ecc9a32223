"""Scripts beside the packages: what they import is still there."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_what_a_script_imports_is_there(script: Path) -> None:
    missing = [
        f"{module}: {name}"
        for module, name in _ours(script)
        if name
        and not hasattr(import_module(module), name)
        and find_spec(f"{module}.{name}") is None
    ]
    assert missing == []


def test_scripts_are_looked_into() -> None:
    found = {script.name: _ours(script) for script in SCRIPTS}
    assert ("care_training.patches", "order") in found["training_parity.py"]
