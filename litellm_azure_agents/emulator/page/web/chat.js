// A box to chat with any agent, through the project's own routes, as any client would.
// There is one chat; it stays as it is while one looks at other sections.

import { answerForm, answerItems, submission } from "./answer.js";
import { events, get, post } from "./api.js";
import { add, fill, h, idLink, note } from "./dom.js";
import { perFrame, stored, Timeline } from "./timeline.js";
import { Turn } from "./turn.js";

const NEW = "new";
let chat = null;

export function openChat([kind, id] = []) {
  chat ??= new Chat();
  if (id && chat.agent !== `${kind}/${decodeURIComponent(id)}`) chat.begin(kind, decodeURIComponent(id));
  chat.fillAgents();
  return chat;
}

export function startChat(kind, id, version = null) {
  chat ??= new Chat();
  chat.begin(kind, id, version);
  location.hash = `#/chat/${kind}/${encodeURIComponent(id)}`;
}

// Goes on with a thread or conversation of the threads section.
export async function continueThread(found, active) {
  const last = found.items.findLast((item) => item.assistant_id || item.agent_reference);
  const agent = last?.assistant_id ?? last?.agent_reference?.name;
  const classic = found.kind === "thread";
  chat ??= new Chat();
  chat.begin(classic ? "classic" : NEW, agent ?? (classic ? "asst_echo" : "echo"));
  chat.thread = found.doc.id;
  const before = new Timeline();
  before.draw(stored("item", found.items));
  chat.transcript.append(before.element);
  location.hash = `#/chat/${chat.agent}`;
  chat.newTurn();
  fill(chat.below);
  const open = found.kind === "conversation" ? unanswered(found.items) : [];
  if (open.length) chat.turn.run = { id: open[0].response_id, object: "response", status: "completed", output: open };
  else if (active) chat.turn.run = (await get(`runs/${active.id}`)).doc;
  chat.end(null);
}

// Calls and approval requests that nobody has answered.
function unanswered(items) {
  const done = new Set(items.flatMap((item) => [
    item.type === "function_call_output" && item.call_id, item.approval_request_id]));
  return items.filter(({ type, id, call_id: call }) =>
    (type === "function_call" && !done.has(call)) || (type === "mcp_approval_request" && !done.has(id)));
}

