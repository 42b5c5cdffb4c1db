-- The tables of search.db. VACUUM lays them out in this order: what every search reads comes first.
-- Pages of 16 KiB hold a piece with its text, so that a reader over HTTP asks once for it.
pragma page_size = 16384;
pragma journal_mode = off;
pragma synchronous = off;
-- name and value: version, date, site_text, pieces, pieces_default (numbers 1 to this are the default set), format
create table meta (name text primary key, value text) without rowid;
-- every value of genre, site and year, the word that stands for it in grams, and how many pieces have it
create table facet (kind text, value text, word text, pieces integer, primary key (kind, value)) without rowid;
-- rowid is piece.n; pairs of characters as in corpus.db, those of titles after a t, and the words of facets
create virtual table grams using fts5(words, content='', detail=none, prefix='5', tokenize='ascii');
create table relation (
  a integer, b integer, relation text, containment_a real, containment_b real, primary key (a, b)
) without rowid;
create table piece (
  n integer primary key, id text, title text, genre text, site text, year text, level text, url text, place integer,
  first_seen text, fetched_at text, claimed_published text, rights_basis text, cluster text, is_canonical integer,
  n_chars integer, flags text, excluded_why text, split text, withdrawn text, body text
);
create index piece_id on piece (id);
create index piece_cluster on piece (cluster) where cluster is not null;
-- of each piece that any release has had, by id, since it may be gone by now
create table history (
  piece text, seq integer, version text, date text, change text, why text, primary key (piece, seq)
) without rowid;
