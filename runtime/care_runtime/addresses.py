"""Addresses: which of them may be asked for a file, and by whose word."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from care_runtime.errors import FileError

Number = ipaddress.IPv4Address | ipaddress.IPv6Address

GATEWAY = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses of a gateway, whose last four bytes are those of any IPv4 machine."""

OWN_GATEWAY = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Those of a network's own gateway (RFC 8215). Where the bytes of the IPv4 machine lie,
that network alone knows, so they may lead into it as well as out of it."""

UNICAST = ipaddress.IPv6Network("2000::/3")
"""Addresses of IPv6 that machines of the internet have. Others are of one network
alone, or stand for machines of IPv4 there."""

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
    for number in map(_number, found):
        if not _is_public(number):
            raise _refused(address, f"the private machine {number}")


def _is_public(number: Number) -> bool:
    """Tell whether a machine is one of the internet, and not one behind a gateway."""
    inner: list[Number | None] = []
    if isinstance(number, ipaddress.IPv6Address):
        inner = [number.ipv4_mapped, number.sixtofour, *(number.teredo or ())]
        if number in GATEWAY:
            inner.append(ipaddress.IPv4Address(int(number) & 0xFFFFFFFF))
    real = [one for one in inner if one is not None] or [number]
    if isinstance(number, ipaddress.IPv6Address) and number in real:
        return number in UNICAST and number.is_global
    return all(one.is_global and not one.is_multicast for one in real)


def follow(address: str, target: str) -> None:
    """Refuse a redirect that leads from a public server to where a person did not ask.

    A server of this machine's own network may redirect within it.

    Raises
    ------
    FileError
        If it leads to a private machine, away from https, or to no web address.
    """
    problem = ""
    if not is_address(target):
        problem = "out of the web"
    elif same_host(address, target):
        return
    elif address.lower().startswith("https:") and target.lower().startswith("http:"):
        problem = "from https to http"
    elif not _is_within(address) and _is_private(target):
        problem = "to a private machine"
    if problem:
        msg = (
            f"expected to fetch {address}, found that it cannot be had: its server "
            f"leads {problem}, to {target[:200]!r}; refused"
        )
        raise FileError(msg)


def _is_within(address: str) -> bool:
    """Tell whether a server is one of this machine's own network."""
    numbers = _numbers(address)
    return not all(_is_public(each) or each in OWN_GATEWAY for each in numbers)


def _is_private(address: str) -> bool:
    """Tell whether a host may be a private machine."""
    return not all(_is_public(each) for each in _numbers(address))


def _numbers(address: str) -> list[Number]:
    """Look up a host; there are none of one that only a proxy may know."""
    try:
        host = urlsplit(address).hostname
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return []
    return [_number(each) for each in found]


def _number(found: tuple[Any, ...]) -> Number:
    """Take the number of a machine out of what was looked up, without its zone."""
    return ipaddress.ip_address(str(found[-1][0]).partition("%")[0])


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
