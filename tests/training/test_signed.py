"""Signed zoos: what its owner did not sign is never used by who has the key."""

from __future__ import annotations

import builtins
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from click.testing import CliRunner

import care_runtime
import care_zoo
from care_runtime import lists, registry, signature, sources, store
from care_runtime.cli import main as care_run
from care_runtime.errors import ExportError, FileError, OptionError, SourceWarning
from care_training import keys
from care_training.cli import main as care_train
from care_training.publish import publish

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("minisign", reason="signatures need the extra 'sign'")

MODEL = "denoise_widefield"
NAME = signature.NAME


def run(command: Any, *words: Any, **more: Any) -> Any:
    return CliRunner().invoke(command, [str(word) for word in words], **more)


class Pair(NamedTuple):
    file: Path
    public: str


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CARE_ZOO", "CARE_ZOO_KEY", "CARE_ZOO_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(lists, "PAUSE", 0.0)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    file = tmp_path / "keys" / "zoo.key"
    return Pair(file, keys.make(file, ""))


def signed(folder: Path, pair: Pair) -> Path:
    sign = keys.signer(pair.file, lambda: "")
    publish(folder, [care_zoo.MODELS / MODEL], sign)
    return folder


@pytest.fixture
def zoo(tmp_path: Path, pair: Pair) -> Path:
    return signed(tmp_path / "zoo", pair)


@pytest.fixture
def address(zoo: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=str(zoo))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["folder", "address"])
def place(request: pytest.FixtureRequest, zoo: Path) -> str:
    if request.param == "folder":
        return str(zoo)
    return str(request.getfixturevalue("address"))


def test_the_right_key(place: str, pair: Pair, monkeypatch: Any) -> None:
    assert list(store.names(place, pair.public)) == [MODEL]
    assert care_runtime.names(place, f"{pair.file}.pub") == [MODEL]
    monkeypatch.setenv("CARE_ZOO_KEY", pair.public)
    assert store.locate(MODEL, zoo=place).version == "1.0.0"
    result = run(care_run, "list", "--zoo", place)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "MB" in result.stdout  # as the index says


def test_without_a_key_nothing_is_asked(place: str, zoo: Path) -> None:
    (zoo / NAME).write_text("none")
    assert list(store.names(place)) == [MODEL]


def test_another_key(place: str, tmp_path: Path) -> None:
    other = keys.make(tmp_path / "other.key", "")
    for words in (("list",), ("info", MODEL), ("fetch", MODEL), ("fetch", "--all")):
        result = run(care_run, *words, "--zoo", place, "--key", other)
        assert result.exit_code == 1
        assert "signature is not right" in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_key_of_the_same_name(place: str, pair: Pair, tmp_path: Path) -> None:
    """The id of a key is no secret: who takes it over has not the key."""
    import base64

    mine = base64.b64decode(keys.make(tmp_path / "other.key", ""))
    theirs = base64.b64decode(pair.public)
    false = base64.b64encode(theirs[:10] + mine[10:]).decode()
    with pytest.raises(FileError, match="verification failed"):
        store.names(place, false)


@pytest.mark.parametrize("name", [registry.NAME, registry.INDEX, NAME])
def test_a_changed_byte(place: str, zoo: Path, pair: Pair, name: str) -> None:
    content = (zoo / name).read_bytes()
    middle = len(content) // 2
    for at in {10, middle, len(content) - 5}:
        changed = bytearray(content)
        changed[at] ^= 1
        (zoo / name).write_bytes(changed)
        result = run(care_run, "list", "--zoo", place, "--key", pair.public)
        assert result.exit_code == 1, at
        assert len(result.stderr.splitlines()) == 1


def test_the_trusted_comment_is_signed(zoo: Path, pair: Pair) -> None:
    text = (zoo / NAME).read_text()
    (zoo / NAME).write_text(text.replace("timestamp:1", "timestamp:9"))
    with pytest.raises(FileError, match="not right"):
        store.names(str(zoo), pair.public)


def test_a_package_of_another_hash(place: str, zoo: Path, pair: Pair) -> None:
    """Who changes a package has to change the registry, which is signed."""
    archive = zoo / MODEL / "1.0.0.zip"
    archive.write_bytes(archive.read_bytes() + b"more")
    with pytest.warns(SourceWarning, match=r"does not match|sha256 differs"):
        found = store.locate(MODEL, zoo=place, key=pair.public)
    assert found.folder == care_zoo.MODELS / MODEL
    text = (zoo / registry.NAME).read_text()
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    old = text.partition("sha256:")[2][:64]
    (zoo / registry.NAME).write_text(text.replace(old, digest))
    with pytest.raises(FileError, match="not right"):
        store.locate(MODEL, zoo=place, key=pair.public)


