// Runs and responses: steps as they happen, every event, the object itself.

import { follow, get, post } from "./api.js";
import { answerForm, submission } from "./answer.js";
import { badge, duration, fill, h, idLink, loading, note, number, plural, when } from "./dom.js";
import { head, tabs } from "./frame.js";
import { json } from "./json.js";
import { List } from "./list.js";
import { perFrame, stored, Timeline } from "./timeline.js";
import { Turn } from "./turn.js";

const OVER = ["completed", "failed", "cancelled", "expired", "incomplete"];

export const section = {
  name: "runs",
  label: "Runs",
  search: "Search runs and responses …",
  which: [["", "All"], ["active", "Active"], ["waiting", "Waiting"], ["failed", "Failed"]],
  height: 58,
  empty: () => note("empty", "No runs", "Runs and responses appear here as they are made."),
  path: (row) => row.id,
  row: (row) => [
    h("div", { class: "line" }, h("span", { class: "title" }, row.agent), badge(row.status)),
    h("div", { class: "line dim" }, h("span", { class: "id" }, row.id),
      h("span", { class: "end" }, row.error ? h("span", { class: "error" }, row.error) : when(row.created_at))),
  ],
  open: (id) => new RunView(id),
};

class RunView {
  constructor([id]) {
    this.id = id;
    this.turn = new Turn();
    this.logged = [];
    this.element = h("div", { class: "detail" }, loading());
    this.steps = new Timeline();
    this.drawSoon = perFrame(() => this.drawLive());
    this.refresh();
  }

  async refresh() {
    let found;
    try {
      found = await get(`runs/${encodeURIComponent(this.id)}`);
    } catch (error) {
      fill(this.element, head({ title: "Run" }), note("error", "This run can't be shown.", error.message));
      return;
    }
    if (this.closed) return;
    this.found = found;
    if (!this.stop && found.events !== null) this.watch();
    this.draw();
  }

  watch() {
    this.stop = follow(() => `runs/${encodeURIComponent(this.id)}/events?from=${this.logged.length}`, ({ name, data }) => {
      if (name === "logged") {
        this.logged.push({ id: String(data.n), ...data });
        this.turn.tell(data.name, data.data);
      } else this.refresh();
      this.drawSoon();
    });
  }

  get over() {
    return OVER.includes(this.found.doc.status);
  }

  draw() {
    const { found } = this;
    const { doc, row } = found;
    const isRun = found.kind === "run";
    const agent = isRun ? doc.assistant_id : doc.agent_reference?.name;
    const usage = doc.usage ?? {};
    const used = usage.total_tokens && `${number(usage.total_tokens)} (${number(usage.prompt_tokens ?? usage.input_tokens)} in, ${number(usage.completion_tokens ?? usage.output_tokens)} out)`;
    const parent = isRun ? doc.thread_id : doc.conversation?.id;
    const version = doc.agent_reference?.version;
    if (!this.tabs) {
      this.top = h("div", {});
      this.banner = h("div", { class: "banner" });
      this.events = this.eventList();
      this.raw = h("div", { class: "pad" });
      this.tabs = tabs({
        Steps: () => h("div", { class: "pad" }, this.input(), this.steps.element, this.banner),
        Events: () => this.events,
        JSON: () => this.raw,
      });
      fill(this.element, this.top, this.tabs);
    }
    fill(this.top, head({
      title: isRun ? "Run" : "Response", id: this.id, status: doc.status,
      facts: [
        ["agent", agent && h("a", { href: `#/agents/${isRun ? "classic" : "new"}/${agent}` }, version ? `${row.agent} v${version}` : row.agent)],
        [isRun ? "thread" : "conversation", parent && idLink(parent)],
        ["after", doc.previous_response_id && idLink(doc.previous_response_id)],
        ["model", doc.model], ["created", when(doc.created_at)],
        ["took", this.took()], ["tokens", used],
      ],
      actions: isRun && !this.over && h("button", { type: "button", onclick: () => this.cancel() }, "Cancel run"),
    }));
    fill(this.raw, json(doc));
    this.drawLive();
  }

