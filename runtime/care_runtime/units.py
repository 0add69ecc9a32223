"""Units of length and time: their symbols, sizes and other names, and their numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

METRES = {
    "km": 1e3,
    "m": 1.0,
    "dm": 0.1,
    "in": 0.0254,
    "cm": 1e-2,
    "mm": 1e-3,
    "µm": 1e-6,
    "nm": 1e-9,
    "Å": 1e-10,
    "pm": 1e-12,
}
SECONDS = {
    "d": 86400.0,
    "h": 3600.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "µs": 1e-6,
    "ns": 1e-9,
}
LENGTHS = {
    "km": "kilometer kilometre",
    "m": "meter metre",
    "dm": "decimeter decimetre",
    "in": "inch inche",
    "cm": "centimeter centimetre",
    "mm": "millimeter millimetre",
    "µm": "um micron micrometer micrometre",
    "nm": "nanometer nanometre",
    "Å": "angstrom ångström",
    "pm": "picometer picometre",
}
TIMES = {
    "d": "day",
    "h": "hour hr",
    "min": "minute",
    "s": "second sec",
    "ms": "millisecond msec",
    "µs": "us microsecond usec µsec",
    "ns": "nanosecond nsec",
}
"""Other names of units, in small letters and without the s of their plural."""

OME = frozenset((*METRES, "fm", "am", "thou", "li", "ft", "yd", "mi"))
"""Symbols of length that OME-XML has."""


def length(unit: str) -> str:
    """Return the symbol of a unit of length; an unknown unit as it is."""
    return _symbol(unit, LENGTHS)


def seconds(unit: str) -> float | None:
    """Return how many seconds a unit of time has; None if it is unknown."""
    return SECONDS.get(_symbol(unit, TIMES))


def positive(value: Any) -> float | None:
    """Return a size, None where there is none; ImageJ's may be negative."""
    try:
        size = abs(float(value))
    except (TypeError, ValueError):
        return None
    return size if 0 < size < math.inf else None


def short(size: float) -> float:
    """Return a size without the noise of its last bits: 0.1 for 0.0999999999999998."""
    return float(f"{size:.12g}")


def _symbol(unit: str, known: Mapping[str, str]) -> str:
    unit = unit.strip().replace("\u03bc", "µ")
    if unit in known:
        return unit
    names = {unit.lower(), unit.lower().removesuffix("s")}
    return next((s for s, others in known.items() if names & set(others.split())), unit)
