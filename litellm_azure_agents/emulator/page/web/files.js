// Files, uploaded or made by agents, and vector stores with what is indexed in them.

import { get } from "./api.js";
import { fileChip, picture } from "./content.js";
import { badge, bytes, fill, h, idLink, loading, note, plural, tag, when } from "./dom.js";
import { head, tabs } from "./frame.js";
import { json } from "./json.js";

const PICTURE = /\.(png|jpe?g|gif|webp)$/i;

export const section = {
  name: "files",
  label: "Files and vector stores",
  search: "Search names, ids …",
  which: [["", "All"], ["uploaded", "Uploaded"], ["made", "Made"], ["stores", "Stores"]],
  height: 58,
  empty: () => note("empty", "No files", "Files that clients upload, files that agents make, and vector stores appear here."),
  path: (row) => row.id,
  row: (row) => [
    h("div", { class: "line" }, h("span", { class: "title" }, row.name),
      row.failed > 0 && h("span", { class: "badge bad" }, `${row.failed} failed`),
      row.kind === "store" ? badge(row.status) : tag(row.made ? "made" : row.purpose)),
    h("div", { class: "line dim" },
      h("span", { class: "match" }, row.kind === "store" ? `vector store of ${plural(row.files, "file")}` : row.id),
      h("span", { class: "end" }, bytes(row.bytes), " · ", when(row.created_at))),
  ],
  open: (id) => new FileView(id),
};

class FileView {
  constructor([id]) {
    this.id = decodeURIComponent(id);
    this.element = h("div", { class: "detail" }, loading());
    this.refresh();
  }

  async refresh() {
    let found;
    try {
      found = await get(`files/${encodeURIComponent(this.id)}/details`);
    } catch (error) {
      fill(this.element, head({ title: "File" }), note("error", "This file can't be shown.", error.message));
      return;
    }
    const text = JSON.stringify(found);
    if (this.closed || text === this.text) return;
    const chosen = this.element.querySelector('[role=tab][aria-selected="true"]')?.textContent;
    this.text = text;
    fill(this.element, found.kind === "store" ? this.store(found, chosen) : this.file(found, chosen));
  }

  file({ doc, stores, beginning }, chosen) {
    const name = doc.filename;
    return [
      head({
        title: name, id: doc.id, status: doc.status === "processed" ? null : doc.status,
        facts: [["purpose", doc.purpose ?? "made in a container"], ["size", bytes(doc.bytes)], ["created", when(doc.created_at)],
          ["container", doc.container_id]],
        actions: fileChip(doc.id, name),
      }),
      tabs({
        Content: () => h("div", { class: "pad" }, PICTURE.test(name) ? picture(doc.id, name) : beginning === null
          ? h("p", { class: "dim" }, "No text and no image: download it to see what is in it.")
          : h("pre", { class: "plain", tabindex: "0" }, beginning || "(empty)")),
        [`Vector stores (${stores.length})`]: () => h("div", { class: "pad" }, stores.length
          ? stores.map((entry) => indexed(entry, entry.vector_store_id, entry.store_name))
          : h("p", { class: "dim" }, "In no vector store: no file search finds it.")),
        ...(stores.length && { Passages: () => this.passages() }),
        JSON: () => h("div", { class: "pad" }, json(doc)),
      }, chosen),
    ];
  }

  store({ doc, files, all }, chosen) {
    const { file_counts: counts } = doc;
    const others = ["in_progress", "failed", "cancelled"].filter((name) => counts[name]);
    return [
      head({
        title: doc.name ?? "Vector store", id: doc.id, status: doc.status,
        facts: [["files", [counts.total, ...others.map((name) => `${counts[name]} ${name.replace("_", " ")}`)].join(", ")],
          ["text", bytes(doc.usage_bytes)], ["created", when(doc.created_at)], ["last used", when(doc.last_active_at)],
          ["expires", when(doc.expires_at)]],
      }),
      tabs({
        Files: () => h("div", { class: "pad" },
          all > files.length && h("p", { class: "dim" }, `The last ${files.length} of ${all} files.`),
          files.length ? files.map((entry) => indexed(entry, entry.id, entry.filename)) : h("p", { class: "dim" }, "No files in it.")),
        Passages: () => this.passages(),
        JSON: () => h("div", { class: "pad" }, json(doc)),
      }, chosen),
    ];
  }

  passages() {
    const box = h("div", { class: "pad" }, loading());
    get(`files/${encodeURIComponent(this.id)}/passages`).then(({ passages, most }) => fill(box,
      passages.length === 0 && h("p", { class: "dim" }, "Nothing is indexed."),
      passages.length === most && h("p", { class: "dim" }, `The first ${most}.`),
      passages.map((passage) => h("div", { class: "labelled" },
        h("div", { class: "label" }, `${passage.number} of `, idLink(passage.file_id), " in ", idLink(passage.store_id)),
        h("pre", { class: "plain" }, passage.text)))),
    (error) => fill(box, note("error", "They can't be read.", error.message)));
    return box;
  }

  close() {
    this.closed = true;
  }
}

function indexed(entry, id, name) {
  return h("div", { class: "call" }, h("p", {}, name && [h("strong", {}, name), " "], idLink(id), " ", badge(entry.status), " ",
    h("span", { class: "dim" }, bytes(entry.usage_bytes))),
  entry.last_error && h("p", { class: "error" }, `${entry.last_error.code}: ${entry.last_error.message}`));
}
