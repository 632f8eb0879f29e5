// The frame of a details pane: headline, facts, actions, tabs.

import { badge, copyButton, fill, h, idLink } from "./dom.js";

export function head({ title, id, status, facts = [], actions = [] }) {
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("div", { class: "head" },
    h("div", { class: "head-line" },
      h("a", { class: "back", href: "#", "data-back": "", "aria-label": "Back to the list" }, "‹"),
      h("h1", {}, title), badge(status), h("span", { class: "actions" }, actions)),
    id && h("div", { class: "head-id" }, h("span", { class: "id" }, id), copyButton(() => id)),
    shown.length > 0 && h("dl", { class: "facts" }, shown.map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

// panes: {name: () => element}; the pane is built when it is first looked at.
export function tabs(panes, chosen) {
  const bodies = new Map();
  const body = h("div", { class: "tab-body", role: "tabpanel", tabindex: "0" });
  const buttons = Object.keys(panes).map((name) =>
    h("button", { type: "button", role: "tab", onclick: () => show(name), onkeydown: turn }, name));
  function show(name) {
    buttons.forEach((button) => {
      const here = button.textContent === name;
      button.setAttribute("aria-selected", String(here));
      button.tabIndex = here ? 0 : -1;
    });
    if (!bodies.has(name)) bodies.set(name, panes[name]());
    body.setAttribute("aria-label", name);
    fill(body, bodies.get(name));
  }
  function turn(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const at = buttons.indexOf(event.target);
    const next = buttons[(at + by + buttons.length) % buttons.length];
    next.focus();
    next.click();
  }
  show(chosen ?? Object.keys(panes)[0]);
  return h("div", { class: "tabs" }, h("div", { class: "tab-bar", role: "tablist" }, buttons), body);
}

export function runRows(rows, empty) {
  if (!rows.length) return h("p", { class: "dim" }, empty);
  return h("ul", { class: "plain-list" }, rows.map((row) =>
    h("li", {}, idLink(row.id), h("span", { class: "dim" }, row.agent), badge(row.status),
      row.error && h("span", { class: "error" }, row.error))));
}
