"""A text under repair knows where every character came from."""

from __future__ import annotations

from fanwen.cleaners.trace import Change, Trace, apply


def test_trace_composes_changes_and_names_them() -> None:
    trace = Trace("甲乙丙丁戊己庚辛")
    trace.apply([Change(1, 2, "", "a.cut"), Change(4, 5, "五", "b.swap")])
    assert trace.text == "甲丙丁五己庚辛"
    trace.apply([Change(2, 3, "", "c.cut"), Change(5, 5, "＋", "d.add")])
    assert trace.text == "甲丙五己＋庚辛"
    original, edits = trace.edits(0, len(trace.text))
    rebuilt, done = "", 0
    for edit in edits:
        rebuilt += original[done : edit.begin] + edit.after
        done = edit.begin + len(edit.before)
    assert rebuilt + original[done:] == trace.text
    assert {h.rule for h in trace.hits.sorted()} == {"a.cut", "b.swap", "c.cut", "d.add"}


def test_overlapping_changes_lose_to_the_earlier() -> None:
    assert apply("一二三四五", [Change(1, 4, "X", "a"), Change(2, 5, "Y", "b")]) == "一X五"


def test_trace_gives_a_stretch_of_the_original() -> None:
    trace = Trace("广告。正文一。广告。正文二。")
    trace.apply([Change(0, 3, "", "a"), Change(7, 10, "", "a")])
    assert trace.text == "正文一。正文二。"
    assert trace.edits(4, 8)[0] == "正文二。"
