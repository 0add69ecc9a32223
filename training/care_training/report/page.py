"""Page: one HTML file that needs no other, made of its parts."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from care_training.report.chart import Chart
    from care_training.report.tiles import Row, Tile

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1b1b1b; --quiet: #5c5c5c;
  --line: #d8d8d8; --strong: #b34a00; --note: #f5f3ee; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 66rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; margin: .5rem 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; padding-top: .6rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .4rem 0; max-width: 46rem; }
.origin { padding: .5rem .8rem; border-left: 4px solid var(--strong);
  background: var(--note); max-width: none; }
.quiet { color: var(--quiet); font-size: .9rem; }
.charts { display: grid; gap: 1rem; margin: .6rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 18.5rem), 1fr)); }
figure { margin: 0; break-inside: avoid; min-width: 0; }
figure > figcaption { font-size: .85rem; color: var(--quiet); }
.charts img { width: 100%; max-width: 23rem; height: auto; display: block; }
.row { margin: .7rem 0 1rem; break-inside: avoid; }
.row > p { font-size: .85rem; color: var(--quiet); margin: 0 0 .25rem; max-width: none;
  overflow-wrap: anywhere; }
.tiles { display: grid; gap: .5rem; justify-content: start;
  grid-template-columns: repeat(auto-fit, minmax(min(9.5rem, 47%), 1fr)); }
.tiles figure { max-width: 16rem; }
.tiles.small { grid-template-columns: repeat(3, minmax(0, 7rem)); }
.tiles img { width: 100%; height: auto; display: block; image-rendering: pixelated; }
.strong { color: var(--strong) !important; font-weight: 650; }
.pair { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem .22rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); }
th:first-child, td:first-child, .words { text-align: left; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem;
  font-size: .9rem; margin: .8rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .3rem; } th, td { padding-right: .5rem; }
  thead th, td:first-child, .words { white-space: normal; } }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #121212; --text: #e6e6e6; --quiet: #a3a3a3; --line: #3a3a3a;
    --strong: #ff9d5c; --note: #1f1d1a; }
  .charts img { filter: invert(.93) hue-rotate(180deg); }
}
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  .origin { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Put parts, which are HTML, into a page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """Write a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """Write a paragraph: plain, ``"quiet"`` or ``"origin"``."""
    return f"<p{_kind(kind)}>{escape(text)}</p>"


def facts(given: Mapping[str, Any]) -> str:
    """Write names and values."""
    rows = (
        f"<dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd>"
        for key, value in given.items()
    )
    return f"<dl>{''.join(rows)}</dl>"


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    strong: str = "",
    column: int = 0,
) -> str:
    """Write a table; rows with the cell `strong` in that column are highlighted.

    Columns up to that one hold words, all others numbers.
    """
    kinds = [_kind("words" if 0 < n <= column else "") for n in range(len(heads))]
    top = "".join(
        f"<th{kind}>{escape(head)}</th>"
        for kind, head in zip(kinds, heads, strict=True)
    )
    lines = (
        f"<tr{_kind('strong' if row[column] == strong else '')}>"
        + "".join(
            f"<td{kind}>{escape(cell)}</td>"
            for kind, cell in zip(kinds, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def charts(given: Iterable[Chart], captions: Sequence[str] = ()) -> str:
    """Show plots side by side, as many as fit."""
    shown = []
    for number, chart in enumerate(given):
        caption = captions[number] if number < len(captions) else ""
        above = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        shown.append(f"<figure>{above}{_image(chart.png, chart.text)}</figure>")
    return f'<div class="charts">{"".join(shown)}</div>'


def row(given: Row, *, small: bool = False) -> str:
    """Show tiles side by side, as many as fit."""
    shown = "".join(_tile(tile, given.title) for tile in given.tiles)
    kind = "tiles small" if small else "tiles"
    return (
        f'<div class="row"><p>{escape(given.title)}</p>'
        f'<div class="{kind}">{shown}</div></div>'
    )


def beside(parts: Iterable[str]) -> str:
    """Lay parts in two columns where there is room."""
    return f'<div class="pair">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def _tile(tile: Tile, title: str) -> str:
    kind = _kind("strong" if tile.strong else "")
    return (
        f"<figure>{_image(tile.png, f'{title}: {tile.label}')}"
        f"<figcaption{kind}>{escape(tile.label)}</figcaption></figure>"
    )


def _image(png: bytes, text: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{escape(text)}">'


def _kind(kind: str) -> str:
    return f' class="{escape(kind)}"' if kind else ""
