"""Samples for human eyes: drawn fairly, judged in a real browser, taken in once, and rates that are right."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import zstandard

from fanwen.corpus import audit, exports, release, verify
from fanwen.corpus.audit_html import form
from fanwen.corpus.store import open_store, reading
from fanwen.errors import UsageError

PHONE = "13912345678"


@pytest.fixture
def built(home: Any, write: Any, html: Any) -> Any:
    kinds = {"工作总结": 12, "倡议书": 6, "读后感": 2}
    pages = {
        f"{n}-{k}": html(kind, f"{write(n * 50 + k, 8)}\n请联系{PHONE}。")
        for n, (kind, count) in enumerate(kinds.items())
        for k in range(count)
    }
    home.serve({**pages, "copy": pages["0-0"]})
    home.build()
    return home


def draw(home: Any, size: int, by: tuple[str, ...] = ("genre",), seed: str = "1") -> audit.Sample:
    with reading(home.corpus) as store:
        return audit.sample(store, size, by, seed)


def saved(sample: audit.Sample, path: Path, who: str, errors: dict[int, list[str]], **others: object) -> Path:
    """What the form saves where the pieces of these numbers were judged."""
    answers = [
        {"piece": sample.pieces[n].piece, "text": sample.pieces[n].text_sha256, "errors": found}
        for n, found in errors.items()
    ]
    file = {
        "format": 1, "sample": sample.id, "release": sample.release, "strata": sample.strata,
        "seed": sample.seed, "annotator": who, "answers": answers, **others,
    }  # fmt: skip
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


def take_in(home: Any, *paths: Path) -> tuple[int, int]:
    with open_store(home.corpus) as store:
        return audit.take_in(store, paths)


def report(home: Any) -> audit.AuditReport | None:
    with reading(home.corpus) as store:
        return audit.report(store.conn)


def rates(found: audit.AuditReport | None) -> dict[str, audit.ErrorRate]:
    assert found is not None
    return {one.code: one for one in found.rates}


# -- drawing --------------------------------------------------------------------------------------


def test_every_stratum_has_one_and_the_rest_is_in_proportion() -> None:
    dice = random.Random(6)
    for _ in range(200):
        sizes = {(str(n),): dice.choice((1, 2, 9, 60, 500)) for n in range(dice.randint(1, 12))}
        total = dice.randint(1, 300)
        quota = audit.allocate(sizes, total)
        every = sum(sizes.values())
        assert sum(quota.values()) == min(total, every)
        assert all(0 < count <= sizes[name] for name, count in quota.items())
        if total >= len(sizes):
            assert quota.keys() == sizes.keys()
        else:
            assert min(sizes[name] for name in quota) >= max(sizes[n] for n in sizes.keys() - quota.keys())
    assert audit.allocate({("a",): 900, ("b",): 90, ("c",): 10}, 100) == {("a",): 90, ("b",): 9, ("c",): 1}


def test_a_sample_is_of_the_default_set_and_the_same_for_the_same_seed(built: Any) -> None:
    sample = draw(built, 10)
    assert Counter(one.genre for one in sample.pieces) == {"工作总结": 6, "倡议书": 3, "读后感": 1}
    assert draw(built, 10) == sample
    assert draw(built, 10, seed="2").pieces != sample.pieces
    everything = draw(built, 500)
    assert len(everything.pieces) == 20, "the copy is in no default set"
    assert {one.piece for one in sample.pieces} < {one.piece for one in everything.pieces}
    assert len(draw(built, 5, by=()).pieces) == 5
    with pytest.raises(UsageError, match=r"'colour' is nothing to sample by; choose from site, genre"):
        draw(built, 5, by=("colour",))


def test_what_is_judged_is_what_is_published(built: Any) -> None:
    page = form(draw(built, 20))
    assert PHONE not in page
    assert page.count("〔电话〕") == 20


def test_there_is_nothing_to_sample(home: Any, html: Any) -> None:
    home.serve({})
    home.build()
    with pytest.raises(UsageError, match="no piece in the default set"):
        draw(home, 5)


# -- the form -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if find_spec("playwright") is None or shutil.which("chromium") is None:
        pytest.skip("needs playwright and chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
        )
        yield opened
        opened.close()


def test_the_form_is_used_by_keyboard_and_its_file_is_taken_in(
    built: Any, browser: Any, tmp_path: Path
) -> None:
    sample = draw(built, 4)
    path = tmp_path / "抽查.html"
    path.write_text(form(sample), encoding="utf-8")
    page = browser.new_context(accept_downloads=True).new_page()
    page.set_default_timeout(15_000)
    troubles: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    press = page.keyboard.press
    assert page.locator("#text").inner_text().split() == sample.pieces[0].text.split()
    press("s")  # without a name nothing is saved, and the name is asked for
    page.keyboard.type("李 1")
    press("Enter")
    for key in ("0", "n", "1", "6", "n", "4", "4", "n", "0", "2", "p", "p"):
        press(key)
    assert page.locator("#place").inner_text() == "2 / 4"
    pressed = page.locator("#questions [aria-pressed=true]")
    assert [one.get_attribute("id") for one in pressed.all()] == ["q-boilerplate", "q-privacy"]
    page.reload()  # answers, name and place are kept
    assert page.locator("#status").inner_text().endswith("3 / 4")
    assert page.locator("#place").inner_text() == "2 / 4"
    press("u")
    assert page.locator("#place").inner_text() == "3 / 4", "the one that nobody judged: 4 twice is nothing"
    with page.expect_download() as download:
        press("s")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == f"audit-{sample.id}-李-1.json"
    assert (troubles, {url.split(":")[0] for url in asked}) == ([], {"file"})
    assert take_in(built, file) == (3, 0)
    with reading(built.corpus) as store:
        rows = dict(store.rows("select piece, errors from audit where annotator = '李 1'").fetchall())
    ids = [one.piece for one in sample.pieces]
    assert rows == {ids[0]: "[]", ids[1]: '["boilerplate","privacy"]', ids[3]: '["cut"]'}


def test_a_text_cannot_leave_its_place(built: Any, browser: Any, tmp_path: Path) -> None:
    sample = draw(built, 1)
    evil = "</script><script>document.title='偷'</script><img src=x onerror=\"document.title='偷'\">"
    piece = sample.pieces[0]
    changed = audit.Sample(sample.id, None, (), "1", (type(piece)(*[
        evil if name in ("title", "text", "genre", "url") else getattr(piece, name)
        for name in piece.__dataclass_fields__
    ]),))  # fmt: skip
    (tmp_path / "form.html").write_text(form(changed), encoding="utf-8")
    page = browser.new_context().new_page()
    page.goto((tmp_path / "form.html").as_uri())
    assert page.locator("#text").inner_text() == evil
    assert "偷" not in page.title()
    assert page.locator("img").count() == 0


# -- taking in ------------------------------------------------------------------------------------


def test_nothing_is_taken_in_twice_and_others_may_judge_too(built: Any, tmp_path: Path) -> None:
    sample = draw(built, 6)
    one = saved(sample, tmp_path / "1.json", "甲", {0: [], 1: ["cut"]})
    assert take_in(built, one) == (2, 0)
    assert take_in(built, one, saved(sample, tmp_path / "2.json", "乙", {1: []})) == (1, 2)
    more = saved(sample, tmp_path / "3.json", "甲", {1: ["cut"], 2: []})
    assert take_in(built, more) == (1, 1)
    assert verify.verify(built.corpus) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"annotator": "甲", "errors": {3: [], 0: ["genre"]}}, "甲 judged piece .* otherwise before"),
        ({"annotator": "", "errors": {3: []}}, "annotator"),
        ({"annotator": "乙", "errors": {3: ["style"]}}, "'style', which this fanwen does not know"),
        ({"annotator": "乙", "errors": {3: []}, "strata": ["colour"]}, "'colour', which"),
        ({"annotator": "乙", "errors": {3: []}, "format": 2}, "format"),
        ({"annotator": "乙\x1b[2J", "errors": {3: []}}, "annotator"),
        ({"annotator": "乙", "errors": {3: ["cut\x1b[2J"]}}, "errors"),
        ({"annotator": "乙", "errors": {3: []}, "note\x1b": "x"}, "note‹U"),
        ({"annotator": "乙", "errors": {3: []}, "note": "x"}, "note"),
        ({"annotator": "乙", "errors": {}, "answers": [{"piece": "0" * 16, "text": "0" * 64, "errors": []}]},
         "this corpus never published"),
        ({"annotator": "乙", "errors": {}, "answers": [{"piece": "x", "text": "0" * 64, "errors": []}] * 2},
         "judges piece x twice"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_and_nothing_of_it_is_kept(
    built: Any, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    sample = draw(built, 6)
    take_in(built, saved(sample, tmp_path / "1.json", "甲", {0: []}))
    good = saved(sample, tmp_path / "good.json", "丙", {5: []})
    who, errors = change.pop("annotator"), change.pop("errors")
    with pytest.raises(UsageError, match=says):
        take_in(built, good, saved(sample, tmp_path / "2.json", who, errors, **change))
    found = report(built)
    assert found is not None
    assert (found.judged, found.annotators) == (1, 1)


def test_a_file_that_is_none(built: Any, tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(UsageError, match="cannot be read"):
        take_in(built, path)
    for content in (b"", b"\xff\xfe", b"[]", b"{}", b'{"format": 1'):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="is not what the form saves"):
            take_in(built, path)


# -- reporting ------------------------------------------------------------------------------------


def test_known_answers() -> None:
    # Wilson 1927 for 10 of 100, and for none of 50
    assert audit.wilson(0.1, 100) == pytest.approx((0.05523, 0.17437), abs=1e-5)
    assert audit.wilson(0, 50) == pytest.approx((0, 0.07135), abs=1e-5)
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", B: two observers, ten articles, alpha .095
    a, b = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    agree, alpha = audit.agreement([[bool(x), bool(y)] for x, y in zip(a, b, strict=True)])
    assert agree == pytest.approx(0.6)
    assert alpha == pytest.approx(0.095, abs=5e-4)
    assert audit.agreement([[True], [False]]) == (None, None)
    assert audit.agreement([[True, True]]) == (1, None)


def test_strata_count_by_their_size(built: Any, tmp_path: Path) -> None:
    """12 + 6 + 2 pieces; of 3 judged 工作总结 one is cut, of 3 倡议书 all are, no 读后感 is judged."""
    sample = draw(built, 20)
    judged: dict[int, list[str]] = {}
    for kind, wrong in (("工作总结", 1), ("倡议书", 3)):
        numbers = [n for n, one in enumerate(sample.pieces) if one.genre == kind][:3]
        judged |= {n: ["cut"] if k < wrong else [] for k, n in enumerate(numbers)}
    take_in(built, saved(sample, tmp_path / "1.json", "甲", judged))
    found = report(built)
    assert found is not None
    assert (found.judged, found.pieces, found.covered, found.strata) == (6, 20, 18, ("genre",))
    cut = rates(found)["cut"]
    assert cut.found == 4
    assert cut.rate == pytest.approx(12 / 18 * 1 / 3 + 6 / 18)
    # three weights of 4/18 and three of 2/18: 1 / sum of squares is 5.4 judgements
    assert (cut.low, cut.high) == pytest.approx(audit.wilson(5 / 9, 5.4))
    assert rates(found)["any"].rate == pytest.approx(5 / 9)
    assert rates(found)["privacy"].rate == 0


def test_who_disagrees_counts_by_half(built: Any, tmp_path: Path) -> None:
    sample = draw(built, 20, by=())
    take_in(
        built,
        saved(sample, tmp_path / "1.json", "甲", {n: ["cut"] if n < 2 else [] for n in range(4)}),
        saved(sample, tmp_path / "2.json", "乙", {n: ["cut"] if n < 1 else [] for n in range(4)}),
    )
    found = report(built)
    assert found is not None
    assert (found.judged, found.annotators, found.judged_by_several) == (4, 2, 4)
    cut = rates(found)["cut"]
    assert (cut.found, cut.rate, cut.agreement) == (2, pytest.approx(1.5 / 4), 0.75)


def test_a_judgement_holds_as_long_as_the_text(built: Any, tmp_path: Path, write: Any, html: Any) -> None:
    sample = draw(built, 20)
    place = next(n for n, one in enumerate(sample.pieces) if one.url.endswith("/2-0"))
    take_in(built, saved(sample, tmp_path / "1.json", "甲", {place: ["cut"], (place + 1) % 20: []}))
    built.serve({"2-0": html("读后感", write(900, 8))}, day=2)
    built.build()
    found = report(built)
    assert found is not None
    assert (found.judged, found.outdated) == (1, 1)
    assert rates(found)["cut"].rate == 0
    again = draw(built, 20)
    place = next(n for n, one in enumerate(again.pieces) if one.url.endswith("/2-0"))
    assert take_in(built, saved(again, tmp_path / "2.json", "甲", {place: ["split"]})) == (1, 0)


def test_a_release_shows_rates_and_no_names(built: Any, new_home: Any, tmp_path: Path) -> None:
    unjudged = new_home("unjudged")
    shutil.copytree(built.path, unjudged.path)
    sample = draw(built, 20)
    take_in(
        built,
        saved(sample, tmp_path / "1.json", "张三丰", {n: ["cut"] if n < 5 else [] for n in range(20)}),
        saved(sample, tmp_path / "2.json", "2", {n: [] for n in range(10)}),
    )
    made, plain = (release.create(one.corpus, one.releases) for one in (built, unjudged))
    assert made is not None
    assert plain is not None
    assert made.root == plain.root
    folder = built.releases / made.version
    for one in exports.files_in(folder):
        data = (folder / one.path).read_bytes()
        if one.path.endswith(".zst"):
            data = zstandard.decompress(data, max_output_size=1 << 26)
        assert "张三丰".encode() not in data, one.path
    exports.unpack_database(folder, tmp_path / "fanwen.db")
    with closing(sqlite3.connect(tmp_path / "fanwen.db")) as db:
        assert dict(db.execute("select annotator, count(*) from audit group by 1").fetchall()) == {
            "1": 10,
            "2": 20,
        }
        assert audit.report(db) == report(built)
    card = (folder / "README.md").read_text(encoding="utf-8")
    rate = rates(report(built))["cut"]
    assert (
        f"| cut: Text is cut off or missing | 5 | {rate.rate:.1%} | {rate.low:.1%} – {rate.high:.1%} | 50.0% |"
        in card
    )
    assert "Nobody has judged" in (unjudged.releases / plain.version / "README.md").read_text(
        encoding="utf-8"
    )


def test_a_delta_leads_over_new_judgements(built: Any, tmp_path: Path, write: Any, html: Any) -> None:
    """A release proves its delta before it is published; a name in between moves all numbers behind it."""
    sample = draw(built, 20)
    take_in(built, saved(sample, tmp_path / "1.json", "丁", {n: [] for n in range(20)}))
    first = release.create(built.corpus, built.releases)
    take_in(
        built,
        saved(sample, tmp_path / "2.json", "乙", {n: ["cut"] for n in range(9)}),
        saved(sample, tmp_path / "3.json", "甲", {n: ["split"] for n in range(5, 20)}),
    )
    built.serve({"late": html("倡议书", write(800, 8)), "1-0": None}, day=2)
    built.build()
    second = release.create(built.corpus, built.releases)
    assert first is not None
    assert second is not None
    assert (built.releases / second.version / "delta" / f"from-{first.version}.jsonl.zst").is_file()
    assert release.verify(built.releases / second.version).root == second.root


def test_the_interval_holds_what_it_promises(soak: bool) -> None:
    """Of many samples of a corpus whose rate is known, about 95 % have it in their interval."""
    dice = random.Random(23)
    sizes = {("big",): 3000, ("middle",): 900, ("small",): 80, ("tiny",): 20}
    chance = {"big": 0.03, "middle": 0.12, "small": 0.4, "tiny": 0.9}
    pieces = {s: [dice.random() < chance[s[0]] for _ in range(n)] for s, n in sizes.items()}
    truth = sum(map(sum, pieces.values())) / sum(sizes.values())
    quota, held, rounds = audit.allocate(sizes, 200), 0, 2000 if soak else 400
    for _ in range(rounds):
        drawn = {s: dice.sample(pieces[s], n) for s, n in quota.items()}
        votes = {
            f"{s}{n}": [frozenset({"cut"} if wrong else ())]
            for s, by in drawn.items()
            for n, wrong in enumerate(by)
        }
        weights = {f"{s}{n}": sizes[s] / quota[s] / 4000 for s, by in drawn.items() for n in range(len(by))}
        rate = audit._rate("cut", votes, weights)
        held += rate.low <= truth <= rate.high
    assert 0.92 < held / rounds < 0.995
