// Language, theme and copy buttons; stands in the page itself, so that it also works where modules are not
// loaded (file://). What it offers to search.js is in window.fanwen.
(() => {
  const strings = JSON.parse(document.getElementById("strings").textContent);
  const root = document.documentElement;

  // storage may be forbidden
  const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* then not */ } };

  const chinese = navigator.languages.some((one) => one.startsWith("zh"));
  let language = remembered("fanwen-language") ?? (chinese ? "zh" : "en");

  const has = (key) => key in strings[language];
  const t = (key, values = {}) =>
    (strings[language][key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

  function translate(within = document) {
    for (const one of within.querySelectorAll("[data-t]")) {
      one.textContent = t(one.dataset.t, JSON.parse(one.dataset.values ?? "{}"));
    }
    for (const name of ["aria-label", "placeholder"]) {
      for (const one of within.querySelectorAll(`[data-t-${name}]`)) {
        one.setAttribute(name, t(one.getAttribute(`data-t-${name}`)));
      }
    }
  }

  let subject = "";

  // What the window is called: the page, and the piece that it shows.
  function entitle(name) {
    subject = name;
    document.title = (name && `${name} – `) + t(root.dataset.title, JSON.parse(root.dataset.values));
  }

  function speak() {
    root.lang = language === "zh" ? "zh-Hans" : "en";
    entitle(subject);
    translate();
  }

  function theme(name) {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
  }

  async function copy(button, text) {
    try {
      await navigator.clipboard.writeText(text);
      button.dataset.t = "copied";
    } catch {
      button.dataset.t = "copy-by-hand"; // not allowed here, for instance over plain HTTP
      getSelection().selectAllChildren(button.previousElementSibling);
    }
    translate(button.parentElement);
    button.addEventListener("blur", () => { button.dataset.t = "copy"; translate(button.parentElement); }, { once: true });
  }

  const themes = document.getElementById("theme");
  themes.value = remembered("fanwen-theme") ?? "auto";
  theme(themes.value);
  themes.addEventListener("change", () => { theme(themes.value); remember("fanwen-theme", themes.value); });

  document.getElementById("language").addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    remember("fanwen-language", language);
    speak();
  });

  if (location.protocol !== "file:") {
    for (const one of document.querySelectorAll("[data-home]")) {
      one.textContent = new URL(root.dataset.module ? "../.." : ".", location.href).href;
    }
  }

  for (const block of document.querySelectorAll("pre[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.t = "copy";
    button.addEventListener("click", () => copy(button, block.textContent));
    block.after(button);
  }

  window.fanwen = { t, has, entitle };
  speak();
  // a file:// page may not load modules, and has no ranges either
  if (root.dataset.module && location.protocol !== "file:") {
    if (location.search) root.dataset.pending = "";
    import(root.dataset.module);
  }
})();
