"""Scrapy's side of the address guard and of decompression.

The resolver hands on only addresses that passed the guard, so nothing can change between the check
and the connect. With an explicit proxy the proxy resolves; then only its own name is resolved here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from scrapy.exceptions import IgnoreRequest
from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from zope.interface import implementer  # type: ignore[import-untyped]

from fanwen.spiders.decompress import TRUNCATED, RefusedBodyError, inflate
from fanwen.spiders.guard import address_refusal, refusal

_ACCEPTED = b"gzip, deflate"


class RefusedAddress(IgnoreRequest):
    """A request that the guard stopped; its text is the reason."""


class GuardMiddleware:
    """Scrapy downloader middleware: the last look at every request, robots.txt and redirects included."""

    def process_request(self, request: Any) -> None:
        reason = refusal(request.url)
        if reason is not None:
            raise RefusedAddress(reason)


@implementer(IHostnameResolver)
class GuardResolver:
    """Twisted name resolver that hands on only public addresses (or, with a proxy, only the proxy's)."""

    def __init__(self, reactor: Any, proxy: str | None = None):
        self.reactor = reactor
        self.inner = reactor.nameResolver
        self.proxy_host = urlsplit(proxy).hostname if proxy else None

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> GuardResolver:
        return cls(reactor, crawler.settings.get("FANWEN_PROXY"))

    def install_on_reactor(self) -> None:
        self.reactor.installNameResolver(self)

    def resolveHostName(  # noqa: N802, Twisted's name
        self,
        receiver: Any,
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[Any] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> Any:
        if self.proxy_host is None:
            receiver = _PublicOnly(receiver)
        elif hostName.lower() != self.proxy_host:
            receiver = _Nothing(receiver)
        return self.inner.resolveHostName(receiver, hostName, portNumber, addressTypes, transportSemantics)


@implementer(IResolutionReceiver)
class _PublicOnly:
    """Passes public addresses on; a name with none left ends as 'no such name'."""

    def __init__(self, receiver: Any):
        self.receiver = receiver

    def resolutionBegan(self, resolution: Any) -> None:  # noqa: N802
        self.receiver.resolutionBegan(resolution)

    def addressResolved(self, address: Any) -> None:  # noqa: N802
        if address_refusal(ipaddress.ip_address(address.host.partition("%")[0])) is None:
            self.receiver.addressResolved(address)

    def resolutionComplete(self) -> None:  # noqa: N802
        self.receiver.resolutionComplete()


class _Nothing(_PublicOnly):
    def addressResolved(self, address: Any) -> None:  # noqa: N802
        """With a proxy no other name is resolved here."""


class DecompressMiddleware:
    """Downloader middleware in place of Scrapy's HttpCompressionMiddleware, which accepts torn gzip."""

    def __init__(self, limit: int):
        self.limit = limit

    @classmethod
    def from_crawler(cls, crawler: Any) -> DecompressMiddleware:
        return cls(crawler.settings.getint("DOWNLOAD_MAXSIZE"))

    def process_request(self, request: Any) -> None:
        request.headers.setdefault("Accept-Encoding", _ACCEPTED)

    def process_response(self, request: Any, response: Any) -> Any:
        encodings = b",".join(response.headers.getlist("Content-Encoding")).lower().split(b",")
        body, flags = response.body, list(response.flags)
        request.meta["wire_bytes"] = len(body)
        for encoding in reversed([name.strip() for name in encodings]):
            if encoding in (b"", b"identity") or not body:
                continue
            if encoding not in (b"gzip", b"x-gzip", b"deflate"):
                raise RefusedBodyError(f"unknown Content-Encoding {encoding.decode('ascii', 'replace')}")
            body, whole = inflate(body, self.limit)
            if not whole:
                flags.append(TRUNCATED)
        if body is response.body:
            return response
        return response.replace(body=body, flags=flags)
