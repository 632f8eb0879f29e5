// Agents of both protocols, with versions.

import { get } from "./api.js";
import { startChat } from "./chat.js";
import { badge, fill, h, loading, note, plural, tag, when } from "./dom.js";
import { head, runRows, tabs } from "./frame.js";
import { json } from "./json.js";

export const section = {
  name: "agents",
  label: "Agents",
  search: "Search names, tools, instructions …",
  which: [["", "All"], ["classic", "Classic"], ["new", "New"]],
  height: 58,
  empty: () => note("empty", "No agents", "Make one through the API, or start the emulator with --agents."),
  path: (row) => `${row.kind}/${row.id}`,
  row: (row) => [
    h("div", { class: "line" }, h("span", { class: "title" }, row.name), row.disabled && badge("disabled"), tag(row.kind)),
    h("div", { class: "line dim" }, h("span", { class: "match" }, row.description || row.instructions || row.model),
      h("span", { class: "end" }, row.versions > 1 ? `${row.versions} versions` : row.tools.length > 0 ? plural(row.tools.length, "tool") : "")),
  ],
  open: (id) => new AgentView(id),
};

class AgentView {
  constructor([kind, id]) {
    Object.assign(this, { kind, id: decodeURIComponent(id) });
    this.element = h("div", { class: "detail" }, loading());
    this.refresh();
  }

  async refresh() {
    let found;
    try {
      found = await get(`agents/${this.kind}/${encodeURIComponent(this.id)}`);
    } catch (error) {
      fill(this.element, head({ title: "Agent" }), note("error", "This agent can't be shown.", error.message));
      return;
    }
    const text = JSON.stringify(found);
    if (this.closed || text === this.text) return;
    const chosen = this.element.querySelector('[role=tab][aria-selected="true"]')?.textContent;
    this.text = text;
    const { doc, versions, runs } = found;
    const definition = this.kind === "classic" ? doc : versions[0]?.definition ?? {};
    const described = this.kind === "classic" ? doc : versions[0] ?? {};
    fill(this.element,
      head({
        title: doc.name ?? doc.id, id: doc.id, status: doc.state === "disabled" ? "disabled" : null,
        facts: [["kind", this.kind === "classic" ? "classic" : definition.kind], ["model", definition.model],
          ["latest version", versions[0]?.version], ["created", when(described.created_at)],
          ["temperature", definition.temperature]],
        actions: h("button", { type: "button", class: "primary", onclick: () => startChat(this.kind, doc.id) }, "Chat"),
      }),
      tabs({
        Definition: () => h("div", { class: "pad" }, describe(described, definition)),
        ...(versions.length && { [`Versions (${versions.length})`]: () => h("div", { class: "pad" }, versions.map((version, n) => this.version(version, n === 0))) }),
        Runs: () => h("div", { class: "pad" }, runRows(runs, "No runs of this agent yet.")),
        JSON: () => h("div", { class: "pad" }, json(doc)),
      }, chosen));
  }

  version(version, open) {
    return h("details", { class: "call", open },
      h("summary", {}, tag(`v${version.version}`), h("strong", {}, version.description || "No description"),
        version.draft && tag("draft"), when(version.created_at)),
      describe({ metadata: version.metadata }, version.definition),
      h("button", { type: "button", onclick: () => startChat("new", this.id, version.version) }, `Chat with version ${version.version}`));
  }

  close() {
    this.closed = true;
  }
}

function describe(described, definition) {
  const tools = definition.tools ?? [];
  const metadata = Object.entries(described.metadata ?? {});
  return [
    described.description && h("p", {}, described.description),
    h("h2", {}, "Instructions"),
    definition.instructions ? h("p", { class: "text quoted" }, definition.instructions) : h("p", { class: "dim" }, "None."),
    h("h2", {}, "Tools"),
    tools.length ? tools.map(tool) : h("p", { class: "dim" }, "None."),
    metadata.length > 0 && [h("h2", {}, "Metadata"), json(described.metadata)],
    definition.structured_inputs && [h("h2", {}, "Structured inputs"), json(definition.structured_inputs)],
  ];
}

function tool(given) {
  const own = given.function ?? given;
  return h("details", { class: "call" },
    h("summary", {}, tag(given.type.replaceAll("_", " ")), h("strong", {}, own.name ?? given.server_label ?? given.type),
      own.description && h("span", { class: "dim" }, own.description)),
    json(given));
}
