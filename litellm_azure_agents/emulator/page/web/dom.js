// Elements from data. Text only ever becomes text nodes: nothing here parses HTML.

export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value === "boolean") element[name] = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

export const $ = (id) => document.getElementById(id);

// ---- formats

export function clock(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  const today = new Date().toDateString() === date.toDateString();
  const time = date.toLocaleTimeString([], { hour12: false });
  return today ? time : `${date.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}

export function when(seconds) {
  if (!seconds) return null;
  const iso = new Date(seconds * 1000).toISOString();
  return h("time", { datetime: iso, title: iso }, clock(seconds));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 100 ? `${Number(seconds.toFixed(1))} s` : `${Math.round(seconds / 60)} min`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export const number = (value) => Number(value).toLocaleString("en-US");
export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

// ---- small parts used everywhere

const STATES = {
  completed: "good", active: "good", queued: "busy", in_progress: "busy", cancelling: "busy",
  requires_action: "wait", incomplete: "wait", failed: "bad", expired: "bad", cancelled: "off",
};

export function badge(status) {
  if (!status) return null;
  return h("span", { class: `badge ${STATES[status] ?? "off"}` }, status.replaceAll("_", " "));
}

export const tag = (text) => h("span", { class: "tag" }, text);

const PLACES = { thread: "threads", conv: "threads", run: "runs", resp: "runs", req: "requests", vs: "files", cfile: "files" };

export function place(id) {
  const [, prefix] = /^([a-z]+)_[A-Za-z0-9]+$/.exec(id) ?? [];
  if (/^assistant-[A-Za-z0-9]+$/.test(id)) return `#/files/${id}`;
  if (prefix === "asst" || id.startsWith("asst_")) return `#/agents/classic/${id}`;
  return PLACES[prefix] ? `#/${PLACES[prefix]}/${id}` : null;
}

export function idLink(id) {
  const to = id && place(id);
  return to ? h("a", { class: "id", href: to }, id) : h("span", { class: "id" }, id ?? "");
}

export function note(kind, title, text) {
  const role = kind === "error" ? "alert" : null;
  return h("div", { class: `note ${kind}`, role }, h("strong", {}, title), text && h("p", {}, text));
}

export const loading = () => h("div", { class: "note loading", "aria-busy": "true" }, "Loading …");

export function copyButton(text) {
  const button = h("button", { type: "button", class: "quiet small", onclick: async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1200);
  } }, "Copy");
  return button;
}
