// Draws entries of a turn (or stored ones) into a column; only what has changed is drawn again.

import { message } from "./content.js";
import { item, step } from "./calls.js";
import { h } from "./dom.js";

export class Timeline {
  constructor(author) {
    this.author = author;
    this.element = h("div", { class: "timeline" });
    this.drawn = new Map();
  }

  // `exact`: entries that are not given any more go.
  draw(entries, { exact = false } = {}) {
    for (const entry of entries) {
      const old = this.drawn.get(entry.key);
      if (old?.version === entry.version) continue;
      const element = this.view(entry) ?? h("span", { hidden: true });
      if (old) {
        const was = boxes(old.element).map((box) => box.open);
        boxes(element).forEach((box, n) => n < was.length && (box.open = was[n]));
        old.element.replaceWith(element);
      } else this.element.append(element);
      this.drawn.set(entry.key, { element, version: entry.version });
    }
    if (!exact) return;
    const given = new Set(entries.map((entry) => entry.key));
    for (const [key, { element }] of this.drawn) {
      if (given.has(key)) continue;
      element.remove();
      this.drawn.delete(key);
    }
  }

  view({ kind, doc }) {
    if (kind === "step") return step(doc);
    if (kind === "item") return item(doc);
    return message(doc, { author: doc.role === "assistant" ? this.author : undefined });
  }
}

const boxes = (element) => [element, ...element.querySelectorAll("details")].filter((e) => e.matches("details"));

// Stored documents as entries; `version` is the text, so an unchanged one is left alone.
export function stored(kind, docs) {
  return docs.map((doc, n) => ({
    key: doc.id ?? `${kind}-${n}`,
    kind: kind === "item" && doc.object === "thread.message" ? "message" : kind,
    doc,
    version: JSON.stringify(doc),
  }));
}

// At most one call a frame.
export function perFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}
