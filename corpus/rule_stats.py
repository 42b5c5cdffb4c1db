"""Ranks the rules by what they took over a corpus.

In goes corpus.db, out comes a :class:`RuleStats` over the current state of its documents. A text is
never read: everything was counted when the documents were cleaned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fanwen.cleaners.audit import known_rules
from fanwen.corpus.store import reading
from fanwen.errors import UsageError


@dataclass(frozen=True, slots=True)
class RuleTally:
    """What one rule took. ``share`` is of the characters that all rules took, in [0, 1].

    ``example`` is from ``example_url``, the document of which the rule took most.
    """

    rule: str
    documents: int
    hits: int
    chars: int
    share: float
    example: str
    example_url: str


@dataclass(frozen=True, slots=True)
class RuleStats:
    """``rules`` by characters taken, most first; ``silent`` are rules that took nothing anywhere.

    ``documents`` counts those looked at, also those of which no rule took anything.
    """

    site: str | None
    documents: int
    chars: int
    rules: tuple[RuleTally, ...]
    silent: tuple[str, ...]


def rule_stats(corpus_path: Path, site: str | None = None) -> RuleStats:
    """Count over the current documents, of one ``site`` where it is given.

    Raises UsageError for a site that the corpus does not know.
    """
    with reading(corpus_path) as store:
        documents = store.value(
            "select count(*) from document_version v join document d on d.id = v.document"
            " where v.removed_in is null and d.source = 'archive' and (?1 is null or d.site = ?1)",
            site,
        )
        if site is not None and not documents:
            raise UsageError(
                f"The corpus has no document of a site '{site}'; 'fanwen stats' lists its sites."
            )
        rows = store.rows(_RANKED, site).fetchall()
    total = sum(row[3] for row in rows)
    tallies = tuple(
        RuleTally(rule, count, hits, chars, round(chars / total, 4) if total else 0.0, example, url)
        for rule, count, hits, chars, example, url in rows
    )
    silent = sorted(set(known_rules()) - {tally.rule for tally in tallies})
    return RuleStats(site, documents, total, tallies, tuple(silent))


_RANKED = """
select rule, count(*), sum(count), sum(chars) as taken,
  max(case when best = 1 then example end), max(case when best = 1 then url end)
from (
  select h.*, d.url, row_number() over (partition by h.rule order by h.chars desc, d.url) as best
  from rule_hit h join document_version v on v.id = h.document_version join document d on d.id = v.document
  where v.removed_in is null and (?1 is null or d.site = ?1)
)
group by rule order by taken desc, rule
"""
