"""Unpack: an archive into a folder that takes its name only when it is whole."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from care_runtime.errors import FileError
from care_runtime.files import unwritable

BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
"""What an archive raises that is damaged, locked or packed in an unknown way."""


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar or zip archive.

    What macOS adds to archives (``__MACOSX``, ``._*``) is left out. The files go to a
    new folder ``.NAME.*.part`` beside the target, which is then moved. A process that
    is killed leaves such a folder behind; it may be deleted.

    Parameters
    ----------
    archive
        Tar, of any compression that Python reads, or zip.
    target
        Folder that does not exist yet.

    Raises
    ------
    FileError
        If the archive is damaged, empty or of another kind, a member would lie outside
        the folder or is a link or device, or the files cannot be written.
    """
    ends = {"prefix": f".{target.name}.", "suffix": ".part"}
    try:
        partial = Path(tempfile.mkdtemp(dir=target.parent, **ends))
    except OSError as error:
        raise unwritable(target, error) from error
    try:
        _extract(archive, partial)
        if not any(path.is_file() for path in partial.rglob("*")):
            msg = f"expected files in {archive}, found none: fetch it again"
            raise FileError(msg)
        partial.chmod(0o755)  # a temporary folder is its owner's alone
        if not target.is_dir():  # another process may have been faster
            partial.rename(target)
    except BROKEN as error:
        msg = (
            f"expected a whole archive in {archive}, found a damaged one ({error}): "
            "delete it and fetch it again"
        )
        raise FileError(msg) from error
    except FileError:
        raise
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                _require_inside(entry.filename, archive)
                # Written on Unix, the high bits hold the kind of file.
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise _outside(archive, entry.filename)
                if not _foreign(entry.filename):
                    zipped.extract(entry, folder)
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            _require_inside(member.name, archive)
            if not (member.isfile() or member.isdir()):
                raise _outside(archive, member.name)
            if not _foreign(member.name):
                tarred.extract(member, folder, filter="data")
        _require_end(tarred)


def _require_end(tarred: tarfile.TarFile) -> None:
    """Refuse a tar that just stops: one that is cut between two members reads well."""
    file = tarred.fileobj
    assert file is not None
    file.seek(tarred.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        msg = "its end is missing"
        raise tarfile.ReadError(msg)
    while file.read(1 << 20):  # to the checksum of a compressed one
        pass


def _foreign(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name.startswith("._") or "__MACOSX" in path.parts


def _require_inside(name: str, archive: Path) -> None:
    """Refuse a name that leads out of the folder, on this or another system."""
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    absolute = posix.is_absolute() or windows.drive or windows.root
    if absolute or ".." in windows.parts or ".." in posix.parts:
        raise _outside(archive, name)


def _outside(archive: Path, name: str) -> FileError:
    return FileError(
        f"expected files and folders in {archive}, found {name!r}, which is a link or "
        "would lie outside its folder: do not use this archive"
    )