@pytest.mark.parametrize("name", ["", MODEL])
def test_no_signature(place: str, zoo: Path, pair: Pair, name: str) -> None:
    (zoo / NAME).unlink()
    with pytest.raises(FileError, match="ask its owner to sign it"):
        store.locate(name or "x", zoo=place, key=pair.public)


def test_an_index_that_the_registry_does_not_name(zoo: Path, pair: Pair) -> None:
    text = (zoo / registry.NAME).read_text()
    kept = "".join(x for x in text.splitlines(True) if not x.startswith("#"))
    (zoo / registry.NAME).write_text(kept)
    sign = keys.signer(pair.file, lambda: "")
    (zoo / NAME).write_bytes(sign(kept.encode()))
    result = run(care_run, "list", "--zoo", zoo, "--key", pair.public)
    assert result.exit_code == 1
    assert "index.json" in result.stderr
    (zoo / registry.INDEX).unlink()
    assert run(care_run, "list", "--zoo", zoo, "--key", pair.public).exit_code == 0


def test_good_lists_stay(zoo: Path, address: str, pair: Pair, tmp_path: Path) -> None:
    """What a server shows after it was taken over replaces nothing."""
    store.names(address, pair.public)
    (kept,) = (tmp_path / "home" / "zoos").iterdir()
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    assert set(before) == {registry.NAME, registry.INDEX, NAME}
    (zoo / registry.NAME).write_text("mine/1.zip sha256:" + 64 * "0")
    with pytest.raises(FileError, match="not right"):
        store.names(address, pair.public)
    shutil.rmtree(zoo)
    with pytest.warns(SourceWarning, match="no list any more"):
        assert list(store.names(address, pair.public)) == [MODEL]
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before


def test_an_older_list_is_not_taken(
    zoo: Path, address: str, pair: Pair, monkeypatch: Any
) -> None:
    old = {n: (zoo / n).read_bytes() for n in (registry.NAME, registry.INDEX, NAME)}
    monkeypatch.setattr("time.time", lambda: 2e9)
    signed(zoo, pair)
    store.names(address, pair.public)
    for name, content in old.items():
        (zoo / name).write_bytes(content)
    with pytest.warns(SourceWarning, match="before that of the last time"):
        store.names(address, pair.public)


def test_offline_the_kept_lists_are_checked(
    zoo: Path, address: str, pair: Pair, tmp_path: Path
) -> None:
    store.names(address)  # without a key, and so without a signature
    shutil.rmtree(zoo)
    missing = address.rpartition(":")[0] + ":9"  # nobody answers
    (kept,) = (tmp_path / "home" / "zoos").iterdir()
    key = hashlib.sha256(missing.encode()).hexdigest()[:16]
    kept.rename(kept.with_name(key))
    with pytest.raises(FileError, match=r"no registry\.txt\.minisig"):
        store.names(missing, pair.public)


def test_an_unpacked_package_in_a_signed_zoo(zoo: Path, pair: Pair) -> None:
    (zoo / MODEL / "1.0.0.zip").unlink()
    shutil.copytree(care_zoo.MODELS / MODEL, zoo / MODEL, dirs_exist_ok=True)
    assert store.locate(MODEL, zoo=str(zoo), key=pair.public).listed
    (zoo / MODEL / "README.md").write_text("other")
    assert not store.locate(MODEL, zoo=str(zoo)).listed
    with pytest.warns(SourceWarning, match="signed registry"):
        store.locate(MODEL, zoo=str(zoo), key=pair.public)


@pytest.mark.parametrize("key", ["", "RW", 56 * "R", "RW" + 54 * "!", "no such file"])
def test_keys_that_are_none(zoo: Path, key: str, monkeypatch: Any) -> None:
    with pytest.raises(OptionError, match="public key"):
        store.names(str(zoo), key)
    if key:
        monkeypatch.setenv("CARE_ZOO_KEY", key)
        with pytest.raises(OptionError, match="public key"):
            sources.named(str(zoo))


def test_a_key_without_a_zoo(pair: Pair) -> None:
    result = run(care_run, "list", "--key", pair.public)
    assert result.exit_code == 2
    assert "--zoo" in result.stderr


