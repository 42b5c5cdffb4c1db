"""The tables of archive.db, as migrations: applied in order, never changed once released.

A later need is a new migration below the last one. Times are UTC, ISO 8601 with
seconds, so that they compare as text.
"""

from __future__ import annotations

import sqlite3

# Written into the file's header, so that a foreign database is told apart at once ("FWar").
APPLICATION_ID = 0x46576172
_SET = "archive"
_LOG = "_sqlite_migrations"  # where sqlite-utils keeps what was applied


def pending(conn: sqlite3.Connection) -> bool:
    """Whether the archive lacks a migration."""
    if conn.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_LOG,)).fetchone() is None:
        return True
    applied = conn.execute(f"SELECT name FROM {_LOG} WHERE migration_set = ?", (_SET,))
    return not _MIGRATIONS.keys() <= {name for (name,) in applied}


def migrate(conn: sqlite3.Connection) -> None:
    """Apply the migrations that are missing, each in a transaction."""
    # takes longer to import than most commands take for all they do, and is needed once per archive
    from sqlite_utils import Database, Migrations

    migrations = Migrations(_SET)
    for name, script in _MIGRATIONS.items():

        @migrations(name=name)
        def apply(db: Database, script: str = script) -> None:
            for statement in script.split(";\n"):
                if statement.strip():
                    db.conn.execute(statement)

    migrations.apply(Database(conn, recursive_triggers=False))


_FIRST = f"""
PRAGMA application_id = {APPLICATION_ID};
-- one row per run; finished_at stays empty until its queue was read to the end, so a killed run is resumed
CREATE TABLE crawl (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  reason TEXT,
  sites TEXT NOT NULL,
  revisit INTEGER NOT NULL,
  shard TEXT NOT NULL,
  stats TEXT
);
-- content-addressed: the sha256 is of the uncompressed bytes
CREATE TABLE body (
  sha256 TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  data BLOB NOT NULL
);
-- the frontier and the newest state of every URL
CREATE TABLE url (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL UNIQUE,
  site TEXT NOT NULL,
  host TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('list', 'detail', 'part', 'attachment', 'sitemap')),
  state TEXT NOT NULL CHECK (state IN ('new', 'leased', 'done', 'failed', 'gone', 'blocked')),
  priority INTEGER NOT NULL,
  depth INTEGER NOT NULL,
  hops INTEGER NOT NULL DEFAULT 0,
  document_url TEXT NOT NULL,
  part INTEGER NOT NULL DEFAULT 0,
  discovered_from TEXT,
  discovered_at TEXT NOT NULL,
  lease INTEGER REFERENCES crawl(id),
  attempts INTEGER NOT NULL DEFAULT 0,
  not_before TEXT,
  failures INTEGER NOT NULL DEFAULT 0,
  missing INTEGER NOT NULL DEFAULT 0,
  next_visit TEXT,
  interval_days INTEGER NOT NULL,
  etag TEXT,
  last_modified TEXT,
  follow_rules TEXT,
  body_hash TEXT REFERENCES body(sha256),
  body_fetch INTEGER REFERENCES fetch(id),
  last_fetch INTEGER REFERENCES fetch(id),
  consent_fetch INTEGER REFERENCES fetch(id),
  first_fetched_at TEXT,
  moved_to TEXT,
  gone TEXT,
  note TEXT,
  name TEXT,
  CHECK ((state = 'leased') = (lease IS NOT NULL))
);
CREATE INDEX url_queue ON url (host, priority DESC, id) WHERE state = 'new';
CREATE INDEX url_lease ON url (lease) WHERE lease IS NOT NULL;
CREATE INDEX url_document ON url (document_url, part, url);
CREATE INDEX url_site ON url (site, state);
CREATE INDEX url_moved ON url (moved_to) WHERE moved_to IS NOT NULL;
-- every visit, with what the site said about reuse at that moment
CREATE TABLE fetch (
  id INTEGER PRIMARY KEY,
  url_id INTEGER NOT NULL REFERENCES url(id),
  crawl INTEGER REFERENCES crawl(id),
  fetched_at TEXT NOT NULL,
  status INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  headers TEXT NOT NULL,
  content_type TEXT,
  body_hash TEXT REFERENCES body(sha256),
  bytes INTEGER NOT NULL,
  not_modified INTEGER NOT NULL,
  truncated INTEGER NOT NULL,
  error TEXT,
  robots_hash TEXT,
  x_robots_tag TEXT,
  meta_robots TEXT,
  tdm_reservation TEXT,
  reservations TEXT NOT NULL
);
CREATE INDEX fetch_url ON fetch (url_id);
CREATE INDEX fetch_crawl ON fetch (crawl);
-- every robots.txt that was in force, by origin (scheme and host)
CREATE TABLE robots (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  crawl INTEGER REFERENCES crawl(id),
  fetched_at TEXT NOT NULL,
  status INTEGER NOT NULL,
  error TEXT,
  body_hash TEXT REFERENCES body(sha256)
);
CREATE INDEX robots_origin ON robots (origin, id);
-- hosts that told us to wait, so that the next run heeds it too
CREATE TABLE host (
  host TEXT PRIMARY KEY,
  wait_until TEXT NOT NULL,
  reason TEXT NOT NULL
);
"""

