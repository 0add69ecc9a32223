"""Addresses: which of them may be asked for a file, and by whose word."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from care_runtime.errors import FileError

SCHEMES = ("http://", "https://")


def is_address(text: str) -> bool:
    """Tell an address of the web from a name or a path."""
    return text.lower().startswith(SCHEMES)


def require_public(address: str) -> None:
    """Refuse an address that a package or a registry gave and no person did.

    It has to be https, and its host a machine of the internet: else a package could
    make this machine ask others of its own network, which trust it.

    Raises
    ------
    FileError
        If it is not, or its host is not known.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        raise _refused(address, "an address that cannot be read") from None
    if parts.scheme != "https":
        raise _refused(address, f"the scheme {parts.scheme or 'none'!r}")
    if not host or parts.username is not None:
        raise _refused(address, "no host, or a name and password")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        msg = (
            f"expected to fetch {address}, found that its host is not known: check "
            "the network, and try again"
        )
        raise FileError(msg) from None
    for *_, place in found:
        number = ipaddress.ip_address(str(place[0]).partition("%")[0])
        mapped = getattr(number, "ipv4_mapped", None) or number
        if not mapped.is_global or mapped.is_multicast:
            raise _refused(address, f"the private machine {number}")


def same_host(address: str, other: str) -> bool:
    """Tell whether two addresses are of one server and port."""
    try:
        return urlsplit(address)[:2] == urlsplit(other)[:2]
    except ValueError:
        return False


def _refused(address: str, found: str) -> FileError:
    return FileError(
        f"expected an https address of a public server, found {found} in {address!r}, "
        "which a package or registry gave: refused; fetch the file yourself if you "
        "trust it"
    )
