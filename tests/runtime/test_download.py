"""Download: whatever a server, a proxy or the disk does, no half file has a name."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from badserver import Server, answering, serving
from tiny import one_line

from care_runtime import addresses, download
from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 2000
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "file").write_bytes(CONTENT)
    with serving(tmp_path / "served") as running:
        yield running


def get(server: Server, target: Path, sha256: str | None = HASH, **more: Any) -> Path:
    return download.fetch(f"{server.address}/file", target, sha256=sha256, **more)


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    assert get(server, target) == target
    assert get(server, target).read_bytes() == CONTENT
    assert server.count("file") == 1


def test_a_file_of_unknown_hash_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path / "file", None)
    (server.folder / "file").write_bytes(b"new")
    assert get(server, tmp_path / "file", None) == tmp_path / "file"
    assert (tmp_path / "file").read_bytes() == b"new"
    server.fault = "404"
    with pytest.raises(FileError, match="404"):
        get(server, tmp_path / "file", None)
    assert (tmp_path / "file").read_bytes() == b"new"


FAULTS = {
    "404": "404",
    "500": "500",
    "changed": "does not match",
    "truncated": "IncompleteRead|bytes read",
    "short": "does not match",
    "slow": "too slow",
    "silent": "too slow",
    "endless": "at most 600000 are read",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_leave_the_old_file(
    server: Server, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    monkeypatch.setattr(download, "READ", 0.3)
    server.fault = fault
    target = tmp_path / "kept" / "file"
    target.parent.mkdir()
    target.write_text("the old one")
    with pytest.raises(FileError, match=FAULTS[fault]) as error:
        get(server, target, largest=600_000)
    assert server.address in one_line(error.value)
    assert target.read_text() == "the old one"
    left = {path.name for path in target.parent.iterdir()}
    assert left <= {"file", ".file.part"}
    server.fault = ""
    assert get(server, target).read_bytes() == CONTENT


@pytest.mark.parametrize("coding", ["", "identity", "aws-chunked", "binary", "utf-8"])
def test_codings_that_pack_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    """Some stores say back what they were told when the file was put there."""
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))
    header = f"Content-Encoding: {coding}\r\nContent-Length: 5"
    with answering(f"HTTP/1.1 200 OK\r\n{header}\r\n\r\nfile!".encode()) as address:
        download.fetch(f"{address}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"file!"


@pytest.mark.parametrize(
    ("status", "header"),
    [
        ("204 No Content", ""),
        ("206 Partial Content", "Content-Range: bytes 5-9/10\r\n"),
        ("300 Multiple Choices", ""),
        ("302 Found", ""),
        ("200 OK", "Content-Encoding: gzip\r\n"),
    ],
)
@pytest.mark.parametrize("sha256", [HASH, None])
def test_answers_that_are_no_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    header: str,
    sha256: str | None,
) -> None:
    """What came with them was the file, where no hash is known."""
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))
    body = "" if status.startswith("204") else "page!"
    answer = f"HTTP/1.1 {status}\r\n{header}Content-Length: {len(body)}\r\n\r\n{body}"
    (tmp_path / "file").write_text("the old one")
    with (
        answering(answer.encode()) as address,
        pytest.raises(FileError, match=r"the server (answers|packs)") as error,
    ):
        download.fetch(f"{address}/file", tmp_path / "file", sha256=sha256)
    one_line(error.value)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]
    assert (tmp_path / "file").read_text() == "the old one"


def test_nothing_is_left_of_an_unknown_file(server: Server, tmp_path: Path) -> None:
    server.fault = "truncated"
    target = tmp_path / "there" / "file"
    with pytest.raises(FileError, match="IncompleteRead"):
        get(server, target, None)
    assert list(target.parent.iterdir()) == []


def test_what_broke_off_is_resumed(server: Server, tmp_path: Path) -> None:
    server.fault = "cut"
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [
        None,
        f"bytes={len(CONTENT) // 2}-",
    ]


@pytest.mark.parametrize("fault", ["", "ignores"])
def test_what_an_earlier_process_left_is_resumed(
    server: Server, tmp_path: Path, fault: str
) -> None:
    server.fault = fault
    (tmp_path / ".file.part").write_bytes(CONTENT[:1000])
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("/file", "bytes=1000-")]


@pytest.mark.parametrize("left", [b"of another file", CONTENT + b"more"])
def test_a_part_of_another_file(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / ".file.part").write_bytes(left)
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_full_disk(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("the old one")
    room = download.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: room)
    with pytest.raises(FileError, match="room for 1000 bytes") as error:
        get(server, tmp_path / "file")
    one_line(error.value)
    assert (tmp_path / "file").read_text() == "the old one"


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from care_runtime import download
from care_runtime.errors import FileError
try:
    download.fetch(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3])
except FileError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_disk_that_is_full_while_writing(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("the old one")
    command = [sys.executable, "-c", LIMITED, f"{server.address}/file", target, HASH]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert target.read_text() == "the old one"


def test_a_proxy_that_is_gone(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.server_address[1]
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    with pytest.raises(FileError, match="the proxy does not answer") as error:
        download.fetch(f"http://zoo.invalid:{port}/file", tmp_path / "file")
    one_line(error.value)


def test_a_host_that_is_none(tmp_path: Path, server: Server) -> None:
    for address in ("http://127.0.0.1:9/file", "http://", "http://[::1", "http:///x"):
        with pytest.raises(FileError, match="expected to fetch") as error:
            download.fetch(address, tmp_path / "file")
        one_line(error.value)


PROCESS = """
import sys
from pathlib import Path
from care_runtime import download
download.fetch(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3])
"""


def test_eight_processes_fetch_once(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file"
    command = [sys.executable, "-c", PROCESS, f"{server.address}/file", target, HASH]
    running = [subprocess.Popen(command) for _ in range(8)]
    assert [process.wait(60) for process in running] == [0] * 8
    assert target.read_bytes() == CONTENT
    assert server.count("file") == 1


def test_progress(server: Server, tmp_path: Path) -> None:
    class Bar:
        total = 0
        done = 0
        closed = False

        def update(self, count: int) -> None:
            self.done += count

        def reset(self) -> None:
            self.done = 0

        def close(self) -> None:
            self.closed = True

    bar = Bar()
    server.fault = "cut"
    get(server, tmp_path / "file", progress=bar)
    assert (bar.total, bar.done, bar.closed) == (len(CONTENT), len(CONTENT), True)


# addresses that nobody gave


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/hostname",
        "ftp://example.com/file",
        "http://example.com/file",
        "https://127.0.0.1/file",
        "https://[::1]/file",
        "https://[::ffff:10.0.0.1]/file",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://2130706433/",
        "https://name:word@93.184.216.34/file",
        "https:///file",
        "https://[::1",
        "https://a:99999999/",
        "//example.com",
        "",
    ],
)
def test_addresses_that_a_package_may_not_give(address: str) -> None:
    with pytest.raises(FileError, match=r"refused|not known") as error:
        addresses.require_public(address)
    one_line(error.value)


def test_an_address_that_a_package_may_give() -> None:
    addresses.require_public("https://93.184.216.34/file")


def test_redirects_are_asked_about(server: Server, tmp_path: Path) -> None:
    server.fault, server.target = "redirect", "file:///etc/hostname"
    with pytest.raises(FileError, match="cannot be had") as error:
        get(server, tmp_path / "file")
    one_line(error.value)
    asked: list[str] = []

    def allow(address: str) -> None:
        asked.append(address)
        if len(asked) > 1:
            addresses.require_public(address)

    server.target = "http://127.0.0.1/private"
    with pytest.raises(FileError, match="refused"):
        get(server, tmp_path / "file", allow=allow)
    assert asked == [f"{server.address}/file", server.target]
    server.target = f"{server.address}/file"
    with pytest.raises(FileError, match="redirects"):
        get(server, tmp_path / "file")


HOSTS = {
    "public.example": "93.184.216.34",
    "other.example": "93.184.216.35",
    "own.example": "10.1.2.3",
    "both.example": "64:ff9b:1::5db8:d822 93.184.216.34",
}


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know a few machines, and numbers."""

    def found(host: str, *args: Any, **more: Any) -> list[Any]:
        numbers = HOSTS.get(host, host).split()
        if not set("".join(numbers)) <= set("0123456789abcdef.:"):
            raise OSError(host)
        return [(0, 0, 0, "", (number, 443)) for number in numbers]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    ("address", "target", "match"),
    [
        ("https://public.example", "file:///etc/passwd", "out of the web"),
        ("https://public.example", "ftp://other.example/", "out of the web"),
        ("https://public.example", "http://other.example/", "https to http"),
        ("https://public.example", "https://own.example/", "private"),
        ("http://public.example", "http://127.0.0.1/", "private"),
        ("http://public.example", "http://169.254.169.254/latest", "private"),
        ("http://public.example", "http://[64:ff9b::7f00:1]/", "private"),
        ("http://public.example", "http://[::ffff:10.0.0.1]/", "private"),
        ("http://public.example", "http://public.example/b", ""),
        ("http://public.example", "https://public.example/b", ""),
        ("https://public.example", "https://other.example/", ""),
        ("https://public.example", "https://behind.proxy/", ""),
        ("http://own.example", "http://127.0.0.1/", ""),
        ("http://[64:ff9b::a01:203]", "http://own.example/", ""),
        # Through a gateway of this network, and yet outside.
        ("http://[64:ff9b:1::5db8:d822]", "http://own.example/", "private"),
        ("http://both.example", "http://own.example/", "private"),
        ("http://public.example", "http://[64:ff9b:1::5db8:d822]/", "private"),
        ("http://public.example", "http://[64:ff9b::5db8:d822]/", ""),
    ],
)
@pytest.mark.usefixtures("hosts")
def test_where_a_server_may_lead(address: str, target: str, match: str) -> None:
    if not match:
        addresses.follow(f"{address}/a", target)
        return
    with pytest.raises(FileError, match=match) as error:
        addresses.follow(f"{address}/a", target)
    one_line(error.value)


@pytest.mark.parametrize(
    "number",
    [
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::"),
        *("::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "::127.0.0.1"),
        *("fec0::1", "5f00::1", "e000::1"),  # of one network alone, or of none
    ],
)
@pytest.mark.usefixtures("hosts")
def test_machines_behind_a_gateway(number: str) -> None:
    with pytest.raises(FileError, match="private machine"):
        addresses.require_public(f"https://[{number}]/file")
