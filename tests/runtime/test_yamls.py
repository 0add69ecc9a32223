"""YAML: plain values are read, and nothing that costs more than it is worth."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tiny import one_line

from care_runtime import yamls
from care_runtime.errors import FileError, SpecError

if TYPE_CHECKING:
    from pathlib import Path

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"


def test_plain_values() -> None:
    text = "%YAML 1.2\n---\na: [1, 2.5, null, yes]\nt: 2019-12-11T11:22:32+00:00\n"
    found = yamls.parse(text.encode(), "here")
    assert found == {"a": [1, 2.5, None, True], "t": "2019-12-11T11:22:32+00:00"}


def test_powers_are_numbers() -> None:
    text = "a: [1e-6, -2E+3, 1e06, 3.e2, 1.5e-7]\nb: [1e, e5, 1e5x, 0x1e5, 1e-6 m]"
    found = yamls.parse(text.encode(), "here")
    assert found["a"] == [1e-6, -2e3, 1e6, 300.0, 1.5e-7]
    assert found["b"] == ["1e", "e5", "1e5x", 0x1E5, "1e-6 m"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (LAUGHS, "anchor"),
        ("a: *b", "anchor"),
        ("a: &b 1", "anchor"),
        ("a: !!python/object/apply:os.system [ls]", "tag"),
        ("a: !!str 1", "tag"),
        ("!x {a: 1}", "tag"),
        ("a: " + "[" * 50 + "]" * 50, "levels"),
        ("a: " + "[" * 500_000, "levels"),
        ("\n".join(" " * n + "a:" for n in range(50)), "levels"),
        ("a: [" + "1," * 300_000 + "]", "values"),
        ("a: " + "9" * 10_000, "number"),
        ("a: 1" + ":1" * 100_000, "number"),
        ("a: 0x" + "f" * 1000, "number"),
        ("- a", "found list"),
        ("", "found NoneType"),
        ("a: [1", "expected YAML"),
        ("a: \x00", "expected YAML"),
        ("? [a]\n: 1", "expected YAML"),
        ("--- {a: 1}\n--- {a: 2}", "expected YAML"),
    ],
)
def test_what_is_refused(text: str, match: str) -> None:
    begun = time.monotonic()
    with pytest.raises(SpecError, match=match) as error:
        yamls.parse(text.encode(), "here.yaml")
    assert "here.yaml" in one_line(error.value)
    assert time.monotonic() - begun < 10


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "rdf.yaml"
    with pytest.raises(FileError, match=r"rdf\.yaml"):
        yamls.read(path)
    path.write_bytes(b"a: 1\n" + b"#" * yamls.LARGEST)
    with pytest.raises(SpecError, match="at most") as error:
        yamls.read(path)
    one_line(error.value)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="expected YAML"):
        yamls.read(path)
    path.write_bytes(b"a: 1")
    assert yamls.read(path) == {"a": 1}
