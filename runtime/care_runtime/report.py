"""Report: what the command line prints, as text for people or JSON for programs."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from care_runtime.plain import flat, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from care_runtime.batch import Result
    from care_runtime.cache import Kept
    from care_runtime.demo import Shown
    from care_runtime.doctor import Finding
    from care_runtime.listing import Listed
    from care_runtime.package import Package
    from care_runtime.verified import Verified


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show the tiles done on a terminal; in a pipe, show nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def download_bar(name: str) -> Any:
    """Return a progress bar for pooch on a terminal, else None."""
    return _DownloadBar(name) if sys.stderr.isatty() else None


class _DownloadBar:
    """What pooch asks of a progress bar: `total`, `update`, `reset` and `close`."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import DownloadColumn, Progress

        columns = (*Progress.get_default_columns(), DownloadColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(name)
        self.total: int = 0

    def update(self, count: int) -> None:
        """Count bytes."""
        self._bar.start()
        self._bar.update(self._task, advance=count, total=self.total or None)

    def reset(self) -> None:
        """Begin anew; pooch does this when all is there, then counts the total."""
        self._bar.update(self._task, completed=0)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def models(rows: Sequence[Listed], *, as_json: bool) -> None:
    """Print the models of the zoo."""
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        room = size(row.size) if row.size else ""
        older = f" (also {', '.join(row.older)})" if row.older else ""
        said = f"{row.description}{older}"
        click.echo(line(f"{row.name:{width}}  {row.version}  {room:>8}  {said}"))


def cached(folder: Path, rows: Sequence[Kept], *, as_json: bool) -> None:
    """Print what is in the cache."""
    if as_json:
        things = [{**asdict(row), "path": str(row.path)} for row in rows]
        click.echo(json.dumps({"folder": str(folder), "kept": things}, indent=1))
        return
    click.echo(f"{folder}  {size(sum(row.size for row in rows))}")
    for row in rows:
        click.echo(line(f"  {size(row.size):>8}  {row.kind}  {row.name}"))


def size(count: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def model(package: Package, *, as_json: bool) -> None:
    """Print what a model is."""
    spec = package.spec
    if as_json:
        click.echo(json.dumps(spec.to_dict(), indent=1, ensure_ascii=False))
        return
    lines = {"name": spec.name, "description": spec.description}
    lines["folder"] = str(package.folder)
    for tensor in (*spec.inputs, *spec.outputs):
        side = "input" if tensor in spec.inputs else "output"
        lines[f"{side} {tensor.id}"] = f"{tensor.letters}, {tensor.channels} channel(s)"
    if spec.care is not None:
        lines |= _care_lines(spec.care)
    lines["licence"] = str(spec.about.get("license", "not given"))
    lines |= _cites(spec.about.get("cite"))
    _aligned(lines)


def _cites(cites: Any) -> dict[str, str]:
    """Say what is to be cited; others may have written anything there."""
    lines = {}
    for number, cite in enumerate(cites if isinstance(cites, list) else [], 1):
        said = cite if isinstance(cite, dict) else {"text": cite}
        place = f"doi:{said['doi']}" if "doi" in said else said.get("url", "")
        lines[f"cite [{number}]"] = f"{said.get('text', '')} {place}"
    return lines


def _care_lines(care: Any) -> dict[str, str]:
    norm, tiling, training = care.normalization, care.tiling, care.training
    lines = {
        "version": care.version,
        "task": care.task,
        "normalization": "none",
        "grid, halo": ", ".join(
            f"{a} {n}, {tiling.halo.get(a, 0)}" for a, n in tiling.multiple.items()
        ),
    }
    if norm.percentiles:
        low, high = norm.percentiles
        lines["normalization"] = f"percentiles {low:g}, {high:g} over {norm.axes}"
    for key in ("data", "origin", "steps", "steps before", "seed", "device"):
        if key in training:
            lines[f"trained: {key}"] = str(training[key])
    return lines | _scores(training.get("scores"))


def _scores(scores: Any, of: str = "") -> dict[str, str]:
    """List scores by method, or by condition and method; others write other things."""
    lines: dict[str, str] = {}
    for name, values in scores.items() if isinstance(scores, dict) else ():
        if not isinstance(values, dict):
            continue
        numbers = {k: v for k, v in values.items() if isinstance(v, int | float)}
        if numbers:
            said = ", ".join(f"{k} {v:g}" for k, v in numbers.items())
            lines[f"score: {of}{name}"] = said
        lines |= _scores(values, f"{of}{name}, ")
    return lines


def result(found: Result) -> None:
    """Print what became of a file: a line, and one for each thing to know."""
    if found.error is not None:
        word = "skipped" if found.status == "skipped" else "error"
        click.echo(line(f"{word}: {found.error}"), err=True)
        return
    if found.status == "skipped":
        click.echo(line(f"{found.source} -> {found.target} (done before, skipped)"))
        return
    image = found.image or {}
    shape = " x ".join(str(n) for n in image["shape"])
    piped = str(found.target) == "-"  # standard output is for the image
    made = f"{image['axes']} {shape}, {image['dtype']}, {found.seconds:.1f} s"
    click.echo(line(f"{found.source} -> {found.target} ({made})"), err=piped)
    for file in found.files[1:]:
        click.echo(f"  {flat(str(file))}")
    if found.flag is not None:
        click.echo(f"  flagged: {found.flag}", err=piped)
    for note in found.notes:
        click.echo(line(f"warning: {found.source}: {note}"), err=True)


def interrupted(source: object, folder: Path, words: Sequence[str]) -> None:
    """Say what is kept of an image that was not finished, and how to go on."""
    if not folder.is_dir():
        told = f"interrupted: nothing of {source} was done yet"
        click.echo(line(told), err=True)
        return
    words = [*words, *([] if "--resume" in words else ["--resume"])]
    told = f"interrupted: what is done of {source} is kept in {folder}; go on with: "
    click.echo(flat(f"{told}care-run {shlex.join(words)}"), err=True)


def summary(results: Sequence[Result], provenance: Mapping[str, str]) -> None:
    """Print all results as JSON."""
    rows = [
        {
            **asdict(r),
            "source": str(r.source),
            "target": str(r.target),
            "files": [str(file) for file in r.files],
        }
        for r in results
    ]
    done = sum(r.status == "done" for r in results)
    failed = sum(r.status == "failed" for r in results)
    counts = {"done": done, "failed": failed, "skipped": len(results) - done - failed}
    click.echo(json.dumps({**provenance, **counts, "results": rows}, indent=1))


def shown(made: Shown, provenance: Mapping[str, str]) -> None:
    """Print what the demo made."""
    name, version = provenance["model"], provenance["model version"]
    click.echo(f"{name} {version} on {provenance['device']} ({provenance['engine']})")
    if made.before is not None and made.after is not None:
        for label, scores in (("before", made.before), ("after", made.after)):
            click.echo(
                f"  {label:7} PSNR {scores.psnr:5.2f} dB   SSIM {scores.ssim:.3f}"
            )
    click.echo(f"  picture  {made.picture}\n  image    {made.restored}")


def verified(name: str, found: Verified, *, as_json: bool) -> None:
    """Print differences and whether they are within the tolerances."""
    if as_json:
        click.echo(json.dumps({**asdict(found), "passed": found.passed}, indent=1))
        return
    lines = {"device": found.device, "engine": found.engine}
    lines |= {"network": found.network, "precision": found.precision}
    for output, value in found.test.items():
        said = f"{value:.2g} of the range"
        if output in found.levels:
            said += f"; whole numbers, may differ by one ({found.levels[output]:.2g})"
        lines[f"{output}: test tensor"] = said
    for output, value in found.tiled.items():
        lines[f"{output}: tiled - whole"] = f"{value:.2g} of the range"
    click.echo(f"{name}: {'passed' if found.passed else 'FAILED'}")
    _aligned(lines)


def examined(findings: Sequence[Finding], *, healthy: bool, as_json: bool) -> None:
    """Print what the doctor found."""
    if as_json:
        rows = [asdict(finding) for finding in findings]
        click.echo(json.dumps({"healthy": healthy, "findings": rows}, indent=1))
        return
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        told = f"{finding.status:7} {finding.subject:{width}}  {finding.found}"
        click.echo(line(told))
        if finding.mend:
            click.echo(f"{'':7} {'':{width}}  -> {flat(finding.mend)}")


def _aligned(lines: Mapping[str, str]) -> None:
    width = max(len(key) for key in lines)
    for key, value in lines.items():
        click.echo(line(f"{key:{width}}  {value}"))
