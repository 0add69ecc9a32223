"""Document: the parts of a report, each with a word on what it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from care_training.evaluate import NETWORK
from care_training.report import (
    boxes,
    errors,
    page,
    panels,
    resolved,
    scores,
    spectra,
    tiles,
    trust,
    words,
)
from care_training.report.about import figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from care_training.measure import Measure
    from care_training.report.about import Model
    from care_training.report.chart import Chart
    from care_training.report.gather import Gathered


@dataclass(slots=True)
class Document:
    """HTML parts, and the files that are written beside the page.

    Parameters
    ----------
    parts
        HTML, in order.
    files
        PNG by name, without suffix.
    """

    parts: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def charts(self, given: Sequence[Chart], captions: Sequence[str] = ()) -> None:
        """Add plots."""
        self.files.update({chart.name: chart.png for chart in given})
        self.parts.append(page.charts(given, captions))

    def rows(self, given: Sequence[tiles.Row], *, small: bool = False) -> str:
        """Keep rows of tiles, and give their HTML."""
        self.files.update({row.name: row.png for row in given})
        return "".join(page.row(row, small=small) for row in given)


def header(
    out: Document,
    name: str,
    model: Model,
    data: str,
    tests: str,
    machine: Mapping[str, str],
) -> None:
    """Say which model, data and machine."""
    out.parts += [
        page.heading(name, 1),
        page.paragraph(words.origin(model), "origin"),
        page.paragraph(model.description),
        page.facts(
            {
                "figure of the paper": figure(model.description),
                "model": f"{model.name}, version {model.version}",
                "sha256": model.sha256,
                "training steps": model.steps,
                "test images": tests,
                "data": data,
                "machine": ", ".join(
                    machine[key] for key in ("device", "processor", "system")
                ),
                "versions": ", ".join(
                    f"{key} {value}"
                    for key, value in machine.items()
                    if key not in {"device", "processor", "system"}
                ),
            }
        ),
    ]


def errors_of_all(
    out: Document, found: Gathered, measures: Sequence[Measure], seed: str
) -> None:
    """Draw all scores as boxes, and write their table."""
    out.parts.append(page.heading("Errors on images that training never saw"))
    told = [("nrmse", "NRMSE (lower is better)"), ("ssim", "SSIM (higher is better)")]
    told += [(m.name, f"{m.name} ({m.wish})") for m in measures]
    together = []
    for name, label in told:
        groups = {k: scores.values(e, name) for k, e in found.evaluations.items()}
        limits = boxes.limits(list(groups.values()))
        made = [
            boxes.plot(tiles.named(name, condition), label, values, limits)
            for condition, values in groups.items()
        ]
        if len(groups) == 1:
            together += made
        else:
            out.charts(made, list(groups))
    if together:
        out.charts(together)
    out.parts.append(page.paragraph(words.boxes(found, seed), "quiet"))
    for condition, evaluation in found.evaluations.items():
        if condition:
            out.parts.append(page.heading(condition, 3))
        heads, rows = scores.table(evaluation)
        out.parts.append(page.table(heads, rows, NETWORK))
        out.parts.append(page.paragraph(words.tuning(evaluation), "quiet"))


def images(out: Document, found: Gathered) -> None:
    """Show one image of each condition, and profiles through it."""
    out.parts.append(page.heading("Images"))
    out.parts.append(page.paragraph(words.PANELS, "quiet"))
    chosen = {c: panels.typical(found.seen, c) for c in found.evaluations}
    best = {c: scores.best(e) for c, e in found.evaluations.items()}
    for condition, image in chosen.items():
        out.parts.append(out.rows(panels.rows(image, best[condition])))
    out.parts.append(page.heading("Line profiles"))
    out.parts.append(page.paragraph(words.profiles(found), "quiet"))
    for condition, image in chosen.items():
        line, chart = panels.profile(image, best[condition], upright=found.isotropic)
        out.files[chart.name] = chart.png
        rows = out.rows([line], small=True)
        out.parts.append(page.beside([rows, page.charts([chart])]))


def disagreements(out: Document, found: Gathered) -> None:
    """Show where sharpened images disagree with what was recorded."""
    together = resolved.over(found.seen)
    if not together:
        return
    out.parts.append(page.heading("Agreement with what was recorded"))
    out.parts.append(page.paragraph(words.RESOLVED, "quiet"))
    for condition, evaluation in found.evaluations.items():
        image = panels.typical(found.seen, condition)
        out.parts.append(out.rows([resolved.row(image, scores.best(evaluation))]))
    heads = ["method", "RSE", "RSP"]
    rows = [
        [method, scores.spread(given["RSE"], 3), scores.spread(given["RSP"], 3)]
        for method, given in together.items()
    ]
    out.parts.append(page.table(heads, rows, NETWORK))


def frequencies(out: Document, found: Gathered) -> None:
    """Draw spectra along Z and X, where stacks are made isotropic."""
    if not found.spectra:
        return
    out.parts.append(page.heading("Spectra"))
    best = scores.best(next(iter(found.evaluations.values())))
    shown = {name: found.spectra[name] for name in panels.methods(best)}
    made = [spectra.plot(f"spectrum_{s}", s, shown) for s in ("axial", "lateral")]
    out.charts(made, ["along Z", "along X"])
    out.parts.append(page.paragraph(words.spectra(found), "quiet"))


def strongest(out: Document, found: Gathered) -> None:
    """Show what was invented and what was lost the most."""
    out.parts.append(page.heading("Strongest errors"))
    out.parts.append(page.paragraph(words.errors(found), "quiet"))
    columns = []
    for kind in errors.KINDS:
        spots = enumerate(found.spots[kind], 1)
        rows = [errors.row(spot, number) for number, spot in spots]
        columns.append(page.heading(kind, 3) + out.rows(rows, small=True))
    out.parts.append(page.beside(columns))


def reliability(out: Document, found: Gathered, curve: Chart | None) -> None:
    """Show how far a probabilistic model can be trusted."""
    if curve is None:
        return
    out.parts.append(page.heading("How far to trust it"))
    together = trust.over(found.seen)
    made = [curve]
    if together:
        made.append(trust.plot("doubt", together))
    out.charts(made, ["accuracy against confidence", "error against doubt"])
    out.parts.append(page.paragraph(words.trust(found, together), "quiet"))
    chosen = [panels.typical(found.seen, c) for c in found.evaluations]
    out.parts.append(out.rows([trust.row(image) for image in chosen]))
