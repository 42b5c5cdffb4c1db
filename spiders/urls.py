"""Canonical URLs: one spelling for every page, because identities are made of them.

In goes a URL as it was found, out comes its canonical spelling; the network is never
asked. Applying it twice changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import idna

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_SAFE = _UNRESERVED | frozenset("!$&'()*+,;=:@/")
_QUERY_SAFE = _UNRESERVED | frozenset("!$'()*+,;:@/?")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x20\x7f]+")
# as Java and PHP write it, and as ASP.NET does: /(S(token))/
_SESSION_IN_PATH = re.compile(
    r";(jsessionid|phpsessid|sid)=[^/;?]*|/\((?:[A-Z]\([^()/]*\))+\)", re.IGNORECASE
)
# most links are like this and need no other spelling: segments that begin with no dot, nothing to escape
_PLAIN_PATH = re.compile(r"/(?:[A-Za-z0-9_-][A-Za-z0-9._~-]*/)*(?:[A-Za-z0-9_-][A-Za-z0-9._~-]*)?")
_PLAIN = re.compile(rf"https?://([a-z0-9.-]+){_PLAIN_PATH.pattern}")
_ROOT = re.compile(r"https?://[a-z0-9.-]+(?=[/?#]|\Z)")


def canonical_url(url: str) -> str:
    """The canonical spelling of an http(s) URL.

    Scheme and host in lower case (IDN as punycode), no default port, credentials or
    fragment, no tracking or session parameters, no default document, query sorted by
    name, percent-encoding normalised. Raises ValueError for anything else than http(s).
    """
    plain = _PLAIN.fullmatch(url)
    if plain and canonical_host(plain[1]) == plain[1] and not _is_default_document(url.rpartition("/")[2]):
        return url
    parts = _split(url)
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"not an http(s) URL: {url!r}")
    host = canonical_host(parts.hostname or "")
    port = parts.port
    netloc = host if port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    query = _query(parts.query)
    path = _path(parts.path, keep_default_document=bool(query))
    return f"{scheme}://{netloc}{path}" + (f"?{query}" if query else "")


def join(base: str, url: str) -> str:
    """``urljoin``, quick for a plain path from the root. Raises ValueError where it does."""
    if _PLAIN_PATH.fullmatch(url) and (root := _ROOT.match(base)):
        return root[0] + url
    return urljoin(base, url)


def is_plain_path(link: str) -> bool:
    """Whether a link is a path from the root that no rule of :func:`canonical_url` would respell."""
    return _PLAIN_PATH.fullmatch(link) is not None and not _is_default_document(link.rpartition("/")[2])


@lru_cache(maxsize=1024)
def canonical_host(host: str) -> str:
    """A host name in lower-case ASCII, an IPv6 address in brackets. Raises ValueError for none."""
    host = unquote(host).strip().rstrip(".。")
    if not host or _CONTROL.search(host) or any(char in host for char in "/\\?#@<>^|%"):
        raise ValueError(f"not a host name: {host!r}")
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host.strip('[]')).compressed}]"
    try:
        return idna.encode(host, uts46=True, transitional=False).decode("ascii").lower()
    except idna.IDNAError:
        # names with underscores and the like do resolve, so they are taken as they are
        if host.isascii():
            return host.lower()
        raise ValueError(f"not a host name: {host!r}") from None


@cache
def _rules() -> tuple[frozenset[str], tuple[str, ...], frozenset[str]]:
    data = tomllib.loads((files("fanwen.spiders") / "rules" / "urls.toml").read_text(encoding="utf-8"))
    names = [*data["tracking"], *data["session"]]
    whole = frozenset(name for name in names if not name.endswith("*"))
    starts = tuple(name[:-1] for name in names if name.endswith("*"))
    return whole, starts, frozenset(data["default_documents"])


def _split(url: str) -> SplitResult:
    # browsers drop tabs and line ends anywhere, blanks at the ends, and read \ as /
    url = re.sub(r"[\t\r\n]", "", url).strip("".join(map(chr, range(0x21))))
    head, mark, tail = url.partition("?")
    parts = urlsplit(head.replace("\\", "/") + mark + tail)
    _ = parts.port  # raises ValueError here rather than later
    return parts


def _path(path: str, *, keep_default_document: bool) -> str:
    path = _SESSION_IN_PATH.sub("", _escape(path, _PATH_SAFE))
    segments: list[str] = []
    pieces = path.split("/")[1:] if path.startswith("/") else path.split("/")
    for place, segment in enumerate(pieces):
        last = place == len(pieces) - 1
        if segment in (".", ".."):
            if segment == ".." and segments:
                segments.pop()
            if last:
                segments.append("")
        else:
            segments.append(segment)
    if segments and not keep_default_document and _is_default_document(segments[-1]):
        segments[-1] = ""
    return "/" + "/".join(segments)


def _is_default_document(segment: str) -> bool:
    return segment.lower() in _rules()[2]


def _query(query: str) -> str:
    whole, starts, _ = _rules()
    kept = []
    for pair in query.split("&"):
        pair = _escape(pair, _QUERY_SAFE | {"="})
        name = unquote(pair.partition("=")[0]).lower()
        if pair and name not in whole and not name.startswith(starts):
            kept.append(pair)
    # by name only, and stable: the order of a repeated name may mean something
    kept.sort(key=lambda pair: pair.partition("=")[0])
    return "&".join(kept)


def _escape(text: str, safe: frozenset[str]) -> str:
    """Decode what needs no escape, write the rest as %XX; bytes that are no UTF-8 stay as they are."""
    out: list[str] = []
    place = 0
    while place < len(text):
        char = text[place]
        if char == "%" and (match := _ESCAPE.match(text, place)):
            decoded = chr(int(match[1], 16))
            out.append(decoded if decoded in _UNRESERVED else match[0].upper())
            place += 3
            continue
        if char in safe:
            out.append(char)
        else:
            out.extend(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
        place += 1
    return "".join(out)
