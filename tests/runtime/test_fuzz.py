"""Fuzz: whatever bytes come in, the answer is an image, a model or a `CareError`."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import fuzzing
import pytest
from fuzzing import ENTRANCES
from hypothesis import HealthCheck, given, seed, settings

from care_runtime.errors import CareError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

QUICK = 40
"""Examples of the run that every commit gets."""

LONG = 150
"""Examples between two looks at the clock."""


def run(name: str, content: bytes) -> None:
    """Let bytes in; any error that is not ours is a bug."""
    with tempfile.TemporaryDirectory() as folder, suppress(CareError):
        ENTRANCES[name].run(content, Path(folder))


def strategies(name: str) -> list[SearchStrategy[bytes]]:
    found = [fuzzing.changed(name)]
    return [*found, fuzzing.described()] if name == "spec" else found


def fuzz(name: str, examples: int, number: int | None = None) -> None:
    checks = list(HealthCheck)
    for strategy in strategies(name):

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=checks,
            derandomize=number is None,
        )
        @given(strategy)
        def never_fails(content: bytes) -> None:
            run(name, content)

        (never_fails if number is None else seed(number)(never_fails))()


@pytest.mark.parametrize("name", ENTRANCES)
def test_seeds(name: str) -> None:
    for content in fuzzing.seeds(name):
        run(name, content)


@pytest.mark.parametrize("name", ENTRANCES)
def test_changed_bytes(name: str) -> None:
    fuzz(name, QUICK)


@pytest.mark.slow
def test_changed_bytes_for_long() -> None:
    """Go on for CARE_FUZZ_SECONDS, each time with other random numbers."""
    end = time.monotonic() + float(os.environ.get("CARE_FUZZ_SECONDS", "60"))
    number = int(time.time())
    while time.monotonic() < end:
        for name in ENTRANCES:
            number += 1
            print(f"{name}, seed {number}", flush=True)  # noqa: T201
            if time.monotonic() < end:
                fuzz(name, LONG, number)
