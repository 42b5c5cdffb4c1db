"""Bytes decide about the charset, whatever is claimed."""

from __future__ import annotations

import pytest

from fanwen.cleaners.decode import decode

SIMPLE = "图书馆的借阅台搬到了一楼大厅，老人们不用再爬楼梯，这是我们的工作。" * 4


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize(
    "claim",
    [
        None,
        "text/html; charset=utf-8",
        "text/html; charset=gbk",
        "text/html; charset=nonsense",
        "text/html; charset=base64",
    ],
)
def test_decode_whatever_the_claim(charset: str, claim: str | None) -> None:
    assert decode(SIMPLE.encode(charset), claim).text == SIMPLE


def test_decode_nearly_clean_utf8_and_cut_bytes() -> None:
    data = SIMPLE.encode()
    assert decode(data[:-1]).encoding == "utf-8"
    assert decode(data[:100] + b"\xff" + data[100:] * 5).encoding == "utf-8"
    assert decode(SIMPLE.encode("gb18030")[:-1]).text[:-1] == SIMPLE[:-1]


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\xff\xfe", bytes(range(256)) * 20, b"\xed\xa0\x80" * 50, b"+AGEA-" * 9]
)
def test_decode_never_raises_and_gives_text_that_can_be_written(data: bytes) -> None:
    for forced in (None, "utf-7", "utf-16", "no-such-charset"):
        decode(data, None, forced).text.encode("utf-8")
