"""Keys: a pair to sign zoos with, in the files of minisign.

What is signed can be checked without this project, too::

    minisign -V -p KEY.pub -m registry.txt
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from care_runtime import registry, signature
from care_runtime.errors import ExportError, FileError, OptionError
from care_runtime.files import missing, require_place, unwritable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

PASSWORD = "CARE_ZOO_PASSWORD"  # the variable's name
"""Environment variable for the password of a secret key, where nobody can be asked."""


def make(path: Path, password: str) -> str:
    """Make a key pair.

    Parameters
    ----------
    path
        File of the secret key; the public one gets ``.pub`` after its name.
    password
        With which the secret key is encrypted; empty for none.

    Returns
    -------
    str
        The public key, as ``CARE_ZOO_KEY`` and ``--key`` take it.

    Raises
    ------
    FileError
        If one of the files exists, or cannot be written.
    """
    library = _library()
    public = path.with_name(f"{path.name}.pub")
    for file in (path, public):
        if file.exists():
            msg = f"expected no file at {file}, found one: no key is ever replaced"
            raise FileError(msg)
        require_place(file)
    pair = library.KeyPair.generate()
    if password:
        pair.secret_key.encrypt(password)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, bytes(pair.secret_key) + b"\n", 0o600)
    _write(public, bytes(pair.public_key) + b"\n", 0o644)
    return str(pair.public_key.to_base64().decode("ascii"))


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that only its owner may read from its first byte on."""
    try:
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with os.fdopen(number, "wb") as file:
            file.write(content)
    except OSError as error:
        raise unwritable(path, error) from error


def signer(path: Path, ask: Callable[[], str]) -> Callable[[bytes], bytes]:
    """Open a secret key.

    Parameters
    ----------
    path
        Its file, of `make` or of minisign.
    ask
        Asks for its password, if it has one and ``CARE_ZOO_PASSWORD`` is not set.

    Returns
    -------
    callable
        Makes the signature of a registry.

    Raises
    ------
    OptionError
        If the file is no secret key, or the password is wrong.
    """
    library = _library()
    try:
        secret = library.SecretKey.from_bytes(path.read_bytes())
        if secret.is_encrypted():
            secret.decrypt(os.environ.get(PASSWORD) or ask())
    except OptionError:  # of who was to be asked
        raise
    except (OSError, ValueError) as error:
        msg = (
            f"expected a secret key of minisign in {path}, and its password, found "
            f"that it cannot be read ({getattr(error, 'strerror', None) or error}): "
            "make one with care-train key"
        )
        raise OptionError(msg) from None

    def sign(content: bytes) -> bytes:
        told = f"timestamp:{int(time.time())}\tfile:{registry.NAME}\thashed"
        made = bytes(secret.sign(content, trusted_comment=told)) + b"\n"
        public = secret.get_public_key()
        key = signature.Key(public.to_base64().decode("ascii"), public)
        if not key.check(content, made, registry.NAME):
            msg = "expected a signature that tells its time, found none"
            raise ExportError(msg)
        return made

    return sign


def _library() -> ModuleType:
    try:
        import minisign
    except ImportError:
        raise missing(*signature.LIBRARY, "signatures of zoos") from None
    module: ModuleType = minisign
    return module
