"""Cores and memory: what a container really has, in cgroups of both versions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tiny import one_line

from care_runtime import cgroup, cores, memory
from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fake a machine of 8 processors and 16 GiB without any limits."""
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    monkeypatch.setattr(cores, "_allowed", lambda: set(range(8)))
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "proc/meminfo", "MemTotal: 33554432 kB\nMemAvailable: 16777216 kB")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text + "\n", "ascii")


def test_without_limits(root: Path) -> None:
    assert cores.cores() == 8
    assert memory.free() == 16 * GIB
    assert cgroup.limits() == cgroup.Limits(None, None)


def test_two_hyperthreads_are_one_core(root: Path) -> None:
    for i in range(8):
        write(root, cores.TOPOLOGY.format(i), f"{i % 4},{i % 4 + 4}")
    assert cores.cores() == 4


@pytest.mark.parametrize(
    ("quota", "count"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1)],
)
def test_quota_of_version_2(root: Path, quota: str, count: int) -> None:
    write(root, "proc/self/cgroup", "0::/docker/abc")
    write(root, "sys/fs/cgroup/docker/abc/cpu.max", quota)
    assert cores.cores() == count


def test_the_tightest_of_all_groups_counts(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/slice/job")
    write(root, "sys/fs/cgroup/slice/cpu.max", "300000 100000")
    write(root, "sys/fs/cgroup/slice/job/cpu.max", "600000 100000")
    assert cores.cores() == 3


def test_a_path_of_the_host_is_seen_at_the_root(root: Path) -> None:
    write(root, "proc/self/cgroup", "0::/kubepods/pod1/x")
    write(root, "sys/fs/cgroup/cpu.max", "200000 100000")
    assert cores.cores() == 2


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
def test_quota_of_version_1(root: Path, folder: str) -> None:
    write(root, "proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/docker/abc\n0::/")
    place = f"sys/fs/cgroup/{folder}/docker/abc"
    write(root, f"{place}/cpu.cfs_quota_us", "250000")
    write(root, f"{place}/cpu.cfs_period_us", "100000")
    assert cores.cores() == 3
    write(root, f"{place}/cpu.cfs_quota_us", "-1")
    assert cores.cores() == 8


def test_memory_of_version_2(root: Path) -> None:
    write(root, "sys/fs/cgroup/memory.max", str(4 * GIB))
    write(root, "sys/fs/cgroup/memory.current", str(3 * GIB))
    assert memory.free() == GIB
    write(root, "sys/fs/cgroup/memory.stat", f"anon 5\ninactive_file {2 * GIB}")
    assert memory.free() == 3 * GIB
    write(root, "sys/fs/cgroup/memory.max", "max")
    assert memory.free() == 16 * GIB


def test_memory_of_version_1(root: Path) -> None:
    write(root, "proc/self/cgroup", "5:memory:/a")
    place = "sys/fs/cgroup/memory/a"
    write(root, f"{place}/memory.limit_in_bytes", str(2 * GIB))
    write(root, f"{place}/memory.usage_in_bytes", str(3 * GIB))
    assert memory.free() == 0
    write(root, f"{place}/memory.limit_in_bytes", "9223372036854771712")
    assert memory.free() == 16 * GIB


def test_files_that_say_nothing(root: Path) -> None:
    write(root, "sys/fs/cgroup/cpu.max", "")
    write(root, "sys/fs/cgroup/memory.max", "what?")
    assert (cores.cores(), memory.free()) == (8, 16 * GIB)
    (root / "proc/meminfo").unlink()
    assert memory.free() is None


def test_threads() -> None:
    assert cores.threads(3) == 3
    assert 1 <= cores.threads() <= (os.cpu_count() or 1)
    with pytest.raises(OptionError, match="-1") as error:
        cores.threads(-1)
    one_line(error.value)