def test_without_the_library(zoo: Path, pair: Pair, monkeypatch: Any) -> None:
    """A key and nothing to check with: never silently unchecked."""
    real = builtins.__import__

    def none(name: str, *more: Any, **named: Any) -> Any:
        if name == "minisign":
            raise ModuleNotFoundError(name=name)
        return real(name, *more, **named)

    monkeypatch.delitem(sys.modules, "minisign", raising=False)
    monkeypatch.setattr(builtins, "__import__", none)
    for words in (("list",), ("fetch", MODEL), ("restore", "a.tif", "-m", MODEL)):
        result = run(care_run, *words, "--zoo", zoo, "--key", pair.public)
        assert result.exit_code in (1, 2)
    assert "care-zoo[sign]" in run(care_run, "list", "--zoo", zoo, "--key", "x").stderr
    assert list(store.names(str(zoo))) == [MODEL]


# who signs


def test_the_commands(tmp_path: Path) -> None:
    file, folder = tmp_path / "k" / "zoo.key", tmp_path / "zoo"
    result = run(care_train, "key", file, env={"CARE_ZOO_PASSWORD": "secret"})
    assert result.exit_code == 0, result.output
    public = result.stdout.partition("CARE_ZOO_KEY=")[2].strip()
    assert (file.stat().st_mode & 0o77) == 0 or sys.platform == "win32"
    assert public in file.with_name("zoo.key.pub").read_text()
    words = ("publish", folder, care_zoo.MODELS / MODEL, "--sign", file)
    result = run(care_train, *words, input="wrong\n")
    assert result.exit_code == 2
    assert "wrong password" in result.stderr
    assert not folder.exists()
    result = run(care_train, *words, input="secret\n")
    assert result.exit_code == 0, result.output
    assert list(store.names(str(folder), public)) == [MODEL]
    result = run(care_train, "key", file, "--no-password")
    assert result.exit_code == 1
    assert "no key is ever replaced" in result.stderr


def test_nobody_to_ask_for_a_password(tmp_path: Path) -> None:
    file, zoo = tmp_path / "zoo.key", tmp_path / "zoo"
    publishing = ("publish", zoo, care_zoo.MODELS / MODEL, "--sign", file)

    def alone(*words: Any, said: str = "") -> Any:
        """Run it in a session that has no terminal."""
        code = "from care_training.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            input=said,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            env={k: v for k, v in os.environ.items() if k != "CARE_ZOO_PASSWORD"},
        )

    result = alone("key", file)
    assert (result.returncode, result.stdout) == (2, "")
    assert "set CARE_ZOO_PASSWORD, or give --no-password" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
    assert alone("key", file, said="secret\n").returncode == 0
    result = alone(*publishing)
    assert result.returncode == 2
    assert result.stderr.rstrip().endswith("found none: set CARE_ZOO_PASSWORD")
    assert not zoo.exists()
    assert alone(*publishing, said="secret\n").returncode == 0


def test_a_signed_zoo_stays_signed(zoo: Path, pair: Pair) -> None:
    before = {p: p.read_bytes() for p in zoo.rglob("*") if p.is_file()}
    with pytest.raises(ExportError, match="--sign"):
        publish(zoo, [care_zoo.MODELS / MODEL])
    assert {p: p.read_bytes() for p in zoo.rglob("*") if p.is_file()} == before
    signed(zoo, pair)
    assert list(store.names(str(zoo), pair.public)) == [MODEL]


def test_files_that_are_no_secret_key(tmp_path: Path, pair: Pair) -> None:
    for file in (tmp_path / "none", Path(f"{pair.file}.pub")):
        with pytest.raises(OptionError, match="care-train key"):
            keys.signer(file, lambda: "")


def test_what_minisign_itself_signed(tmp_path: Path) -> None:
    """Signatures of minisign's documentation, of the older kind and the newer."""
    public = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
    old = (
        "untrusted comment: signature from minisign secret key\n"
        "RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9"
        "eKL8OC351vwIasSSbXxwA=\n"
        "trusted comment: timestamp:1555779966\tfile:test\n"
        "QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/S"
        "fNQUaOAA==\n"
    )
    key = signature.configured(public)
    assert key is not None
    assert key.check(b"test", old.encode(), "test") == 1555779966
    with pytest.raises(FileError, match="not right"):
        key.check(b"Test", old.encode(), "test")