_REFRESH = """
-- the sitemap that names a page, the lastmod it says, and that which the stored body is known to have
ALTER TABLE url ADD COLUMN sitemap TEXT;
ALTER TABLE url ADD COLUMN lastmod TEXT;
ALTER TABLE url ADD COLUMN lastmod_held TEXT;
-- the crawl that did not ask for the page, because its lastmod was the same
ALTER TABLE url ADD COLUMN spared INTEGER REFERENCES crawl(id);
-- the run of list pages that a list belongs to, and its place in it
ALTER TABLE url ADD COLUMN series TEXT;
ALTER TABLE url ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
-- documents that were first seen on this list
ALTER TABLE url ADD COLUMN brought INTEGER NOT NULL DEFAULT 0;
-- of the page's words without links and markup: equal for two addresses of one text; Han characters in them
ALTER TABLE url ADD COLUMN words_hash TEXT;
ALTER TABLE url ADD COLUMN han INTEGER;
-- what the cleaners made of the document, of which fetch, and how long it was left alone before that
ALTER TABLE url ADD COLUMN text_hash TEXT;
ALTER TABLE url ADD COLUMN text_fetch INTEGER REFERENCES fetch(id);
ALTER TABLE url ADD COLUMN interval_was INTEGER;
CREATE INDEX url_words ON url (site, words_hash) WHERE words_hash IS NOT NULL;
CREATE INDEX url_announced ON url (sitemap) WHERE sitemap IS NOT NULL;
CREATE INDEX url_sitemaps ON url (host, state) WHERE kind = 'sitemap';
CREATE INDEX url_series ON url (site, series) WHERE series IS NOT NULL;
DROP INDEX url_queue;
CREATE INDEX url_queue ON url (host, priority DESC, place, id) WHERE state = 'new';
ALTER TABLE robots ADD COLUMN path TEXT NOT NULL DEFAULT '/robots.txt';
ALTER TABLE fetch ADD COLUMN content_usage TEXT;
ALTER TABLE fetch ADD COLUMN tdmrep_hash TEXT;
-- bytes over the wire, before decompression
ALTER TABLE fetch ADD COLUMN wire INTEGER NOT NULL DEFAULT 0;
-- how many list pages of a run brought nothing new in a row, in one crawl
CREATE TABLE series (
  site TEXT NOT NULL,
  series TEXT NOT NULL,
  crawl INTEGER NOT NULL REFERENCES crawl(id),
  barren INTEGER NOT NULL,
  PRIMARY KEY (site, series)
) WITHOUT ROWID;
-- what was not followed, and why; one row per kind and crawl, with an example
CREATE TABLE trap (
  crawl INTEGER NOT NULL REFERENCES crawl(id),
  site TEXT NOT NULL,
  kind TEXT NOT NULL,
  count INTEGER NOT NULL,
  example TEXT NOT NULL,
  PRIMARY KEY (crawl, site, kind)
) WITHOUT ROWID;
-- what the crawl found out about a site: a session parameter, a mirror host, a sitemap that lies, a soft 404
CREATE TABLE learned (
  site TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  since TEXT NOT NULL,
  example TEXT NOT NULL,
  PRIMARY KEY (site, kind, value)
) WITHOUT ROWID;
-- what was asked of a site on one day (UTC); bytes as they came over the wire
CREATE TABLE budget (
  site TEXT NOT NULL,
  day TEXT NOT NULL,
  requests INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (site, day)
) WITHOUT ROWID;
"""

_ERASED = """
-- bodies that were erased on purpose, and in which case: their rows stay without data, and so the same
-- bytes never come back
CREATE TABLE erased (
  sha256 TEXT PRIMARY KEY REFERENCES body(sha256),
  case_id TEXT NOT NULL
) WITHOUT ROWID;
"""

_MIGRATIONS = {"m001_first": _FIRST, "m002_refresh_policy": _REFRESH, "m003_erased": _ERASED}
