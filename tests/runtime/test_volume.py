"""Volume: what its benchmark counts as time of the network."""

from __future__ import annotations

import runpy
import threading
import time
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return runpy.run_path(str(BENCHMARKS / "volume.py"))["Timed"]


def test_two_threads_at_once_count_once(timed: Any) -> None:
    together = threading.Barrier(2, timeout=10)

    def network(seconds: float) -> float:
        together.wait()
        time.sleep(seconds)
        return seconds

    restored = timed(network)
    other = threading.Thread(target=restored, args=(0.2,))
    started = time.perf_counter()
    other.start()
    assert restored(0.1) == 0.1
    other.join()
    assert 0.2 <= restored.seconds <= time.perf_counter() - started
    before, together = restored.seconds, threading.Barrier(1)
    restored(0.1)
    assert restored.seconds >= before + 0.1


def test_a_network_that_fails_is_counted_to_its_end(timed: Any) -> None:
    restored = timed(lambda x: 1 / x)
    with pytest.raises(ZeroDivisionError):
        restored(0)
    before = restored.seconds
    time.sleep(0.5)
    assert restored(1) == 1
    assert restored.seconds < before + 0.5
