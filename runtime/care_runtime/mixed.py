"""Mixed: several models, each for a channel of its own."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import lazy
from care_runtime.axes import canonical
from care_runtime.contract import supported
from care_runtime.errors import AxesError, ChannelWarning, OptionError
from care_runtime.image import AXES, Image
from care_runtime.intake import image_of
from care_runtime.restored import Restored, copied
from care_runtime.selection import Selection, channel_number, channel_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from care_runtime.ledger import Ledger
    from care_runtime.output import Empty
    from care_runtime.restore import Restorer
    from care_runtime.source import Source
    from care_runtime.spec import Spec

Wish = tuple[int | str | None, str]
"""A channel by number or name, and its model; None is every channel."""


def parse(models: Sequence[str]) -> list[Wish]:
    """Read ``MODEL``, or ``CHANNEL=MODEL`` once for each channel.

    Raises
    ------
    OptionError
        If there are several models, but not a channel for each.
    """
    found = [_wish(text) for text in models]
    channels = [channel for channel, _ in found]
    if len(found) > 1 and (None in channels or len(set(channels)) < len(channels)):
        msg = (
            "expected one model, or CHANNEL=MODEL once for each channel, found "
            f"{', '.join(models)}"
        )
        raise OptionError(msg)
    return found


def _wish(text: str) -> Wish:
    found = re.fullmatch(r"([^=]+)=(.+)", text)
    path = re.match(r"[./~]|[A-Za-z]:[/\\]|[a-z0-9+]+://", text)
    if found is None or path or Path(text).exists():
        return None, text
    key = found[1].strip()
    return (int(key) if key.isdecimal() else key), found[2]


@dataclass(frozen=True, slots=True)
class Mixed:
    """Restorers of channels of their own, used as a `Restorer` is.

    Parameters
    ----------
    models
        Channels by number or name, and what restores each.
    labels
        What the channels are called in the provenance; their numbers and names in the
        image by default.
    """

    models: tuple[tuple[int | str, Restorer], ...]
    labels: tuple[str, ...] = ()

    @property
    def specs(self) -> list[Spec]:
        """Descriptions of all models."""
        return [restorer.spec for _, restorer in self.models]

    @property
    def provenance(self) -> dict[str, str]:
        """Facts about the models and the device."""
        found = [(str(channel), each.provenance) for channel, each in self.models]
        return _merged(found)

    def fitted(self, source: Source, selection: Selection) -> tuple[Mixed, Selection]:
        """Have only those channels read that are restored.

        Returns
        -------
        mixed, selection
            For each other: the channels are numbered as they are selected.

        Raises
        ------
        OptionError
            If there is no such channel, or channels are selected otherwise, too.
        """
        if selection.channels:
            msg = (
                "--channel and -m CHANNEL=MODEL both choose channels: leave out "
                "--channel, channels without a model are dropped"
            )
            raise OptionError(msg)
        count = source.shape[source.axes.index("C")] if "C" in source.axes else 1
        found = self._numbers(count, source.channels, source.where)
        labels = tuple(channel_words(source.channels, number) for number, _ in found)
        models = tuple((i, restorer) for i, (_, restorer) in enumerate(found))
        chosen = tuple(number for number, _ in found)
        return Mixed(models, labels), replace(selection, channels=chosen)

    def _numbers(
        self, count: int, names: tuple[str, ...], where: str
    ) -> list[tuple[int, Restorer]]:
        """Put the models in the order of the channels, and tell what is dropped."""
        found = {
            channel_number(count, names, channel, where): restorer
            for channel, restorer in self.models
        }
        if len(found) < len(self.models):
            asked = ", ".join(str(channel) for channel, _ in self.models)
            msg = f"expected one model for each channel of {where}, found {asked}"
            raise OptionError(msg)
        dropped = [channel_words(names, i) for i in range(count) if i not in found]
        if dropped:
            msg = f"channel {', '.join(dropped)} has no model and is left out"
            warnings.warn(msg, ChannelWarning, stacklevel=3)
        return sorted(found.items())

    def __call__(
        self,
        image: Image | NDArray[Any] | Any,
        axes: str | None = None,
        *,
        empty: Empty = np.empty,
        progress: Callable[[int, int], None] | None = None,
        out: Any = None,
        ledger: Ledger | None = None,
        **wishes: Any,
    ) -> Restored:
        """Restore every channel with its model, and lay them side by side.

        Parameters
        ----------
        image, axes, empty, progress, out, ledger, **wishes
            As `Restorer` takes them; they are the same for all channels.

        Raises
        ------
        OptionError
            If there is no such channel, or the models give images of several sizes.
        AxesError
            If a model reads several channels together.

        Warns
        -----
        ChannelWarning
            If a channel has no model; it is left out.
        """
        image = image_of(image, axes)
        size = image.pixels.shape[image.axes.index("C")] if "C" in image.axes else 1
        found = self._numbers(size, image.channels, "the image")
        words = (channel_words(image.channels, n) for n, _ in found)
        labels = self.labels or tuple(words)
        _require_one_size([each.spec for _, each in found], wishes.get("factor"))
        parts = []
        for place, (number, restorer) in enumerate(found):
            _require_alone(restorer.spec)
            told = progress and _told(progress, place, len(found))
            one, book = _channel(image, number), ledger and ledger.part(place)
            made = restorer(one, empty=empty, progress=told, ledger=book, **wishes)
            parts.append(made)
        joined = _joined(image, [n for n, _ in found], parts, labels, empty)
        return copied(joined, out, wishes.get("dtype", "auto"))


def _require_alone(spec: Spec) -> None:
    """Refuse models that read more than one channel."""
    many = {"channels": spec.input.channels, "images": len(spec.inputs)}
    for what, count in many.items():
        if count > 1:
            msg = f"the model {spec.name!r} reads {count} {what} together: use it alone"
            raise AxesError(msg)


def _require_one_size(specs: Sequence[Spec], factor: float | None) -> None:
    """Refuse models of which one projects, or stretches, before any is run."""
    forms: dict[tuple[bool, bool], str] = {}
    for spec in specs:
        care = supported(spec)
        projects = "Z" in spec.input.letters and "Z" not in spec.outputs[0].letters
        forms[projects, care.resample is not None and factor != 1] = spec.name
    if len(forms) > 1:
        msg = (
            f"expected models that give images of one size, found {[*forms.values()]},"
            " of which one projects or stretches Z: use them one by one"
        )
        raise OptionError(msg)


def _told(
    progress: Callable[[int, int], None], place: int, count: int
) -> Callable[[int, int], None]:
    return lambda done, total: progress(place * total + done, count * total)


def _channel(image: Image, number: int) -> Image:
    """View one channel, which keeps its axis."""
    if "C" not in image.axes:
        return image
    at = (slice(None),) * image.axes.index("C") + (slice(number, number + 1),)
    names = image.channels[number : number + 1]
    look = image.look.picked([number])
    return replace(image, pixels=image.pixels[at], channels=names, look=look)


def _joined(
    image: Image,
    numbers: Sequence[int],
    parts: Sequence[Restored],
    labels: Sequence[str],
    empty: Empty,
) -> Restored:
    first = parts[0]
    if any(list(part.images) != list(first.images) for part in parts):
        outputs = "; ".join(", ".join(part.images) for part in parts)
        msg = f"expected models of the same outputs, found {outputs}: name some"
        raise OptionError(msg)
    flags = [part.flagged for part in parts if part.flagged is not None]
    images = {}
    for name in first.images:
        made = _stacked([part.images[name] for part in parts], empty)
        images[name] = _named(made, image, numbers)
    return Restored(
        images=images,
        main=first.main,
        provenance=_merged(
            [(name, part.provenance) for name, part in zip(labels, parts, strict=True)]
        ),
        saturated=sum(part.saturated for part in parts),
        blank=sum(part.blank for part in parts),
        flagged=float(np.mean(flags)) if flags else None,
    )


def _stacked(images: Sequence[Image], empty: Empty) -> Image:
    """Lay images side by side as channels."""
    first = images[0]
    if len(images) == 1:
        return first
    views = [canonical(image.pixels, image.axes) for image in images]
    found = {view.shape[:2] + view.shape[3:] for view in views}
    if len(found) > 1 or len({image.axes for image in images}) > 1:
        told = ", ".join(f"{image.axes} {image.pixels.shape}" for image in images)
        msg = f"expected models that give images of one size, found {told}"
        raise OptionError(msg)
    types = {image.pixels.dtype for image in images}
    dtype = types.pop() if len(types) == 1 else np.dtype(np.float32)
    sizes = dict(zip(AXES, views[0].shape, strict=True))
    sizes["C"] = sum(view.shape[2] for view in views)
    pixels = empty(tuple(sizes[a] for a in first.axes), dtype)
    out, start = canonical(pixels, first.axes), 0
    for view in views:
        lazy.copy(view, out[:, :, start : start + view.shape[2]])
        start += view.shape[2]
    return replace(first, pixels=pixels)


def _named(image: Image, source: Image, numbers: Sequence[int]) -> Image:
    """Give channels their names and colours back, where each has stayed one."""
    count = image.pixels.shape[image.axes.index("C")] if "C" in image.axes else 1
    if count != len(numbers):
        return replace(image, channels=(), look=image.look.of_count(count))
    names = tuple(source.channels[n] for n in numbers) if source.channels else ()
    look = source.look.picked(numbers)
    if not image.look.ranges:  # in other units than the source
        look = replace(look, ranges=(), greys=None)
    return replace(image, channels=names, look=look)


def _merged(found: Sequence[tuple[str, Any]]) -> dict[str, str]:
    """Say once what is the same for all channels, and the rest for each."""
    facts: dict[str, str] = {}
    for key in dict.fromkeys(key for _, each in found for key in each):
        values = {each.get(key) for _, each in found}
        if len(values) == 1:
            facts[key] = values.pop()
            continue
        for label, each in found:
            if key in each:
                facts[f"{key} of channel {label}"] = each[key]
    return facts
