"""Tensor: one input or output of a network, as bioimage.io 0.5 describes it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from care_runtime._parse import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping


KINDS = ("batch", "channel", "space", "time", "index")
"""What an axis may be."""


UNNAMED = {"preprocessing": "input", "postprocessing": "output"}
"""What an input or output is called that has no id in a description of others."""


@dataclass(frozen=True, slots=True)
class SteppedSize:
    """Sizes ``least + n * step`` of an input axis."""

    least: int
    step: int

    def __str__(self) -> str:
        """Say which sizes these are."""
        return f"{self.least} + n * {self.step}"


@dataclass(frozen=True, slots=True)
class ReferenceSize:
    """The size of an axis of another tensor, plus `offset`."""

    tensor: str
    axis: str
    offset: int = 0

    def __str__(self) -> str:
        """Say which size this is."""
        return f"that of {self.axis!r} of {self.tensor!r} + {self.offset}"


Size = int | SteppedSize | ReferenceSize | None


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a tensor.

    Parameters
    ----------
    kind
        ``"batch"``, ``"channel"``, ``"space"``, ``"time"`` or ``"index"``.
    id
        Name within the tensor, such as ``"y"``.
    size
        Pixels: fixed, stepped, or those of another axis; None where it is free.
    channels
        Channel names of a channel axis.
    halo
        Output pixels at each border that are to be cropped.
    scale, unit
        Physical size of a pixel.
    concatenable
        Whether an input axis may be cut into tiles, in bioimage.io's words.
    """

    kind: str
    id: str
    size: Size = None
    channels: tuple[str, ...] = ()
    halo: int = 0
    scale: float = 1.0
    unit: str | None = None
    concatenable: bool = False

    @property
    def letter(self) -> str:
        """The axis as one of ``BCTZYX``, or ``?``."""
        if self.kind == "space":
            return self.id.upper()
        return {"batch": "B", "channel": "C", "time": "T"}.get(self.kind, "?")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a package, relative to its description, or an address."""

    source: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A step of bioimage.io pre- or postprocessing."""

    id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of the network.

    Parameters
    ----------
    id
        Name, unique in the model.
    axes
        In the order of the network.
    description
        One line for people.
    data
        Type, unit and range of the values, as they stand in the description.
    test, sample
        Test tensor (npy) and sample image.
    operations
        Preprocessing of an input, postprocessing of an output.
    optional
        Whether an input may be left out, in bioimage.io's words.
    """

    id: str
    axes: tuple[Axis, ...]
    description: str = ""
    data: Mapping[str, Any] | tuple[Mapping[str, Any], ...] = field(
        default_factory=dict
    )
    test: File | None = None
    sample: File | None = None
    operations: tuple[Operation, ...] = ()
    optional: bool = False

    @property
    def type(self) -> str:
        """Type of the values; the format's own where the description has none."""
        parts = self.data if isinstance(self.data, tuple) else (self.data,)
        data = parts[0] if parts else {}
        return str(data.get("type") or ("uint8" if "values" in data else "float32"))

    @property
    def letters(self) -> str:
        """Axes as letters, such as ``"BCYX"``."""
        return "".join(axis.letter for axis in self.axes)

    def axis(self, letter: str) -> Axis:
        """Find an axis by its letter."""
        return self.axes[self.letters.index(letter)]

    @property
    def channels(self) -> int:
        """Length of the channel axis, 1 without one."""
        if "C" not in self.letters:
            return 1
        axis = self.axis("C")
        if axis.channels:
            return len(axis.channels)
        return axis.size if isinstance(axis.size, int) else 1


def parse_tensor(read: Reader, operations: str) -> Tensor:
    """Parse a tensor; `operations` is ``"preprocessing"`` or ``"postprocessing"``."""
    names = {} if read.strict else {"default": UNNAMED[operations]}
    tensor = Tensor(
        id=read.text("id", **names),
        axes=tuple(_axis(axis) for axis in read.children("axes")),
        description=read.text("description", ""),
        data=_data(read),
        test=_file(read.maybe("test_tensor")),
        sample=_file(read.maybe("sample_tensor")),
        operations=tuple(
            _operation(op) for op in read.children(operations, optional=True)
        ),
        optional=read.flag("optional", False),
    )
    read.done()
    return tensor


def _data(read: Reader) -> Mapping[str, Any] | tuple[Mapping[str, Any], ...]:
    """Take the description of all channels, or of each."""
    if isinstance(read.value("data", {}), list):
        return tuple(dict(channel.values) for channel in read.children("data"))
    return read.mapping("data", {})


def _operation(read: Reader) -> Operation:
    operation = Operation(read.text("id"), read.mapping("kwargs", {}))
    read.done()
    return operation


def _axis(read: Reader) -> Axis:
    kind = read.choice("type", KINDS)
    axis = Axis(
        kind=kind,
        # The format lets a space axis go without an id, which then means "x".
        id=read.text("id", "x" if kind == "space" else kind),
        size=_size(read),
        channels=read.texts("channel_names"),
        halo=read.integer("halo", 0),
        scale=read.number("scale", 1.0),
        unit=read.value("unit", None),
        concatenable=read.flag("concatenable", False),
    )
    read.rest(["description"])
    read.done()
    return axis


def _size(read: Reader) -> Size:
    value = read.value("size", None)
    if value is None or isinstance(value, int):
        return value
    part = Reader.of(value, f"{read.where}, size", strict=read.strict)
    size: Size
    if "tensor_id" in value:
        size = ReferenceSize(
            part.text("tensor_id"), part.text("axis_id"), part.integer("offset", 0)
        )
    else:
        size = SteppedSize(part.integer("min", 1), part.integer("step", 1))
    part.done()
    return size


def _file(read: Reader | None) -> File | None:
    if read is None:
        return None
    file = File(read.text("source"), read.value("sha256", None))
    read.rest(["download_url"])
    read.done()
    return file


def tensor_dict(tensor: Tensor, operations: str) -> dict[str, Any]:
    """Write a tensor as plain values."""
    data = tensor.data
    return pruned(
        {
            "id": tensor.id,
            "description": tensor.description,
            "optional": tensor.optional or None,
            "axes": [_axis_dict(axis) for axis in tensor.axes],
            "data": list(data) if isinstance(data, tuple) else data,
            "test_tensor": file_dict(tensor.test),
            "sample_tensor": file_dict(tensor.sample),
            operations: [
                pruned({"id": op.id, "kwargs": dict(op.kwargs)})
                for op in tensor.operations
            ],
        }
    )


def _axis_dict(axis: Axis) -> dict[str, Any]:
    out: dict[str, Any] = {"type": axis.kind, "id": axis.id}
    match axis.size:
        case SteppedSize(least, step):
            out["size"] = {"min": least, "step": step}
        case ReferenceSize(tensor, name, offset):
            out["size"] = {"tensor_id": tensor, "axis_id": name, "offset": offset}
        case int(size):
            out["size"] = size
    defaults = {f.name: f.default for f in fields(Axis)}
    for key in ("halo", "scale", "unit", "concatenable"):
        value = getattr(axis, key)
        if value != defaults[key]:
            out[key] = value
    if axis.channels:
        out["channel_names"] = list(axis.channels)
    return out


def file_dict(file: File | None) -> dict[str, Any] | None:
    """Write a file as plain values."""
    return pruned({"source": file.source, "sha256": file.sha256}) if file else None


def pruned(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is empty."""
    return {k: v for k, v in values.items() if v is not None and v not in ({}, [], "")}
