"""Release script: what it refuses; that it works is seen when it is run."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "release.py"
if not SCRIPT.exists():
    pytest.skip("an sdist has no release script", allow_module_level=True)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("care_release", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "care_release", module)
    spec.loader.exec_module(module)
    return module


def wheel(folder: Path, *names: str) -> Path:
    path = folder / "care_zoo-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return path


def test_wheels(release: Any, tmp_path: Path) -> None:
    good = [*release.NEEDED, "care_zoo-1.dist-info/METADATA"]
    assert "no tests" in release.check_wheel(wheel(tmp_path, *good))
    for bad in (
        good[1:],
        [*good, "tests/test_a.py"],
        [*good, "care_zoo/tests/a.tif"],
        [*good, "care_zoo/models/denoise_planaria/model.onnx"],
    ):
        with pytest.raises(release.Failed, match="demo's model alone"):
            release.check_wheel(wheel(tmp_path, *bad))
    release.LIMIT = 100
    with pytest.raises(release.Failed, match="below 100 bytes"):
        release.check_wheel(wheel(tmp_path, *good))


def test_a_step_that_fails_fails_the_release(
    release: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """No audit is no clean audit."""
    names = ("tools", "build", "contents", "zoo", "sbom", "sums")
    for name in names:
        monkeypatch.setattr(release.Release, name, lambda self: "done")
    monkeypatch.setattr(release.Release, "install", lambda self, pattern: "done")

    def unreachable(self: Any) -> str:
        msg = "no service"
        raise release.Failed(msg)

    monkeypatch.setattr(release.Release, "audit", unreachable)
    made = release.Release(tmp_path, tmp_path, "osv")
    assert release.carry_out(made) == 1
    assert "FAILED: audit" in capsys.readouterr().out
    monkeypatch.setattr(release.Release, "audit", lambda self: "done")
    assert release.carry_out(made) == 0


def test_audits_ask_the_service_that_is_named(
    release: Any, tmp_path: Path, capsys: Any
) -> None:
    assert release.asking("pypi") == ["-s", "pypi"]
    mirror = "https://osv.example.org/v1/query"
    assert release.asking(mirror) == ["-s", "osv", "--osv-url", mirror]
    with pytest.raises(SystemExit):
        release.main([str(tmp_path / "out"), "--service", "ovs"])
    assert "pypi, osv or an address" in capsys.readouterr().err
