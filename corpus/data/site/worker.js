// Answers questions about a release from search.db, of which it fetches only the pages that it needs.
// In: {id, ask, ...}. Out: {id, answer} or {id, error: {kind, detail}}. Synchronous requests are allowed
// here, which is what SQLite needs, and no special headers are.

const VENDOR = new URL("_vendor/sqlite-wasm/", import.meta.url);
const DATABASE = new URL("../search.db", import.meta.url);
const BLOCK = 16384; // a page of search.db
const FIRST = 8 * BLOCK; // what every search reads lies at the beginning
const MOST = 16 * BLOCK;
const CONTEXT = 40; // characters of a snippet on each side
// of a long phrase so many pairs are looked up, each one or two pages; what they let through is read anyway
const PAIRS = 20;
const PAIRS_OF_TITLE = 3;
const SEEN = 24; // members of a cluster that are shown; each is a page to fetch

class Trouble extends Error {
  constructor(kind, detail = "") {
    super(detail);
    this.kind = kind;
  }
}

// -- the file -----------------------------------------------------------------------------------

const blocks = new Map();
let size = 0;
let tag = null;
let next = -1; // the block after the last one fetched: whoever asks for it reads on
let ahead = BLOCK;

async function openFile() {
  const abort = new AbortController();
  const answer = await fetch(DATABASE, {
    headers: { Range: `bytes=0-${FIRST - 1}` }, signal: abort.signal,
  });
  if (answer.status !== 206 || answer.headers.get("Content-Encoding")) {
    abort.abort(); // the whole file may be very large
    throw new Trouble(answer.ok ? "no-ranges" : "no-database", String(answer.status));
  }
  size = Number(answer.headers.get("Content-Range").split("/")[1]);
  tag = answer.headers.get("ETag");
  keep(0, new Uint8Array(await answer.arrayBuffer()));
  if (new TextDecoder().decode(blocks.get(0).subarray(0, 15)) !== "SQLite format 3") {
    throw new Trouble("no-database");
  }
}

function keep(begin, bytes) {
  for (let at = 0; at < bytes.length; at += BLOCK) {
    blocks.set((begin + at) / BLOCK, bytes.subarray(at, at + BLOCK));
  }
}

function block(number) {
  if (!blocks.has(number)) {
    ahead = number === next ? Math.min(2 * ahead, MOST) : BLOCK;
    const begin = number * BLOCK;
    const end = Math.min(begin + ahead, size);
    const request = new XMLHttpRequest();
    request.open("GET", DATABASE, false);
    request.responseType = "arraybuffer";
    request.setRequestHeader("Range", `bytes=${begin}-${end - 1}`);
    try {
      request.send();
    } catch {
      throw new Trouble("network");
    }
    if (request.status !== 206 || request.response.byteLength !== end - begin) {
      throw new Trouble("network", String(request.status));
    }
    if (request.getResponseHeader("ETag") !== tag) throw new Trouble("changed");
    keep(begin, new Uint8Array(request.response));
    next = number + ahead / BLOCK;
  }
  return blocks.get(number);
}

function read(target, offset) {
  for (let done = 0; done < target.length; ) {
    const at = offset + done;
    const from = block(Math.floor(at / BLOCK)).subarray(at % BLOCK);
    const part = from.subarray(0, target.length - done);
    target.set(part, done);
    done += part.length;
  }
}

// -- SQLite -------------------------------------------------------------------------------------