  took() {
    const { logged, found } = this;
    if (this.over && logged.length > 1) return duration(logged.at(-1).at - logged[0].at);
    return found.row.seconds === null ? null : duration(found.row.seconds);
  }

  input() {
    const given = this.found.given ?? [];
    const timeline = new Timeline();
    timeline.draw(stored("item", given));
    return given.length ? timeline.element : null;
  }

  // Live: what the events tell. Once it is over: what is stored, which has more (passages found).
  drawLive() {
    const { found } = this;
    if (!this.tabs) return;
    if (!this.over && this.logged.length) this.steps.draw(this.turn.entries, { exact: true });
    else if (found.kind === "response") this.steps.draw(stored("item", found.doc.output), { exact: true });
    else {
      const said = Object.fromEntries(found.items.map((message) => [message.id, message]));
      const entries = found.steps.flatMap((step) => {
        const message = said[step.step_details.message_creation?.message_id];
        return message ? stored("message", [message]) : stored("step", [step]);
      });
      this.steps.draw(entries, { exact: true });
    }
    this.drawBanner();
    this.list.setRows(this.logged);
    this.count.textContent = found.events === null ? "The events of this run are not kept any more." : plural(this.logged.length, "event");
  }

  drawBanner() {
    const { doc, kind } = this.found;
    const error = doc.last_error ?? doc.error;
    const waiting = kind === "run" && doc.status === "requires_action" && doc.required_action;
    const key = JSON.stringify([doc.status, error, waiting]);
    if (key === this.bannerKey) return;
    this.bannerKey = key;
    const turn = new Turn();
    turn.run = doc;
    const reason = doc.incomplete_details?.reason;
    fill(this.banner,
      error && note("error", error.code ?? "error", error.message),
      reason && note("empty", "Stopped early", reason),
      waiting && turn.pending && answerForm(turn.pending, (answers) => this.submit(answers)),
      kind === "response" && turn.pending && h("p", { class: "dim" }, "The agent waits for answers: they come with the next response. ",
        doc.conversation && h("a", { href: `#/threads/${doc.conversation.id}` }, "Open the conversation"), doc.conversation && " to continue in chat."),
      !error && !waiting && this.over && !this.steps.element.childElementCount && note("empty", "Nothing happened in this run."));
  }

  path(end) {
    return `/threads/${this.found.doc.thread_id}/runs/${this.id}/${end}`;
  }

  async submit(answers) {
    await post(this.path("submit_tool_outputs"), submission(answers, false));
    await this.refresh();
  }

  async cancel() {
    await post(this.path("cancel"), {}).catch(() => {}); // it may just have ended
    await this.refresh();
  }

  eventList() {
    const shown = h("div", { class: "event-data" });
    this.count = h("p", { class: "dim" });
    this.list = new List({
      label: "Events", height: 26,
      load: async () => ({ rows: this.logged, next: null }),
      draw: (row) => h("div", { class: "line event" },
        h("span", { class: "dim n" }, String(row.n)),
        h("span", { class: "dim at" }, `+${((row.at - this.logged[0].at) * 1000).toFixed(0)} ms`),
        h("span", { class: "title mono" }, row.name), h("span", { class: "dim glance" }, glance(row.data))),
      open: (row) => fill(shown, json(row.data)),
    });
    return h("div", { class: "pad events" }, this.count, this.list.element, shown);
  }

  close() {
    this.closed = true;
    this.list?.close();
    this.stop?.();
  }
}

// The text that a delta brings, wherever it sits.
function textIn(delta) {
  if (typeof delta === "string") return delta;
  for (const [name, value] of Object.entries(delta)) {
    if (["type", "id", "index", "role"].includes(name) || value === null || value === "") continue;
    const found = typeof value === "object" ? textIn(value) : String(value);
    if (found) return found;
  }
  return null;
}

// What an event is about, in a few words.
function glance(data) {
  const grown = data.delta && textIn(data.delta);
  if (typeof grown === "string") return JSON.stringify(grown);
  return data.status ?? data.item?.type ?? data.response?.status ?? "";
}
