"""The places that hold the same releases: each file comes from the first that gives it right.

In go the given place and its copies, out come index.json and files with the sums that it says. A place that
fails comes last from then on. index.json is asked of the given place, and of others only where that fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from fanwen.corpus import release_index, transport
from fanwen.corpus.release_index import INDEX, Index
from fanwen.corpus.transport import Limits, Source, TransportError, UnreachableError
from fanwen.corpus.types import ReleaseFile
from fanwen.errors import DamagedError, IncompleteError, UsageError

PART = ".part"  # what a file is called until it is whole
_INDEX_LIMIT = 1 << 25  # bytes


class Mirrors:
    """``moved`` counts the bytes that came, by place; ``notes`` say what was not as it should be."""

    def __init__(
        self, bases: Sequence[str], limits: Limits, on_bytes: Callable[[], None] = lambda: None
    ) -> None:
        self.moved: Counter[str] = Counter()
        self.notes: tuple[str, ...] = ()
        self._limits = limits
        self._on_bytes = on_bytes
        self._places: list[Source] = []
        self._add(bases)

    def index(self) -> Index:
        """What the first that has a list of releases says; copies that it names are asked too from now on.

        Raises :class:`UsageError` where there is none, :class:`IncompleteError` where nobody answers.
        """
        troubles: list[tuple[Source, Exception]] = []
        for place in self._places:
            try:
                text = transport.read(place, INDEX, _INDEX_LIMIT, self._limits)
                self.moved[place.base] += len(text)
                index = release_index.parse(text)
            except TransportError as error:
                troubles.append((place, error))
            except ValueError:
                troubles.append((place, ValueError("is no list of releases")))
            else:
                if troubles:
                    self.notes = (f"{INDEX} came from {place.base}, and may be old: {_said(troubles)}.",)
                for base in index.mirrors:
                    if base.startswith(("http://", "https://")):  # a list from afar names no folder here
                        with suppress(UsageError):
                            self._add([base])
                return index
        said = _said(troubles)
        if all(isinstance(error, UnreachableError) for _, error in troubles):
            raise IncompleteError(f"{INDEX} cannot be had now ({said}); try again later.")
        raise UsageError(f"There is no {INDEX} ({said}); give the address of a folder of releases.")

    def bring(self, version: str, file: ReleaseFile, target: Path) -> None:
        """Have a file of a release at ``target``, whole and right; what came of it before is continued.

        Raises :class:`DamagedError` where nobody has it as the index says, :class:`IncompleteError` where it
        did not come.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + PART)
        name = f"{version}/{file.path}"
        troubles: list[tuple[Source, Exception]] = []
        for place in tuple(self._places):
            try:
                transport.bring(place, name, file, part, self._limits, self._counter(place))
            except TransportError as error:
                troubles.append((place, error))
                self._places.remove(place)
                self._places.append(place)
            else:
                part.replace(target)
                return
        said = _said(troubles)
        if all(isinstance(error, UnreachableError) for _, error in troubles):
            raise IncompleteError(f"{name} did not come ({said}); run the command again, it goes on there.")
        raise DamagedError(f"{name} cannot be had ({said}); tell who publishes it, or name a --mirror.")

    def _add(self, bases: Iterable[str]) -> None:
        for base in bases:
            if all(base != place.base for place in self._places):
                self._places.append(transport.source(base, self._limits))

    def _counter(self, place: Source) -> Callable[[int], None]:
        def count(size: int) -> None:
            self.moved[place.base] += size
            self._on_bytes()

        return count


def _said(troubles: Sequence[tuple[Source, Exception]]) -> str:
    return "; ".join(f"at {place.base} it {error}" for place, error in troubles)
