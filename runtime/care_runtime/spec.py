"""Spec: the description of one model, bioimage.io 0.5 with `config.care`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from care_runtime._parse import Reader
from care_runtime.care import CareConfig
from care_runtime.errors import OptionError, SpecError
from care_runtime.legacy import upgrade
from care_runtime.tensor import (
    File,
    Tensor,
    file_dict,
    parse_tensor,
    pruned,
    tensor_dict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT = "0.5.4"
"""Version of the bioimage.io format that is written."""

ABOUT = [
    "attachments",
    "authors",
    "cite",
    "covers",
    "documentation",
    "git_repo",
    "icon",
    "id",
    "id_emoji",
    "license",
    "links",
    "maintainers",
    "packaged_by",
    "parent",
    "run_mode",
    "tags",
    "timestamp",
    "training_data",
    "uploader",
    "version",
    "version_comment",
]
"""Keys about a model that are kept as they stand."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The ONNX file of a model."""

    onnx: File
    opset: int | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """The contract of one model: training writes it, the runtime reads it.

    Parameters
    ----------
    name, description
        For people; the zoo name of a model is that of its package.
    inputs, outputs
        Tensors in the order of the network.
    weights
        The network; None in the reviewed source of a spec, before export.
    care
        What bioimage.io cannot say (`config.care`); None for models of others.
    about
        Authors, licence, citations, covers and the like, as they stand.
    config
        Other tools' parts of `config`, as they stand.
    format
        bioimage.io format version of the description.
    """

    name: str
    description: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: Weights | None = None
    care: CareConfig | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    format: str = FORMAT

    @property
    def input(self) -> Tensor:
        """The image to restore."""
        return self.inputs[0]

    def output(self, name: str) -> Tensor:
        """Find an output by its id."""
        for tensor in self.outputs:
            if tensor.id == name:
                return tensor
        known = ", ".join(tensor.id for tensor in self.outputs)
        msg = f"the model {self.name!r} has no output {name!r}: it has {known}"
        raise SpecError(msg)

    def only(self, names: Sequence[str]) -> Spec:
        """Leave out all outputs but those that are named, in the order of the model.

        Raises
        ------
        OptionError
            If there is none of a name.
        """
        try:
            wanted = {self.output(name).id for name in names}
        except SpecError as error:
            raise OptionError(str(error)) from None
        return replace(self, outputs=tuple(t for t in self.outputs if t.id in wanted))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Spec:
        """Parse a description of format 0.5 or 0.4.

        Descriptions with `config.care` are read strictly: a key that is missing or
        unknown is an error that names it. Those of other projects are read leniently.

        Raises
        ------
        SpecError
            If the description cannot be understood.
        """
        return _parse(Reader(upgrade(values), "the model description"))

    def to_dict(self) -> dict[str, Any]:
        """Write the description as plain values; `from_dict` is the inverse."""
        config = dict(self.config)
        if self.care is not None:
            config["care"] = self.care.to_dict()
        title = {
            "format_version": self.format,
            "type": "model",
            "name": self.name,
            "description": self.description,
        }
        return (
            title
            | dict(self.about)
            | pruned(
                {
                    "inputs": [tensor_dict(t, "preprocessing") for t in self.inputs],
                    "outputs": [tensor_dict(t, "postprocessing") for t in self.outputs],
                    "weights": _weights_dict(self.weights),
                    "config": config,
                }
            )
        )


def _parse(read: Reader) -> Spec:
    config = read.mapping("config", {})
    ours = "care" in config
    read.strict = ours
    kind = read.text("type", "model")
    if kind != "model":
        msg = f"{read.where}: expected the type 'model', found {kind!r}"
        raise SpecError(msg)
    weights = read.maybe("weights")
    spec = Spec(
        name=read.text("name"),
        description=read.text("description", ""),
        inputs=tuple(parse_tensor(t, "preprocessing") for t in read.children("inputs")),
        outputs=tuple(
            parse_tensor(t, "postprocessing") for t in read.children("outputs")
        ),
        weights=_weights(weights) if weights else None,
        care=CareConfig.from_dict(config["care"]) if ours else None,
        about=read.rest(ABOUT),
        config={key: value for key, value in config.items() if key != "care"},
        format=read.text("format_version"),
    )
    read.done()
    return spec


def _weights(read: Reader) -> Weights:
    onnx = read.maybe("onnx")
    if onnx is None:
        found = ", ".join(read.keys) or "none"
        msg = f"{read.where}: expected 'onnx', the only kind that is run, found {found}"
        raise SpecError(msg)
    file = File(onnx.text("source"), onnx.value("sha256", None))
    weights = Weights(file, onnx.value("opset_version", None))
    onnx.done()
    read.done()
    return weights


def _weights_dict(weights: Weights | None) -> dict[str, Any] | None:
    if weights is None:
        return None
    onnx = {**(file_dict(weights.onnx) or {}), "opset_version": weights.opset}
    return {"onnx": pruned(onnx)}
