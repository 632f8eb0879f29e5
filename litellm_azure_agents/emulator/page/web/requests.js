// Every request the emulator received: bodies, answers, errors.

import { get } from "./api.js";
import { bytes, duration, fill, h, loading, note, when } from "./dom.js";
import { head, tabs } from "./frame.js";
import { json } from "./json.js";

const short = (path) => path.replace(/^\/api\/projects\/[^/]+/, "") || "/";

export const section = {
  name: "requests",
  label: "Requests",
  search: "Search paths, bodies, answers …",
  which: [["", "All"], ["errors", "Errors"], ["open", "Open"]],
  height: 50,
  empty: () => note("empty", "No requests", "Whatever clients send appears here (not what this page reads)."),
  path: (row) => row.id,
  row: (row) => [
    h("div", { class: "line" }, h("span", { class: "method" }, row.method),
      h("span", { class: "title mono", title: row.path }, short(row.path)), status(row)),
    h("div", { class: "line dim" }, h("span", { class: row.error ? "match error" : "match" }, row.error ?? (row.stream ? "event stream" : "")),
      h("span", { class: "end" }, [duration(row.seconds), row.bytes && bytes(row.bytes)].filter(Boolean).join(" · "), " · ", when(row.received_at))),
  ],
  open: (id) => new RequestView(id),
};

function status(row) {
  const open = row.seconds === null;
  const kind = row.status === null ? (open ? "busy" : "bad") : row.status < 400 ? "good" : "bad";
  return h("span", { class: `badge ${kind}` }, row.status ?? (open ? "open" : "cut"), row.status && open && " …");
}

class RequestView {
  constructor([id]) {
    this.id = id;
    this.element = h("div", { class: "detail" }, loading());
    this.refresh();
  }

  async refresh() {
    let found;
    try {
      found = await get(`requests/${encodeURIComponent(this.id)}`);
    } catch (error) {
      fill(this.element, head({ title: "Request" }), note("error", "This request can't be shown.", error.message));
      return;
    }
    const text = JSON.stringify(found);
    if (this.closed || text === this.text) return;
    const chosen = this.element.querySelector('[role=tab][aria-selected="true"]')?.textContent;
    this.text = text;
    const { stream, body, answer } = found;
    fill(this.element,
      head({
        title: h("span", {}, h("span", { class: "method" }, found.method), " ", h("span", { class: "mono" }, short(found.path))),
        id: found.id,
        facts: [["status", status(found)], ["received", when(found.received_at)], ["took", duration(found.seconds)],
          ["answer", found.bytes ? `${bytes(found.bytes)} ${found.answer_type.split(";")[0]}` : null]],
      }),
      found.error && h("div", { class: "refused" }, note("error", "Refused", found.error)),
      tabs({
        Body: () => h("div", { class: "pad" }, body === null ? h("p", { class: "dim" }, "No body.") : json(body)),
        Answer: () => h("div", { class: "pad" }, answer !== null ? json(answer)
          : h("p", { class: "dim" }, stream ? "An event stream: its events are kept with the run." : "Not kept: no JSON.")),
        Headers: () => h("div", { class: "pad" },
          found.query && h("p", { class: "mono" }, `?${found.query}`), json(found.headers)),
      }, chosen ?? (body === null ? "Answer" : "Body")));
  }

  close() {
    this.closed = true;
  }
}
