"""Entry: what the gallery tells of one model."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from care_runtime.package import Package
    from care_runtime.spec import Spec

NETWORK = "network"
"""Row of the scores that is the model's own."""

LABELS = {"psnr": "PSNR dB", "nrmse": "NRMSE", "ssim": "SSIM"}
"""What measures are called on the page."""

DIGITS = {"psnr": 2, "nrmse": 4}
"""Decimals of a measure; 3 of any other."""

DATA_LICENCE = "Licence of the data:"
"""How the line of a card begins that tells it."""


@dataclass(frozen=True, slots=True)
class Table:
    """Scores under one condition.

    Parameters
    ----------
    condition
        Such as a light dose; empty if there is only one.
    heads, rows
        As text, the method first.
    """

    condition: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the gallery tells of one model.

    Parameters
    ----------
    package
        The model.
    name
        What it is called on the command line: its folder's name.
    """

    package: Package
    name: str

    @property
    def spec(self) -> Spec:
        """Description of the model."""
        return self.package.spec

    @property
    def slug(self) -> str:
        """Name in addresses and of files; the name itself, if it is a plain one."""
        return re.sub(r"[^\w.-]+|^\.+", "_", self.name, flags=re.ASCII)

    @property
    def training(self) -> Mapping[str, Any]:
        """What the description says of training."""
        return self.spec.care.training if self.spec.care else {}

    @property
    def task(self) -> str:
        """What the model does, in a word."""
        return self.spec.care.task if self.spec.care else "other"

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.spec.care.version if self.spec.care else ""

    @property
    def axes(self) -> str:
        """Axes that the network reads, without the batch and a single channel."""
        letters = self.spec.input.letters.replace("B", "")
        return letters if self.spec.input.channels > 1 else letters.replace("C", "")

    @property
    def dimensions(self) -> str:
        """Tell in a word whether the network reads planes or volumes."""
        return "3-D" if "Z" in self.axes else "2-D"

    @property
    def origin(self) -> str:
        """Where the training data came from: real, semi-synthetic or synthetic."""
        return str(self.training.get("origin", "unknown"))

    @property
    def data(self) -> str:
        """What the model was trained on."""
        return str(self.training.get("data", ""))

    @property
    def licence(self) -> str:
        """Of the model."""
        return str(self.spec.about.get("license", "not said"))

    @property
    def citations(self) -> tuple[tuple[str, str], ...]:
        """Text and address of what to cite; no address that is not of the web."""
        return tuple(_citation(cite) for cite in self.spec.about.get("cite", ()))

    @property
    def card(self) -> str:
        """Markdown that people read before they trust the model."""
        source = self.spec.about.get("documentation")
        source = source.get("source") if isinstance(source, Mapping) else source
        path = self.package.folder / str(source or "README.md")
        inside = path.resolve().is_relative_to(self.package.folder.resolve())
        return path.read_text("utf-8") if inside and path.is_file() else ""

    @property
    def data_licence(self) -> str:
        """Of the training data, as the card tells it."""
        for line in self.card.splitlines():
            if line.startswith(DATA_LICENCE):
                return line.removeprefix(DATA_LICENCE).strip()
        return ""

    @property
    def held_back(self) -> int:
        """Count the images that the scores are of."""
        return len(self.training.get("held_back", ()))

    @property
    def scores(self) -> tuple[Table, ...]:
        """Errors of the model and of classical methods, by condition."""
        found = self.training.get("scores") or {}
        if not isinstance(found, Mapping):
            return ()
        nested = any(
            isinstance(cell, Mapping)
            for table in found.values()
            if isinstance(table, Mapping)
            for cell in table.values()
        )
        tables = found if nested else {"": found}
        return tuple(_table(str(name), each) for name, each in tables.items() if each)

    @property
    def commands(self) -> tuple[tuple[str, str], ...]:
        """What to copy and paste, by where it is pasted."""
        axes = self.axes if "Z" in self.axes else f"T{self.axes}"
        return (
            (
                "Command line",
                f"care-run restore image.tif -m {shlex.quote(self.name)} "
                "-o restored.tif",
            ),
            (
                "Python",
                "import care_runtime\n\n"
                f"restorer = care_runtime.load({json.dumps(self.name)})\n"
                'image = care_runtime.read("image.tif")\n'
                "restored = restorer(image).image\n"
                f'# or an array: restorer(stack, axes="{axes}").image',
            ),
            (
                "Fiji (deepImageJ)",
                'run("DeepImageJ Run", "modelPath=['
                + re.sub(r'["\\\[\]\r\n]', "_", self.name)
                + '] inputPath=null outputFolder=null displayOutput=all");',
            ),
            (
                "Fiji (JDLL, from Jython)",
                "from io.bioimage.modelrunner.model import Model\n\n"
                "model = Model.createBioimageioModel("
                + json.dumps(f"/path/to/Fiji.app/models/{self.name}")
                + ")\nmodel.loadModel()",
            ),
        )


def _citation(cite: Any) -> tuple[str, str]:
    if not isinstance(cite, Mapping):
        return str(cite), ""
    text, doi, url = (str(cite.get(key) or "") for key in ("text", "doi", "url"))
    if re.fullmatch(r"10\.\S+", doi):
        return text or doi, f"https://doi.org/{doi}"
    return text or url, url if re.match(r"https?://", url) else ""


def _table(condition: str, found: Mapping[str, Any]) -> Table:
    rows = {name: each for name, each in found.items() if isinstance(each, Mapping)}
    measures = dict.fromkeys(key for each in rows.values() for key in each)
    return Table(
        condition,
        ("method", *(LABELS.get(key, str(key)) for key in measures)),
        tuple(
            (str(name), *(_number(key, each.get(key)) for key in measures))
            for name, each in rows.items()
        ),
    )


def _number(measure: str, value: Any) -> str:
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    return f"{value:.{DIGITS.get(measure, 3)}f}"
