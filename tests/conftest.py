"""Settings of all tests; nothing is fetched into, or noted in, a person's cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from care_runtime import gpu

if TYPE_CHECKING:
    from collections.abc import Iterator

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and torch count the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Machines where tests run are shared: no single example is timed.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session", autouse=True)
def care_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the tests a cache of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARE_HOME", str(tmp_path_factory.mktemp("care")))
        yield


@pytest.fixture(autouse=True)
def no_gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the GPUs of the machine from tests that are not about them.

    What is computed on them differs by rounding, and says other things of its device.
    """
    if not request.node.get_closest_marker("gpu"):
        monkeypatch.setattr(gpu, "DRIVER", "no-driver.so")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # other processes' too
