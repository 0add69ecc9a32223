"""Npz: the arrays of a NumPy archive, mapped from the disk and never read whole."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from care_runtime.errors import FileError
from care_runtime.files import unwritable, written

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature of a zip member, and the lengths of its name and its extra field."""

SIGNATURE = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Mapped:
    """Where an array lies in a file.

    Parameters
    ----------
    path
        The npz itself, or an npy made of it.
    offset
        Of the first pixel, in bytes.
    shape, dtype, fortran
        As the array's own header says.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool = False

    def open(self) -> NDArray[Any]:
        """Map the array for reading; pixels are read as they are used."""
        order: Any = "F" if self.fortran else "C"
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)


def names(path: Path) -> tuple[str, ...]:
    """List the arrays of an npz.

    Raises
    ------
    FileError
        If it is missing, or no npz.
    """
    with _opened(path) as zipped:
        stems = (name.removesuffix(".npy") for name in zipped.namelist())
        return tuple(stems)


def contents(path: Path) -> str:
    """Say which arrays an npz holds by their sizes and checksums, without reading them.

    Raises
    ------
    FileError
        If it is missing, or no npz.
    """
    with _opened(path) as zipped:
        members = sorted(zipped.infolist(), key=lambda member: member.filename)
        said = [f"{m.filename} {m.file_size} {m.CRC:08x}" for m in members]
    return ", ".join(said)


def small(path: Path, name: str) -> NDArray[Any]:
    """Read an array of an npz into memory.

    Raises
    ------
    FileError
        If it is missing, or would have to be unpickled, which could run foreign code.
    """
    with _opened(path) as zipped, zipped.open(_member(zipped, path, name)) as file:
        try:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise _unreadable(path, name, str(error)) from error
    return array


def locate(path: Path, name: str) -> Mapped:
    """Find where an array of an npz can be mapped.

    A member that is stored as it is (``numpy.savez``) is mapped in place. A compressed
    one (``numpy.savez_compressed``) is first written to ``STEM.NAME.npy`` beside the
    npz, once, in pieces.

    Parameters
    ----------
    path
        The npz.
    name
        Of the array, such as ``"X"``.

    Raises
    ------
    FileError
        If there is no such array, it is no plain array, it is cut short, or a
        compressed one cannot be written beside.
    """
    with _opened(path) as zipped:
        member = _member(zipped, path, name)
        stored = member.compress_type == zipfile.ZIP_STORED
        place = path if stored else _expanded(zipped, member, path, name)
    start = _start(path, member) if stored else 0
    with place.open("rb") as file:
        file.seek(start)
        shape, fortran, dtype = _header(file, path, name)
        offset = file.tell()
    if dtype.hasobject:
        raise _unreadable(path, name, f"its type is {dtype}")
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    end = start + member.file_size
    if not size:
        raise _unreadable(path, name, f"it is empty, of shape {shape}")
    if offset + size > end or place.stat().st_size < offset + size:
        raise _unreadable(path, name, "it is cut short")
    return Mapped(place, offset, shape, dtype, fortran)


def _header(
    file: BinaryIO, path: Path, name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        return read(file)
    except ValueError as error:
        raise _unreadable(path, name, str(error)) from error


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    """Find the first byte of a member, which lies behind a header of its own."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        signature, name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    if signature != SIGNATURE:
        raise _unreadable(path, member.filename, "its header is damaged")
    start: int = member.header_offset + LOCAL_HEADER.size + name + extra
    return start


def _expanded(
    zipped: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, name: str
) -> Path:
    """Write a compressed array beside the npz, unless that was done before."""
    # By its content: a file may replace another and be older than what was made of it.
    target = path.with_name(f"{path.stem}.{name}.{member.CRC:08x}.npy")
    if target.is_file() and target.stat().st_size == member.file_size:
        return target
    try:
        with (
            written(target) as partial,
            zipped.open(member) as packed,
            partial.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, 1 << 22)
        ours = re.compile(re.escape(f"{path.stem}.{name}") + r"(\.[0-9a-f]{8})?\.npy")
        for older in path.parent.iterdir():
            if older != target and ours.fullmatch(older.name):
                older.unlink()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _unreadable(path, name, str(error)) from error
    except FileError:
        raise
    except OSError as error:
        raise unwritable(target, error) from error
    return target


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = (
            f"expected an npz file in {path}, found none ({reason}): check the path, "
            "or fetch the data again"
        )
        raise FileError(msg) from error


def _member(zipped: zipfile.ZipFile, path: Path, name: str) -> zipfile.ZipInfo:
    try:
        return zipped.getinfo(f"{name}.npy")
    except KeyError:
        found = ", ".join(n.removesuffix(".npy") for n in zipped.namelist()) or "none"
        msg = f"expected an array {name!r} in {path}, found {found}: give another file"
        raise FileError(msg) from None


def _unreadable(path: Path, name: str, reason: str) -> FileError:
    return FileError(
        f"expected a plain array {name!r} in {path}, found one that cannot be read "
        f"({reason}): fetch the data again"
    )
