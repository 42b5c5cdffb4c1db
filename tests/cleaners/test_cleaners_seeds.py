"""Acceptance cases 1 to 22 on the seeds themselves; their strings are read from acceptance.md."""

from __future__ import annotations

from collections.abc import Callable

import opencc
import pytest

from fanwen.cleaners.types import Cleaned

Seeds = dict[str, Cleaned]
Case = Callable[[int], list[str]]


def whole(cleaned: Cleaned) -> str:
    return "\n".join(piece.text for piece in cleaned.pieces)


def simplified(text: str) -> str:
    return str(opencc.OpenCC("tw2s").convert(text))


def test_numbers_flags_and_declared_pieces(cleaned_seeds: Seeds) -> None:
    assert {k: len(c.pieces) for k, c in cleaned_seeds.items()} == {
        "000": 6,
        "001": 8,
        "002": 1,
        "003": 8,
        "004": 5,
    }
    incomplete = [(k, p.index) for k, c in cleaned_seeds.items() for p in c.pieces if "incomplete" in p.flags]
    assert incomplete == [("003", 8), ("004", 5)]
    assert [(k, p.index) for k, c in cleaned_seeds.items() for p in c.pieces if "stub" in p.flags] == [
        ("004", 4)
    ]
    declared = {k: c.document.declared_pieces for k, c in cleaned_seeds.items() if c.document}
    assert declared == {"000": 6, "001": 8, "002": None, "003": 10, "004": 11}
    assert all(c.document and c.document.found_pieces == len(c.pieces) for c in cleaned_seeds.values())
    assert not any(c.rejects for c in cleaned_seeds.values())


def test_01_page_break_joins(cleaned_seeds: Seeds, case: Case) -> None:
    first, second = case(1)
    assert first + second in whole(cleaned_seeds["000"])
    hits = {
        h.rule: h.count
        for c in cleaned_seeds.values()
        if c.document
        for h in c.document.rule_hits
        if h.rule == "layout.page_join"
    }
    assert hits == {"layout.page_join": 8}
    for name, cleaned in cleaned_seeds.items():
        assert cleaned.document is not None
        joined = any(h.rule == "layout.page_join" for h in cleaned.document.rule_hits)
        assert joined == (name == "000")


def test_02_03_no_join_before_a_head(cleaned_seeds: Seeds, case: Case) -> None:
    first, second = case(2)
    assert f"{first}\n{second}" in whole(cleaned_seeds["001"])
    a, b, c, d = (simplified(s) for s in case(3))
    assert f"{a}\n{b}" in whole(cleaned_seeds["003"])
    assert f"{c}\n{d}" in whole(cleaned_seeds["003"])


def test_04_05_marks_and_glued_page_number(cleaned_seeds: Seeds, case: Case) -> None:
    text = whole(cleaned_seeds["001"])
    assert "`" not in text
    repaired, kept_typo, kept_mask = case(4)[-3:]
    assert repaired in text
    assert kept_typo in text
    assert kept_mask in text
    _, fixed, *kept = case(5)
    for string in (fixed, *kept):
        assert string in whole(cleaned_seeds["004"])


def test_06_07_wraps_and_heads_of_a_flattened_line(cleaned_seeds: Seeds, case: Case) -> None:
    document = cleaned_seeds["002"].document
    assert document is not None
    text = document.text  # one of the wraps stands in the introduction, which no piece holds
    pairs = case(6)
    for before, after in zip(pairs[0:8:2], pairs[1:8:2], strict=True):
        assert before not in text
        assert after in text
    head, item = case(7)
    assert f"\n{head}\n{item}" in whole(cleaned_seeds["002"])


def test_08_09_markdown_and_word_filter(cleaned_seeds: Seeds, case: Case) -> None:
    text = whole(cleaned_seeds["000"])
    escaped, mask, tagged, squared, dashed, plain, kept = case(8)
    assert escaped not in text
    assert mask in text
    assert tagged not in text
    assert squared in text
    assert dashed not in text
    assert f"\n{plain}" in text
    assert kept in text
    for string in case(9):
        assert simplified(string) in whole(cleaned_seeds["003"])


