"""Section: the part of the gallery that tells of one model, as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from care_training.gallery import markdown
from care_training.gallery.entry import NETWORK
from care_training.gallery.shots import RAW, RESTORED, TRUTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_training.gallery.entry import Entry, Table
    from care_training.gallery.shots import Shots

FOLDER = "gallery"
"""Where the files of the page lie, beside it."""

FIJI = (
    "Unpack the package into the folder models of Fiji first. Fiji returns the image "
    "normalized: it cannot undo that, which care-run does."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page has of one model.

    Parameters
    ----------
    entry
        What is told.
    cover
        File of the cover in the model's folder; empty without one.
    shots
        Pictures of its sample, if it has any.
    archive
        Address of its zip beside the page; empty without one.
    reason
        Why it does not run in the page; empty if it does.
    """

    entry: Entry
    cover: str = ""
    shots: Shots | None = None
    archive: str = ""
    reason: str = ""


def cover(shown: Shown) -> str:
    """Write the cover as an image, if there is one."""
    if not shown.cover:
        return ""
    address = f"{FOLDER}/{shown.entry.slug}/{shown.cover}"
    alt = escape(f"{shown.entry.name}: a raw sample beside its restoration")
    return f'<img src="{escape(address)}" alt="{alt}" loading="lazy">'


