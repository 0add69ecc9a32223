"""Release: build care-zoo, try what was built as a stranger would, and lay out the zoo.

::

    python .ci/release.py [OUT] [--sign KEYFILE] [--web-assets DIR]
                          [--service pypi|osv|ADDRESS]

OUT (``dist`` unless told) gets the wheel and the sdist, ``zoo/`` for any web server,
``sbom.cdx.json`` (CycloneDX, of all that the wheel installs), ``audit.json`` (what
pip-audit knows against it) and ``SHA256SUMS``. Every step is told as it ends; one that
fails, or cannot be carried out, makes the exit code 1. It needs the network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHECKOUT = Path(__file__).resolve().parents[1]
LIMIT = 5 * 2**20
"""Bytes of the wheel."""

MODEL = "care_zoo/models/denoise_widefield"
NEEDED = [f"{MODEL}/model.onnx", f"{MODEL}/rdf.yaml", f"{MODEL}/sample.tif"]
PLACES = ("care_runtime/", "care_training/", "care_zoo/")
"""All that a wheel holds, beside the facts about it."""

TOOLS = ("build>=1.2", "cyclonedx-bom>=7", "pip-audit>=2.9")
"""Kept by the Python Packaging Authority, and by OWASP."""

SERVICES = ("pypi", "osv")
"""Of vulnerabilities, that pip-audit knows by name."""


class Failed(Exception):
    """A step that did not end as it should, with the reason."""


def run(command: Sequence[str | Path], *, cwd: Path, **more: str) -> str:
    """Run a command in an environment of its own; return what it prints."""
    own = ("PYTHONPATH", "CARE_ZOO", "CARE_ZOO_KEY", "CARE_HOME")
    environment = {k: v for k, v in os.environ.items() if k not in own} | more
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = (done.stdout + done.stderr).strip()[-2000:]
        msg = f"{' '.join(words)} ended with {done.returncode}:\n{told}"
        raise Failed(msg)
    return done.stdout + done.stderr


def environment(folder: Path, *packages: str | Path) -> Path:
    """Make a virtual environment with packages; return its Python."""
    venv.create(folder, with_pip=True, clear=True)
    place = folder / ("Scripts" if os.name == "nt" else "bin")
    python = place / ("python.exe" if os.name == "nt" else "python")
    run([python, "-m", "pip", "install", *packages], cwd=folder)
    run([python, "-m", "pip", "check"], cwd=folder)
    return python


@dataclass(frozen=True)
class Release:
    """A release in the making.

    Parameters
    ----------
    out
        Where it is to lie.
    scratch
        For environments.
    service
        Which pip-audit asks what is known: ``pypi``, ``osv``, or the address of
        another one that answers as OSV does, where neither can be reached.
    publish
        More words for care-train publish.
    """

    out: Path
    scratch: Path
    service: str
    publish: tuple[str, ...] = ()

    def one(self, pattern: str) -> Path:
        """Find what an earlier step made."""
        found = list(self.out.glob(pattern))
        if len(found) != 1:
            msg = f"expected one {pattern} in {self.out}, found {len(found)}"
            raise Failed(msg)
        return found[0]

    def python(self, name: str) -> Path:
        """Find the Python of an environment that an earlier step made."""
        found = [
            *(self.scratch / name).glob("*/python"),
            *self.scratch.glob(f"{name}/Scripts/python.exe"),
        ]
        if not found:
            msg = f"there is no environment {name}: an earlier step failed"
            raise Failed(msg)
        return found[0]

    def tools(self) -> str:
        """Install the tools of this script."""
        python = environment(self.scratch / "tools", *TOOLS)
        listed = run([python, "-m", "pip", "freeze"], cwd=self.scratch)
        names = [tool.partition(">")[0] for tool in TOOLS]
        found = [line.replace("_", "-") for line in listed.split()]
        return ", ".join(n for n in found if n.partition("==")[0] in names)

    def build(self) -> str:
        """Build the sdist, and the wheel from it."""
        words = [self.python("tools"), "-m", "build", "--outdir", self.out, CHECKOUT]
        run(words, cwd=self.scratch)
        files = (self.one("*.whl"), self.one("*.tar.gz"))
        return ", ".join(f"{f.name} {f.stat().st_size / 1e6:.2f} MB" for f in files)

    def contents(self) -> str:
        """Look into the wheel."""
        return check_wheel(self.one("*.whl"))

    def install(self, pattern: str) -> str:
        """Install what was built, and run the demo."""
        file = self.one(pattern)
        name = "wheel" if file.suffix == ".whl" else "sdist"
        python = environment(self.scratch / name, file)
        return demo(python, self.scratch / f"demo of {name}")

    def zoo(self) -> str:
        """Lay out the zoo, with the training code of the checkout."""
        folders = [str(CHECKOUT / name) for name in ("runtime", "training", "zoo")]
        code = "from care_training.cli import main; main()"
        words = ["publish", self.out / "zoo", *self.publish]
        told = run(
            [self.python("wheel"), "-c", code, *words],
            cwd=self.scratch,
            PYTHONPATH=os.pathsep.join(folders),
        )
        return told.strip().splitlines()[-1]

    def sbom(self) -> str:
        """List all that the wheel installs."""
        file = self.out / "sbom.cdx.json"
        tool = self.python("tools").with_name("cyclonedx-py")
        words = ["environment", "--pyproject", CHECKOUT / "pyproject.toml", "--of"]
        words += ["JSON", "-o", file, "--output-reproducible", self.python("wheel")]
        run([tool, *words], cwd=self.scratch)
        found = json.loads(file.read_text("utf-8"))
        names = {part["name"] for part in found["components"]}
        if not names >= {"numpy", "pooch", "tifffile"}:
            msg = f"expected numpy, pooch and tifffile in {file}, found {sorted(names)}"
            raise Failed(msg)
        return f"{found['bomFormat']} {found['specVersion']}, {len(names)} components"

    def audit(self) -> str:
        """Ask what is known against all that the wheel installs."""
        freeze = [self.python("wheel"), "-m", "pip", "freeze", "--exclude", "care-zoo"]
        pinned = self.scratch / "pinned.txt"
        pinned.write_text(run(freeze, cwd=self.scratch), "utf-8")
        file = self.out / "audit.json"
        words = ["-r", pinned, "--no-deps", "--disable-pip", "--strict", "-f", "json"]
        words += ["-o", file, *asking(self.service), "--progress-spinner", "off"]
        run([self.python("tools"), "-m", "pip_audit", *words], cwd=self.scratch)
        found = json.loads(file.read_text("utf-8"))["dependencies"]
        asked = len(pinned.read_text("utf-8").split())
        if len(found) != asked or any(one.get("vulns") for one in found):
            msg = f"expected {asked} packages and nothing against them, see {file}"
            raise Failed(msg)
        return f"{asked} packages, nothing known against them ({self.service})"

    def sums(self) -> str:
        """Write the hash of every file."""
        files = sorted(path for path in self.out.rglob("*") if path.is_file())
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
            f"{path.relative_to(self.out).as_posix()}\n"
            for path in files
            if path.name != "SHA256SUMS"
        ]
        (self.out / "SHA256SUMS").write_text("".join(lines), "utf-8")
        return f"{len(lines)} files"


def asking(service: str) -> list[str]:
    """Words of pip-audit for a service, or for the address of one."""
    own = service not in SERVICES
    return ["-s", "osv", "--osv-url", service] if own else ["-s", service]


def check_wheel(wheel: Path) -> str:
    """Refuse a wheel that is large, lacks the demo's model or holds tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    size = wheel.stat().st_size
    missing = sorted(set(NEEDED) - set(names))
    wrong = [n for n in names if not n.startswith(PLACES) or "/tests/" in n]
    models = {n.split("/")[2] for n in names if n.startswith("care_zoo/models/")}
    wrong += [f"care_zoo/models/{m}" for m in sorted(models - {MODEL.split("/")[-1]})]
    if size >= LIMIT or missing or wrong:
        msg = (
            f"expected {wheel.name} below {LIMIT} bytes with the demo's model alone, "
            f"found {size} bytes, without {missing or 'nothing'}, with {wrong or ''}"
        )
        raise Failed(msg)
    return f"{len(names)} files, {size / 2**20:.2f} MiB of {LIMIT >> 20}; no tests"


