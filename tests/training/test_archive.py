"""Archives: fetched once, verified always, unpacked whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from care_runtime.errors import FileError
from care_training.datasets import Archive, edmond, examples, fetch, record
from care_training.datasets import archive as module

FILES = {
    "Set/train_data/data_label.npz": b"patches",
    "Set/test_data/GT/a.tif": b"stack",
    "Set/Readme.md": b"read me",
}


def pack(path, files=FILES):
    """Write a tar.gz or a zip of some files."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, content in files.items():
                zipped.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz") as tarred:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tarred.addfile(member, io.BytesIO(content))
    return path


def archive(path, **changes):
    values = {
        "name": path.name,
        "address": path.as_uri(),
        "sha256": None,
        "licence": "CC0-1.0",
        "citation": "Nobody 2018, https://example.org/page",
    }
    return Archive(**values | changes)


def contents(folder):
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def server(source):
    """Serve the source folder, and count what is asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(source))
    ) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["Set.tar.gz", "Set.zip"])
def test_an_archive_is_fetched_and_unpacked(source, data, name):
    one = archive(pack(source / name), sha256=None)
    folder = fetch(one, data)
    assert folder == data / "Set"
    assert contents(folder) == FILES
    line = (data / "registry.txt").read_text()
    assert line == f"{name} sha256:{sha256(source / name)} {one.address}\n"
    assert {path.name for path in data.iterdir()} == {name, "Set", "registry.txt"}


def test_over_http_and_only_once(source, data, server):
    address, asked = server
    path = pack(source / "Set.tar.gz")
    one = archive(path, address=f"{address}/Set.tar.gz", sha256=sha256(path))
    for _ in range(3):
        assert contents(fetch(one, data)) == FILES
    assert asked == ["/Set.tar.gz"]
    assert not (data / "registry.txt").exists()  # its hash was published


def test_progress_is_told(source, data, server):
    class Bar:
        total, updates = None, 0

        def update(self, size):
            self.updates += size

        def reset(self):
            pass

        def close(self):
            pass

    bar, path = Bar(), pack(source / "Set.tar.gz")
    fetch(archive(path, address=f"{server[0]}/Set.tar.gz"), data, progress=bar)
    assert bar.updates >= path.stat().st_size


def test_what_cannot_be_had_leaves_nothing(source, data, server):
    one = archive(source / "Set.tar.gz", address=f"{server[0]}/Set.tar.gz")
    with pytest.raises(FileError, match="404"):
        fetch(one, data)
    with pytest.raises(FileError, match="cannot be had"):
        fetch(archive(source / "Set.tar.gz"), data)
    assert contents(data) == {}


def test_another_file_than_was_published_is_refused(source, data):
    one = archive(pack(source / "Set.tar.gz"), sha256="0" * 64)
    with pytest.raises(FileError, match=r"cannot be had.*does not match"):
        fetch(one, data)
    assert contents(data) == {}


@pytest.mark.parametrize("published", [True, False])
def test_a_file_that_changes_is_noticed(source, data, published):
    path = pack(source / "Set.tar.gz")
    one = archive(path, sha256=sha256(path) if published else None)
    fetch(one, data)
    (data / "Set.tar.gz").write_bytes(b"changed")
    with pytest.raises(FileError, match="damaged or was replaced") as caught:
        fetch(one, data)
    assert ("as it was published" in str(caught.value)) == published
    assert ("registry.txt" in str(caught.value)) != published
    assert ("take a newer care-zoo" in str(caught.value)) == published


def test_a_server_that_changes_its_file_is_noticed(source, data):
    path = pack(source / "Set.tar.gz")
    fetch(archive(path), data)
    (data / "Set.tar.gz").unlink()
    assert contents(fetch(archive(path), data)) == FILES  # unpacked is enough
    for file in sorted((data / "Set").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (data / "Set").rmdir()
    pack(path, {"other": b"data"})
    with pytest.raises(FileError, match="does not match"):
        fetch(archive(path), data)
    assert set(contents(data)) == {"registry.txt"}


def test_an_interrupted_step_is_taken_up(source, data, monkeypatch):
    path = pack(source / "Set.tar.gz")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "unpack", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch(archive(path), data)
    assert set(contents(data)) == {"Set.tar.gz"}
    found = path.read_bytes()
    path.unlink()  # it is not downloaded again
    assert contents(fetch(archive(path), data)) == FILES
    assert (data / "Set.tar.gz").read_bytes() == found


def test_unpacking_that_fails_leaves_no_folder(source, data, monkeypatch):
    path = pack(source / "Set.tar.gz")
    extract, done = tarfile.TarFile.extract, []

    def full(self, member, *args, **options):
        if done:
            raise OSError(28, "No space left on device")
        done.append(member)
        extract(self, member, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extract", full)
        with pytest.raises(FileError, match="No space left"):
            fetch(archive(path), data)
    assert [p.name for p in data.iterdir()] == ["Set.tar.gz"]
    assert contents(fetch(archive(path), data)) == FILES


@pytest.mark.parametrize("name", ["Set.tar.gz", "Set.zip"])
def test_a_damaged_archive_is_not_recorded(source, data, name):
    whole = pack(source / name).read_bytes()
    (source / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="damaged one"):
        fetch(archive(source / name), data)
    assert set(contents(data)) == {name}
    assert [p.name for p in data.iterdir()] == [name]


def tarred(path, members, end):
    """Write a tar of some members that has its end, or is cut where one begins."""
    with io.BytesIO() as packed:
        with tarfile.open(fileobj=packed, mode="w") as whole:
            for name in members:
                whole.addfile(tarfile.TarInfo(name), io.BytesIO())
        content = packed.getvalue() if end else packed.getvalue()[: 512 * len(members)]
    if path.suffix != ".tar":
        content = gzip.compress(content)
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["Set.tar.gz", "Set.tar"])
def test_a_tar_without_its_end_is_damaged(source, data, name):
    tarred(source / name, ["a.tif", "b.tif"], end=True)
    assert set(contents(fetch(archive(source / name), data))) == {"a.tif", "b.tif"}
    other = source / f"Other{name}"
    tarred(other, ["a.tif", "b.tif"], end=False)
    with pytest.raises(FileError, match=r"damaged one \(its end is missing\)"):
        fetch(archive(other), data)
    assert not (data / other.name.partition(".")[0]).exists()
    assert len((data / "registry.txt").read_text().splitlines()) == 1


def test_a_compressed_tar_is_read_to_its_checksum(source, data):
    path = source / "Set.tar.gz"
    tarred(path, ["a.tif"], end=True)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FileError, match="damaged one"):
        fetch(archive(path), data)


@pytest.mark.parametrize("name", ["Set.tar.gz", "Set.tar", "Set.zip"])
@pytest.mark.parametrize("members", [[], ["folder/", "._a.tif"]])
def test_an_archive_without_files_is_refused(source, data, name, members):
    if name.endswith("zip"):
        pack(source / name, dict.fromkeys(members, b""))
    else:
        kept = [member for member in members if not member.endswith("/")]
        tarred(source / name, kept, end=True)
    with pytest.raises(FileError, match=r"expected files in .* found none"):
        fetch(archive(source / name), data)
    assert not (data / "registry.txt").exists()
    assert not (data / "Set").exists()


def test_a_hash_is_recorded_once_by_all(data):
    """Threads and processes take turns, and none overwrites another's line."""
    names = [f"{number}.zip" for number in range(8)] * 4
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: record.add(data, name, "0" * 64, None), names))
    lines = (data / "registry.txt").read_text().splitlines()
    assert len(lines) == 8
    assert set(record.read(data)) == set(names)
    record.add(data, "0.zip", "1" * 64, None)  # the first one counts
    assert record.read(data)["0.zip"] == "0" * 64


