"""Store: names become packages, and only what the registry knows is used."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from badserver import serving
from click.testing import CliRunner
from tiny import noise, one_line

import care_runtime
import care_zoo
from care_runtime import cache, store
from care_runtime import package as package_
from care_runtime.cli import main
from care_runtime.errors import FileError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


HASH = 64 * "0"


class Zoo(NamedTuple):
    """A zoo behind a server, and the folders of this machine."""

    served: Path
    address: str
    home: Path
    registry: Path
    server: ThreadingHTTPServer

    @property
    def kept(self) -> Path:
        return self.home / "packages" / "tiny" / "1.0.0.zip"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def zoo(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Zoo]:
    """Serve a zoo of one model, with an empty cache and nothing bundled."""
    served = tmp_path / "served"
    digest = package_.pack(package, served / "tiny" / "1.0.0.zip")
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(served))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    registry = tmp_path / "registry.txt"
    registry.write_text(
        "# a comment\n\n"
        f"other/0.1.zip sha256:{HASH}\n"
        f"tiny/0.9.zip sha256:{HASH}\n"
        f"tiny/1.0.0.zip sha256:{digest} {address}/tiny/1.0.0.zip\n"
    )
    monkeypatch.setattr(care_zoo, "REGISTRY", registry)
    monkeypatch.setattr(care_zoo, "MODELS", tmp_path / "bundled")
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CARE_ZOO", raising=False)
    yield Zoo(served, address, tmp_path / "home", registry, server)
    stop(server)
    thread.join()


def stop(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


def files(folder: Path) -> list[Path]:
    """List files, but for locks and what was begun."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in found if path.suffix not in (".lock", ".part")]


# registry and names


def test_registry(zoo: Zoo) -> None:
    # The other is known, but can be had only from a zoo that is named.
    assert care_runtime.names() == ["tiny"]
    entry = store.names()["tiny"]
    assert (entry.name, entry.version) == ("tiny", "1.0.0")
    assert entry.sha256 == package_.sha256(zoo.served / entry.file)
    known = {entry.name: entry for entry in store.sources.own()}
    assert set(known) == {"other", "tiny"}
    assert known["other"].address is None


def test_the_bundled_registry_can_be_read() -> None:
    for name, entry in store.names().items():
        assert entry.name == name
        assert len(entry.sha256) == 64


def test_the_nearest_name_is_suggested(zoo: Zoo) -> None:
    with pytest.raises(ModelNotFoundError, match="did you mean 'tiny'") as error:
        care_runtime.load("tinny")
    one_line(error.value)
    with pytest.raises(ModelNotFoundError, match="it has other, tiny") as error:
        care_runtime.load("denoise_everything")
    one_line(error.value)


def test_an_empty_registry(zoo: Zoo) -> None:
    zoo.registry.write_text("")
    assert care_runtime.names() == []
    with pytest.raises(ModelNotFoundError, match="it has none") as error:
        care_runtime.load("tiny")
    one_line(error.value)


@pytest.mark.parametrize("place", ["nowhere/model.zip", "./tiny", "a\\b", "rdf.yaml"])
def test_paths_that_lead_nowhere(zoo: Zoo, place: str) -> None:
    with pytest.raises(ModelNotFoundError, match="check the path") as error:
        care_runtime.load(place)
    assert repr(place) in one_line(error.value)


def test_a_model_that_is_nowhere(zoo: Zoo) -> None:
    with pytest.raises(ModelNotFoundError, match="CARE_ZOO") as error:
        care_runtime.load("other")
    one_line(error.value)


# folders


def test_a_bundled_package(zoo: Zoo, package: Path, tmp_path: Path) -> None:
    (tmp_path / "bundled").mkdir()
    package.rename(tmp_path / "bundled" / "tiny")
    stop(zoo.server)
    found = store.locate("tiny")
    assert found.folder == tmp_path / "bundled" / "tiny"
    assert not zoo.home.exists()


