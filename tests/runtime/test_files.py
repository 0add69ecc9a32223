"""Files: whole under their name or not there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from care_runtime.errors import FileError
from care_runtime.files import written

if TYPE_CHECKING:
    from pathlib import Path


def fail_after(path: Path, text: str) -> None:
    with written(path) as partial:
        partial.write_text(text)
        msg = "by the caller"
        raise ValueError(msg)


def test_written_takes_its_name_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "file.txt"
    with written(path) as partial:
        partial.write_text("whole")
        assert partial.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(ValueError, match="by the caller"):
        fail_after(path, "half")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    path = tmp_path / "file" / "under" / "image.tif"
    with pytest.raises(FileError, match=r"expected to write .*image\.tif, found"):
        fail_after(path, "half")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "image.tif" / "inside").mkdir(parents=True)
    with (
        pytest.raises(FileError, match="cannot be written"),
        written(tmp_path / "image.tif") as partial,
    ):
        partial.write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == ["image.tif"]
