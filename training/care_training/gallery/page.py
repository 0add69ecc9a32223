"""Page: the gallery as HTML, in which all that comes from packages is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from care_training.gallery.entry import NETWORK
from care_training.gallery.section import FOLDER, Shown, cover, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from care_training.gallery.entry import Entry

POLICY = (
    "default-src 'none'; script-src 'self' file: blob: 'wasm-unsafe-eval'; "
    "style-src 'self' file:; img-src 'self' file: blob: data:; worker-src blob:; "
    "connect-src 'none'; base-uri 'none'; form-action 'none'"
)
"""What the page may load. It may connect to nowhere, so that pixels stay here."""

TITLE = "care-zoo: restoration of fluorescence images"


def page(models: Sequence[Shown], engines: Sequence[str]) -> str:
    """Write the page.

    Parameters
    ----------
    models
        In their order on the page.
    engines
        What networks can be run on in the page, ``"wasm"`` and ``"webgpu"``.
    """
    parts = [
        _overview(models),
        *(section(shown, engines) for shown in models),
    ]
    scripts = "".join(
        f'<script src="{FOLDER}/{name}.js" defer></script>\n'
        for name in ("page", *(["try"] if engines else []))
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(TITLE)}</title>\n"
        '<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{FOLDER}/style.css">\n{scripts}</head>\n<body>\n'
        '<a class="skip" href="#page-models">Skip to the list of models</a>\n'
        '<header><h1><a href="#">care-zoo</a></h1>'
        "<p>Small networks that restore fluorescence microscopy images. Do not measure "
        "intensities in restored images: a network shows what is likely, not what was "
        "counted.</p></header>\n<main>\n" + "\n".join(parts) + "\n</main>\n"
        f"<footer><p>{_foot(engines)}</p></footer>\n</body>\n</html>\n"
    )


def _foot(engines: Sequence[str]) -> str:
    runtime = (
        " ONNX Runtime Web (MIT licence, Microsoft) runs the networks in the page."
        if engines
        else ""
    )
    return f"This page loads nothing from the network and sends nothing.{runtime}"


def _overview(models: Sequence[Shown]) -> str:
    entries = [shown.entry for shown in models]
    choices = (
        _choice("task", "Task", (e.task for e in entries)),
        _choice("axes", "Axes", (e.dimensions for e in entries)),
        _choice("origin", "Trained on", (e.origin for e in entries)),
    )
    return (
        '<section class="overview" aria-labelledby="page-models">\n'
        '<h2 id="page-models" tabindex="-1">Models</h2>\n'
        '<form class="filters" role="search"><label>Search '
        '<input type="search" name="text" autocomplete="off"></label>'
        + "".join(choices)
        + '<output role="status" aria-live="polite"></output></form>\n'
        + '<ul class="grid">\n'
        + "\n".join(_tile(shown) for shown in models)
        + "\n</ul>\n</section>"
    )


def _choice(name: str, label: str, values: Iterable[str]) -> str:
    options = "".join(
        f'<option value="{escape(value)}">{escape(value)}</option>'
        for value in sorted(set(values))
    )
    return (
        f'<label>{label} <select name="{name}"><option value="">any</option>{options}'
        "</select></label>"
    )


def _tile(shown: Shown) -> str:
    entry = shown.entry
    words = " ".join(
        [entry.name, entry.spec.description, entry.data, *_tags(entry)]
    ).lower()
    return (
        f'<li data-task="{escape(entry.task)}" data-axes="{entry.dimensions}" '
        f'data-origin="{escape(entry.origin)}" data-text="{escape(words)}">'
        f'<a href="#{escape(entry.slug)}">{cover(shown)}'
        f"<strong>{escape(entry.name)}</strong></a>"
        f"{_origin(entry)}<p>{escape(entry.spec.description)}</p>{_badges(entry)}</li>"
    )


def _tags(entry: Entry) -> list[str]:
    return [str(tag) for tag in entry.spec.about.get("tags", ())]


def _origin(entry: Entry) -> str:
    return (
        f'<p class="origin">Trained on <strong>{escape(entry.origin)}</strong> data</p>'
    )


def _badges(entry: Entry) -> str:
    best = ""
    middle = len(entry.scores) // 2  # of several light doses
    for table in entry.scores[middle : middle + 1]:
        for row in table.rows:
            if row[0] == NETWORK and len(row) > 1:
                where = f" ({table.condition})" if table.condition else ""
                best = f"{_measured(table.heads[1], row[1])}{where}"
    words = (entry.task, f"{entry.dimensions}, {entry.axes}", best)
    spans = "".join(f"<li>{escape(word)}</li>" for word in words if word)
    return f'<ul class="badges">{spans}</ul>'


def _measured(measure: str, value: str) -> str:
    """Write a measure with its unit behind."""
    name, _, unit = measure.partition(" ")
    return f"{name} {value} {unit}".rstrip()
