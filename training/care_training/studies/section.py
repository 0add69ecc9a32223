"""Section: the studies of a model, as part of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training.evaluate import NETWORK
from care_training.report import page
from care_training.studies import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_training.report.document import Document
    from care_training.studies.outcome import Outcome


def add(out: Document, found: Sequence[Outcome]) -> None:
    """Show plots and tables of studies; without any, nothing.

    Parameters
    ----------
    out
        The report.
    found
        What lies beside the package.
    """
    if found:
        out.parts.append(page.heading("Studies"))
    for outcome in found:
        title = f"{outcome.study[0].upper()}{outcome.study[1:]} ({outcome.figure})"
        out.parts.append(page.heading(title, 3))
        out.parts.append(page.paragraph(outcome.text))
        out.charts(figure.plots(outcome))
        heads, rows = figure.table(outcome)
        out.parts.append(page.table(heads, rows, NETWORK, heads.index("method")))
        out.parts.append(page.paragraph(told(outcome), "quiet"))


def told(found: Outcome) -> str:
    """Say what was scored, how often, and on what baselines were tuned."""
    spread = (
        "Means over images ± standard deviation over seeds of these means."
        if len(found.seeds) > 1
        else "Means over images; with one seed, the spread over seeds is not known."
    )
    seeds = ", ".join(str(seed) for seed in found.seeds)
    text = (
        f"{found.origin.capitalize()} images: {found.tests}. Networks: {found.recipe}; "
        f"seeds {seeds}. {spread} Strengths of baselines, in brackets, were chosen on "
        f"{found.tuning}. "
    )
    return " ".join([text.strip(), *found.notes])
