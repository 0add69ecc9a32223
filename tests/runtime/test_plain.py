"""Plain: text of others is one line, which no terminal obeys."""

from __future__ import annotations

import pytest

from care_runtime import errors
from care_runtime.errors import CareError
from care_runtime.plain import LONGEST, line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zellkerne, 3 µm: \u0394 = 0", "Zellkerne, 3 µm: \u0394 = 0"),
        ("two\n  lines\r\n", "two lines"),
        ("name   1.0  of a table", "name   1.0  of a table"),
        (
            "\u0646\u0627\u0645\u200c\u0647\u0627",
            "\u0646\u0627\u0645\u200c\u0647\u0627",
        ),
        ("\x1b[2J\x9b31m\x07", "?[2J?31m?"),
        ("\u202egnp.exe\u2028a", "?gnp.exe a"),
        ("\udcff", "?"),
    ],
)
def test_signs(text: str, shown: str) -> None:
    assert line(text) == shown


def test_the_end_of_a_long_line_stays() -> None:
    text = line("expected a, found " + "x" * 100_000 + ": do this")
    assert len(text) <= LONGEST + 5
    assert (text[:18], text[-9:]) == ("expected a, found ", ": do this")


def test_every_error_is_a_line() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if issubclass(kind, CareError)]
    assert len(ours) > 10
    for kind in ours:
        assert str(kind("a\nb\x1b")) == "a b?"
        assert kind("a\nb").args == ("a\nb",)
        assert str(kind("a" * 10_000)) == "a" * 10_000  # only what is shown is cut