@pytest.mark.parametrize(("number", "seed"), [(10, "004"), (12, "002"), (13, "001"), (14, "000")])
def test_10_to_14_boilerplate(cleaned_seeds: Seeds, case: Case, number: int, seed: str) -> None:
    strings = case(number)
    if number == 12:
        strings = [s for s in strings if not s.startswith("2020")]
    if number == 14:
        *ours, trad = strings
        assert simplified(trad) not in whole(cleaned_seeds["003"])
        assert "2023-03-17" not in whole(cleaned_seeds["003"])
        strings = ours
    assert strings
    for string in strings:
        for part in string.split("…"):
            part = part.strip()
            for piece in cleaned_seeds[seed].pieces:
                assert part not in piece.text.split("\n")
                if len(part) >= 6:
                    assert part not in piece.text


def test_11_12_what_must_stay(cleaned_seeds: Seeds, case: Case) -> None:
    for string in case(11):
        assert string in whole(cleaned_seeds["004"])
    (piece,) = cleaned_seeds["002"].pieces
    assert piece.text.startswith(case(12)[-1])
    assert "专题" in whole(cleaned_seeds["001"])


def test_15_to_17_pieces_begin_and_end_where_they_should(cleaned_seeds: Seeds) -> None:
    heads = [p.text.split("\n")[0][:6] for p in cleaned_seeds["000"].pieces]
    assert len(set(heads)) == 6
    assert "计划一：" in cleaned_seeds["000"].pieces[4].text
    assert "(一) 预期目标" in cleaned_seeds["000"].pieces[4].text
    assert cleaned_seeds["003"].pieces[-1].text.endswith("八、宗教工作")
    stub = cleaned_seeds["004"].pieces[3]
    assert "(本页无正文)" in stub.text
    assert stub.quality.n_chars < 150


def test_20_script(cleaned_seeds: Seeds, case: Case) -> None:
    text = whole(cleaned_seeds["003"])
    strings = case(20)
    for before, after in zip(strings[::2], strings[1::2], strict=True):
        assert before not in text
        assert after in text
    assert cleaned_seeds["003"].document is not None
    assert cleaned_seeds["003"].document.opencc == "tw2s"
    assert all(p.script.startswith("Hant") for p in cleaned_seeds["003"].pieces)


@pytest.mark.parametrize("seed", ["000", "001", "002", "004"])
def test_21_other_seeds_keep_their_characters(
    cleaned_seeds: Seeds, seed_text: dict[str, str], seed: str
) -> None:
    """Every character of the pieces comes from the source, in order; only named repairs replace one."""
    cleaned = cleaned_seeds[seed]
    assert cleaned.document is not None
    assert cleaned.document.opencc is None
    source = iter("".join(seed_text[seed].split()).replace("<sup>2</sup>", "²"))
    for char in "".join(whole(cleaned).split()):
        assert any(char == other for other in source), f"{char!r} is not where the source has it"
    layout = (
        "page_join",
        "glued_number",
        "wrap_space",
        "pad_space",
        "wrap_paragraph",
        "flattened",
        "heading",
    )
    markup = ("escape", "sup", "bullet", "heading")
    allowed = {f"layout.{name}" for name in layout} | {f"markup.{name}" for name in markup}
    allowed |= {"damage.anticopy", "text.blank"}
    assert {e.rule for p in cleaned.pieces for e in p.edits} <= allowed


def test_nothing_of_the_body_is_lost(cleaned_seeds: Seeds, seed_text: dict[str, str]) -> None:
    """What was taken from a seed is headings, introduction and furniture: a few hundred characters."""
    for name, cleaned in cleaned_seeds.items():
        kept = sum(len("".join(p.text.split())) for p in cleaned.pieces)
        assert len("".join(seed_text[name].split())) - kept < 420


def test_22_all_pieces_are_chinese(cleaned_seeds: Seeds) -> None:
    assert {p.language for c in cleaned_seeds.values() for p in c.pieces} == {"zh"}


def test_originals_and_edits_lead_to_the_text(cleaned_seeds: Seeds) -> None:
    for cleaned in cleaned_seeds.values():
        for piece in cleaned.pieces:
            text, done = "", 0
            for edit in piece.edits:
                assert piece.text_original[edit.begin : edit.begin + len(edit.before)] == edit.before
                text += piece.text_original[done : edit.begin] + edit.after
                done = edit.begin + len(edit.before)
            text += piece.text_original[done:]
            if cleaned.document and cleaned.document.opencc:
                assert len(text) == len(piece.text)
                assert simplified(text)[:50] == piece.text[:50]
            else:
                assert text == piece.text
