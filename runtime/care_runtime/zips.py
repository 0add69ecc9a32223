"""Zips: packed so that bytes depend on content alone, unpacked with distrust."""

from __future__ import annotations

import hashlib
import io
import stat
import tempfile
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath

from care_runtime.errors import FileError
from care_runtime.files import written

LARGEST = 4 << 30
"""Bytes that a zip may unpack to."""

MEMBERS = 1000
"""Files that it may hold; a package has about ten."""

RATIO = 200
"""Bytes that one byte of it may unpack to; masks reach 1000, and are small."""

SMALL = 16 << 20
"""Bytes of a file below which the ratio is of no account; four times that in all."""

NAME = 200
"""Characters of a member's path."""

LIST = 4 << 20
"""Bytes of its list of members; zipfile reads it at once, and needs ten times that."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in a zip, so that its hash depends on the content alone."""

UNIX = 3
"""System that made a zip, whatever the system."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LOCKED = 0x1


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a zip into a folder that appears whole or not at all.

    Raises
    ------
    FileError
        If the zip is damaged, locked, leads out of the folder or is a bomb, or there
        is no room.
    """
    if folder.is_dir() and _whole(archive, folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as partial,
            _Guarded(archive) as file,
            zipfile.ZipFile(file) as zipped,
        ):
            check(zipped, archive)
            whole = Path(partial) / "package"
            whole.mkdir()
            zipped.extractall(whole)
            if folder.is_dir() and not _whole(archive, folder):
                folder.rename(Path(partial) / "lost")
            _move(whole, folder)
    except FileError:
        raise
    except Exception as error:  # zipfile lets errors of six modules through
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = (
            f"expected a zip that can be unpacked into {folder.parent}, found "
            f"{archive} ({reason[:300]}): fetch it again, or make room"
        )
        raise FileError(msg) from error
    return folder


def _whole(archive: Path, folder: Path) -> bool:
    """Tell whether everything that a zip holds lies unpacked in a folder."""
    try:
        with _Guarded(archive) as file, zipfile.ZipFile(file) as zipped:
            check(zipped, archive)
            return all(
                (folder / item.filename).stat().st_size == item.file_size
                for item in zipped.infolist()
                if not item.is_dir()
            )
    except Exception:  # it is unpacked anew, which says what is wrong
        return False


class _Guarded(io.FileIO):
    """A file of which no more than `LIST` bytes are read at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or refuse to: zipfile asks for so much of lists alone."""
        if size is None or size < 0:
            at = self.tell()
            size = self.seek(0, io.SEEK_END) - at
            self.seek(at)
        if size > LIST:
            msg = f"its list of members has {size} bytes, more than {LIST}"
            raise ValueError(msg)
        return super().read(size) or b""


def _move(whole: Path, folder: Path) -> None:
    """Rename a folder, unless another process was faster with the same content."""
    try:
        whole.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def check(zipped: zipfile.ZipFile, archive: Path) -> None:
    """Refuse a zip that would do harm, by its list of members.

    What the list says of sizes is held to: zipfile writes no more than that, and
    objects where there is less.

    Raises
    ------
    FileError
        If it holds links, paths that lead out, two files of one name, too many files or
        more bytes than any model has, or is empty.
    """
    entries = zipped.infolist()
    if not entries:
        msg = f"{archive} is an empty zip: expected a model package"
        raise FileError(msg)
    if len(entries) > MEMBERS:
        msg = f"{archive} holds {len(entries)} files, more than {MEMBERS}: refused"
        raise FileError(msg)
    seen: set[str] = set()
    for entry in entries:
        problem = _problem(entry, seen)
        if problem:
            msg = f"{archive} holds {entry.filename[:NAME]!r}, which {problem}: refused"
            raise FileError(msg)
    size = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if size > LARGEST:
        msg = f"{archive} unpacks to {size} bytes, more than {LARGEST}: refused"
        raise FileError(msg)
    if size > max(4 * SMALL, RATIO * packed):
        msg = f"{archive} unpacks to {RATIO} times its size, as bombs do: refused"
        raise FileError(msg)
    if packed > archive.stat().st_size:
        msg = f"{archive} holds files that overlap, as only bombs do: refused"
        raise FileError(msg)


def _problem(entry: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """Say what harm a member would do; add its name to those seen."""
    text = entry.orig_filename.replace("\\", "/")
    path = PurePosixPath(text)
    # A second name in Unicode, which newer Pythons unpack to.
    other = PurePosixPath(entry.filename.replace("\\", "/"))
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if (
        kind == stat.S_IFLNK
        or path.is_absolute()
        or other.is_absolute()
        or ".." in (*path.parts, *other.parts)
        or ":" in text
        or not path.parts
    ):
        return "leads out of it"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is no plain file"
    if len(text) > NAME or any(ord(c) < 32 for c in text):
        return "has a name that no file should have"
    if path != other:
        return "has two names"
    # As systems compare them that care for neither case nor way of composing letters.
    folded = unicodedata.normalize("NFKC", str(path)).casefold()
    if folded in seen:
        return "stands there twice"
    seen.add(folded)
    if entry.flag_bits & LOCKED:
        return "is locked with a password"
    if entry.compress_type not in METHODS:
        return "is compressed in an unusual way"
    if entry.file_size > max(SMALL, RATIO * entry.compress_size):
        return f"unpacks to more than {RATIO} times its size, as bombs do"
    return None


def pack(folder: Path, archive: Path) -> str:
    """Write a folder as a zip whose bytes depend on its files alone.

    Returns
    -------
    str
        The zip's sha256.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    with written(archive) as partial:
        with zipfile.ZipFile(partial, "w") as zipped:
            for name in sorted(names):
                # Stored, not deflated: weights do not shrink, and zlibs differ.
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.create_system = UNIX
                zipped.writestr(entry, names[name].read_bytes())
        with partial.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
