// The search and the views of pieces. What is shown is in the address, so that it can be linked to:
// ?q=…&genre=…&site=…&year=…&all=1 is a search, #piece=ID a piece, #piece=ID&with=ID two side by side.

const { t, entitle } = window.fanwen;
const PAGE = 10;
const TROUBLES = ["no-ranges", "no-database", "network", "changed"];
const FILTERS = ["genre", "site", "year"];
const at = (id) => document.getElementById(id);
const form = at("form");
const list = at("results");
const status = at("status");

// -- elements -----------------------------------------------------------------------------------

// An element; of the attributes, t is the key of its text, which follows the language, with its values.
export function element(name, { t: key, values, ...attributes } = {}, children = []) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  if (key) {
    made.dataset.t = key;
    if (values) made.dataset.values = JSON.stringify(values);
    made.textContent = t(key, values);
  }
  return made;
}

// Text with every term marked.
export function marked(text, terms) {
  if (!terms.length) return [text];
  const escaped = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`)).map((part, at) =>
    at % 2 ? element("mark", {}, [part]) : part);
}

// -- the worker ---------------------------------------------------------------------------------

let worker = null; // starts with the first question, so that reading about the corpus costs little
let asked = 0;
const waiting = new Map();

function start() {
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data: { id, answer, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(error);
    else resolve(answer);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    for (const { reject } of waiting.values()) reject({ kind: "failed", detail: event.message ?? "" });
    waiting.clear();
    worker = null;
  };
}

function ask(question) {
  if (worker === null) start();
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    worker.postMessage({ id: asked, ...question });
  });
}

// -- the address --------------------------------------------------------------------------------

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const hash = new URLSearchParams(location.hash.slice(1));
  const q = query.get("q") ?? "";
  return {
    q, terms: q.split(/\s+/).filter(Boolean), all: query.has("all"),
    filters: FILTERS.filter((name) => query.has(name)).map((name) => [name, query.get(name)]),
    piece: hash.get("piece"), other: hash.get("with"),
  };
}

function addressOf(values) {
  const query = new URLSearchParams();
  if (values.q.value.trim()) query.set("q", values.q.value.trim());
  for (const name of FILTERS) {
    const { value, selectedOptions: [option] } = values[name];
    if (value) query.set(name, option.dataset.value);
  }
  if (values.all.checked) query.set("all", "1");
  return `${location.pathname}?${query}`;
}

function fill({ q, all, filters }) {
  form.q.value = q;
  form.all.checked = all;
  for (const name of FILTERS) form[name].value = "";
  for (const [name, value] of filters) {
    const option = [...form[name].options].find((one) => one.dataset.value === value);
    form[name].value = option?.value ?? "";
  }
}

// -- what is shown ------------------------------------------------------------------------------

let shown = 0; // counts what was asked for, so that a late answer does not replace a newer one
let last = ""; // the search that the list shows
let view = null; // the piece that is shown, as an address

async function show() {
  const wanted = fromAddress();
  const mine = ++shown;
  const current = () => mine === shown;
  const left = view;
  view = wanted.piece ? location.hash : null;
  fill(wanted);
  at("piece").hidden = !wanted.piece;
  at("finder").hidden = Boolean(wanted.piece);
  try {
    if (wanted.piece) {
      const views = await import("./piece.js"); // only when it is needed
      await (wanted.other ? views.showTexts : views.showPiece)(wanted, ask, current);
    } else {
      entitle("");
      if (last !== location.search) await showResults(wanted, current);
      // whoever comes back from a piece goes on at its place in the list
      if (left && !location.hash) list.querySelector(`a[href="${CSS.escape(left)}"]`)?.focus();
    }
  } catch (error) {
    if (current()) complain(error, wanted.piece ? at("piece") : at("problem"));
  } finally {
    delete document.documentElement.dataset.pending;
  }
}

function complain(error, place) {
  const key = TROUBLES.includes(error.kind) ? error.kind : "failed";
  place.replaceChildren(element("p", {
    class: "note", role: "alert", t: `error.${key}`, values: { detail: error.detail ?? String(error) },
  }));
  status.replaceChildren();
}

const say = (t, values) => status.replaceChildren(element("span", { t, values }));

async function showResults(wanted, current) {
  last = location.search;
  list.replaceChildren();
  at("more").hidden = true;
  at("problem").replaceChildren();
  status.replaceChildren();
  if (!wanted.terms.length && !wanted.filters.length && !wanted.all) return;
  say("searching");
  const words = FILTERS.map((name) => form[name].value).filter(Boolean);
  if (words.length < wanted.filters.length) { // a linked value that this release does not have
    say("nothing");
    return;
  }
  const question = { terms: wanted.terms, words, all: wanted.all };
  try {
    await further(question, 0, current);
    if (!current()) last = ""; // the list was left before it was there
    else if (list.children.length) {
      const counted = await ask({ ask: "count", ...question });
      if (current()) tell(counted);
    }
  } catch (error) {
    last = "";
    throw error;
  }
}

async function further(question, after, current) {
  const { pieces, more } = await ask({ ask: "search", ...question, after, limit: PAGE });
  if (!current()) return;
  list.append(...pieces.map((piece) => entry(piece, question.terms)));
  say(pieces.length || after ? "shown" : "nothing", { shown: list.children.length });
  at("more").hidden = !more;
  at("more").onclick = async () => {
    at("more").hidden = true;
    try {
      await further(question, pieces.at(-1).n, current);
    } catch (error) {
      complain(error, at("problem"));
    }
  };
  if (after && pieces.length) list.children[list.children.length - pieces.length].querySelector("a").focus();
}

function tell({ pieces, exact }) {
  const all = at("more").hidden;
  const count = all ? list.children.length : pieces;
  say(all || exact ? "found" : "found-at-most", {
    pieces: count.toLocaleString("en"), shown: list.children.length,
  });
}

function entry(piece, terms) {
  const facts = [piece.genre, piece.year, piece.site].filter(Boolean);
  return element("li", {}, [
    element("h3", {}, [element("a", { href: `#piece=${encodeURIComponent(piece.id)}`, lang: "zh-Hans" },
      marked(piece.title || piece.snippet?.slice(0, 30) || piece.id, terms))]),
    element("p", { class: "facts" }, [
      element("span", { lang: "zh-Hans" }, [facts.join(" · ")]), " · ",
      element("span", { t: "characters", values: { n: piece.n_chars.toLocaleString("en") } }),
      ...(piece.excluded_why ? [" · ", element("span", { class: "tag", t: "outside" })] : []),
    ]),
    ...(piece.snippet ? [element("p", { class: "snippet", lang: "zh-Hans" }, marked(piece.snippet, terms))] : []),
  ]);
}

function go(address) {
  history.pushState(null, "", address);
  show();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  last = "";
  go(addressOf(form.elements));
});
for (const name of [...FILTERS, "all"]) form[name].addEventListener("change", () => go(addressOf(form.elements)));
addEventListener("popstate", show);
at("needs-server").hidden = true;
form.querySelector("fieldset").disabled = false;
show();