@pytest.mark.parametrize(
    "evil", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"]
)
@pytest.mark.parametrize("name", ["Set.tar.gz", "Set.zip"])
def test_nothing_is_written_outside(source, data, name, evil):
    pack(source / name, {"good": b"", evil: b"evil"})
    with pytest.raises(FileError, match="outside its folder"):
        fetch(archive(source / name), data)
    assert not list(source.parent.rglob("*evil*"))
    assert not (data / "Set").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(source, data, kind):
    with tarfile.open(source / "Set.tar.gz", "w:gz") as tarred:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "target"
        tarred.addfile(member)
    with pytest.raises(FileError, match="is a link"):
        fetch(archive(source / "Set.tar.gz"), data)


def test_links_in_a_zip_are_refused(source, data):
    with zipfile.ZipFile(source / "Set.zip", "w") as zipped:
        entry = zipfile.ZipInfo("link")
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(entry, "/")
    with pytest.raises(FileError, match="is a link"):
        fetch(archive(source / "Set.zip"), data)


@pytest.mark.parametrize("name", ["Set.tar.gz", "Set.zip"])
def test_what_macos_adds_is_left_out(source, data, name):
    files = {"a.tif": b"a", "._a.tif": b"x", "__MACOSX/a.tif": b"x"}
    pack(source / name, files)
    assert contents(fetch(archive(source / name), data)) == {"a.tif": b"a"}


def test_an_unknown_address_says_what_to_do(source, data):
    path = pack(source / "Set.tar.gz")
    one = archive(path, address=None)
    with pytest.raises(FileError, match=r"by hand.*example\.org/page.*put it into"):
        fetch(one, data)
    data.mkdir(exist_ok=True)
    (data / "Set.tar.gz").write_bytes(path.read_bytes())
    assert contents(fetch(one, data)) == FILES
    line = (data / "registry.txt").read_text()
    assert line == f"Set.tar.gz sha256:{sha256(path)}\n"


def test_a_damaged_record_is_refused(source, data):
    data.mkdir()
    (data / "registry.txt").write_text("# hashes\n\nSet.tar.gz\n")
    with pytest.raises(FileError, match="mend or remove"):
        fetch(archive(pack(source / "Set.tar.gz")), data)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(source, data):
    data.mkdir(mode=0o500)
    with pytest.raises(FileError, match="may not be written"):
        fetch(archive(pack(source / "Set.tar.gz")), data)


def test_only_archives_have_folders():
    for name in ("Set.rar", "Set"):
        with pytest.raises(FileError, match="ends in"):
            _ = Archive(name, None, None, "CC0-1.0", "page").stem


def test_the_published_archives_are_described():
    every = [*edmond.ARCHIVES.values(), *examples.ARCHIVES.values()]
    assert len({one.name for one in every}) == len(every) == 14
    assert len({one.stem for one in every}) == len(every)
    for one in every:
        assert "doi" in one.citation
        assert one.sha256 is None or len(one.sha256) == 64
        assert one.address is None or one.address.startswith(("https://", "http://"))
    assert edmond.ARCHIVES["planaria"].address.endswith("datafile/264085")
    assert edmond.ARCHIVES["liver"].address is None