def section(shown: Shown, engines: Sequence[str]) -> str:
    """Write all that is told of a model; `engines` as in `page`."""
    entry = shown.entry
    slug, name = escape(entry.slug), escape(entry.name)
    parts = [
        f'<section class="model" id="{slug}" aria-labelledby="page-{slug}">',
        '<p class="back"><a href="#">&larr; All models</a></p>',
        f'<h2 id="page-{slug}" tabindex="-1">{name}</h2>',
        _source(entry),
        f"<p>{escape(entry.spec.description)}</p>",
        _compare(shown),
        _try(shown, engines),
        _scores(entry),
        _commands(shown),
        _facts(entry),
        '<details class="card"><summary>The whole card</summary>'
        f"{markdown.html(entry.card)}</details>"
        if entry.card
        else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _source(entry: Entry) -> str:
    return (
        f'<p class="origin">Trained on <strong>{escape(entry.origin)}</strong> data. '
        f"{escape(entry.data)}</p>"
    )


def _compare(shown: Shown) -> str:
    shots, entry = shown.shots, shown.entry
    if shots is None:
        return cover(shown)
    folder = f"{FOLDER}/{entry.slug}"
    size = f'width="{shots.width}" height="{shots.height}"'
    truth = ""
    if TRUTH in shots.files:
        truth = _sides(entry.slug, {RESTORED: "restored", TRUTH: "ground truth"})
    views = "".join(
        f'<img class="{kind}" {size} src="{escape(f"{folder}/{shots.files[kind]}")}" '
        f'alt="{label}"{hidden}>'
        for kind, label, hidden in (
            (RESTORED, "The sample, restored", ""),
            (TRUTH, "The ground truth of the sample", " hidden"),
            (RAW, "The sample, raw", ""),
        )
        if kind in shots.files
    )
    what = "section along Z" if shots.axial else "plane"
    return (
        f'<figure class="compare"><div class="stage">{views}{_handle()}</div>{truth}'
        f"<figcaption>Left raw, right restored: one {what} of the sample in the "
        "package, each picture stretched between its own percentiles 0.5 and 99.8."
        "</figcaption></figure>"
    )


def _handle() -> str:
    return (
        '<div class="handle" role="slider" tabindex="0" aria-orientation="horizontal" '
        'aria-label="Where raw ends and restored begins" aria-valuemin="0" '
        'aria-valuemax="100" aria-valuenow="50" aria-valuetext="50 % raw"></div>'
    )


def _sides(slug: str, sides: dict[str, str]) -> str:
    radios = "".join(
        f'<label><input type="radio" name="side-{escape(slug)}" value="{kind}"'
        f"{' checked' if kind == RESTORED else ''}> {label}</label>"
        for kind, label in sides.items()
    )
    return f'<fieldset class="sides"><legend>Right side</legend>{radios}</fieldset>'


def _try(shown: Shown, engines: Sequence[str]) -> str:
    title = "<h3>Try it in the browser</h3>"
    if not engines:
        return ""
    if shown.reason:
        return (
            f'{title}<p class="quiet">Not this model. {escape(shown.reason)} '
            "Use the command line or Python.</p>"
        )
    computers = {"auto": "the best there is", "webgpu": "WebGPU", "wasm": "WebAssembly"}
    options = "".join(
        f'<option value="{kind}">{label}</option>'
        for kind, label in computers.items()
        if kind in ("auto", *engines)
    )
    return f"""{title}
<div class="try" data-model="{escape(shown.entry.slug)}" data-engines="{
        " ".join(engines)
    }">
<p>The image is restored on your own machine. It is sent nowhere: this page may not
connect to anything.</p>
<div class="drop"><p><label class="button">Choose a TIFF or PNG<input type="file"
accept=".tif,.tiff,.png,image/tiff,image/png"></label> or drop it here
<button type="button" class="sample">Take the sample</button></p>
<p><label>Result as <select name="type">
<option value="auto">the type of the image</option>
<option value="float32">float32</option></select></label>
<label>Compute on <select name="engine">{options}</select></label></p></div>
<div class="work" hidden><progress max="1" value="0" aria-label="Progress"></progress>
<button type="button" class="cancel">Cancel</button></div>
<p class="said" role="status" aria-live="polite"></p>
<div class="result" hidden><figure class="compare"><div class="stage">
<canvas class="restored" role="img" aria-label="Your image, restored"></canvas>
<canvas class="raw" role="img" aria-label="Your image, raw"></canvas>{
        _handle()
    }</div><figcaption>Left raw, right restored, each stretched between its
own percentiles 0.5 and 99.8.</figcaption></figure>
<p><a class="button download">Download</a></p></div>
<noscript><p>This needs JavaScript.</p></noscript>
</div>"""


def _scores(entry: Entry) -> str:
    if not entry.scores:
        return ""
    tables = "".join(_table(table) for table in entry.scores)
    count = entry.held_back
    each = f", {count // len(entry.scores)} in each" if len(entry.scores) > 1 else ""
    of = f"Means over {count} images that training never saw{each}. " if count else ""
    return (
        f'<h3>Scores</h3>{tables}<p class="quiet">{of}PSNR, NRMSE and SSIM as in the '
        "paper: the truth is normalized, and every image fitted to it. The card "
        "tells how baselines were tuned.</p>"
    )


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.condition)}</caption>" if table.condition else ""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
    rows = "".join(
        f"<tr{' class=strong' if row[0] == NETWORK else ''}>"
        f'<th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll"><table>{caption}<thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _fiji(entry: Entry) -> str:
    """Say what Fiji does not do."""
    care = entry.spec.care
    if care is None or care.resample is None:
        return FIJI
    axis, factor = care.resample.axis.upper(), care.resample.factor
    return (
        f"{FIJI} Nor does it stretch {axis} by {factor:g}, which this model needs: do "
        "that before, with linear interpolation."
    )


def _commands(shown: Shown) -> str:
    blocks = "".join(
        f'<div class="command"><h4>{escape(where)}</h4><pre><code>{escape(text)}</code>'
        '</pre><button type="button" class="copy">Copy</button></div>'
        for where, text in shown.entry.commands
    )
    archive = ""
    if shown.archive:
        archive = (
            f'<p><a class="button" href="{escape(shown.archive)}" download>'
            "Download the package</a></p>"
        )
    fiji = escape(_fiji(shown.entry))
    return f'<h3>Use it</h3>{archive}{blocks}<p class="quiet">{fiji}</p>'


def _facts(entry: Entry) -> str:
    cites = "".join(
        f"<li>{markdown.link(url, text)}</li>" for text, url in entry.citations
    )
    rows = {
        "Task": escape(entry.task),
        "Axes": escape(entry.axes),
        "Version": escape(entry.version),
        "Licence": escape(entry.licence),
        "Licence of the data": escape(entry.data_licence),
        "Parameters": escape(str(entry.training.get("parameters", ""))),
        "Owed": escape(str(entry.training.get("owed", ""))),
        "Cite": f"<ul>{cites}</ul>" if cites else "",
    }
    listed = "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in rows.items() if v)
    return f"<h3>Facts</h3><dl>{listed}</dl>"
