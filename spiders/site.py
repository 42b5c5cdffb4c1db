"""Site files: everything fanwen knows about one site, validated.

In goes a TOML file; out comes a frozen :class:`Site`, with what its family says where the
file itself says nothing. Unknown keys are errors, so a misspelt key cannot silently switch
something off. Raises :class:`fanwen.errors.UsageError` with the file, the key and what is
wrong with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from fanwen.errors import UsageError
from fanwen.spiders.reader import reader_of


def _is_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


def _is_selector(value: str) -> str:
    from parsel.csstranslator import HTMLTranslator  # slow to import

    try:
        if value != "@trafilatura":
            HTMLTranslator().css_to_xpath(value)
    except Exception as error:  # cssselect has several
        raise ValueError(f"not a CSS selector: {error}") from None
    return value


NAME = r"^[a-z0-9][a-z0-9.-]*$"  # of a site
# in a list of a site file: what the family has there
FAMILY = "@family"

Pattern = Annotated[str, AfterValidator(_is_pattern)]
Selector = Annotated[str, AfterValidator(_is_selector)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Follow(Model):
    """Which links are followed: patterns searched in the path and query of canonical URLs."""

    lists: tuple[Pattern, ...] = ()
    details: tuple[Pattern, ...] = ()
    attachments: tuple[Pattern, ...] = ()
    ignore: tuple[Pattern, ...] = ()


class Parts(Model):
    """How a document that is spread over several URLs is joined.

    ``next_link`` is a CSS selector of the link to the next page of the same article;
    ``fragment`` is a CSS selector of elements whose ``data-url`` (or ``src``) holds a fragment.
    ``api`` is the address of a fragment that a script asks for, with ``{page}`` and the names of groups of
    ``api_values``, a regular expression found in the page's source; its group ``pages`` is their
    number, and ``api_first`` the first one that the page does not hold itself.
    """

    next_link: Selector | None = None
    fragment: Selector | None = None
    api: str | None = None
    api_values: Pattern | None = None
    api_first: int = Field(default=1, ge=0)
    max_parts: int = Field(default=50, ge=1, le=500)

    @model_validator(mode="after")
    def _api_is_whole(self) -> Self:
        if (self.api is None) != (self.api_values is None):
            raise ValueError("'api' and 'api_values' need each other")
        if self.api is not None and self.api_values is not None:
            groups = re.compile(self.api_values).groupindex
            if "pages" not in groups:
                raise ValueError("'api_values' needs a group (?P<pages>…)")
            try:
                self.api.format(page=1, **dict.fromkeys(groups, ""))
            except (KeyError, IndexError, ValueError):
                raise ValueError("'api' has a place that no group of 'api_values' fills") from None
        return self


class Extract(Model):
    """CSS selectors, tried in order; where none gives a text, the generic extraction takes it.

    ``@trafilatura`` in their place asks that library first. ``lines`` are whole lines of the text,
    to be removed wherever they stand.
    """

    title: tuple[Selector, ...] = ()
    content: tuple[Selector, ...] = ()
    remove: tuple[Selector, ...] = ()
    encoding: str | None = None
    lines: tuple[str, ...] = ()


class Old(Model):
    """Rules of former days: pages that came up to ``valid_until`` (UTC) are read by them at every build.

    ``details`` are patterns of articles that are no longer followed; what ``extract`` is silent about is
    as it is now.
    """

    valid_until: date
    details: tuple[Pattern, ...] = ()
    extract: Extract = Extract()


class Polite(Model):
    """How gently a site is read; the defaults suit a site nobody has asked."""

    delay: float = Field(default=5.0, ge=0, description="seconds between two requests, with jitter")
    requests_per_day: int | None = Field(default=None, ge=1, description="of one day (UTC); none: no limit")
    mb_per_day: float | None = Field(default=None, gt=0, description="10⁶ bytes over the wire of one day")


class Limits(Model):
    """Where a crawl stops to follow a site that goes on for ever."""

    depth: int = Field(default=20, ge=1, description="links from a start page; further list pages add none")
    urls: int = Field(default=200_000, ge=1, description="URLs known of the site")


class Rights(Model):
    """The review of a site's terms by a person."""

    terms_url: str | None = None
    reviewed_on: date | None = None
    decision: Literal["unreviewed", "allowed", "licensed", "official_document", "refused"] = "unreviewed"
    reason: str = ""


class Expect(Model):
    """What a healthy crawl of this site gives; less makes the run degraded."""

    min_pieces: int = 0
    min_chars: int = 0
    han_share: float = Field(default=0.5, ge=0, le=1)


class Family(Model):
    """What the sites of one kind have in common; a site's own keys win, key by key."""

    follow: Follow = Follow()
    parts: Parts = Parts()
    extract: Extract = Extract()
    polite: Polite = Polite()
    limits: Limits = Limits()
    expect: Expect = Expect()


