"""One spelling per page, and no way into the network that we run in."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwen.spiders.guard import address_refusal, host_refusal, refusal
from fanwen.spiders.urls import canonical_url, join

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("found", "canonical"),
    [
        ("HTTP://WWW.Example.COM:80", "http://www.example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("http://example.com./a#part", "http://example.com/a"),
        ("http://me:secret@example.com/", "http://example.com/"),
        ("http://example.com/a/./b/../c", "http://example.com/a/c"),
        ("http://example.com/../../a", "http://example.com/a"),
        ("http://example.com/a/index.html", "http://example.com/a/"),
        ("http://example.com/Default.ASPX", "http://example.com/"),
        ("http://example.com/index.php?id=3", "http://example.com/index.php?id=3"),
        ("http://example.com/index.php?utm_medium=x", "http://example.com/"),
        ("http://example.com/?b=2&a=1&b=1", "http://example.com/?a=1&b=2&b=1"),
        ("http://example.com/?utm_source=x&id=1&PHPSESSID=9f&spm=a.b", "http://example.com/?id=1"),
        ("http://example.com/a;jsessionid=0A1B.node?id=1", "http://example.com/a?id=1"),
        ("http://example.com/app/(S(x2yk0s45))/list/a.aspx", "http://example.com/app/list/a.aspx"),
        ("http://example.com/a/wiki(S)/1", "http://example.com/a/wiki(S)/1"),
        ("http://example.com/%7euser/%e4%b8%80%2Fx", "http://example.com/~user/%E4%B8%80%2Fx"),
        ("http://example.com/总结/?词=年", "http://example.com/%E6%80%BB%E7%BB%93/?%E8%AF%8D=%E5%B9%B4"),
        ("http://example.com/%B1%BB", "http://example.com/%B1%BB"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://范文.中国/", "http://xn--mnr44d.xn--fiqs8s/"),
        ("http:\\\\example.com\\a", "http://example.com/a"),
        (" http://example.com/a\n/b ", "http://example.com/a/b"),
        ("http://[2001:DB8:0::1]/", "http://[2001:db8::1]/"),
        ("http://example.com?", "http://example.com/"),
        ("http://example.com/?a=&b", "http://example.com/?a=&b"),
    ],
)
def test_canonical_spelling(found, canonical):
    if "范文" in found:  # the punycode of a name is given by the standard library, not by us
        canonical = f"http://{'范文.中国'.encode('idna').decode()}/"
    assert canonical_url(found) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "bad", ["", "a/b", "mailto:a@b.example", "javascript:1", "file:///a", "http://", "http://[x]/"]
)
def test_what_is_no_web_address(bad):
    with pytest.raises(ValueError, match=r"."):
        canonical_url(bad)


PIECES = st.sampled_from(
    [
        *"abz059-._~%/?&=;:@+#! é总\\",
        "%41",
        "%2e",
        "%2F",
        "%e4",
        "..",
        "/./",
        "index.html",
        "utm_a=1",
        ";jsessionid=1",
        "[",
        "　",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["http", "HTTPS", "http"]),
    st.sampled_from(
        ["a.example", "A.Example.:80", "例.example:443", "u:p@b.example:8080", "[::ffff:1.2.3.4]"]
    ),
    st.lists(PIECES, max_size=14).map("".join),
)
def test_canonical_twice_is_canonical_once(scheme, netloc, rest):
    try:
        once = canonical_url(f"{scheme}://{netloc}/{rest}")
    except ValueError:
        return
    assert canonical_url(once) == once
    assert once.isascii()


PLAIN = st.lists(st.sampled_from([*"aZ0-_.~/", "index.html", "Default.asp", "..", "//"]), max_size=8).map(
    "".join
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["a.example", "a..example", "a.example.", "1.2.3.4", "-.example"]), PLAIN)
def test_the_short_way_of_plain_links_gives_what_the_long_one_gives(host, rest):
    # a fragment changes nothing, and leads every URL the long way
    for url in (f"http://{host}/{rest}", f"https://{host}{rest}"):
        assert _answer(canonical_url, url) == _answer(canonical_url, f"{url}#x")
    for base in (f"http://{host}", f"https://{host}/b/c?d#e", f"HTTP://{host}/", f"http://{host}:8080/b/"):
        for url in (f"/{rest}", rest):
            assert _answer(join, base, url) == _answer(urljoin, base, url)


def _answer(function, *given):
    try:
        return function(*given)
    except ValueError:
        return ValueError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://１２７.０.０.１/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http://0/",
        "http://0.0.0.0:8080/",
        "http://10.1.2.3/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00:ec2::254]/",
        "http://[ff02::1]/",
        "http://localhost/",
        "http://LOCALHOST.:80/",
        "http://a.localhost/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://db.prod.internal/",
        "http://router/",
        "http://kubernetes.default.svc/",
        "http://127.0.0.1.nip.io/",
        "http://user@127.0.0.1/",
        "http://example.com@127.0.0.1/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:text/html,x",
        "http:///a",
        "http://[::1/",
    ],
)
def test_refused(url):
    assert refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://www.jianligu.com/",
        "https://8.8.8.8/",
        "http://[2606:4700:4700::1111]/",
        "http://localhost.example.com/",
        "http://internal.example.com/a",
        "http://3com.com/",
        "http://zongjie.example/",
        "http://163.com/",
        "http://范文.中国/",
    ],
)
def test_let_pass(url):
    assert refusal(url) is None


@given(st.ip_addresses(v=4))
def test_no_spelling_of_a_private_number_passes(address):
    number = int(address)
    a, b, c, d = address.packed
    spellings = [
        str(number),
        hex(number),
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"0x{a:x}.{b}.{c}.{d}",
        f"0{a:o}.{b}.{c}.{d}",
        f"[::ffff:{address}]",
        f"[64:ff9b::{address}]",
    ]
    if address_refusal(address):
        assert all(host_refusal(spelling) for spelling in [str(address), *spellings])
        assert address_refusal(ipaddress.IPv6Address(f"::ffff:{address}"))


RESOLVE = """
import sys
from twisted.internet import asyncioreactor
asyncioreactor.install()
from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol
from fanwen.spiders.downloader import GuardResolver
host, port, proxy = sys.argv[1], int(sys.argv[2]), sys.argv[3] or None
GuardResolver(reactor, proxy).install_on_reactor()
done = HostnameEndpoint(reactor, host, port).connect(Factory.forProtocol(Protocol))
done.addCallbacks(lambda _: print("connected"), lambda failure: print(failure.type.__name__))
done.addBoth(lambda _: reactor.stop())
reactor.run()
"""


@pytest.mark.parametrize(
    ("host", "proxy", "outcome"),
    [
        ("localhost", "", "DNSLookupError"),
        ("127.0.0.1", "", "DNSLookupError"),
        ("0x7f000001", "", "DNSLookupError"),
        ("localhost", "http://localhost:1/", "connected"),
        ("127.0.0.1", "http://localhost:1/", "DNSLookupError"),
    ],
)
def test_the_connection_itself_is_guarded(farm, host, proxy, outcome):
    """Names are judged by what they resolve to, where the connection is opened."""
    port = farm.proxy.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, host, port, proxy],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=30,
    )
    assert done.stdout.strip() == outcome, done.stderr
