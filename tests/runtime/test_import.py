"""Import: light, silent, and without a framework."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

HEAVY = ["torch", "onnx", "onnxruntime", "pooch", "tifffile", "care_training"]


@pytest.mark.parametrize("module", ["care_runtime", "care_runtime.cli"])
def test_a_fresh_interpreter_loads_nothing_heavy(module: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"there is no {module} yet")
    code = f"import sys, {module}; print(*[m for m in {HEAVY} if m in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_every_name_of_the_package_is_there() -> None:
    import care_runtime

    for name in care_runtime.__all__:
        assert getattr(care_runtime, name) is not None
