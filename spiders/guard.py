"""The address guard: nothing but the public web is ever reached.

In goes a URL, or an address that a name resolved to; out comes the reason why it is
refused, or None. Names and numbers are judged before a request is made (links,
redirects, robots.txt), addresses where the connection is opened (:mod:`fanwen.spiders.downloader`).
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from urllib.parse import urlsplit

from fanwen.spiders.urls import canonical_host

_DOTTED_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def refusal(url: str) -> str | None:
    """Why this URL is never fetched, or None. Judges scheme, name and number, not DNS."""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        if scheme not in ("http", "https"):
            return f"scheme {scheme or '(none)'} is not http or https"
        return host_refusal(host)
    except ValueError:
        return "not a well-formed URL"


@lru_cache(maxsize=1024)
def host_refusal(host: str) -> str | None:
    """Why this host is never contacted, or None; numbers in any spelling, and private names."""
    if "%" in host and ":" in host:
        return f"{host} is an address of one network card"
    try:
        name = canonical_host(host)
    except ValueError:
        return f"{host!r} is not a host name"
    if name.startswith("["):
        return address_refusal(ipaddress.IPv6Address(name[1:-1]))
    if _NUMBER.fullmatch(name.rsplit(".", 1)[-1]):
        # short, decimal, octal and hexadecimal spellings have no honest use in a link
        if not _DOTTED_QUAD.fullmatch(name):
            return f"{name} is an address in a disguised spelling"
        try:
            return address_refusal(ipaddress.IPv4Address(name))
        except ValueError:
            return f"{name} is not an address"
    names, suffixes, _ = _rules()
    if name in names or f".{name}".endswith(suffixes):
        return f"{name} is not a name of the public web"
    if "." not in name:
        return f"{name} is a name of the local network"
    return None


def address_refusal(address: IPAddress) -> str | None:
    """Why this address is never connected to, or None; embedded IPv4 addresses are judged too."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return address_refusal(inner)
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return f"{address} is not a public address"
    if address in _rules()[2]:
        return f"{address} is an address inside a cloud"
    return None


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    number = int(address)
    nat64 = int(ipaddress.IPv6Address("64:ff9b::"))
    if number >> 32 in (0, nat64 >> 32) and number > 1:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return None


@cache
def _rules() -> tuple[frozenset[str], tuple[str, ...], frozenset[IPAddress]]:
    data = tomllib.loads((files("fanwen.spiders") / "rules" / "guard.toml").read_text(encoding="utf-8"))
    addresses = frozenset(ipaddress.ip_address(text) for text in data["addresses"])
    return frozenset(data["names"]), tuple(data["suffixes"]), addresses
