"""Groups texts into clusters of duplicates: a function of the last release and of today's links.

In come nodes (folded texts with their pieces), the links between them (near) and the clusters of
the last release; out comes the cluster of every node. Exact copies are one node. Because nothing
else goes in, the answer does not depend on how many builds lie between two releases.

A newcomer joins a cluster if it links to its canonical or to half of its members, so that a
chain of ever more different texts does not become one cluster. A cluster keeps its name, the
piece that founded it; merging keeps the smaller name and leaves an alias; names are never reused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from fanwen.corpus.identity import digest

Rank = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One folded text. ``rank`` orders by fitness to be canonical (the least is best);
    ``pieces`` are sorted ids; ``prior`` is its cluster in the last release, ``former`` are clusters that
    its pieces had there with another text."""

    key: str
    rank: Rank
    pieces: tuple[str, ...]
    prior: str | None
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clusters:
    """``of``: the cluster of every node, by key. ``aliases``: names that merged into others."""

    of: dict[str, str]
    aliases: dict[str, str]


def assign(nodes: Sequence[Node], links: Iterable[tuple[str, str]], used_names: Container[str]) -> Clusters:
    """Cluster of every node. ``used_names`` may not be given to a new cluster."""
    by_key = {node.key: node for node in nodes}
    neighbours: dict[str, set[str]] = defaultdict(set)
    for a, b in links:
        neighbours[a].add(b)
        neighbours[b].add(a)
    groups = _Groups(by_key)
    newcomers = []
    for node in sorted(nodes, key=lambda node: node.rank):
        if node.prior is None:
            newcomers.append(node)
        else:
            groups.start(node.prior, node.key)
    newcomers.extend(groups.expel_unlinked(neighbours))
    for node in sorted(newcomers, key=lambda node: node.rank):
        groups.place(node.key, neighbours.get(node.key, set()))
    groups.merge_linked_canonicals(neighbours)
    return groups.named(used_names)


class _Groups:
    """Growing groups of nodes; a group's canonical is its node of least rank."""

    def __init__(self, nodes: dict[str, Node]) -> None:
        self.nodes = nodes
        self.group_of: dict[str, int] = {}
        self.members: dict[int, set[str]] = {}
        self.canonical: dict[int, str] = {}
        self.names: dict[int, set[str]] = defaultdict(set)
        self._by_name: dict[str, int] = {}

    def start(self, name: str, key: str) -> None:
        """A node that the last release had in cluster ``name``."""
        group = self._by_name.get(name)
        if group is None:
            group = self._by_name[name] = len(self.members)
            self.members[group] = set()
            self.names[group] = {name}
        self._put(group, key)

    def expel_unlinked(self, neighbours: dict[str, set[str]]) -> list[Node]:
        """Nodes that no links bind to most of their cluster any more; of two halves that with the best stays.

        The canonical may be among them: a compilation that stood for one of its parts until another was
        known.
        """
        expelled = []
        for group, members in self.members.items():
            parts = _connected(members, neighbours)
            kept = max(parts, key=lambda part: (len(part), self.canonical[group] in part))
            for key in sorted(members - kept):
                expelled.append(self.nodes[key])
                del self.group_of[key]
            self.members[group] = kept
            self.canonical[group] = min(kept, key=lambda key: self.nodes[key].rank)
        return expelled

    def place(self, key: str, links: set[str]) -> None:
        counts: dict[int, int] = defaultdict(int)
        for other in links:
            if other in self.group_of:
                counts[self.group_of[other]] += 1
        joined = sorted(
            group
            for group, count in counts.items()
            if self.canonical[group] in links or 2 * count >= len(self.members[group])
        )
        if not joined:
            joined = [len(self.members)]
            self.members[joined[0]] = set()
        for group in joined[1:]:
            self._merge(joined[0], group)
        self._put(joined[0], key)

    def merge_linked_canonicals(self, neighbours: dict[str, set[str]]) -> None:
        again = True
        while again:
            again = False
            for group in sorted(self.members):
                if not self.members[group]:
                    continue
                for other in sorted(neighbours.get(self.canonical[group], set())):
                    target = self.group_of[other]
                    if target != group and self.canonical[target] == other:
                        self._merge(min(group, target), max(group, target))
                        again = True
                        break

    def named(self, used_names: Container[str]) -> Clusters:
        of: dict[str, str] = {}
        aliases: dict[str, str] = {}
        nameless = []
        borne: set[str] = set()
        for group, members in self.members.items():
            if members and self.names[group]:
                name, *others = sorted(self.names[group])
                borne |= {name, *others}
                aliases.update((alias, name) for alias in others)
                of.update((key, name) for key in members)
            elif members:
                pieces = sorted(piece for key in members for piece in self.nodes[key].pieces)
                former = sorted({name for key in members for name in self.nodes[key].former})
                nameless.append((not set(former) & set(pieces), pieces, former, members))
        # a cluster whose pieces all changed their text keeps its name: founders ask first
        for _, pieces, former, members in sorted(nameless, key=lambda group: group[:2]):
            free = [name for name in former if name not in borne]
            founded = [name for name in free if name in pieces]
            kept = [*founded, *free, None][0]
            chosen = kept if kept is not None else _new_name(pieces, borne, used_names)
            borne.add(chosen)
            of.update((key, chosen) for key in members)
        return Clusters(of, aliases)

    def _put(self, group: int, key: str) -> None:
        self.members[group].add(key)
        self.group_of[key] = group
        best = self.canonical.get(group)
        if best is None or self.nodes[key].rank < self.nodes[best].rank:
            self.canonical[group] = key

    def _merge(self, into: int, other: int) -> None:
        for key in sorted(self.members[other]):
            self._put(into, key)
        self.names[into] |= self.names.pop(other, set())
        self.members[other] = set()


def _connected(members: set[str], neighbours: dict[str, set[str]]) -> list[set[str]]:
    """The parts of a group that links hold together, in the order of their least key."""
    parts = []
    left = set(members)
    while left:
        part, fresh = set(), {min(left)}
        while fresh:
            part |= fresh
            fresh = {other for key in fresh for other in neighbours.get(key, set())} & left - part
        parts.append(part)
        left -= part
    return parts


def _new_name(pieces: Sequence[str], *taken: Container[str]) -> str:
    for piece in pieces:
        if not any(piece in names for names in taken):
            return piece
    # every piece here founded another cluster before its text changed
    return digest("cluster", *pieces)[:16]
