"""Download: a file of the web, whole or not at all, and once for all processes."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from care_runtime import addresses, cache
from care_runtime.errors import FileError
from care_runtime.package import sha256 as hash_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

LARGEST = 4 << 30
"""Bytes of any file."""

CHUNK = 1 << 16
CONNECT, READ = 10.0, 30.0
"""Seconds until a server is taken to be gone."""

SLOWEST, PATIENCE = 1024, 60.0
"""Bytes in a second, on the average of so many seconds, below which is too slow."""

ATTEMPTS = 3
"""How often a download that broke off is taken up again."""

PACKED = {"gzip", "x-gzip", "deflate", "compress", "br", "zstd"}
"""What a body may be packed by; other words for its coding change nothing in it."""

REDIRECTS = 5
WAIT = 3600.0
"""Seconds to wait for another process that fetches the same file."""


def fetch(
    address: str,
    target: Path,
    *,
    sha256: str | None = None,
    largest: int = LARGEST,
    progress: Any = None,
    allow: Callable[[str], None] | None = None,
) -> Path:
    """Fetch a file, unless it is there.

    It is hashed before it gets its name, so that whatever lay there stays until then.
    A download that broke off is taken up where it ended, if its hash is known. Of
    several processes that want one file, one fetches it and the others wait.

    Parameters
    ----------
    address
        An http or https address.
    target
        Where the file is to lie.
    sha256
        That it has to have; None accepts any, and fetches a file again.
    largest
        Bytes that it may have.
    progress
        A progress bar, as pooch takes it: ``total``, ``update``, ``reset``, ``close``.
    allow
        Raises for addresses that may not be asked; redirects are asked about, too.

    Raises
    ------
    FileError
        If it cannot be had, with the reason.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")
    known = f"sha256:{sha256}" if sha256 else None
    try:
        with locked(target):
            place = target
            if sha256 is None:
                place = target.with_name(f".{target.name}.new")
                place.unlink(missing_ok=True)  # else pooch takes it as it is
            elif target.is_file() and hash_of(target) == sha256:
                return target
            get = _Get(sha256, place, largest, progress, allow)
            pooch.retrieve(address, known, place.name, place.parent, downloader=get)
            return place.replace(target)
    except FileError:
        raise
    except Exception as error:  # requests, urllib3, pooch and the disk have their own
        msg = (
            f"expected to fetch {address}, found that it cannot be had "
            f"({_reason(error)}): check the address, the network, the proxy and the "
            "room on the disk, and try again"
        )
        raise FileError(msg) from error
    finally:
        if progress is not None:
            progress.close()


def locked(target: Path) -> Any:
    """Lock a file or folder by its place, among processes; a killed one leaves none."""
    import hashlib

    import filelock

    name = hashlib.sha256(str(target.absolute()).encode()).hexdigest()[:24]
    folder = cache.folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / f"{name}.lock", timeout=WAIT)


def _reason(error: Exception) -> str:
    """Say in a few words what went wrong."""
    text = " ".join(str(error).split()) or type(error).__name__
    kind = type(error).__name__
    if kind == "ProxyError":
        return f"the proxy does not answer: {text[:300]}"
    if kind == "Timeout" or "timed out" in text:
        return f"the server is too slow, or busy elsewhere: {text[:300]}"
    return text[:400]


def _require_file(answer: Any) -> None:
    """Refuse answers whose body is not the file, or a part of it."""
    import requests

    answer.raise_for_status()
    expected = [requests.codes.ok]
    if "Range" in answer.request.headers:
        expected.append(requests.codes.partial_content)
    if answer.status_code not in expected:
        msg = f"the server answers {answer.status_code}, and brings no file"
        raise ValueError(msg)
    packed = answer.headers.get("Content-Encoding", "").lower()
    if not PACKED.isdisjoint(packed.replace(",", " ").split()):
        msg = (
            f"the server packs it ({packed[:40]}) although it is asked not to; ask its "
            "owner for it as it is"
        )
        raise ValueError(msg)


