// Views of one piece: text, origin, copies and relations, history; and of two texts side by side.

import { compare } from "./diff.js";
import { element, marked } from "./search.js";

const { t, has, entitle } = window.fanwen;
const view = document.getElementById("piece");

const percent = (share) => `${Math.round(100 * share)} %`;
const chinese = (text) => element("span", { lang: "zh-Hans" }, [text]);

// What a code of the data is called; one that has no name stands as it is.
function named(kind, code) {
  const [head, tail] = String(code).split(/:(.*)/);
  const key = `${kind}.${head}`;
  return has(key) ? element("span", { t: key, values: { detail: tail ?? "" } }) : String(code);
}

const linkTo = (id, title, more = "") =>
  element("a", { href: `#piece=${encodeURIComponent(id)}${more}`, lang: "zh-Hans" }, [title || id]);

function heading(title) {
  const made = element("h2", { tabindex: "-1", lang: "zh-Hans" }, [title]);
  const back = element("a", { href: location.pathname + location.search, class: "back", t: "back" });
  back.addEventListener("click", (event) => {
    event.preventDefault();
    history.pushState(null, "", back.getAttribute("href"));
    dispatchEvent(new PopStateEvent("popstate"));
  });
  return [element("p", {}, [back]), made];
}

function put(...content) {
  view.replaceChildren(...content);
  const top = view.querySelector("h2");
  entitle(top.textContent);
  top.focus();
}

export async function showPiece(wanted, ask, current) {
  view.replaceChildren(element("p", { role: "status", t: "loading" }));
  const found = await ask({ ask: "piece", named: wanted.piece, terms: wanted.terms });
  if (!current()) return;
  const { piece } = found;
  if (!piece) {
    put(...heading(wanted.piece), element("p", { class: "note", t: found.history.length ? "gone" : "unknown" }),
      ...historyOf(found.history));
    return;
  }
  put(...heading(piece.title || piece.id), text(piece, wanted.terms), ...origin(piece),
    ...copies(piece, found), ...relations(piece, found), ...historyOf(found.history));
}

function text(piece, terms) {
  if (piece.withdrawn) return element("p", { class: "note", t: "withdrawn-text" });
  if (piece.body === null) {
    return element("div", {}, [
      ...(piece.snippet ? [element("p", { class: "snippet", lang: "zh-Hans" }, marked(piece.snippet, terms))] : []),
      element("p", { class: "note", t: "text-not-shown" }),
    ]);
  }
  return element("article", { class: "text", lang: "zh-Hans" },
    piece.body.split("\n").map((line) => element("p", {}, marked(line, terms))));
}

function origin(piece) {
  const facts = [
    ["url", /^https?:/.test(piece.url)
      ? element("a", { href: piece.url, rel: "noopener noreferrer nofollow" }, [piece.url]) : piece.url],
    ["site", piece.site], ["place", piece.place], ["genre", chinese(piece.genre)],
    ["year", piece.year], ["level", piece.level && chinese(piece.level)],
    ["characters-label", piece.n_chars.toLocaleString("en")],
    ["first-seen", day(piece.first_seen)], ["fetched-at", day(piece.fetched_at)],
    ["claimed-published", piece.claimed_published && chinese(piece.claimed_published)],
    ["rights", named("rights", piece.rights_basis)],
    ["default", piece.excluded_why ? named("excluded", piece.excluded_why) : element("span", { t: "yes" })],
    ["flags", piece.flags], ["split", piece.split], ["id", piece.id],
  ];
  return [element("h3", { t: "origin" }), element("dl", {}, facts.filter(([, value]) => value).flatMap(([key, value]) => [
    element("dt", { t: `fact.${key}` }), element("dd", {}, [value]),
  ]))];
}

const day = (time) => time?.slice(0, 10);

const other = (piece, { id, title, site, year, genre, is_canonical: stands }, more) => element("li", {}, [
  linkTo(id, title), " ",
  element("span", { class: "facts" }, [chinese([genre, year, site].filter(Boolean).join(" · "))]),
  ...(stands && more === undefined ? [" ", element("span", { class: "tag", t: "stands-for-cluster" })] : []),
  ...(more ? [" ", more] : []), " ",
  element("a", { href: `#piece=${encodeURIComponent(piece.id)}&with=${encodeURIComponent(id)}`, t: "side-by-side" }),
]);

function copies(piece, { members, copies: count }) {
  if (!count) return [];
  return [
    element("h3", { t: "copies" }), element("p", { t: "copies-count", values: { n: count, shown: members.length } }),
    element("ul", { class: "others" }, members.map((one) => other(piece, one))),
  ];
}

function relations(piece, { related }) {
  if (!related.length) return [];
  return [
    element("h3", { t: "relations" }),
    element("ul", { class: "others" }, related.map((one) => other(piece, one, element("span", { t: `relation.${one.relation}`, values: {
      a: percent(one.containment_a), b: percent(one.containment_b),
    } })))),
  ];
}

function historyOf(rows) {
  const head = ["version", "date", "change", "why"].map((key) => element("th", { scope: "col", t: `history.${key}` }));
  return [element("h3", { t: "history" }), element("div", { class: "wide" }, [element("table", {}, [
    element("thead", {}, [element("tr", {}, head)]),
    element("tbody", {}, rows.map((row) => element("tr", {}, [
      row.version, row.date, named("change", row.change), named("why", row.why),
    ].map((cell) => element("td", {}, [cell]))))),
  ])])];
}

export async function showTexts(wanted, ask, current) {
  view.replaceChildren(element("p", { role: "status", t: "loading" }));
  const { texts } = await ask({ ask: "texts", ids: [wanted.piece, wanted.other] });
  if (!current()) return;
  const title = heading(wanted.piece);
  title[1].dataset.t = "side-by-side-title";
  title[1].removeAttribute("lang");
  title[1].textContent = t("side-by-side-title");
  if (!texts[0]?.body || !texts[1]?.body) {
    put(...title, element("p", { class: "note", t: "text-not-shown" }));
    return;
  }
  const sides = compare(texts[0].body, texts[1].body);
  put(...title, element("p", { t: "side-by-side-how" }), element("div", { class: "sides" }, sides.map((parts, at) =>
    element("section", {}, [
      element("h3", {}, [linkTo(texts[at].id, texts[at].title)]), element("p", { class: "facts" }, [texts[at].site]),
      element("div", { class: "text compared", lang: "zh-Hans" }, parts.map(({ text: part, same }) =>
        same ? part : element(at ? "ins" : "del", {}, [part]))),
    ]))));
}
