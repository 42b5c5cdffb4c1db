"""Mutated and hostile pages: nothing is raised, nothing takes ten seconds or 300 MB, each gives pieces or a reason.

300 mutants in ``make test``, 10,000 in ``make soak``; all in child processes, so that their memory can be measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = sorted(
    path
    for path in (Path(__file__).resolve().parents[1] / "eval" / "pages").iterdir()
    if path.suffix in (".html", ".txt", ".md", ".pdf", ".docx")
)
SECONDS, MEGABYTES = 10, 300

# runs in the child: reads jobs, writes one line per job, and its peak memory at the end
CHILD = r"""
import json, random, resource, signal, sys, time
from pathlib import Path
from fanwen.cleaners.pipeline import clean_document, page_from_file
from fanwen.cleaners.types import Page

CHARSETS = ["gbk", "utf-8", "big5", "utf-16", "iso-8859-1", "shift_jis", "euc-kr", "no-such-charset", "gb2312"]
TAGS = [b"<div>", b"</div>", b"</p>", b"<b>", b"</a>", b"<table><tr>", b"</table>", b"<pre>", b"</pre>", b"<!--",
        b"<script>", b"</script>", b"<textarea>", b"<![CDATA[", b"<center>", b"<svg>", b"<style>", b"\0", b"<a href="]

def mutate(body, chance):
    body = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        kind, at = chance.randrange(8), chance.randrange(len(body) + 1)
        if kind == 0: del body[at:]
        elif kind == 1: body[at:at] = chance.choice(TAGS) * chance.choice([1, 1, 2, 50])
        elif kind == 2: body[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 60)))
        elif kind == 3: del body[at:at + chance.randint(1, 400)]
        elif kind == 4: body[at:at] = body[max(0, at - chance.randint(1, 3000)):at]
        elif kind == 5: body[at:at] = chance.choice(["\x0b", "\x1b[31m", "&#55357;", "&#xD800;", "&#0;", "﻿", "\u202e"]).encode() * 3
        elif kind == 6 and len(body) > 2:
            for _ in range(chance.randint(1, 30)): body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        else: body = body.replace(b"charset=", b"charset=" + chance.choice(CHARSETS).encode() + b";x=", 1)
    return bytes(body)

HAN = "本学期我认真备课，按时批改作业，关心每一位同学的成长。".encode()
HOSTILE = {
    "empty": lambda: b"",
    "spaces": lambda: b" \n" * 200_000,
    "one line": lambda: HAN * (8 * 2**20 // len(HAN)),
    "one html line": lambda: b"<html><body><p>" + HAN * ((8 * 2**20 - 60) // len(HAN)) + b"</p></body></html>",
    "too large": lambda: b"<html><body>" + b"<p>" + HAN + b"</p>" * 10 + b" " * (8 * 2**20),
    "nested": lambda: b"<html><body>" + b"<div>" * 100_000 + HAN * 20 + b"</div>" * 100_000,
    "nested inline": lambda: b"<html><body>" + b"<b><i>" * 50_000 + HAN * 20,
    "short lines": lambda: ("一、\n二、\n" * 400_000).encode(),
    "digits": lambda: b"1234567890" * 400_000,
    "brackets": lambda: "（(《“".encode() * 300_000,
    "title repeated": lambda: "工作总结工作总结\n".encode() * 100_000,
    "heads": lambda: "".join(f"工作总结篇{n}\n内容很短。\n" for n in range(60_000)).encode(),
    "links": lambda: b"<html><body>" + "<a href=x>工作总结范文</a>".encode() * 100_000,
    "table": lambda: b"<html><body><table>" + ("<tr>" + "<td>工作</td>" * 20 + "</tr>").encode() * 10_000 + b"</table>",
    "br": lambda: b"<html><body>" + ("工作总结" + "<br>").encode() * 300_000,
    "control": lambda: bytes(range(32)) * 50_000,
    "attributes": lambda: b"<html><body><p " + b" ".join(b"a%d=1" % n for n in range(300_000)) + b">" + HAN * 20,
    "dots": lambda: "……".encode() * 500_000 + HAN,
    "pinyin": lambda: "总(zǒng)结(jié)".encode() * 100_000,
    "entities": lambda: b"<html><body>" + b"&#55357;&#56832;&nbsp;&lt;" * 100_000,
}

def late(signum, frame):
    raise BaseException("watchdog")

signal.signal(signal.SIGALRM, late)
for line in sys.stdin:
    job = json.loads(line)
    if "hostile" in job:
        page = Page("http://a.example/1", HOSTILE[job["hostile"]](), job["type"])
    else:
        first = page_from_file(Path(job["page"]))
        chance = random.Random(job["seed"])
        kind = first.content_type
        if (kind or "").startswith("text/html") and chance.random() < .5:
            kind = "text/html; charset=" + chance.choice(CHARSETS)
        page = Page("http://a.example/1", mutate(first.body, chance), kind)
    begin = time.monotonic()
    signal.alarm(job["seconds"])
    try:
        cleaned = clean_document([page])
        said = bool(cleaned.pieces or cleaned.rejects)
        reasons = [reject.reason for reject in cleaned.rejects]
        bad = "" if said and "internal_error" not in reasons else str(cleaned.rejects)
        json.dumps([piece.text.encode().decode() for piece in cleaned.pieces])
    except BaseException as error:
        bad = f"{type(error).__name__}: {error}"
    signal.alarm(0)
    print(json.dumps({"job": job, "bad": bad, "took": time.monotonic() - begin}), flush=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # there ru_maxrss of a child begins with what its parent had
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps({"peak": peak / (2**20 if sys.platform == "darwin" else 2**10)}))
"""


def run(jobs: list[dict[str, object]]) -> tuple[list[dict[str, object]], float]:
    """What the child said of each job, and its peak memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input="\n".join(map(json.dumps, jobs)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *rows, last = map(json.loads, done.stdout.splitlines())
    return rows, float(last["peak"])


def test_mutated_pages_give_pieces_or_a_reason(soak: bool) -> None:
    assert len(PAGES) > 20
    first = int(os.environ.get("FANWEN_SEED", "1")) * 1_000_000
    jobs = [
        {"page": str(PAGES[n % len(PAGES)]), "seed": first + n, "seconds": SECONDS}
        for n in range(10_000 if soak else 300)
    ]
    rows, peak = run(jobs)
    assert len(rows) == len(jobs)
    assert not [(row["job"], row["bad"]) for row in rows if row["bad"]]
    assert peak < MEGABYTES


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
@pytest.mark.parametrize(
    "name",
    ["empty", "spaces", "one line", "one html line", "too large", "nested", "nested inline", "short lines", "digits",
     "brackets", "title repeated", "heads", "links", "table", "br", "control", "attributes", "dots", "pinyin", "entities"],
)  # fmt: skip
def test_hostile_pages_give_pieces_or_a_reason(name: str, kind: str) -> None:
    (row,), peak = run([{"hostile": name, "type": kind, "seconds": SECONDS}])
    assert not row["bad"]
    assert peak < MEGABYTES, f"{peak:.0f} MB"
