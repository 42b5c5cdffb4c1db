"""The sample server through real HTTP: proxy form, validators, errors, stopping."""

from __future__ import annotations

import gzip
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanwen.spiders.samples.render import render
from fanwen.spiders.samples.server import Request, SampleServer

ARTICLE = "http://zongjie.example/gongzuo/1004.html"


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer() as running:
        yield running


def ask(
    server: SampleServer, target: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own; header names with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_a_standard_client_reads_the_sites_through_the_proxy(server: SampleServer) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": server.proxy_url}))
    with opener.open(ARTICLE, timeout=5) as answer:
        assert "仓库管理员个人工作总结" in answer.read().decode("utf-8")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert server.requests == (Request("GET", "zongjie.example", "/gongzuo/1004.html", 200),)


def test_both_request_forms_give_the_same_bytes(server: SampleServer) -> None:
    proxied = ask(server, ARTICLE)
    by_host = ask(server, "/gongzuo/1004.html", Host="zongjie.example")
    by_name_for_browsers = ask(server, "/gongzuo/1004.html", Host=f"zongjie.example.localhost:{server.port}")
    assert proxied[2] == by_host[2] == by_name_for_browsers[2]
    assert ask(server, "http://ZONGJIE.example:80/gongzuo/1004.html")[2] == proxied[2]


def test_every_page_comes_as_it_was_rendered(server: SampleServer) -> None:
    for (host, path), resource in render("one").items():
        status, headers, body = ask(server, f"http://{host}{path}")
        assert (status, body) == (resource.status, resource.body)
        assert headers["etag"] == resource.etag
        assert headers["last-modified"] == resource.last_modified
        assert "2026" in headers["last-modified"]
        for name, value in resource.headers:
            assert headers[name.lower()] == value


def test_the_etag_that_was_sent_gives_304_without_a_body(server: SampleServer) -> None:
    _, headers, _ = ask(server, ARTICLE)
    for tags in (headers["etag"], headers["etag"].removeprefix("W/"), f'"other", {headers["etag"]}', "*"):
        status, again, body = ask(server, ARTICLE, If_None_Match=tags)
        assert (status, body) == (304, b"")
        assert again["etag"] == headers["etag"]
    assert ask(server, ARTICLE, If_None_Match='W/"other"')[0] == 200


def test_a_date_gives_304_only_when_it_is_not_older(server: SampleServer) -> None:
    _, headers, _ = ask(server, ARTICLE)
    assert ask(server, ARTICLE, If_Modified_Since=headers["last-modified"])[0] == 304
    assert ask(server, ARTICLE, If_Modified_Since="Thu, 01 Jan 2026 00:00:00 GMT")[0] == 200
    assert ask(server, ARTICLE, If_Modified_Since="yesterday")[0] == 200
    assert ask(server, ARTICLE, If_Modified_Since="Fri, 01 Jan 2027 00:00:00 -0000")[0] == 200


def test_the_etag_rules_over_the_date(server: SampleServer) -> None:
    _, headers, _ = ask(server, ARTICLE)
    date = headers["last-modified"]
    assert ask(server, ARTICLE, If_None_Match='"other"', If_Modified_Since=date)[0] == 200


def test_a_reservation_stands_in_the_304_too(server: SampleServer) -> None:
    url = "http://gongwen.example/notice/14.html"
    _, headers, _ = ask(server, url)
    assert headers["x-robots-tag"] == "noai"
    status, again, _ = ask(server, url, If_None_Match=headers["etag"])
    assert (status, again["x-robots-tag"]) == (304, "noai")


def test_head_gives_the_headers_alone(server: SampleServer) -> None:
    _, headers, body = ask(server, ARTICLE)
    status, head, nothing = ask(server, ARTICLE, "HEAD")
    assert (status, nothing) == (200, b"")
    assert head["content-length"] == str(len(body)) == headers["content-length"]


def test_gzip_only_for_those_who_accept_it(server: SampleServer) -> None:
    plain = ask(server, ARTICLE)
    assert "content-encoding" not in plain[1]
    assert "content-encoding" not in ask(server, ARTICLE, Accept_Encoding="gzip;q=0, br")[1]
    _, headers, body = ask(server, ARTICLE, Accept_Encoding="br, gzip;q=0.8")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == plain[2]


def test_several_requests_on_one_connection(server: SampleServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        sockets = []
        for _ in range(3):
            connection.request("GET", ARTICLE)
            assert connection.getresponse().read()
            sockets.append(connection.sock)
        assert sockets[0] is sockets[1] is sockets[2] is not None
        connection.request("GET", ARTICLE, headers={"Connection": "close"})
        answer = connection.getresponse()
        assert answer.getheader("Connection") == "close"
        answer.read()
        assert connection.sock is None
    finally:
        connection.close()


def test_unknown_hosts_and_paths_are_told_so(server: SampleServer) -> None:
    status, headers, body = ask(server, "http://news.example/")
    assert status == 502
    assert "no sample site 'news.example'" in body.decode("utf-8")
    assert "etag" not in headers
    assert ask(server, "http://wenku.example/p/1.html")[0] == 404
    assert ask(server, ARTICLE + "?page=2")[0] == 404
    assert [request.status for request in server.requests] == [502, 404, 404]


def test_a_tunnel_and_a_form_are_refused(server: SampleServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"CONNECT zongjie.example:443 HTTP/1.1\r\nHost: zongjie.example:443\r\n\r\n")
        answer = b""
        while chunk := client.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 502")
    assert b"plain http only" in answer
    assert ask(server, ARTICLE, "POST")[0] == 501


def test_the_port_itself_shows_the_way_to_a_browser(server: SampleServer) -> None:
    _, _, body = ask(server, "/")
    assert f"http://fanben.example.localhost:{server.port}/" in body.decode("utf-8")


def test_state_two_answers_410_for_the_page_that_is_gone() -> None:
    with SampleServer("two") as server:
        status, headers, _ = ask(server, "http://zongjie.example/gongzuo/1005.html", If_None_Match="*")
        assert status == 410
        assert "etag" not in headers


def test_it_stops_within_a_second_although_clients_are_connected() -> None:
    with SampleServer() as server:
        port = server.port
        client = socket.create_connection(("127.0.0.1", port), timeout=5)
        client.sendall(b"GET / HTTP/1.1\r\nHost: wenku.example\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        begun = time.monotonic()
    assert time.monotonic() - begun < 1
    with client:
        while client.recv(65536):  # the rest of the answer, then the end: no reset, no hanging
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    assert not [thread for thread in threading.enumerate() if thread.name == "samples"]


def test_two_servers_stand_beside_each_other() -> None:
    with SampleServer("one") as one, SampleServer("two") as two:
        assert one.port != two.port
        assert ask(one, ARTICLE)[2] != ask(two, ARTICLE)[2]
        assert len(one.requests) == len(two.requests) == 1


def test_the_command_serves_until_it_is_interrupted() -> None:
    checkout = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "fanwen.spiders.samples", "--port", "0", "--state", "two"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 20)[0], "the command said nothing for 20 s"
        proxy = process.stdout.readline().removeprefix("proxy: ").strip()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
        with opener.open("http://zongjie.example/gongzuo/1006.html", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        try:
            rest, _ = process.communicate(timeout=10)
        finally:
            process.kill()
    assert rest.rstrip().endswith("stopped")
    assert process.returncode == 0
