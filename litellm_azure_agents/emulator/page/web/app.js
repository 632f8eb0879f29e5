// The page: sections, their list and details, the keyboard, and what keeps all of it live.

import { follow, get, takeTokenFromFragment } from "./api.js";
import { section as agents } from "./agents.js";
import { openChat } from "./chat.js";
import { $, fill, h, note, number } from "./dom.js";
import { section as files } from "./files.js";
import { List } from "./list.js";
import { section as requests } from "./requests.js";
import { section as runs } from "./runs.js";
import { section as threads } from "./threads.js";

const SECTIONS = { threads, runs, agents, files, requests };
const KEYS = { t: "threads", r: "runs", a: "agents", f: "files", q: "requests", c: "chat" };
const LABELS = { threads: "Threads", runs: "Runs", agents: "Agents", files: "Files", requests: "Requests", chat: "Chat" };
const OFTEN = 400;
const SELDOM = 2000; // a search looks at much

const current = { name: null, list: null, view: null, path: null, search: null };

// ---- sections

function showSection(name) {
  if (current.name === name) return;
  current.list?.close();
  current.name = name;
  current.list = null;
  document.body.dataset.section = name;
  for (const link of $("nav").children) {
    if (link.dataset.name === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${LABELS[name]} · Foundry emulator`;
  const section = SECTIONS[name];
  if (!section) return fill($("list"));
  const state = { words: "", which: "" };
  const query = () => `which=${state.which}&q=${encodeURIComponent(state.words)}`;
  const list = new List({
    label: section.label,
    height: section.height,
    draw: section.row,
    load: (before) => get(`${name}?${query()}${before === null ? "" : `&before=${before}`}`),
    open: (row) => (location.hash = `#/${name}/${section.path(row)}`),
    empty: () => (state.words || state.which
      ? note("empty", "Nothing found", "No entry has all of these words.") : section.empty()),
  });
  const restart = () => {
    list.next = null;
    list.loaded = false;
    list.setRows([]);
    list.element.scrollTop = 0;
    list.refresh();
  };
  let timer = null;
  const search = h("input", { type: "search", placeholder: section.search, "aria-label": section.search, spellcheck: "false",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        state.words = search.value;
        restart();
      }, 180);
    } });
  const choices = section.which.map(([value, label]) => h("button", { type: "button", "aria-pressed": String(value === ""),
    onclick: (event) => {
      state.which = value;
      choices.forEach((button) => button.setAttribute("aria-pressed", String(button === event.currentTarget)));
      restart();
    } }, label));
  current.list = list;
  current.search = search;
  list.slow = () => state.words !== "";
  fill($("list"), h("div", { class: "list-bar" }, search, h("div", { class: "choices", role: "group", "aria-label": "Filter" }, choices)), list.element);
  list.refresh();
}

function show(view) {
  current.view?.close();
  current.view = view;
  document.body.classList.toggle("open", view !== null);
  fill($("detail"), view?.element ?? h("div", { class: "nothing" }, note("empty", "Nothing is open", "Choose an entry: j and k move, Enter opens, ? shows all keys.")));
}

function route() {
  const [name, ...path] = location.hash.replace(/^#\//, "").split("/");
  const known = name in LABELS ? name : "threads";
  showSection(known);
  const whole = [known, ...path].join("/");
  if (whole === current.path) return;
  current.path = whole;
  if (known === "chat") {
    const chat = openChat(path);
    show(chat);
    chat.scroll();
    chat.focus();
  } else if (path.length && path[0]) {
    show(SECTIONS[known].open(path));
    current.list.select(decodeURIComponent(path.at(-1)));
  } else show(null);
}

function closeDetails() {
  location.hash = `#/${current.name === "chat" ? "threads" : current.name}`;
  current.list?.element.focus();
}

// ---- live

function every(pause, work) {
  let timer = null;
  return () => (timer ??= setTimeout(() => {
    timer = null;
    work();
  }, pause()));
}

const refresh = every(() => (current.list?.slow() ? SELDOM : OFTEN), () => {
  if (document.hidden) return (refresh.late = true);
  current.list?.refresh();
  current.view?.refresh();
});

function showCounts(counts) {
  for (const link of $("nav").children) {
    const count = counts[link.dataset.name];
    const waiting = link.dataset.name === "runs" && counts.waiting;
    const busy = link.dataset.name === "runs" && counts.active;
    fill(link.querySelector(".count"), count === undefined ? "" : number(count));
    fill(link.querySelector(".mark"), waiting ? h("span", { class: "badge wait", title: `${waiting} waiting for answers` }, String(waiting)) : null,
      busy ? h("span", { class: "badge busy", title: `${busy} running` }, String(busy)) : null);
  }
}

function live(state, text) {
  $("live").className = `live ${state}`;
  $("live").textContent = text;
}

function keepLive(pause = 500) {
  let received = false;
  follow(() => "live", ({ data }) => {
    if (!received) live("on", "live");
    received = true;
    showCounts(data);
    refresh();
  }, () => {
    live("off", "reconnecting");
    setTimeout(() => keepLive(received ? 500 : Math.min(pause * 2, 8000)), pause);
  });
}

// ---- keyboard

let going = 0;

function onKey(event) {
  const { key, target } = event;
  const typing = target.closest("input, textarea, select");
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (key === "Escape") {
    if (typing) return target.blur();
    return closeDetails();
  }
  if (typing) return;
  if (Date.now() < going && KEYS[key]) {
    going = 0;
    event.preventDefault();
    location.hash = `#/${KEYS[key]}`;
    return;
  }
  going = key === "g" ? Date.now() + 1500 : 0;
  const actions = {
    "/": () => current.search?.focus(),
    "?": () => $("help").showModal(),
    j: () => current.list?.move(1),
    k: () => current.list?.move(-1),
  };
  if (key in actions) {
    event.preventDefault();
    actions[key]();
  } else if (key === "Enter" && !target.closest("a, button, summary")) current.list?.openActive();
}

// ---- start

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

takeTokenFromFragment();
fill($("nav"), Object.entries(KEYS).map(([key, name]) =>
  h("a", { href: `#/${name}`, "data-name": name, title: `g then ${key}` }, h("span", {}, LABELS[name]),
    h("span", { class: "mark" }), h("span", { class: "count" }))));
$("theme").onclick = () => {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
};
$("keys").onclick = () => $("help").showModal();
$("skip").onclick = (event) => {
  event.preventDefault();
  $("detail").focus();
};
document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-back]")) return;
  event.preventDefault();
  closeDetails();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && refresh.late) {
    refresh.late = false;
    refresh();
  }
});
addEventListener("hashchange", route);
route();
keepLive();
