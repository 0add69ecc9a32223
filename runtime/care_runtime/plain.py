"""Plain: text of others, in one line that a terminal shows and does not obey.

Descriptions, file names and servers have a word in what is told: a new line would look
like another message, and escape sequences do what they like.
"""

from __future__ import annotations

import re

LONGEST = 2000
"""Characters of a line, of which the middle is left out where there are more."""

END = 500
"""Characters at its end, which say what to do."""


BREAK = re.compile(r"\s*[^\S ]\s*")
"""White space that is more than spaces, which may align a table."""

JOINERS = "\u200c\u200d"
"""Signs without a shape that words of some languages need."""


def flat(text: str) -> str:
    """Put a text on one line, without signs that a terminal obeys."""
    return "".join(
        sign if sign.isprintable() or sign in JOINERS else "?"
        for sign in BREAK.sub(" ", text).strip()
    )


def line(text: str) -> str:
    """Put a text on one line of a length that can be read."""
    shown = flat(text)
    if len(shown) <= LONGEST:
        return shown
    return f"{shown[: LONGEST - END]} ... {shown[-END:]}"
