"""Markdown: the little of it that cards use, as HTML that cannot do any harm."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS = re.compile(r"\n[ \t]*\n")
INLINE = re.compile(
    r"`([^`]+)`|\*\*(.+?)\*\*|(!?)\[([^\]]*)\]\((\S+?)\)|<(https?://[^\s>]+)>"
)


def html(text: str, level: int = 3) -> str:
    """Write markdown as HTML.

    Headings, paragraphs, lists, tables, code, bold and links of the web are known;
    pictures become their description, and all else, HTML above all, is shown as text.

    Parameters
    ----------
    text
        Markdown.
    level
        Of its highest headings.
    """
    text = text.replace("\r\n", "\n").replace("\x00", "")
    blocks = (part for block in BLOCKS.split(text) for part in _parts(block))
    return "\n".join(_block(block, level) for block in blocks if block.strip())


def _parts(block: str) -> Iterator[str]:
    """Split headings from what follows them at once."""
    lines: list[str] = []
    for line in block.strip("\n").split("\n"):
        if re.match(r"#{1,6} ", line):
            yield "\n".join(lines)
            yield line
            lines = []
        else:
            lines.append(line)
    yield "\n".join(lines)


def _block(block: str, level: int) -> str:
    lines = block.strip("\n").split("\n")
    if heading := re.match(r"(#{1,6}) (.+)", lines[0]):
        number = min(6, level + len(heading[1]) - 1)
        return f"<h{number}>{_inline(heading[2])}</h{number}>"
    if all(line.startswith(("    ", "\t")) for line in lines):
        code = "\n".join(line.removeprefix("\t").removeprefix("    ") for line in lines)
        return f"<pre><code>{escape(code)}</code></pre>"
    if lines[0].startswith("```"):
        inner = [line for line in lines if not line.startswith("```")]
        return f"<pre><code>{escape(chr(10).join(inner))}</code></pre>"
    if re.match(r"[-*] ", lines[0]):
        return _list(lines)
    if len(lines) > 1 and re.fullmatch(r"\|[-:| ]+\|", lines[1].strip()):
        return _table(lines)
    return f"<p>{_inline(' '.join(lines))}</p>"


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        if re.match(r"[-*] ", line):
            items.append(line[2:])
        else:
            items[-1] += " " + line.strip()
    return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"


def _table(lines: list[str]) -> str:
    heads, *rows = (
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in (lines[0], *lines[2:])
    )
    top = "".join(f"<th>{_inline(cell)}</th>" for cell in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _inline(text: str) -> str:
    out, last = [], 0
    for found in INLINE.finditer(text):
        out += [escape(text[last : found.start()]), _span(found)]
        last = found.end()
    return "".join([*out, escape(text[last:])])


def _span(found: re.Match[str]) -> str:
    code, bold, picture, label, address, bare = found.groups()
    if code is not None:
        return f"<code>{escape(code)}</code>"
    if bold is not None:
        return f"<strong>{_inline(bold)}</strong>"
    if bare is not None:
        return link(bare, bare)
    return f"<em>{escape(label)}</em>" if picture else link(address, label)


def link(address: str, label: str) -> str:
    """Write a link to the web; to anywhere else, its label alone."""
    if not re.match(r"https?://", address):
        return escape(label)
    return f'<a href="{escape(address)}" rel="noopener noreferrer">{escape(label)}</a>'
