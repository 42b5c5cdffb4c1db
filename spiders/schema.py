"""The tables of archive.db, as migrations: applied in order, never changed once released.

A later need is a new migration below the last one. Times are UTC, ISO 8601 with
seconds, so that they compare as text.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

# Written into the file's header, so that a foreign database is told apart at once ("FWar").
APPLICATION_ID = 0x46576172

migrations = Migrations("archive")


@migrations()
def m001_first(db: Database) -> None:
    for statement in _FIRST.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)
    db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


_FIRST = """
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
