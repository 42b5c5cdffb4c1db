"""Writes a sample as one HTML form that loads nothing: texts beside their origin, and questions.

The form keeps answers in the browser and saves them as a file that ``fanwen audit import`` takes. It is
``data/audit.html`` with the sample as JSON in it; what a page held is only ever shown as text.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files

from fanwen.corpus.audit import Sample, questions
from fanwen.corpus.store import to_json


def form(sample: Sample) -> str:
    """The form for one sample."""
    data = to_json({**asdict(sample), "questions": [asdict(one) for one in questions()]})
    template = (files("fanwen.corpus") / "data/audit.html").read_text(encoding="utf-8")
    head, _, tail = template.partition("__DATA__")
    # no "</script>" of a text ends the element that it stands in
    return head + data.replace("<", "\\u003c") + tail