class Chat {
  constructor() {
    this.select = h("select", { "aria-label": "Agent", onchange: () => this.choose() });
    this.where = h("span", { class: "dim" });
    this.transcript = h("div", { class: "transcript", role: "log", "aria-label": "Conversation" });
    this.below = h("div", { class: "below" });
    this.field = h("textarea", { rows: 2, placeholder: "Say something …", "aria-label": "Message", onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.send();
      }
    } });
    this.go = h("button", { class: "primary" }, "Send");
    this.stopper = h("button", { type: "button", onclick: () => this.stop() }, "Stop");
    this.element = h("div", { class: "chat" },
      h("div", { class: "chat-bar" }, this.select, this.where,
        h("button", { type: "button", onclick: () => this.begin(...this.agent.split("/"), this.version) }, "New chat")),
      h("div", { class: "scroll" }, this.transcript, this.below),
      h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.send(); } },
        this.field, this.go, this.stopper));
    this.begin("classic", "asst_echo");
  }

  focus() {
    this.field.focus();
  }

  refresh() {}

  close() {}

  async fillAgents() {
    const found = [];
    for (let next = ""; next !== null;) {
      const page = await get(`agents?before=${next}`);
      found.push(...page.rows);
      next = page.next;
    }
    const group = (kind, label) => h("optgroup", { label }, found
      .filter((agent) => agent.kind === kind)
      .sort((a, b) => a.name.localeCompare(b.name))
      .map((agent) => h("option", { value: `${kind}/${agent.id}` }, agent.name)));
    fill(this.select, group("classic", "Classic agents"), group(NEW, "New agents"));
    this.showAgent();
  }

  showAgent() {
    this.select.value = this.agent;
    this.select.title = this.version ? `version ${this.version}` : "";
  }

  choose() {
    const [kind, id] = this.select.value.split("/");
    location.hash = `#/chat/${kind}/${encodeURIComponent(id)}`;
  }

  begin(kind, id, version = null) {
    this.aborter?.abort();
    Object.assign(this, { agent: `${kind}/${id}`, version, thread: null, turn: null, aborter: null });
    fill(this.transcript);
    fill(this.below, note("empty", "A new chat", "Each message is a real run or response: see it in Runs and Requests while it happens."));
    this.showAgent();
    this.state();
  }

  get classic() {
    return this.agent.startsWith("classic/");
  }

  get id() {
    return this.agent.slice(this.agent.indexOf("/") + 1);
  }

  state() {
    const busy = this.aborter !== null;
    this.go.hidden = busy;
    this.stopper.hidden = !busy;
    this.transcript.setAttribute("aria-busy", String(busy));
    const run = this.turn?.run;
    fill(this.where, this.version && `v${this.version} · `, this.thread && idLink(this.thread), run && [" · ", idLink(run.id)]);
  }

  // ---- sending

  async send() {
    const text = this.field.value.trim();
    if (!text || this.aborter) return;
    const waits = this.classic && this.below.querySelector(".answer"); // the thread takes nothing now
    if (waits) return waits.querySelector("textarea, input").focus();
    this.field.value = "";
    const { id, classic } = this;
    const own = new Timeline();
    own.draw([{ key: "u", kind: "message", version: 0, doc: { role: "user", content: text, created_at: Date.now() / 1000 } }]);
    this.transcript.append(own.element);
    this.newTurn();
    await this.play(async (signal) => {
      if (classic && !this.thread) {
        const thread = { messages: [{ role: "user", content: text }] };
        return post("/threads/runs", { assistant_id: id, thread, stream: true }, signal);
      }
      if (classic) {
        const added = [{ role: "user", content: text }];
        return post(`/threads/${this.thread}/runs`, { assistant_id: id, additional_messages: added, stream: true }, signal);
      }
      return this.respond(text, signal);
    });
  }

  async respond(input, signal) {
    this.thread ??= (await (await post("/openai/v1/conversations", {}, signal)).json()).id;
    const reference = { type: "agent_reference", name: this.id, ...(this.version && { version: this.version }) };
    return post("/openai/v1/responses", { agent_reference: reference, conversation: this.thread, input, stream: true }, signal);
  }

  answer(answers) {
    const { run } = this.turn;
    if (this.classic) {
      const path = `/threads/${run.thread_id}/runs/${run.id}/submit_tool_outputs`;
      this.turn.ended = false;
      return this.play((signal) => post(path, submission(answers, true), signal), true);
    }
    const items = answerItems(answers);
    const given = new Timeline();
    given.draw(stored("item", items.map((item, n) => ({ ...item, id: `given-${n}` }))));
    return this.play(async (signal) => {
      const stream = await this.respond(items, signal);
      this.transcript.append(given.element);
      this.newTurn();
      return stream;
    }, true);
  }

  newTurn() {
    this.turn = new Turn();
    const timeline = new Timeline(this.id);
    const { turn } = this;
    this.transcript.append(timeline.element);
    this.draw = perFrame(() => {
      timeline.draw(turn.entries);
      if (this.turn !== turn) return; // a new chat has begun meanwhile
      this.thread ??= turn.thread;
      this.state();
      this.scroll();
    });
  }

  // `strict`: a refused request is the caller's to show (the form that made it).
  async play(request, strict = false) {
    this.aborter = new AbortController();
    const { signal } = this.aborter;
    if (!strict) fill(this.below, h("p", { class: "dim thinking" }, "Waiting for the agent …"));
    this.state();
    this.scroll();
    let failure = null;
    try {
      const stream = await request(signal);
      fill(this.below);
      for await (const { name, data } of events(stream)) {
        if (signal.aborted) return;
        this.turn.tell(name, data);
        this.draw();
      }
      if (!this.turn.ended) failure = note("error", "The stream broke off.", "It ended without its last event. What came later is with the run.");
    } catch (error) {
      if (strict && error.status) {
        this.settle(signal);
        throw error;
      }
      if (signal.aborted) failure = note("empty", "Stopped.");
      else failure = note("error", error.code ?? (error.status ? `HTTP ${error.status}` : "The connection was lost."), error.message);
    }
    if (!this.settle(signal)) return;
    this.end(failure);
  }

  settle(signal) {
    if (this.aborter?.signal !== signal) return false; // another chat has begun
    this.aborter = null;
    this.state();
    return true;
  }

  end(failure) {
    const { turn } = this;
    const status = turn.run?.status;
    const error = turn.error ?? turn.run?.last_error;
    const reason = turn.run?.incomplete_details?.reason;
    if (!failure && error) failure = note("error", error.code ?? "error", error.message);
    if (!failure && reason) failure = note("empty", "Stopped early", reason);
    if (!failure && ["cancelled", "expired"].includes(status)) failure = note("empty", `The run is ${status}.`);
    const pending = !failure && turn.pending;
    fill(this.below);
    add(this.below, [failure, pending && answerForm(pending, (answers) => this.answer(answers), this.classic && (() => this.stop()))]);
    this.draw();
    this.scroll();
    (this.below.querySelector("textarea, input") ?? this.field).focus();
  }

  async stop() {
    const run = this.turn?.run;
    if (!this.classic || !run) return this.aborter?.abort();
    await post(`/threads/${run.thread_id}/runs/${run.id}/cancel`, {}).catch(() => {}); // it may just have ended
    if (!this.aborter) fill(this.below, note("empty", "The run is cancelled."));
  }

  scroll() {
    const box = this.transcript.parentElement;
    box.scrollTop = box.scrollHeight;
  }
}
