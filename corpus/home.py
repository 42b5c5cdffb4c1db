"""FANWEN_HOME: where everything is kept, its configuration, and the lock on it.

A home is a folder; nothing in it is made before something is kept there. The lock is
held by the operating system, so it ends with its process however that dies.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from fanwen.cleaners.types import KINDS
from fanwen.corpus import swap
from fanwen.corpus.publishing import Publishing, SiteText
from fanwen.errors import BlockedError, FanwenError, IncompleteError, UsageError
from fanwen.spiders.site import Site, builtin_site_folder, read_sites
from fanwen.spiders.takedown import Takedown, read_takedown

DEFAULT = "fanwen-data"
RESTORE = "restore"  # the command that ends an interrupted restore by itself, and tells of it

_URL = r"^https?://\S+$"


class Config(BaseModel):
    """``fanwen.toml``. ``contact`` stands in the user agent, so that a site can write to us."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: str | None = Field(
        default=None, description="e-mail or page where a site's owner reaches you", pattern=r"^\S+[@/]\S+$"
    )
    takedown: str | None = Field(default=None, description="address for takedown requests")
    disk_budget_gb: float = Field(default=50.0, gt=0, description="a crawl stops when the home is larger")
    mask: frozenset[str] = Field(
        default=frozenset(KINDS), description="kinds of personal data that no release shows"
    )

    sign_key: str | None = Field(
        default=None, description="private SSH key that signs releases; relative to this folder"
    )
    publisher: str | None = Field(default=None, description="who publishes the releases and is cited")
    homepage: str | None = Field(
        default=None, description="address at which readers find the releases", pattern=_URL
    )
    mirrors: tuple[Annotated[str, Field(pattern=_URL)], ...] = Field(
        default=(), description="addresses of copies of the folder of releases"
    )
    answer_days: int = Field(default=14, gt=0, description="days within which a takedown request is answered")
    site_text: SiteText = Field(
        default="full", description="how much of a text the site of a release shows: none, snippets or full"
    )

    @field_validator("mask")
    @classmethod
    def _known_kinds(cls, value: frozenset[str]) -> frozenset[str]:
        for kind in sorted(value - frozenset(KINDS)):
            raise PydanticCustomError(
                "kind",
                "'{kind}' is no kind of personal data, choose from {kinds}",
                {"kind": kind, "kinds": ", ".join(KINDS)},
            )
        return value


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one home."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "fanwen.toml"

    @property
    def archive(self) -> Path:
        return self.path / "archive.db"

    @property
    def corpus(self) -> Path:
        return self.path / "corpus.db"

    @property
    def releases(self) -> Path:
        return self.path / "releases"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def takedown_file(self) -> Path:
        return self.path / "takedown.txt"

    @property
    def site_folder(self) -> Path:
        return self.path / "sites"

    def publishing(self) -> Publishing:
        """How releases of this home are made and presented."""
        config = self.config()
        key = config.sign_key
        return Publishing(
            sign_key=None if key is None else self.path / Path(key).expanduser(),
            mirrors=config.mirrors,
            homepage=config.homepage,
            publisher=config.publisher,
            objections=config.takedown,
            answer_days=config.answer_days,
            site_text=config.site_text,
        )

    def config(self) -> Config:
        """Read fanwen.toml; the defaults where there is none. Raises UsageError."""
        try:
            return Config.model_validate(tomllib.loads(self.config_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Config()
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{self.config_file} is not valid TOML ({error}); correct that line.") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"In {self.config_file}, '{key}' is wrong: {first['msg']}.") from None

    def sites(self) -> dict[str, Site]:
        """The built-in sites, and this home's own, which replace built-in ones of the same name."""
        return read_sites([builtin_site_folder(), self.site_folder])

    def takedown(self) -> Takedown:
        """The takedown list; an empty one where there is no file. Raises UsageError."""
        return read_takedown(self.takedown_file)

    def used_gb(self) -> float:
        """How much disk the home takes, in GB of 10⁹ bytes."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file()) / 1e9

    @contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """Hold the home while writing; a restore that was killed is ended first.

        Raises BlockedError that names the holder.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _not_writable(self.path, error) from None
        try:
            _take(handle, self.path, command)
            if command != RESTORE:
                swap.finish(self.path)
            yield
        finally:
            os.close(handle)

    def is_held(self) -> bool:
        """Whether a process writes here now."""
        try:
            handle = os.open(self.path / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


def _take(handle: int, path: Path, command: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockedError(
            f"The home {path} is held by {_holder(handle)}; wait until it ends, or use another --home."
        ) from None
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "command": command}).encode(), 0)
    except OSError as error:
        raise _not_writable(path, error) from None


def _not_writable(path: Path, error: OSError) -> FanwenError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return IncompleteError(f"The disk that holds {path} is full; free some and run the command again.")
    return UsageError(f"The home {path} cannot be written ({error.strerror}); choose another with --home.")


def _holder(handle: int) -> str:
    try:
        data = json.loads(os.pread(handle, 4096, 0))
        return f"'fanwen {data['command']}' (process {data['pid']})"
    except (ValueError, KeyError, TypeError):
        return "another process"
