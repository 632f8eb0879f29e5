// JSON as readable text: coloured, ids are links, endless strings are cut (Copy gives all of it).

import { copyButton, h, place } from "./dom.js";

const LONG = 1500;
const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MOST = 4000;

const shorten = (key, value) =>
  typeof value === "string" && value.length > LONG
    ? `${value.slice(0, 200)} … (${value.length.toLocaleString("en-US")} characters)`
    : value;

export function json(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, shorten, 2) ?? "";
  const code = h("pre", { class: "json", tabindex: "0" });
  let position = 0;
  let count = 0;
  if (typeof value !== "string") {
    for (const match of text.matchAll(TOKENS)) {
      if (++count > MOST) break;
      code.append(text.slice(position, match.index));
      code.append(token(match));
      position = match.index + match[0].length;
    }
  }
  code.append(text.slice(position));
  const whole = () => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return h("div", { class: "json-box" }, copyButton(whole), code);
}

function token([whole, string, colon]) {
  if (!string) return h("span", { class: "j-atom" }, whole);
  if (colon) return h("span", {}, h("span", { class: "j-key" }, string), colon);
  const to = place(string.slice(1, -1));
  return to ? h("a", { class: "j-string", href: to }, string) : h("span", { class: "j-string" }, string);
}

// Text that may be JSON (arguments, outputs of tools).
export function maybeJson(text) {
  if (text === null || text === undefined || text === "") return null;
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === "object") return json(value);
  } catch {
    // plain text, or arguments that are still coming in
  }
  return h("pre", { class: "plain", tabindex: "0" }, text);
}
