"""Masks of a text carried over to its original: nothing masked is left, and the repairs still lead to the text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwen.cleaners.damage import WALL_END, WALL_INSIDE
from fanwen.cleaners.pipeline import _plain, clean_document, page_from_file
from fanwen.cleaners.types import Edit, Page, Span
from fanwen.corpus import masking
from fanwen.corpus.masking import KINDS, Stored, named, publish, replaced, words
from fanwen.corpus.originals import MaskedOriginal, mask_original

EVAL_PAGES = Path(__file__).parent.parent / "eval" / "pages"


def applied(text: str, edits: tuple[Edit, ...]) -> str:
    """What the repairs make of an original; they must be of it."""
    parts, at = [], 0
    for edit in edits:
        assert edit.begin >= at
        assert text[edit.begin : edit.begin + len(edit.before)] == edit.before
        parts += (text[at : edit.begin], edit.after)
        at = edit.begin + len(edit.before)
    return _plain("".join((*parts, text[at:])))


@st.composite
def repaired(draw: st.DrawFn) -> tuple[str, tuple[Edit, ...], tuple[Span, ...]]:
    """An original whose characters are all different but for its line feeds, repairs of it, spans of the text."""
    used = iter(range(0x4E00, 0x9FFF))

    def some(most: int, *marks: str) -> str:
        between = st.sampled_from(["", "", "", "", "\n", "\n\n", *marks])
        return "".join(chr(next(used)) + draw(between) for _ in range(draw(st.integers(0, most))))

    original, edits = "", []
    for _ in range(draw(st.integers(0, 6))):
        original += some(5)
        before, after = some(3), some(3, WALL_END, WALL_INSIDE)
        if before or after:
            edits.append(Edit(f"rule.{len(edits)}", len(original), before, after))
        original += before
    original += some(5)
    text = applied(original, tuple(edits))
    places = [k for k, char in enumerate(text) if char != "\n"]
    ends = sorted(draw(st.lists(st.sampled_from(places), unique=True, max_size=8))) if places else []
    spans = tuple(
        Span(draw(st.sampled_from(["person", "phone"])), begin, end + 1)
        for begin, end in zip(ends[::2], ends[1::2], strict=False)
    )
    return original, tuple(edits), spans


@settings(max_examples=400, deadline=None)
@given(repaired())
def test_any_mask_is_carried_over_or_the_original_is_left_out(
    case: tuple[str, tuple[Edit, ...], tuple[Span, ...]],
) -> None:
    original, edits, spans = case
    text = applied(original, edits)
    masks = words(named(text, spans), text)
    masked, _ = replaced(text, spans, masks)
    found = mask_original(
        text, original, edits, list(zip(spans, masks, strict=True)), lambda lost: lost, converted=False
    )
    if found is None:
        assert len(spans) > 1
        return
    assert applied(found.text, found.edits) == masked
    hidden = {char for span in spans for char in text[span.begin : span.end]} - {"\n"}
    shown = set(found.text) | {char for edit in found.edits for char in edit.before + edit.after}
    assert not hidden & shown
    if not spans:
        assert found == MaskedOriginal(original, edits)
    # nothing else is lost but what was cut between and right beside the masked characters
    assert set(masked) - set("〔〕人名电话0123456789") <= shown | {"\n"}


def test_what_stands_between_and_beside_the_characters_of_a_name_is_masked_with_them() -> None:
    original = "村民李(lǐ)大\u200b山(shān)来了，电话138 1234\n5678。点击下载"
    text = "村民李大山来了，电话13812345678。"
    edits = (
        Edit("damage.pinyin", 3, "(lǐ)", ""),
        Edit("text.invisible", 8, "\u200b", ""),
        Edit("damage.pinyin", 10, "(shān)", ""),
        Edit("layout.space", 24, " ", ""),
        Edit("layout.wrap", 29, "\n", ""),
        Edit("nag", 35, "点击下载", ""),
    )
    assert applied(original, edits) == text
    spans = (Span("person", 2, 5), Span("phone", 10, 21))
    found = mask_original(
        text,
        original,
        edits,
        list(zip(spans, words(named(text, spans), text), strict=True)),
        lambda lost: lost,
        converted=False,
    )
    assert found == MaskedOriginal(
        "村民〔人名1〕来了，电话〔电话〕。点击下载", (Edit("nag", 17, "点击下载", ""),)
    )


def test_what_a_repair_took_away_is_masked_in_text_and_edit() -> None:
    found = mask_original(
        "结束了。",
        "结束了。找王强",
        (Edit("nag", 4, "找王强", ""),),
        (),
        lambda lost: lost.replace("王强", "〔人名1〕"),
        converted=False,
    )
    assert found == MaskedOriginal("结束了。找〔人名1〕", (Edit("nag", 4, "找〔人名1〕", ""),))


@pytest.mark.parametrize(
    ("original", "edits", "converted"),
    [
        ("村民来了。", (Edit("r", 2, "走", ""),), False),  # an edit of another text
        ("村民来了！", (), False),
        ("村民來了。", (), False),  # nothing was converted
        ("村民來了.", (), True),  # punctuation does not change its script
        ("村民们来了。", (), True),
    ],
)
def test_nothing_is_guessed(original: str, edits: tuple[Edit, ...], converted: bool) -> None:
    assert mask_original("村民来了。", original, edits, (), lambda lost: lost, converted=converted) is None


def test_traditional_characters_keep_their_places() -> None:
    found = mask_original(
        "老师张国荣来了",
        "老師張國榮來了",
        (),
        [(Span("person", 2, 5), "〔人名1〕")],
        lambda lost: lost,
        converted=True,
    )
    assert found == MaskedOriginal("老師〔人名1〕來了", ())


def test_the_originals_of_real_pages_can_all_be_masked() -> None:
    looked = masked = 0
    for file in sorted(EVAL_PAGES.glob("*.html")):
        cleaned = clean_document([page_from_file(file)])
        pieces = [Stored(piece.title, piece.text, piece.privacy) for piece in cleaned.pieces]
        for piece, shown in zip(cleaned.pieces, publish(pieces, KINDS), strict=True):
            masks = words(named(piece.text, shown.privacy), piece.text)
            converted = cleaned.document is not None and cleaned.document.opencc is not None
            found = mask_original(
                piece.text,
                piece.text_original,
                piece.edits,
                list(zip(shown.privacy, masks, strict=True)),
                lambda lost: lost,
                converted=converted,
            )
            assert found is not None, (file.name, piece.index)
            looked += 1
            masked += bool(masks)
            if not converted:
                assert applied(found.text, found.edits) == shown.text
    assert looked > 50
    assert masked > 20


def test_a_page_that_is_masked_has_nothing_left_to_mask() -> None:
    lines = "尊敬的韩梦洁老师：\n村民李大山的电话是13812345678。李大山还说，路修好了。"
    cleaned = clean_document(
        [Page("http://a.example/1", (lines + "\n" + "我们按时完成了工作。" * 30).encode(), "text/plain")]
    )
    once = publish([Stored(p.title, p.text, p.privacy) for p in cleaned.pieces], KINDS)
    again = publish([Stored(p.title, p.text, masking.spans_of(p.text)) for p in once], KINDS)
    assert [(p.title, p.text) for p in again] == [(p.title, p.text) for p in once]
    assert once[0].masked == {"person": 3, "phone": 1}
