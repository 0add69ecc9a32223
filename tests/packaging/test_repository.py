"""Repository: small files, short modules, and nothing of the machine it was made on."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LIMIT = 6 * 2**20
"""Bytes of a file."""
LINES = 300
"""Of a module."""

MACHINE = re.compile(rb"/(?:work|root|tmp/bash_jobs[.\w]*)/")
REGISTRY = re.compile(
    rb"pypi\.(?:org|python\.org)|pythonhosted\.(?:org|com)|download\.pytorch\.|"
    rb"anaconda\.(?:org|com)|npmjs\.(?:org|com)"
)


def _tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (CHECKOUT / ".git").exists():
        return []
    command = [git, "-C", str(CHECKOUT), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    paths = [CHECKOUT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


TRACKED = _tracked()
tracked = pytest.mark.skipif(not TRACKED, reason="this is no git checkout")


@tracked
@pytest.mark.parametrize("trace", [MACHINE, REGISTRY], ids=["machine", "registry"])
def test_no_file_tells_of_the_machine_it_was_made_on(trace: re.Pattern[bytes]) -> None:
    found = {
        path.relative_to(CHECKOUT).as_posix(): match[0]
        for path in TRACKED
        if (match := trace.search(path.read_bytes()))
    }
    assert found == {}


@tracked
def test_no_file_is_large() -> None:
    large = {p.name: p.stat().st_size for p in TRACKED if p.stat().st_size > LIMIT}
    assert large == {}


@pytest.mark.parametrize("folder", ["runtime", "training", "zoo"])
def test_no_module_is_long(folder: str) -> None:
    lines = {
        path.name: len(path.read_text("utf-8").splitlines())
        for path in (CHECKOUT / folder).rglob("*.py")
    }
    assert lines
    assert {name: n for name, n in lines.items() if n >= LINES} == {}


def test_one_ruff() -> None:
    pinned = re.findall(
        r"^ruff==(.+)$", (CHECKOUT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
    hooks = CHECKOUT / ".pre-commit-config.yaml"
    if not hooks.exists():
        pytest.skip("an sdist has no hooks")
    hooked = re.findall(
        r"ruff-pre-commit\s+rev: v(\S+)", hooks.read_text("utf-8"), re.MULTILINE
    )
    assert pinned == hooked
