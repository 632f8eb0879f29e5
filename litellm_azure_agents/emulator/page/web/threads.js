// Threads and conversations: what was said, live while a run writes.

import { follow, get } from "./api.js";
import { continueThread } from "./chat.js";
import { badge, fill, h, loading, note, tag, when } from "./dom.js";
import { head, runRows, tabs } from "./frame.js";
import { json } from "./json.js";
import { perFrame, stored, Timeline } from "./timeline.js";
import { Turn } from "./turn.js";

const BUSY = ["queued", "in_progress", "cancelling", "requires_action"];

export const section = {
  name: "threads",
  label: "Threads",
  search: "Search what was said, ids …",
  which: [["", "All"], ["thread", "Threads"], ["conversation", "Conversations"]],
  height: 58,
  empty: () => note("empty", "No threads yet", "Point a client at this emulator, or start a chat: press g, then c."),
  path: (row) => row.id,
  row: (row) => [
    h("div", { class: "line" }, h("span", { class: "title" }, row.title || "(nothing said yet)"),
      BUSY.includes(row.status) || row.status === "failed" ? badge(row.status) : null),
    h("div", { class: "line dim" },
      row.match ? h("span", { class: "match" }, row.match) : [
        tag(row.kind === "thread" ? "thread" : "conv"), h("span", { class: "id" }, row.id.split("_")[1]),
        h("span", { class: "end" }, `${row.count} · `, when(row.created_at))]),
  ],
  open: (id) => new ThreadView(id),
};

// A reader who is at the end stays there when more comes.
function stick(tabs) {
  const box = tabs.querySelector(".tab-body");
  const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 40;
  return () => atEnd && (box.scrollTop = box.scrollHeight);
}

class ThreadView {
  constructor([id]) {
    this.id = id;
    this.older = [];
    this.element = h("div", { class: "detail" }, loading());
    this.messages = new Timeline();
    this.live = h("div", {});
    this.refresh();
  }

  async refresh() {
    let found;
    try {
      found = await get(`threads/${encodeURIComponent(this.id)}`);
    } catch (error) {
      fill(this.element, head({ title: "Thread" }), note("error", "This thread can't be shown.", error.message));
      return;
    }
    const text = JSON.stringify(found);
    if (this.closed || text === this.text) return;
    this.text = text;
    const active = found.runs.find((run) => BUSY.includes(run.status));
    this.draw(found, active);
    this.watch(active);
  }

  draw(found, active) {
    const { doc, runs } = found;
    const title = found.kind === "thread" ? "Thread" : "Conversation";
    const own = (message) => !active || (message.run_id !== active.id && message.response_id !== active.id);
    const items = [...this.older, ...found.items].filter(own);
    const top = head({ title, id: this.id, status: active?.status, facts: [
      ["created", when(doc.created_at)], [found.kind === "thread" ? "messages" : "items", `${items.length}${found.older ? "+" : ""}`], ["last run", runs[0]?.agent],
    ], actions: h("button", { type: "button", onclick: () => continueThread(found, active) }, active?.status === "requires_action" ? "Answer in chat" : "Continue in chat") });
    if (!this.tabs) {
      this.top = h("div", {});
      this.more = h("div", { class: "center" });
      this.runs = h("div", { class: "pad" });
      this.raw = h("div", { class: "pad" });
      this.tabs = tabs({
        Messages: () => h("div", { class: "pad" }, this.more, this.messages.element, this.live),
        Runs: () => this.runs,
        JSON: () => this.raw,
      });
      fill(this.element, this.top, this.tabs);
    }
    const stay = stick(this.tabs);
    this.messages.draw(stored("item", items), { exact: true });
    fill(this.top, top);
    fill(this.runs, runRows(runs, "No runs on this thread yet."));
    fill(this.raw, json(doc), json(found.items));
    const oldest = items[0]?.id;
    const earlier = this.noOlder ? false : found.older || this.older.length > 0;
    fill(this.more, earlier && h("button", { type: "button", onclick: () => this.loadOlder(oldest) }, "Earlier messages"));
    if (!items.length && !active) fill(this.live, note("empty", "Nothing was said here yet."));
    else if (!active) fill(this.live);
    stay();
  }

  async loadOlder(before) {
    const page = await get(`threads/${encodeURIComponent(this.id)}?before=${encodeURIComponent(before)}`);
    this.older = [...page.items, ...this.older];
    this.noOlder = !page.older;
    this.text = null;
    this.messages = new Timeline();
    this.tabs = null;
    await this.refresh();
  }

  watch(active) {
    if (active?.id === this.watched) return;
    this.stop?.();
    this.watched = active?.id;
    if (!active) return;
    const turn = new Turn();
    let heard = 0;
    const timeline = new Timeline();
    fill(this.live, timeline.element);
    const draw = perFrame(() => {
      const stay = stick(this.tabs);
      timeline.draw(turn.entries);
      stay();
    });
    this.stop = follow(() => `runs/${active.id}/events?from=${heard}`, ({ name, data }) => {
      if (name !== "logged") return;
      heard++;
      turn.tell(data.name, data.data);
      draw();
    });
  }

  close() {
    this.closed = true;
    this.stop?.();
  }
}
