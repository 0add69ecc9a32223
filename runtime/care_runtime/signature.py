"""Signature: whether a zoo's lists are those of a person whose public key is known.

The signature is minisign's (https://jedisct1.github.io/minisign/): `registry.txt` is
signed, and `registry.txt.minisig` lies beside it. A line of the registry has the hash
of `index.json`, others those of the packages: who signs the registry signs all.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from care_runtime.errors import FileError, OptionError

if TYPE_CHECKING:
    from types import ModuleType

NAME = "registry.txt.minisig"
"""What the signature of a zoo is called."""

LARGEST = 4096
"""Bytes of a signature or of a key; they have about three hundred."""

VARIABLE = "CARE_ZOO_KEY"
"""Environment variable for the public key, or for the file that holds it."""

LIBRARY = "py-minisign", "care-zoo[sign]"
"""What checks signatures, and the extra that installs it."""

TIME = re.compile(r"timestamp:(\d{1,12})(?!\d)")
"""When it was signed, in a comment that is signed, too."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key.

    Parameters
    ----------
    name
        As its owner would write it: what minisign shows.
    value
        That of the library.
    """

    name: str
    value: Any

    def check(self, content: bytes, signature: bytes, where: str) -> int:
        """Refuse what was not signed with this key.

        Parameters
        ----------
        content, signature
            Bytes of a file, and of its signature.
        where
            The file's place, for errors.

        Returns
        -------
        int
            When it was signed, in seconds since 1970; 0 if the signature does not say.

        Raises
        ------
        FileError
            If the signature is none, of another key or of another content.
        """
        try:
            found = _library().Signature.from_bytes(signature)
            self.value.verify(content, found)
        except ValueError as error:  # minisign's own errors, and those of Unicode
            msg = (
                f"expected {where} signed with the key {self.name}, found that its "
                f"signature is not right ({error}): do not use this zoo, or ask its "
                "owner for the key of today"
            )
            raise FileError(msg) from None
        time = TIME.search(found.trusted_comment)
        return int(time[1]) if time else 0


def configured(key: str | None = None) -> Key | None:
    """Read the public key that was given, or that of ``CARE_ZOO_KEY``.

    Parameters
    ----------
    key
        The key as minisign prints it (``RW...``), or the file that holds it.

    Returns
    -------
    Key or None
        None if there is none, and nothing is to be checked.

    Raises
    ------
    OptionError
        If it is no key.
    FileError
        If the library that checks signatures is not installed.
    """
    wish = os.environ.get(VARIABLE, "") if key is None else key
    if key is None and not wish.strip():
        return None
    library = _library()
    try:
        value = _read(library, wish.strip())
    except (OSError, ValueError) as error:
        msg = (
            f"expected the public key of a zoo (RW..., or a file that minisign wrote) "
            f"in --key or {VARIABLE}, found {wish[:100]!r}, which is none "
            f"({getattr(error, 'strerror', None) or error}): ask its owner for it"
        )
        raise OptionError(msg) from None
    return Key(value.to_base64().decode("ascii"), value)


def _read(library: ModuleType, wish: str) -> Any:
    """Read a key from a text or a file."""
    path = Path(wish).expanduser()
    if len(wish) == 56 and wish.startswith("RW") and not path.is_file():
        return library.PublicKey.from_base64(wish)
    with path.open("rb") as file:
        content = file.read(LARGEST)
    if b"\n" not in content.strip():
        return library.PublicKey.from_base64(content.strip())
    return library.PublicKey.from_bytes(content)


def _library() -> ModuleType:
    """Import what checks signatures; without it nothing is taken on trust."""
    try:
        import minisign
    except ImportError:
        from care_runtime.files import missing

        raise missing(*LIBRARY, "signatures of zoos") from None
    module: ModuleType = minisign
    return module
