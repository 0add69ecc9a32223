"""Zips: those that would do harm are refused, and nothing of them is written."""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from tiny import one_line

from care_runtime import zips
from care_runtime.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *members: Any, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    return path


def refused(archive: Path, match: str) -> None:
    folder = archive.parent / "deep" / "unpacked"
    with pytest.raises(FileError, match=match) as error:
        zips.unpack(archive, folder)
    one_line(error.value)
    assert list(folder.parent.iterdir()) == []


def special(name: str, kind: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, kind << 16
    return entry


def test_a_plain_zip(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", ("a", b"1"), ("deep/b", b"2"), ("deep/c/", b""))
    folder = zips.unpack(archive, tmp_path / "out")
    assert (folder / "deep" / "b").read_bytes() == b"2"
    assert zips.unpack(archive, tmp_path / "out") == folder


@pytest.mark.parametrize("change", ["gone", "cut"])
def test_what_is_lost_is_unpacked_again(tmp_path: Path, change: str) -> None:
    archive = write(tmp_path / "a.zip", ("a", b"1"), ("deep/b", b"22"))
    lost = zips.unpack(archive, tmp_path / "out") / "deep" / "b"
    if change == "gone":
        lost.unlink()
    else:
        lost.write_bytes(b"2")
    assert zips.unpack(archive, tmp_path / "out") == tmp_path / "out"
    assert lost.read_bytes() == b"22"


def test_an_empty_zip(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.zip"), "empty")


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../../b", "..\\a", "/a", "\\a", "C:/a", "C:a", "a:b", "\\\\h\\s"],
)
def test_paths_that_lead_out(tmp_path: Path, name: str) -> None:
    refused(write(tmp_path / "a.zip", ("good", b""), (name, b"x")), "leads out")


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (stat.S_IFLNK, "leads out"),
        (stat.S_IFIFO, "no plain file"),
        (stat.S_IFCHR, "no plain file"),
        (stat.S_IFSOCK, "no plain file"),
    ],
)
def test_what_is_no_file(tmp_path: Path, kind: int, match: str) -> None:
    refused(write(tmp_path / "a.zip", (special("a", kind), b"/etc")), match)


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a" * 300])
def test_names_that_no_file_has(tmp_path: Path, name: str) -> None:
    refused(write(tmp_path / "a.zip", (name, b"x")), "name")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("rdf.yaml", "RDF.yaml"), ("d/", "d")])
def test_two_of_a_name(tmp_path: Path, names: tuple[str, str]) -> None:
    refused(write(tmp_path / "a.zip", *((name, b"") for name in names)), "twice")


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MEMBERS", 3)
    members = [(str(number), b"") for number in range(4)]
    refused(write(tmp_path / "a.zip", *members), "more than 3")
    zips.unpack(write(tmp_path / "b.zip", *members[1:]), tmp_path / "out")


def test_a_bomb(tmp_path: Path) -> None:
    content = bytes(32 << 20)
    archive = write(tmp_path / "a.zip", ("a", content), method=zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < 100_000
    refused(archive, "bombs")


def test_a_bomb_of_many_files(tmp_path: Path) -> None:
    members = [(str(number), bytes(9 << 20)) for number in range(8)]
    refused(
        write(tmp_path / "a.zip", *members, method=zipfile.ZIP_DEFLATED), "as bombs do"
    )


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "LARGEST", 10)
    refused(
        write(tmp_path / "a.zip", ("a", b"12345"), ("b", b"123456")), "more than 10"
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression(tmp_path: Path, method: int) -> None:
    refused(write(tmp_path / "a.zip", ("a", b"1" * 99), method=method), "unusual")


def patched(archive: Path, magic: bytes, offset: int, value: bytes) -> Path:
    """Write over a field of every record of one kind."""
    content, at = bytearray(archive.read_bytes()), -1
    while (at := content.find(magic, at + 1)) >= 0:
        content[at + offset : at + offset + len(value)] = value
    archive.write_bytes(content)
    return archive


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def test_a_password(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", ("a", b"x"))
    refused(patched(archive, CENTRAL, 8, b"\x01\x00"), "password")


def test_a_size_that_lies(tmp_path: Path) -> None:
    """No more is written than the list says."""
    archive = write(tmp_path / "a.zip", ("a", b"x" * 100))
    refused(patched(archive, CENTRAL, 24, struct.pack("<I", 1)), "found")


def test_files_that_overlap(tmp_path: Path) -> None:
    """The second is inside the first, as in Fifield's bomb."""
    archive = write(tmp_path / "a.zip", ("a", b"x" * 1000), ("b", b"y" * 1000))
    patched(archive, CENTRAL, 42, struct.pack("<I", 0))
    refused(archive, r"found|overlap")


def test_damage(tmp_path: Path) -> None:
    """Of every byte: the zip is refused, or what it held is whole."""
    whole = write(tmp_path / "a.zip", ("a", b"x" * 30)).read_bytes()
    archive = tmp_path / "b.zip"
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= 255
        archive.write_bytes(content)
        try:
            folder = zips.unpack(archive, tmp_path / "out" / str(at))
        except FileError as error:
            one_line(error)
        else:
            (file,) = folder.iterdir()
            assert file.read_bytes() in (b"x" * 30, b"")


@pytest.mark.parametrize(
    "names",
    [("a", "./a"), ("a/b", "a//b"), ("a/./b", "a/b"), ("\u00e9", "e\u0301")],
)
def test_two_of_a_place(tmp_path: Path, names: tuple[str, str]) -> None:
    members = [(name, b"") for name in names]
    refused(write(tmp_path / "a.zip", *members), "stands there twice")


def test_a_second_name(tmp_path: Path) -> None:
    """Newer Pythons unpack to the name that a field beside it has."""
    entry = zipfile.ZipInfo("good")
    other = b"../evil"
    body = struct.pack("<BL", 1, zipfile.crc32(b"good")) + other
    entry.extra = struct.pack("<HH", 0x7075, len(body)) + body
    archive = write(tmp_path / "a.zip", (entry, b"x"))
    with zipfile.ZipFile(archive) as zipped:
        (found,) = zipped.infolist()
        found.filename = other.decode()  # as Python 3.12 does
        with pytest.raises(FileError, match="leads out"):
            zips.check(zipped, archive)
        found.filename = "better"
        with pytest.raises(FileError, match="two names"):
            zips.check(zipped, archive)


def test_a_list_without_an_end(tmp_path: Path, monkeypatch: Any) -> None:
    """It is read as a whole, and takes ten times its bytes of memory."""
    members = [(f"{n}", b"") for n in range(100)]
    archive = write(tmp_path / "a.zip", *members)
    monkeypatch.setattr(zips, "LIST", 1000)
    refused(archive, "list of members")