def demo(python: Path, folder: Path) -> str:
    """Run the demo in an empty folder, and see that it was the installed one's."""
    folder.mkdir()
    home = {"CARE_HOME": str(folder / "home"), "CUDA_VISIBLE_DEVICES": ""}
    code = "import care_runtime; print(care_runtime.__file__)"
    place = Path(run([python, "-c", code], cwd=folder).strip())
    if not place.is_relative_to(python.parents[1]):
        msg = f"expected the installed care_runtime, found {place}"
        raise Failed(msg)
    told = run([python.with_name("care-run"), "demo"], cwd=folder, **home)
    made = sorted(path.name for path in folder.iterdir() if path.is_file())
    if not made:
        msg = f"expected images of the demo in {folder}, found none:\n{told}"
        raise Failed(msg)
    return f"care-run demo wrote {', '.join(made)}"


def main(words: Sequence[str] | None = None) -> int:
    """Take all steps; a failure keeps none of the others from being tried."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, default=CHECKOUT / "dist")
    parser.add_argument("--sign", help="secret key for the zoo, see care-train key")
    parser.add_argument("--web-assets", help="dist of onnxruntime-web from npm")
    parser.add_argument("--service", default="pypi", help="pypi, osv or an address")
    chosen = parser.parse_args(words)
    if chosen.service not in SERVICES and "://" not in chosen.service:
        parser.error(f"expected --service pypi, osv or an address: {chosen.service}")
    out = chosen.out.absolute()
    if out.is_dir() and any(out.iterdir()):
        parser.error(f"expected an empty folder, found files in {out}: remove them")
    out.mkdir(parents=True, exist_ok=True)
    named = {"--sign": chosen.sign, "--web-assets": chosen.web_assets}
    publish = [w for k, v in named.items() if v for w in (k, str(Path(v).absolute()))]
    scratch = Path(tempfile.mkdtemp(prefix="care-zoo-release-"))
    try:
        return carry_out(Release(out, scratch, chosen.service, tuple(publish)))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def carry_out(release: Release) -> int:
    """Take the steps of a release; return the exit code."""
    steps: dict[str, Callable[[], str]] = {
        "tools": release.tools,
        "build": release.build,
        "wheel's contents": release.contents,
        "wheel in a clean environment": partial(release.install, "*.whl"),
        "sdist in a clean environment": partial(release.install, "*.tar.gz"),
        "zoo": release.zoo,
        "SBOM": release.sbom,
        "audit": release.audit,
        "sums": release.sums,
    }
    failed = []
    for name, step in steps.items():
        begun = time.monotonic()
        try:
            told = f"ok      {name}: {step()}"
        except (Failed, OSError, ValueError, LookupError) as error:
            failed.append(name)
            told = f"FAILED  {name}: {error}"
        print(f"{told} ({time.monotonic() - begun:.0f} s)", flush=True)
    print(f"FAILED: {', '.join(failed)}" if failed else f"released to {release.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
