"""Plain: text of others, in one line that a terminal shows and does not obey."""

from __future__ import annotations

LONGEST = 2000
"""Characters of a line, of which the middle is left out where there are more."""

END = 500
"""Characters at its end, which say what to do."""


def line(text: str) -> str:
    """Make one line of a text, without signs that a terminal obeys.

    Descriptions, file names and servers have a word in what is told: a new line would
    look like another message, and escape sequences do what they like.
    """
    shown = "".join(
        sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text
    )
    if len(shown) <= LONGEST:
        return shown
    return f"{shown[: LONGEST - END]} ... {shown[-END:]}"