class Site(Model):
    """One site file. ``name`` is also the name of the file without ``.toml``.

    ``host`` and ``hosts`` are the scope: links that leave them are not followed. The spellings of
    ``host`` with and without www. or m. are one host, and every URL of it gets the scheme of ``start``.
    ``family`` names the file of shared defaults; where there is none of that name it is only a label.
    ``render``: its pages are what a browser makes of them (:mod:`fanwen.spiders.render`).
    ``spider`` names a class that reads what a file cannot describe, see :mod:`fanwen.spiders.reader`.
    """

    name: str = Field(pattern=NAME)
    title: str
    family: str | None = None
    status: Literal["candidate", "probation", "active", "paused", "retired"] = "candidate"
    note: str = ""
    host: str
    hosts: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    render: bool = False
    follow: Follow = Follow()
    parts: Parts = Parts()
    extract: Extract = Extract()
    polite: Polite = Polite()
    limits: Limits = Limits()
    rights: Rights = Rights()
    expect: Expect = Expect()
    spider: str | None = None
    old: tuple[Old, ...] = ()

    @model_validator(mode="after")
    def _starts_in_scope(self) -> Self:
        for url in (*self.start, *self.sitemaps):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or parts.netloc not in (self.host, *self.hosts):
                raise ValueError(f"{url} is not an http(s) URL of {self.host} or of one of 'hosts'")
        return self

    @model_validator(mode="after")
    def _not_against_the_review(self) -> Self:
        if self.rights.decision == "refused" and self.status in ("active", "probation"):
            raise ValueError(
                f"status is '{self.status}', but [rights] says 'refused'; set it to paused or retired"
            )
        return self

    def at(self, day: str) -> Site:
        """The site as its rules were for a page that came on ``day``, a UTC date or time."""
        held = [old for old in self.old if day[:10] <= old.valid_until.isoformat()]
        if not held:
            return self
        old = min(held, key=lambda one: one.valid_until)
        given = {key: getattr(old.extract, key) for key in old.extract.model_fields_set}
        follow = {"details": old.details or self.follow.details}
        return self.model_copy(
            update={
                "old": (),
                "extract": self.extract.model_copy(update=given),
                "follow": self.follow.model_copy(update=follow),
            }
        )


def read_site(path: Path) -> Site:
    """Read and validate one site file, over the defaults of its family."""
    data = _read(path)
    try:
        Site.model_validate(_without_marks(data))  # the file's own faults first
        name = data.get("family")
        shared = None if name is None else family_data(name, path.parent)
        site = Site.model_validate(_merged(path, data, shared or {}))
    except ValidationError as error:
        raise UsageError(_wrong(path, error)) from None
    if site.name != path.stem:
        raise UsageError(f"The site file {path} says name = '{site.name}'; file and name must be the same.")
    if site.spider is not None:
        try:
            reader_of(site.spider)
        except UsageError as error:
            raise UsageError(f"In the site file {path}, {error}") from None
    known = families(path.parent)
    if shared is None and (near := get_close_matches(str(name), known, cutoff=0.8)):
        raise UsageError(
            f"In the site file {path}, the family '{name}' looks like '{near[0]}' misspelt; the families are"
            f" {', '.join(known)}."
        )
    return site


def builtin_site_folder() -> Path:
    """The folder of the site files that come with fanwen."""
    return Path(str(files("fanwen.spiders") / "sites"))


def read_sites(folders: Iterable[Path]) -> dict[str, Site]:
    """All sites by name; a later folder (the user's own) replaces a site of an earlier one."""
    sites: dict[str, Site] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            site = read_site(path)
            sites[site.name] = site
    return sites


def families(folder: Path | None = None) -> tuple[str, ...]:
    """The families with defaults: built-in ones, and those in ``families/`` of a folder of sites."""
    return tuple(sorted({path.stem for one in _family_folders(folder) for path in one.glob("*.toml")}))


def family_data(name: str, folder: Path | None = None) -> dict[str, Any] | None:
    """What the file of a family says, validated; None where there is no such file."""
    for path in (one / f"{name}.toml" for one in _family_folders(folder)):
        if re.fullmatch(r"[\w.-]+", name) and path.is_file():
            data = _read(path)
            try:
                Family.model_validate(data)
            except ValidationError as error:
                raise UsageError(_wrong(path, error)) from None
            return data
    return None


def _family_folders(folder: Path | None) -> tuple[Path, ...]:
    builtin = Path(str(files("fanwen.spiders") / "families"))
    return (builtin,) if folder is None else (folder / "families", builtin)


def _merged(path: Path, site: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The site's keys over the family's; a list replaces the family's, which ``@family`` stands for."""
    merged = dict(site)
    for table in Family.model_fields:
        own, given = site.get(table, {}), shared.get(table, {})
        for key, value in own.items():
            if isinstance(value, list) and FAMILY in value and key not in given:
                raise UsageError(
                    f"In the site file {path}, '{table}.{key}' names {FAMILY}, but the family"
                    f" '{site.get('family')}' has no such list; take {FAMILY} out, or choose one of the"
                    f" families {', '.join(families(path.parent))}."
                )
        extended = {
            key: [item for one in value for item in (given[key] if one == FAMILY else [one])]
            for key, value in own.items()
            if isinstance(value, list)
        }
        if own or given:
            merged[table] = {**given, **own, **extended}
    return merged


def _without_marks(data: Mapping[str, Any]) -> dict[str, Any]:
    """The file without ``@family``, to be validated by itself."""
    return {
        key: {
            name: [item for item in entry if item != FAMILY] if isinstance(entry, list) else entry
            for name, entry in value.items()
        }
        if isinstance(value, dict)
        else value
        for key, value in data.items()
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"There is no site file {path}; 'fanwen sites list' shows those there are."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The site file {path} is not valid TOML ({error}); correct that line.") from None


def _wrong(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    what = "is not a known key" if first["type"] == "extra_forbidden" else f"is wrong: {first['msg']}"
    return f"In the site file {path}, '{key}' {what}; correct it and run the command again."
