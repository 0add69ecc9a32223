"""YAML: plain values alone, and never more than a description needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from care_runtime.errors import FileError, SpecError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 1 << 20
"""Bytes of a description; those of the zoo have some thousands."""

DEPTH = 32
"""Lists and mappings within each other."""

NODES = 20_000
"""Values in all; those of the zoo have some hundreds. Each costs 30 microseconds."""

NUMBER = 64
"""Characters of a number; Python needs hours for some that are longer."""

NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
TIME = "tag:yaml.org,2002:timestamp"
POWER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$")
"""Numbers such as 1e-6, which were texts before YAML 1.2, and are none to others."""


def _resolvers() -> dict[Any, list[tuple[str, Any]]]:
    """Take times for texts, and powers for numbers."""
    found = {
        first: [(tag, pattern) for tag, pattern in rules if tag != TIME]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for first in "-+0123456789":
        found[first] = [*found.get(first, []), (NUMBERS[1], POWER)]
    return found


class _Refused(yaml.YAMLError):
    """Valid YAML that no description needs."""


class _Loader(yaml.SafeLoader):
    """Composes no aliases, no tags, no deep trees; times stay text."""

    depth = nodes = 0
    yaml_implicit_resolvers = _resolvers()

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refusal(event, "an alias or anchor")
        if getattr(event, "tag", None) is not None:
            raise _refusal(event, f"the tag {event.tag!r}")
        self.depth += 1
        self.nodes += 1
        if self.depth > DEPTH:
            raise _refusal(event, f"more than {DEPTH} levels")
        if self.nodes > NODES:
            raise _refusal(event, f"more than {NODES} values before its end")
        node: Any = super().compose_node(parent, index)
        self.depth -= 1
        tag = getattr(node, "tag", None)
        if tag in NUMBERS and len(node.value) > NUMBER:
            raise _refusal(event, f"a number of {len(node.value)} characters")
        return node


def _refusal(event: Any, what: str) -> _Refused:
    line = event.start_mark.line + 1
    return _Refused(f"line {line} has {what}: write plain values")


def read(path: Path) -> dict[str, Any]:
    """Read a mapping.

    Raises
    ------
    FileError
        If the file cannot be read.
    SpecError
        If it is no YAML, or such as does harm: with aliases, tags, too large or deep.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        msg = f"expected YAML in {path}, found that it cannot be read: {error.strerror}"
        raise FileError(msg) from None
    if len(content) > LARGEST:
        msg = f"expected at most {LARGEST} bytes of YAML, found more in {path}: refused"
        raise SpecError(msg)
    return parse(content, str(path))


def parse(content: bytes, where: str) -> dict[str, Any]:
    """Read a mapping from the content of a file; see `read`."""
    try:
        values = yaml.load(content.decode("utf-8"), _Loader)
    except (yaml.YAMLError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]
        msg = f"expected YAML in {where}, found that it cannot be read: {reason}"
        raise SpecError(msg) from None
    if not isinstance(values, dict):
        msg = f"{where}: expected a model description, found {type(values).__name__}"
        raise SpecError(msg)
    return values
