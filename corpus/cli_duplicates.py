"""The commands on what pieces share: duplicates, duplicates show, reuse."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
from click.core import ParameterSource

from fanwen.corpus.home import Home
from fanwen.corpus.options import corpus_file, home_option, json_option
from fanwen.corpus.report import Progress, print_json, print_json_line, table, visible
from fanwen.corpus.store import Store, open_store
from fanwen.corpus.types import Cluster, Difference, SharedBySites, SharedPassage, Sighting
from fanwen.corpus.versions import unsettled
from fanwen.errors import UsageError

HOLDERS = 4  # pieces shown of a passage, where --json shows all
BEGINNING = 60  # characters shown of a passage


@click.group(invoke_without_command=True)
@home_option
@json_option
@click.option("--passages", is_flag=True, help="With --json: also the passages that the two texts share.")
@click.pass_context
def duplicates(context: click.Context, home: Home, as_json: bool, passages: bool) -> None:
    """Every verified pair of pieces that share text, not only those with the canonical.

    With --json one pair a line: a, b, relation (exact, near, contains, overlap), jaccard,
    containment_a, containment_b, shared; with --passages also passages, a list of [a_begin, a_end,
    b_begin, b_end] in code points of the two texts. Nothing says who copied from whom. Pairs not yet
    known are computed first. 'fanwen duplicates show ID' shows one cluster.
    """
    if context.invoked_subcommand:
        _nothing_before(context)
        return
    if passages and not as_json:
        raise UsageError("--passages needs --json, since they do not fit into a table.")
    from fanwen.corpus import duplicates as duplicates_module

    progress = Progress()
    with home.locked("duplicates"):
        pairs = duplicates_module.pairs(corpus_file(home), aligned=passages, progress=progress)
        progress.close()
        if as_json:
            for pair in pairs:
                print_json_line(pair)
            return
        head = ("a", "b", "relation", "jaccard", "in b", "in a", "shared")
        rows = [(p.a, p.b, p.relation, p.jaccard, p.containment_a, p.containment_b, p.shared) for p in pairs]
    print(table([head, *rows]) if rows else "No two pieces share text.")


def _nothing_before(context: click.Context) -> None:
    for parameter in context.command.params:
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
            raise UsageError(f"{parameter.opts[0]} goes behind '{context.invoked_subcommand}'.")


# -- duplicates show ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shown:
    """A cluster, and of each other member by id what differs from the canonical."""

    cluster: Cluster
    differences: dict[str, tuple[Difference, ...]]


@duplicates.command("show")
@home_option
@json_option
@click.option("--exact", is_flag=True, help="Mark other punctuation, spaces, width and script too.")
@click.option("--full", is_flag=True, help="Whole texts: cut neither what is equal nor what differs.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Members shown, and related pieces; 0 for all.",
)
@click.argument("name", metavar="ID|URL")
def duplicates_show(home: Home, as_json: bool, exact: bool, full: bool, limit: int, name: str) -> None:
    """A cluster: every sighting of its text, and what differs from the canonical.

    ID is that of a piece or a cluster, or a former name of one; of a URL all its pieces are shown.
    [-this only the canonical has-]{+this only the other+}, [~this stands elsewhere in the other~],
    {~this came from elsewhere~}; on a terminal in colours. The number before a line is its place in
    the other text. Punctuation, spaces, width and script make no difference unless --exact, other
    numbers always do. Nothing says which of the texts was first.

    Example: fanwen duplicates show http://www.example.org/gongzuo/1001.html
    """
    from fanwen.corpus.sightings import clusters

    with open_store(corpus_file(home), readonly=True) as store:
        _say_if_behind(store)
        shown = [_shown(store, cluster, exact=exact, limit=limit) for cluster in clusters(store, name)]
    if as_json:
        print_json([_without_equal(one) for one in shown])
        return
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print("\n\n".join("\n".join(_cluster_lines(one, colour=colour, full=full, limit=limit)) for one in shown))


def _say_if_behind(store: Store) -> None:
    if unsettled(store):
        print(
            "fanwen: Pieces have changed since duplicates were last looked for;"
            " 'fanwen build' looks for them again.",
            file=sys.stderr,
        )


def _shown(store: Store, cluster: Cluster, *, exact: bool, limit: int) -> _Shown:
    from fanwen.corpus.differences import differences
    from fanwen.corpus.duplicates import text_of

    canonical, *others = (member.sighting.piece_id for member in cluster.members)
    text = text_of(store, canonical)
    chosen = others[: limit - 1] if limit else others
    return _Shown(cluster, {one: differences(text, text_of(store, one), exact=exact) for one in chosen})


def _without_equal(shown: _Shown) -> _Shown:
    return _Shown(
        shown.cluster,
        {
            piece: tuple(one for one in found if one.kind != "equal")
            for piece, found in shown.differences.items()
        },
    )


def _cluster_lines(shown: _Shown, *, colour: bool, full: bool, limit: int) -> Iterator[str]:
    from fanwen.corpus.differences import as_lines

    cluster = shown.cluster
    sites = {member.sighting.site for member in cluster.members}
    yield f"cluster {cluster.cluster}: {len(cluster.members):,} pieces on {len(sites):,} sites"
    if cluster.aliases:
        yield f"  once also {', '.join(cluster.aliases)}"
    listed = cluster.members[: len(shown.differences) + 1]
    yield table(
        [
            ("piece", "relation", "jaccard", *_SIGHTING),
            *((m.sighting.piece_id, m.relation, m.jaccard, *_sighting(m.sighting)) for m in listed),
        ]
    )
    yield from _and_more(len(cluster.members) - len(listed))
    for piece, found in shown.differences.items():
        yield f"\n{piece} beside the canonical {cluster.members[0].sighting.piece_id}:"
        yield "\n".join(as_lines(found, colour=colour, full=full)) or _no_difference(found)
    if cluster.edges:
        related = cluster.edges[:limit] if limit else cluster.edges
        yield "\nrelated pieces outside of the cluster:"
        yield table(
            [
                ("piece", "relation", "other", "in it", *_SIGHTING),
                *(
                    (e.piece_id, e.relation, e.other.piece_id, e.containment, *_sighting(e.other))
                    for e in related
                ),
            ]
        )
        yield from _and_more(len(cluster.edges) - len(related))


def _and_more(left: int) -> Iterator[str]:
    if left:
        yield f"  and {left:,} more; --limit 0 shows all."


_SIGHTING = ("site", "place", "first seen", "fetched", "published", "characters", "flags", "title", "url")


def _sighting(one: Sighting) -> tuple[object, ...]:
    return (
        one.site,
        f"{one.place}/{one.places}",
        one.first_seen[:10],
        one.fetched_at[:10],
        one.published,
        one.n_chars,
        ", ".join(one.flags) or None,
        None if one.title is None else visible(one.title, "⏎"),
        visible(one.url),
    )


def _no_difference(found: Sequence[Difference]) -> str:
    if all(one.a == one.b for one in found):
        return "         letter by letter the same"
    return "         the same but for punctuation, spaces, width or script; --exact marks them"


# -- reuse ----------------------------------------------------------------------------------------


@click.command()
@home_option
@json_option
@click.option("--site", metavar="NAME", help="Only passages that this site has too.")
@click.option(
    "--min-chars",
    type=click.IntRange(20),
    default=20,
    show_default=True,
    help="Shortest passage, without punctuation and spaces.",
)
@click.option(
    "--max-pieces",
    type=click.IntRange(2),
    help="Leave out what more pieces have, stock phrases above all.",
)
@click.option("--within", is_flag=True, help="Also passages that pieces of one site only share.")
@click.option("--matrix", is_flag=True, help="Site × site instead: how much each shares with each.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="Passages shown, or sites of the matrix; 0 for all.",
)
def reuse(
    home: Home,
    as_json: bool,
    site: str | None,
    min_chars: int,
    max_pieces: int | None,
    within: bool,
    matrix: bool,
    limit: int,
) -> None:
    """Passages that pieces of several sites share, those on most sites first.

    They are aligned anew in every pair that 'fanwen duplicates' knows, which takes about a
    millisecond a pair. A passage that many pieces hold in otherwise different texts is rather a stock
    phrase than a copy; --max-pieces leaves such out. A number counts as one character, whatever it is.

    --matrix counts, for each two sites, the pieces of the first that share a passage with some piece of
    the second, and how many of their characters. Both ways round stand in the matrix since such
    counts differ, not because anything was found about who copied from whom: nothing was.

    With --json one passage a line, with all pieces that hold it and where (begin, end in code points
    of its text); with --matrix a list of the cells.

    Example: fanwen reuse --min-chars 100 --max-pieces 10
    """
    from fanwen.corpus.reuse import Reuse, Wanted

    wanted = Wanted(site, min_chars, max_pieces, within)
    progress = Progress()
    with open_store(corpus_file(home), readonly=True) as store:
        _say_if_behind(store)
        _must_be_known(store, site)
        with Reuse(store, wanted, progress) as found:
            progress.close()
            if matrix:
                cells = found.matrix()
                print_json(cells) if as_json else print(_matrix(cells, limit))
            elif as_json:
                for passage in found.passages(limit):
                    print_json_line(passage)
            else:
                _print_passages(found.passages(limit), len(found))


def _must_be_known(store: Store, site: str | None) -> None:
    if site is not None and not store.value("select 1 from document where site = ?", site):
        raise UsageError(f"The corpus has no site {site}; 'fanwen stats' lists those it has.")


def _print_passages(passages: Iterator[SharedPassage], total: int) -> None:
    if not total:
        print("No passage is shared like that.")
        return
    shown = 0
    for passage in passages:
        shown += 1
        print("\n".join(_passage_lines(passage)))
    more = f", {shown:,} shown; --limit 0 shows all" if shown < total else ""
    print(f"{total:,} passages{more}.")


def _passage_lines(passage: SharedPassage) -> Iterator[str]:
    beginning = visible(passage.text[:BEGINNING], "⏎") + ("…" if len(passage.text) > BEGINNING else "")
    yield (f"{passage.sites:,} sites, {passage.pieces:,} pieces, {passage.chars:,} characters: {beginning}")
    yield table(
        (h.sighting.site, h.sighting.piece_id, f"{h.begin}–{h.end}", visible(h.sighting.url))
        for h in passage.holders[:HOLDERS]
    )
    if len(passage.holders) > HOLDERS:
        yield f"  and {len(passage.holders) - HOLDERS:,} more"
    yield ""


def _matrix(cells: Sequence[SharedBySites], limit: int) -> str:
    if not cells:
        return "No two sites share a passage like that."
    names = _busiest(cells, limit)
    of = {(cell.site, cell.other): cell for cell in cells}
    numbers = range(1, len(names) + 1)
    parts = []
    for title, field in (("pieces that share a passage", "pieces"), ("their shared characters", "chars")):
        rows = [
            (n, name, *(getattr(of.get((name, other)), field, None) for other in names))
            for n, name in zip(numbers, names, strict=True)
        ]
        parts.append(f"{title}, by site (rows) and the site they share it with (columns):")
        parts.append(table([("", "site", *numbers), *rows]))
    left = len({cell.site for cell in cells}) - len(names)
    if left:
        parts.append(f"{left:,} more sites; --limit 0 shows all.")
    return "\n".join(parts)


def _busiest(cells: Sequence[SharedBySites], limit: int) -> list[str]:
    """Sites with the most pieces that share, as many as are shown, by name."""
    pieces: dict[str, int] = {}
    for cell in cells:
        pieces[cell.site] = pieces.get(cell.site, 0) + cell.pieces
    ranked = sorted(pieces, key=lambda name: (-pieces[name], name))
    return sorted(ranked[:limit] if limit else ranked)


COMMANDS = (duplicates, reuse)
