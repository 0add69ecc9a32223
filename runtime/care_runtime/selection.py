"""Selection: the part of an image that is restored."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.averaging import averaged
from care_runtime.errors import OptionError
from care_runtime.units import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_runtime.image import Calibration
    from care_runtime.output import Empty
    from care_runtime.source import Load, Source, Window

Part = tuple[int, int | None]
"""From and to along an axis, counted from 0; None is the end, which is left out."""

OPTIONS = {"T": "--time", "Z": "--z", "Y": "--crop", "X": "--crop"}


@dataclass(frozen=True, slots=True)
class Selection:
    """What to read of an image; everything by default.

    Parameters
    ----------
    series
        Number or name of the image, of a file that holds several.
    channels
        Numbers or names, in the order in which they are wanted; empty for all.
    time, z, y, x
        From and to, as in Python: ``(0, 5)`` are the first five; None for all.
    average
        Frames of what is left of a movie that become one, their mean; see `averaged`.

    Raises
    ------
    OptionError
        If a part ends before it begins, or a channel is named twice.

    Examples
    --------
    >>> Selection.parse(time="0:5", crop="0:512,100:612").parts
    {'T': (0, 5), 'Y': (0, 512), 'X': (100, 612)}
    """

    series: int | str | None = None
    channels: tuple[int | str, ...] = ()
    time: Part | None = None
    z: Part | None = None
    y: Part | None = None
    x: Part | None = None
    average: int = 1

    def __post_init__(self) -> None:
        for axis, part in self.parts.items():
            start, stop = part
            if start < 0 or (stop is not None and stop <= start):
                msg = (
                    f"expected {OPTIONS[axis]} as FROM:TO that rise from 0, TO left "
                    f"out, found {_words(part)} for {axis}"
                )
                raise OptionError(msg)
        if len(set(self.channels)) < len(self.channels):
            msg = f"expected every channel once, found {self.channels}"
            raise OptionError(msg)

    @classmethod
    def parse(
        cls,
        *,
        series: str | None = None,
        channel: str | None = None,
        time: str | None = None,
        z: str | None = None,
        crop: str | None = None,
        average: int = 1,
    ) -> Selection:
        """Read what a person wrote.

        Parameters
        ----------
        series
            Number or name.
        channel
            Numbers or names, with commas between them.
        time, z
            ``"A:B"``, ``"A:"``, ``":B"`` or ``"A"``.
        crop
            ``"Y0:Y1,X0:X1"`` or ``"Z0:Z1,Y0:Y1,X0:X1"``.
        average
            Frames to a mean.

        Raises
        ------
        OptionError
            If it is none of these.
        """
        given = {"time": _part(time, "--time"), "z": _part(z, "--z")}
        if crop is not None:
            cuts = crop.split(",")
            if len(cuts) not in (2, 3) or (len(cuts) == 3 and z is not None):
                msg = (
                    "expected --crop as Y0:Y1,X0:X1, or as Z0:Z1,Y0:Y1,X0:X1 without "
                    f"--z, found {crop!r}"
                )
                raise OptionError(msg)
            for axis, cut in zip("zyx"[-len(cuts) :], cuts, strict=True):
                given[axis] = _part(cut, "--crop")
        names = [c.strip() for c in channel.split(",")] if channel is not None else []
        return cls(
            series=_number(series) if series is not None else None,
            channels=tuple(_number(name) for name in names),
            average=average,
            **given,
        )

    @property
    def parts(self) -> dict[str, Part]:
        """Parts that are asked for, by axis."""
        parts = {"T": self.time, "Z": self.z, "Y": self.y, "X": self.x}
        return {axis: part for axis, part in parts.items() if part is not None}

    def of(self, source: Source) -> Source:
        """Cut a source; nothing is read.

        Raises
        ------
        OptionError
            If something lies outside the image; the range that exists is given.
        """
        window, words = list(source.whole), []
        if self.series is not None:
            words.append(f"series {self.series}")
        for axis, part in self.parts.items():
            at = _axis(source, axis)
            window[at] = _inside(source, axis, part)
            words.append(f"{axis} {_span(window[at])} of {source.shape[at]}")
        count = source.shape[source.axes.index("C")] if "C" in source.axes else 1
        picks = [
            channel_number(count, source.channels, c, source.where)
            for c in self.channels
        ]
        if len(set(picks)) < len(picks):
            msg = f"expected every channel once, found {self.channels}"
            raise OptionError(msg)
        if picks:
            named = ", ".join(channel_words(source.channels, c) for c in picks)
            words.append(f"channel {named} of {count}")
        if "C" not in source.axes:
            picks = []  # the only one there is
        shape = [w.stop - w.start for w in window]
        if picks:
            shape[source.axes.index("C")] = len(picks)
        chosen = replace(
            source,
            shape=tuple(shape),
            load=_load(source, tuple(window), tuple(picks)),
            calibration=_calibration(source, picks, window),
            cut=", ".join(words),
        )
        return averaged(chosen, self.average)


def channel_number(
    count: int, names: tuple[str, ...], asked: int | str, where: str
) -> int:
    """Find a channel by its number or name.

    Parameters
    ----------
    count, names
        Of the channels of the image; it may have no names.
    asked
        What a person wrote.
    where
        What the image is, for the error.

    Raises
    ------
    OptionError
        If there is none; those that there are are given.
    """
    if isinstance(asked, int) and 0 <= asked < count:
        return asked
    for fold in (str, str.casefold):
        found = [i for i, name in enumerate(names) if fold(name) == fold(str(asked))]
        if len(found) == 1:
            return found[0]
    known = ", ".join(channel_words(names, i) for i in range(count))
    msg = f"expected a channel of {where}, found {asked!r}: it has {known}"
    raise OptionError(msg)


def channel_words(names: tuple[str, ...], number: int) -> str:
    """Call a channel by its number, and its name if it has one."""
    named = number < len(names) and names[number]
    return f"{number} ({names[number]})" if named else str(number)


def _calibration(
    source: Source, picks: list[int], window: Sequence[slice]
) -> Calibration:
    said = source.calibration
    origin = dict(said.origin)
    for axis, part in zip(source.axes, window, strict=True):
        if axis in said.voxel and part.start:
            moved = origin.get(axis, 0.0) + part.start * said.voxel[axis]
            origin[axis] = short(moved)
    said = replace(said, origin=origin)
    if not picks:
        return said
    names = tuple(said.channels[i] for i in picks) if said.channels else ()
    return replace(said, channels=names, look=said.look.picked(picks))


def _load(source: Source, window: Window, picks: tuple[int, ...]) -> Load:
    """Read a part of what was cut out."""
    at = source.axes.find("C")

    def load(part: Window, empty: Empty) -> NDArray[Any]:
        moved = [
            slice(w.start + p.start, w.start + p.stop)
            for w, p in zip(window, part, strict=True)
        ]
        if not picks:
            return source.window(tuple(moved), empty)
        chosen = picks[part[at]]
        if list(chosen) == list(range(chosen[0], chosen[0] + len(chosen))):
            moved[at] = slice(chosen[0], chosen[-1] + 1)
            return source.window(tuple(moved), empty)
        out = empty(tuple(p.stop - p.start for p in part), source.dtype)
        lines = np.moveaxis(out, at, 0)
        for line, channel in zip(lines, chosen, strict=True):
            moved[at] = slice(channel, channel + 1)
            line[...] = np.moveaxis(source.window(tuple(moved)), at, 0)[0]
        return out

    return load


def _axis(source: Source, axis: str) -> int:
    if axis not in source.axes:
        msg = (
            f"{OPTIONS[axis]} asks for a part of {axis}, but {source.where} has the "
            f"axes {source.axes}: leave it out, or name the axes with --axes"
        )
        raise OptionError(msg)
    return source.axes.index(axis)


def _inside(source: Source, axis: str, part: Part) -> slice:
    size = source.shape[source.axes.index(axis)]
    stop = size if part[1] is None else part[1]
    if part[0] >= size or stop > size:
        msg = (
            f"expected {OPTIONS[axis]} within 0:{size}, the {axis} of {source.where}, "
            f"found {_words(part)}"
        )
        raise OptionError(msg)
    return slice(part[0], stop)


def _words(part: Part) -> str:
    return f"{part[0]}:{'' if part[1] is None else part[1]}"


def _span(part: slice) -> str:
    return f"{part.start}:{part.stop}"


def _number(text: str) -> int | str:
    return int(text) if text.strip().isdecimal() else text.strip()


def _part(text: str | None, option: str) -> Part | None:
    """Read ``A:B``, with either end left out, or a single ``A``."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d*)\s*(:?)\s*(\d*)\s*", text)
    if found is None or not (found[1] or found[3]):
        msg = (
            f"expected {option} as FROM:TO, counted from 0 and TO left out (0:5 are "
            f"the first five), or as one number, found {text!r}"
        )
        raise OptionError(msg)
    start = int(found[1] or 0)
    if not found[2]:
        return start, start + 1
    return start, int(found[3]) if found[3] else None
