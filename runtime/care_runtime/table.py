"""Table: what became of the images of a batch, at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.plain import flat, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.batch import Result

STATES = ("done", "failed", "skipped")


def lines(results: Sequence[Result]) -> list[str]:
    """Write a line for each image, and one that counts them.

    Parameters
    ----------
    results
        In any order, with the status ``"done"``, ``"failed"`` or ``"skipped"``.
    """
    found = []
    for state in STATES:
        for result in results:
            if result.status != state:
                continue
            named = flat(str(result.source))
            why = (result.error or "").removeprefix(f"{named}: ")
            said = f"{result.seconds:.1f} s" if state == "done" else why
            found.append(line(f"{state:8} {named}  {said}"))
    counts = (sum(r.status == state for r in results) for state in STATES)
    total = ", ".join(f"{n} {s}" for n, s in zip(counts, STATES, strict=True))
    return [*found, total]