@dataclass(slots=True)
class _Get:
    """What pooch asks of a downloader: called with an address and a file's name."""

    sha256: str | None
    target: Path
    largest: int
    progress: Any
    allow: Callable[[str], None] | None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        part = self.target.with_name(f".{self.target.name}.part")
        if self.sha256 is None:
            part.unlink(missing_ok=True)  # of which version, nobody knows
        resumed = part.is_file()
        try:
            self._whole(url, part)
            if resumed and hash_of(part) != self.sha256:
                part.unlink()  # the beginning was of another file
                self._whole(url, part)
            part.replace(output_file)
        finally:
            if self.sha256 is None:  # nothing goes on with it
                part.unlink(missing_ok=True)

    def _whole(self, url: str, part: Path) -> None:
        """Fill the part until it is whole, going on where it broke off."""
        import requests
        import urllib3

        broken = (requests.ConnectionError, urllib3.exceptions.HTTPError)
        for attempt in range(1, ATTEMPTS + 1):
            before = part.stat().st_size if part.is_file() else 0
            try:
                self._more(url, part)
            except broken:
                grown = part.is_file() and part.stat().st_size > before
                if attempt == ATTEMPTS or not (grown and self.sha256):
                    raise
            else:
                return

    def _more(self, url: str, part: Path) -> None:
        """Ask for what the part lacks, and write it."""
        import requests

        with requests.Session() as session:
            have = part.stat().st_size if part.is_file() else 0
            answer = self._ask(session, url, have)
            with answer:
                if have and answer.status_code == requests.codes.range_not_satisfiable:
                    part.unlink()
                    answer.close()
                    return self._more(url, part)
                _require_file(answer)
                start = f"bytes {have}-"
                said = answer.headers.get("Content-Range", "")
                partial = answer.status_code == requests.codes.partial_content
                if not (partial and said.startswith(start)):
                    have = 0
                with part.open("ab" if have else "wb") as file:
                    self._write(answer, file, have)
        return None

    def _ask(self, session: Any, url: str, have: int) -> Any:
        """Ask a server, and follow it to other addresses as far as is allowed."""
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        for _ in range(REDIRECTS + 1):
            if self.allow is not None:
                self.allow(url)
            answer = session.get(
                url,
                headers=headers,
                stream=True,
                timeout=(CONNECT, READ),
                allow_redirects=False,
            )
            if not answer.is_redirect:
                return answer
            with answer:
                target = urljoin(url, answer.headers["Location"])
            addresses.follow(url, target)
            url = target
        msg = f"expected a file, found more than {REDIRECTS} redirects from {url}"
        raise FileError(msg)

    def _write(self, answer: Any, file: BinaryIO, have: int) -> None:
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        self._require_room(total, have)
        if self.progress is not None:
            self.progress.total = total or 0
            self.progress.reset()
            self.progress.update(have)
        done, begun, since = have, time.monotonic(), 0
        # What came so far, and not whole chunks: a slow server is to be noticed.
        while chunk := answer.raw.read1(CHUNK):
            file.write(chunk)
            done, since = done + len(chunk), since + len(chunk)
            self._require_room(done, done)
            if self.progress is not None:
                self.progress.update(len(chunk))
            waited = time.monotonic() - begun
            if waited > PATIENCE:
                if since < SLOWEST * waited:
                    msg = f"timed out: {since} bytes in {waited:.0f} s"
                    raise TimeoutError(msg)
                begun, since = time.monotonic(), 0

    def _require_room(self, total: int | None, have: int) -> None:
        """Refuse what is too large for a model, or for the disk."""
        if total is None:
            return
        if total > self.largest:
            msg = f"it has {total} bytes or more, and at most {self.largest} are read"
            raise ValueError(msg)
        room = shutil.disk_usage(self.target.parent).free if total > have else total
        if total - have > room:
            msg = f"the disk has room for {room} bytes, and it needs {total - have}"
            raise OSError(msg)