@pytest.mark.parametrize("by", ["environment", "argument"])
def test_a_zoo_in_a_folder(zoo: Zoo, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    stop(zoo.server)
    if by == "environment":
        monkeypatch.setenv("CARE_ZOO", str(zoo.served))
    place = str(zoo.served) if by == "argument" else None
    assert store.locate("tiny", zoo=place).spec.name == "unet2d"
    with pytest.raises(ModelNotFoundError):
        store.locate("tiny", zoo=str(zoo.home / "empty"))


def test_an_empty_care_zoo_names_none(
    zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARE_ZOO", "")
    store.locate("tiny")
    assert zoo.kept.is_file()


def test_a_changed_zip_in_a_folder(zoo: Zoo) -> None:
    change(zoo.served / "tiny" / "1.0.0.zip")
    with pytest.raises(FileError, match="sha256") as error:
        store.locate("tiny", zoo=str(zoo.served))
    one_line(error.value)


# servers


def change(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)


@pytest.mark.parametrize("by", ["registry", "zoo", "environment", "address"])
def test_fetched_once_and_kept(
    zoo: Zoo,
    by: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if by == "environment":
        monkeypatch.setenv("CARE_ZOO", zoo.address)
    place = zoo.address + "/" if by == "zoo" else None
    model = f"{zoo.address}/tiny/1.0.0.zip" if by == "address" else "tiny"
    first = care_runtime.load(model, zoo=place, device="cpu")
    if by != "address":
        assert zoo.kept.is_file()
    stop(zoo.server)
    again = care_runtime.load(model, zoo=place, device="cpu")
    image = noise("YX", Y=9, X=9)
    assert (first(image, "YX").image == again(image, "YX").image).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["address", "folder"])
def test_a_version_with_a_plus(zoo: Zoo, place: str) -> None:
    found = zoo.served / "tiny" / "1.0.0+fp16.zip"
    found.write_bytes((zoo.served / "tiny" / "1.0.0.zip").read_bytes())
    listed = f"tiny/1.0.0+fp16.zip sha256:{package_.sha256(found)}\n"
    (zoo.served / "registry.txt").write_text(listed)
    with serving(zoo.served) as server:
        where = server.address if place == "address" else str(zoo.served)
        store.locate("tiny@1.0.0+fp16", zoo=where)
        kept = zoo.kept.with_name("1.0.0+fp16.zip")
        assert kept.is_file() == (place == "address")
        assert server.count("/tiny/1.0.0%2Bfp16.zip") == (place == "address")


def test_all_models_are_fetched_with_one_list(zoo: Zoo) -> None:
    found = zoo.served / "tiny" / "1.0.0.zip"
    listed = [f"{n}/1.0.0.zip sha256:{package_.sha256(found)}\n" for n in ("a", "b")]
    (zoo.served / "registry.txt").write_text("".join(listed))
    for name in ("a", "b"):
        (zoo.served / name).mkdir()
        (zoo.served / name / "1.0.0.zip").write_bytes(found.read_bytes())
    with serving(zoo.served) as server:
        done = CliRunner().invoke(main, ["fetch", "--all", "--zoo", server.address])
        assert (done.exit_code, done.stderr) == (0, "")
        assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [*"ab"]
        assert server.count("/registry.txt") == 1
        assert server.count("/1.0.0.zip") == 2


def test_a_changed_byte_on_the_server(zoo: Zoo) -> None:
    change(zoo.served / "tiny" / "1.0.0.zip")
    with pytest.raises(FileError, match=zoo.address) as error:
        store.locate("tiny")
    one_line(error.value)
    assert files(zoo.home) == []


def test_a_changed_byte_in_the_cache(zoo: Zoo) -> None:
    store.locate("tiny", zoo=zoo.address)
    change(zoo.kept)
    store.locate("tiny", zoo=zoo.address)  # fetched again
    assert package_.sha256(zoo.kept) == store.names()["tiny"].sha256


@pytest.mark.parametrize("model", ["tiny", "/tiny/2.zip"])
def test_a_file_the_server_lacks(zoo: Zoo, model: str) -> None:
    (zoo.served / "tiny" / "1.0.0.zip").unlink()
    address = zoo.address if model.startswith("/") else ""
    with pytest.raises(FileError, match="404") as error:
        store.locate(address + model)
    one_line(error.value)
    assert files(zoo.home) == []


def test_a_server_that_is_gone(zoo: Zoo) -> None:
    stop(zoo.server)
    with pytest.raises(FileError, match=zoo.address) as error:
        store.locate("tiny")
    one_line(error.value)
    assert files(zoo.home) == []


def test_an_address_of_no_package(zoo: Zoo) -> None:
    (zoo.served / "page.zip").write_text("<html>")
    with pytest.raises(FileError, match="expected a package") as error:
        store.locate(f"{zoo.address}/page.zip")
    one_line(error.value)


@pytest.mark.parametrize("kind", ["page", "half"])
def test_a_bad_answer_is_not_kept(zoo: Zoo, package: Path, kind: str) -> None:
    """As the page of a network's login, or half a file that called itself whole."""
    place, address = zoo.served / "m.zip", f"{zoo.address}/m.zip"
    package_.pack(package, place)
    whole = place.read_bytes()
    place.write_bytes(b"<html>" if kind == "page" else whole[: len(whole) // 2])
    for _ in range(2):
        with pytest.raises(FileError):
            store.locate(address)
    place.write_bytes(whole)
    assert store.locate(address).spec.name == "unet2d"
    kept = cache.downloaded(address)
    kept.write_bytes(b"<html>")  # of a version before
    assert store.locate(address).spec.name == "unet2d"
    stop(zoo.server)
    assert store.locate(address).spec.name == "unet2d"


def test_what_an_address_gave_is_removed_by_it(zoo: Zoo, package: Path) -> None:
    package_.pack(package, zoo.served / "m.zip")
    address = f"{zoo.address}/m.zip"
    store.locate(address)
    with pytest.raises(ModelNotFoundError):
        cache.clean([f"{zoo.address}/other.zip"])
    cache.clean([address])
    assert not cache.downloaded(address).exists()


def test_an_unpacked_package_is_removed_by_its_name(
    package: Path, tmp_path: Path
) -> None:
    package_.pack(package, tmp_path / "m.zip")
    found = store.locate(str(tmp_path / "m.zip"))
    name = f"unet2d@{found.version}"
    assert [k.name for k in cache.kept() if k.path == found.folder] == [name]
    (found.folder.parent / "damaged").mkdir()
    assert [k.name for k in cache.clean([name])] == [name]
    assert not found.folder.exists()
    assert [k.name for k in cache.clean(["damaged"])] == ["damaged"]


def test_a_zoo_that_was_never_reached_has_no_models(zoo: Zoo) -> None:
    stop(zoo.server)
    with pytest.raises(FileError) as error:
        store.names(zoo.address)
    one_line(error.value)


def test_a_cache_that_cannot_be_written(zoo: Zoo) -> None:
    zoo.home.write_text("a file")
    with pytest.raises(FileError) as error:
        store.locate("tiny")
    one_line(error.value)
