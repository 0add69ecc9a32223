"""Half: packages with networks in half precision beside their own, for GPUs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import yaml

from care_runtime import arrays, bundle
from care_runtime import package as package_
from care_runtime.contract import supported
from care_runtime.engine import Engine
from care_runtime.errors import ExportError
from care_runtime.files import written, written_folder
from care_runtime.restore import Restorer
from care_runtime.score import Scores
from care_runtime.variant import Variant
from care_runtime.verify import LINEAR, difference, least_range, preprocessed
from care_training import evaluate, graph, sample
from care_training.halving import emulated, halved
from care_training.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from care_runtime.package import Package
    from care_runtime.spec import Spec

CLOSE = 1e-2
"""Largest difference between half precision and float32, as a part of the range."""

LOSS = 0.05
"""Largest change of the PSNR, in dB."""

SIGN = ".fp16.onnx"
"""How the names of files in half precision end."""

MARK = "+fp16"
"""How the version of such a package ends: what was published under a version never
changes, and this one counts as newer than the same without."""

HEAD = "## Half precision"
"""Of what the card says of it, at its end."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a network in half precision differs from that in float32.

    Parameters
    ----------
    differences
        Largest one by output, as a fraction of the range.
    psnr
        In float32 and in half precision, in dB, against the truth.
    """

    differences: dict[str, float]
    psnr: tuple[float, float]

    @property
    def problem(self) -> str | None:
        """Say which of the two is too large; None where the network is accepted."""
        for name, value in self.differences.items():
            if not value <= CLOSE:
                return (
                    f"its output {name!r} differs from float32 by {value:.2g} of the "
                    f"range, more than {CLOSE:g}"
                )
        full, half = self.psnr
        if not abs(half - full) < LOSS:
            return f"its PSNR is {half:.3f} dB, and not {full:.3f} dB as in float32"
        return None

    def __str__(self) -> str:
        worst = max(self.differences.values())
        full, half = self.psnr
        return (
            f"differs from float32 by {worst:.2g} of the range at most, PSNR "
            f"{half:.3f} dB ({full:.3f} in float32)"
        )


def add(
    source: Path, folder: Path, pairs: Sequence[Pair] = ()
) -> tuple[Package, dict[str, Agreement]]:
    """Copy a package, with a network in half precision for each of its networks.

    The copy has a version of its own, as ``1.0.0+fp16``.

    Parameters
    ----------
    source
        The package.
    folder
        Of the copy, which appears in place of one that was there before.
    pairs
        Images that the model never saw; by default the sample of the package and its
        truth.

    Returns
    -------
    package, agreements
        The copy; how each new network differs, by the name of its file.

    Raises
    ------
    ExportError
        If a network in half precision does not do what the other does (then nothing is
        written), there is no truth to compare them with, or the package is not one of
        care-train.
    """
    found = package_.read_folder(source)
    several = len(found.spec.inputs) > 1
    if found.spec.care is None or found.spec.input.test is None or several:
        msg = (
            f"expected a package of care-train with one input and a test of it, found "
            f"{source}: only such are given networks in half precision"
        )
        raise ExportError(msg)
    bundle.check(found)
    pairs = pairs or _own_pairs(found)
    if not pairs:
        msg = (
            f"expected a sample and its truth in the package {source}, found none: "
            "the PSNR of half precision cannot be compared; publish it without --fp16, "
            "export it with a truth, or give half.add pairs from Python"
        )
        raise ExportError(msg)
    care = supported(found.spec)
    version = f"{care.version.removesuffix(MARK)}{MARK}"
    variants = {k: v for k, v in care.variants.items() if v.precision == "fp32"}
    spec = replace(found.spec, care=replace(care, version=version, variants={}))
    networks = {found.onnx.name: tuple(t.id for t in spec.outputs)}
    networks |= {name: variant.outputs for name, variant in variants.items()}
    known = {}
    with written_folder(folder) as partial:
        shutil.copytree(source, partial, ignore=shutil.ignore_patterns(f"*{SIGN}"))
        for name, outputs in networks.items():
            new, only = name.removesuffix(".onnx") + SIGN, spec.only(outputs)
            _write(partial / name, partial / new, only)
            known[new] = _accepted(found, only, partial / name, partial / new, pairs)
            digest = package_.sha256(partial / new)
            variants[new] = Variant(outputs, digest, "fp16")
        spec = replace(spec, care=replace(supported(spec), variants=variants))
        text = yaml.safe_dump(
            spec.to_dict(), sort_keys=False, allow_unicode=True, width=88
        )
        (partial / package_.NAMES[0]).write_text(text, "utf-8")
        _note(partial / "README.md", known)
    return package_.read_folder(folder), known


def _write(full: Path, half: Path, spec: Spec) -> None:
    roles = supported(spec).outputs
    exact = [name for name in roles if roles[name].kind not in LINEAR]
    exact = [name for name in exact if name in {t.id for t in spec.outputs}]
    onnx.save(halved(onnx.load(str(full)), exact), str(half))
    graph.embed(spec, half)


def _accepted(
    found: Package, spec: Spec, full: Path, half: Path, pairs: Sequence[Pair]
) -> Agreement:
    """Compare two networks on the package's test input and on images.

    Raises
    ------
    ExportError
        If they differ too much.
    """
    agreement = compare(found, spec, full, half, pairs)
    if agreement.problem:
        msg = (
            f"the network of {spec.name!r} in half precision is refused: "
            f"{agreement.problem}; publish it without --fp16"
        )
        raise ExportError(msg)
    return agreement


def compare(
    found: Package, spec: Spec, full: Path, half: Path, pairs: Sequence[Pair]
) -> Agreement:
    """Say how a network in half precision differs from that in float32.

    It is run on the CPU, with every result rounded as on a GPU; see `halving.emulated`.
    A GPU adds in another order, too. That the file itself runs is tried as well.

    Parameters
    ----------
    found
        The package, which has a test input.
    spec
        Its description, with the outputs of these networks.
    full, half
        Their files.
    pairs
        Images with their truth, one at least.
    """
    assert found.spec.input.test is not None
    image = arrays.read(found.path(found.spec.input.test))
    rounded = emulated(onnx.load(str(half))).SerializeToString()
    engines = [Engine(full, "cpu"), Engine(rounded, "cpu")]
    x = preprocessed(spec, image)
    expected = engines[0](x)
    differences = dict.fromkeys((tensor.id for tensor in spec.outputs), 0.0)
    for engine in (engines[1], Engine(half, "cpu")):
        for tensor, y, z in zip(spec.outputs, engine(x), expected, strict=True):
            far = difference(y, z, least=least_range(spec, tensor.id))
            # numpy's maximum keeps a NaN, which is not accepted.
            worst = np.maximum(differences[tensor.id], far)
            differences[tensor.id] = float(worst)
    worth = [_psnr(Restorer(spec, engine), pairs) for engine in engines]
    return Agreement(differences, (worth[0], worth[1]))


def _psnr(restorer: Restorer, pairs: Sequence[Pair]) -> float:
    scores = [
        score
        for pair in pairs
        for score in evaluate.scores(evaluate.restore(restorer, pair), pair)
    ]
    return Scores.mean(scores).psnr


def _own_pairs(found: Package) -> list[Pair]:
    """Take the sample of a package and its truth, if it has them."""
    if found.spec.input.sample is None:
        return []
    own = sample.read(found)
    if own.truth is None:
        return []
    return [Pair("sample", own.low, np.asarray(own.truth))]


def _note(card: Path, known: dict[str, Agreement]) -> None:
    """Say in the card what was added."""
    lines = "\n".join(f"- `{name}` {agreement}." for name, agreement in known.items())
    text = card.read_text("utf-8") if card.is_file() else ""
    text = text.partition(HEAD)[0].rstrip()
    with written(card) as partial:
        partial.write_text(
            f"{text}\n\n{HEAD}\n\nFor GPUs (`--precision fp16`), compared "
            f"on a CPU that rounds as they do:\n\n{lines}\n",
            "utf-8",
        )