async function unpacked(name) {
  const answer = await fetch(new URL(name, VENDOR));
  if (!answer.ok) throw new Trouble("network", `${name}: ${answer.status}`);
  const packed = await answer.arrayBuffer();
  // some servers say that such a file is encoded, and the browser has unpacked it already
  if (new Uint8Array(packed, 0, 1)[0] !== 0x1f) return packed;
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function openDatabase() {
  const [script, wasm] = await Promise.all([
    unpacked("index.mjs.gz"), unpacked("sqlite3.wasm.gz"), openFile(),
  ]);
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const { default: initialise } = await import(address);
  URL.revokeObjectURL(address);
  const sqlite3 = await initialise({ wasmBinary: wasm, locateFile: (name) => name });
  install(sqlite3);
  return new sqlite3.oo1.DB({ filename: "file:search.db?immutable=1", flags: "r", vfs: "ranges" });
}

let trouble = null; // what SQLite only knows as an error of input

function install({ capi, wasm, vfs }) {
  const standard = new capi.sqlite3_vfs(capi.sqlite3_vfs_find(null));
  const io = new capi.sqlite3_io_methods();
  const ranges = new capi.sqlite3_vfs();
  io.$iVersion = 1;
  ranges.$iVersion = 1;
  ranges.$szOsFile = capi.sqlite3_file.structInfo.sizeof;
  ranges.$mxPathname = 256;
  for (const name of ["$xRandomness", "$xSleep", "$xCurrentTime"]) ranges[name] = standard[name];
  const fine = () => 0;
  const refuse = () => capi.SQLITE_READONLY;
  const zero = (...all) => { wasm.poke32(all.at(-1), 0); return 0; };
  vfs.installVfs({
    io: {
      struct: io,
      methods: {
        xClose: fine,
        xRead(file, target, bytes, offset) {
          try {
            read(wasm.heap8u().subarray(Number(target), Number(target) + bytes), Number(offset));
            return 0;
          } catch (error) {
            trouble = error;
            return capi.SQLITE_IOERR_READ;
          }
        },
        xWrite: refuse, xTruncate: refuse, xSync: fine,
        xFileSize(file, target) { wasm.poke64(target, BigInt(size)); return 0; },
        xLock: fine, xUnlock: fine, xCheckReservedLock: zero,
        xFileControl: () => capi.SQLITE_NOTFOUND,
        xSectorSize: () => BLOCK,
        xDeviceCharacteristics: () => capi.SQLITE_IOCAP_IMMUTABLE,
      },
    },
    vfs: {
      struct: ranges,
      name: "ranges",
      methods: {
        xOpen(which, name, file, flags, given) {
          const opened = new capi.sqlite3_file(file);
          opened.$pMethods = io.pointer;
          opened.dispose();
          if (given) wasm.poke32(given, flags);
          return 0;
        },
        xDelete: refuse, xAccess: zero,
        xFullPathname: (which, name, bytes, target) =>
          wasm.cstrncpy(target, name, bytes) < bytes ? 0 : capi.SQLITE_CANTOPEN,
        xGetLastError: fine,
      },
    },
  });
}

let opening = null;
let db = null;

function rows(sql, bind = {}) {
  trouble = null;
  try {
    return db.selectObjects(sql, bind);
  } catch (error) {
    throw trouble ?? error;
  }
}

// -- questions ----------------------------------------------------------------------------------

// z ends every character, as in fanwen.corpus.search
const code = (char) => `${char.codePointAt(0).toString(16)}z`;

function gramsOf(term, mark, most) {
  const codes = Array.from(term, code);
  if (codes.length === 1) return `${mark}${codes[0]}*`;
  const pairs = [...new Set(codes.slice(1).map((one, at) => mark + codes[at] + one))];
  const step = Math.ceil(pairs.length / most);
  return pairs.filter((pair, at) => at % step === 0).join(" AND ");
}

// the FTS5 expression that every piece with all terms and words meets
function expression(terms, words) {
  const found = terms.map((term) =>
    `((${gramsOf(term, "", PAIRS)}) OR (${gramsOf(term, "t", PAIRS_OF_TITLE)}))`);
  return [...found, ...words].join(" AND ");
}

// where the numbers of pieces come from, as far as ">" or "<=" that ends it; the default set has the first
function source({ terms, words, all }) {
  const match = expression(terms, words);
  const bind = { ":last": Number(meta(all ? "pieces" : "pieces_default")) };
  if (!match) return { key: "n", from: "piece where n", bind };
  return { key: "rowid", from: "grams where grams match :match and rowid", bind: { ...bind, ":match": match } };
}

const known = new Map();

function meta(name) {
  if (!known.size) for (const row of rows("select * from meta")) known.set(row.name, row.value);
  return known.get(name);
}

function search(question) {
  const { terms, after, limit } = question;
  const { key, from, bind } = source(question);
  const verified = terms.map((term, at) => {
    bind[`:t${at}`] = term;
    return `and (instr(p.body, :t${at}) or instr(p.title, :t${at}))`;
  });
  const found = rows(
    `select p.* from (select ${key} as hit from ${from} > :after and ${key} <= :last order by ${key})
     cross join piece p on p.n = hit where 1 ${verified.join(" ")} limit :limit`,
    { ...bind, ":after": after, ":limit": limit + 1 }); // whether there are more
  return {
    more: found.length > limit,
    pieces: found.slice(0, limit).map((piece) => listed(piece, terms)),
  };
}

// how many there are: exact where the index alone can tell, else no more than that
function count(question) {
  const { from, bind } = source(question);
  const [{ pieces }] = rows(`select count(*) as pieces from ${from} <= :last`, bind);
  return { pieces, exact: question.terms.every((term) => Array.from(term).length < 3) };
}

function listed({ body, ...piece }, terms) {
  return { ...piece, snippet: body === null ? null : snippet(body, terms) };
}

function snippet(body, terms) {
  const places = terms.map((term) => body.indexOf(term)).filter((at) => at >= 0);
  const at = places.length ? Math.min(...places) : 0;
  const begin = Math.max(0, at - CONTEXT);
  const end = Math.max(at, 0) + (terms[0] ?? "").length + 2 * CONTEXT;
  return (begin ? "…" : "") + body.slice(begin, end).replace(/\s+/g, " ") + (end < body.length ? "…" : "");
}

const SHORT = "p.n, p.id, p.title, p.genre, p.site, p.year, p.url, p.n_chars, p.is_canonical";

function piece({ named: id, terms }) {
  const history = rows("select * from history where piece = :id order by seq", { ":id": id });
  const [found] = rows("select * from piece where id = :id", { ":id": id });
  if (!found) return { history };
  const members = found.cluster === null ? [] : rows(
    `select ${SHORT} from piece p where p.cluster = :cluster and p.n <> :n order by p.n limit ${SEEN}`,
    { ":cluster": found.cluster, ":n": found.n });
  const copies = found.cluster === null ? 0 : rows(
    "select count(*) - 1 as others from piece where cluster = :cluster", { ":cluster": found.cluster })[0].others;
  // of pieces with one text, the first stands for all in relations
  const related = rows(
    `with me(n) as (select :n union select b from relation where a = :n and relation = 'exact')
     select r.relation, max(r.containment_a) as containment_a, max(r.containment_b) as containment_b, ${SHORT}
     from me join relation r on r.a = me.n join piece p on p.n = r.b
     where r.b <> :n and p.cluster is not :cluster group by p.n order by p.n limit ${SEEN}`,
    { ":n": found.n, ":cluster": found.cluster });
  const text = meta("site_text");
  return {
    history, members, copies, related,
    piece: { ...listed(found, terms), body: text === "full" ? found.body : null },
  };
}

function texts({ ids }) {
  if (meta("site_text") !== "full") return { texts: [] };
  return { texts: ids.map((id) => rows("select id, title, site, body from piece where id = :id", { ":id": id })[0]) };
}

const ANSWERS = { search, count, piece, texts };

onmessage = async ({ data: { id, ask, ...question } }) => {
  try {
    opening ??= openDatabase();
    db = await opening;
    postMessage({ id, answer: ANSWERS[ask](question) });
  } catch (error) {
    if (db === null) opening = null; // the next question tries again
    postMessage({ id, error: { kind: error.kind ?? "failed", detail: error.message } });
  }
};
