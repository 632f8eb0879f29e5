// The events of a turn, folded into what has happened so far. Both protocols; no DOM in here.
// `entries` are {key, kind: "message" | "step" | "item", doc, version} in order of appearance.

const OVER = new Set(["completed", "failed", "cancelled", "expired", "incomplete"]);

export class Turn {
  constructor() {
    this.entries = [];
    this.run = null; // the run or the response as last received
    this.thread = null;
    this.error = null;
    this.ended = false; // by an event, not by a broken connection
  }

  get over() {
    return this.run !== null && OVER.has(this.run.status);
  }

  // What the user must answer now: {calls, approvals}, or null.
  get pending() {
    if (!this.run) return null;
    const calls = [];
    const approvals = [];
    if (this.run.object === "thread.run") {
      const action = this.run.required_action;
      for (const call of action?.submit_tool_outputs?.tool_calls ?? [])
        calls.push({ id: call.id, name: call.function?.name ?? call.type, arguments: call.function?.arguments });
      for (const call of action?.submit_tool_approval?.tool_calls ?? [])
        approvals.push({ id: call.id, name: call.name, server: call.server_label, arguments: call.arguments });
    } else if (this.run.status === "completed") {
      for (const item of this.run.output) {
        if (item.type === "function_call")
          calls.push({ id: item.call_id, name: item.name, arguments: item.arguments });
        if (item.type === "mcp_approval_request")
          approvals.push({ id: item.id, name: item.name, server: item.server_label, arguments: item.arguments });
      }
    }
    return calls.length || approvals.length ? { calls, approvals } : null;
  }

  tell(name, data) {
    if (name === "error") {
      this.error = data.error ?? data;
      this.ended = true;
    } else if (name === "done") this.ended = true;
    else if (name.startsWith("thread.")) this.classic(name, data);
    else if (name.startsWith("response.")) this.response(name.slice(9), data);
  }

  put(key, kind, doc) {
    let entry = this.entries.find((each) => each.key === key);
    if (!entry) this.entries.push((entry = { key, kind, version: 0 }));
    entry.doc = doc;
    entry.version++;
    return entry;
  }

  find(key) {
    const entry = this.entries.find((each) => each.key === key);
    if (entry) entry.version++;
    return entry?.doc;
  }

  // ---- classic

  classic(name, data) {
    if (name === "thread.created") this.thread = data.id;
    else if (name.startsWith("thread.run.step.delta")) this.stepDelta(data);
    else if (name.startsWith("thread.run.step.")) this.step(name, data);
    else if (name.startsWith("thread.run.")) {
      this.run = data;
      this.thread = data.thread_id;
    } else if (name === "thread.message.delta") this.messageDelta(data);
    else if (name.startsWith("thread.message.")) this.put(data.id, "message", data);
  }

  step(name, data) {
    const known = this.find(data.id);
    const details = { ...data.step_details };
    const calls = known?.step_details.tool_calls;
    if (calls?.length && !details.tool_calls?.length) details.tool_calls = calls;
    this.put(data.id, "step", { ...data, step_details: details });
  }

  stepDelta({ id, delta }) {
    const calls = this.find(id)?.step_details.tool_calls;
    if (!calls) return;
    for (const part of delta.step_details.tool_calls ?? []) {
      const { index, ...given } = part;
      const call = (calls[index] ??= {});
      for (const [name, value] of Object.entries(given)) {
        if (value === null || typeof value !== "object") call[name] = value;
        else call[name] = grown(call[name] ?? {}, value);
      }
    }
  }

  messageDelta({ id, delta }) {
    const doc = this.find(id);
    if (!doc) return;
    for (const { index, ...part } of delta.content ?? []) {
      const known = (doc.content[index] ??= { type: part.type });
      if (!part.text) Object.assign(known, part);
      else {
        known.text ??= { value: "", annotations: [] };
        known.text.value += part.text.value ?? "";
        for (const { index: at, ...annotation } of part.text.annotations ?? [])
          known.text.annotations[at] = { ...known.text.annotations[at], ...annotation };
      }
    }
  }

  // ---- responses

  response(name, data) {
    if (data.response) {
      this.run = data.response;
      this.ended = OVER.has(data.response.status);
      if (this.run.status === "failed") this.error = this.run.error;
      return;
    }
    const key = `${data.output_index}`;
    if (name.startsWith("output_item.")) {
      const known = this.find(key) ?? {};
      this.put(key, "item", structuredClone({ ...data.item, result: data.item.result ?? known.result }));
      return;
    }
    const doc = this.find(key);
    if (!doc) return;
    const part = () => (doc.content[data.content_index] ??= { text: "" });
    switch (name) {
      case "content_part.added": doc.content[data.content_index] = structuredClone(data.part); break;
      case "output_text.delta":
      case "reasoning_text.delta": part().text = (part().text ?? "") + data.delta; break;
      case "refusal.delta": part().refusal = (part().refusal ?? "") + data.delta; break;
      case "output_text.annotation.added": (part().annotations ??= [])[data.annotation_index] = data.annotation; break;
      case "reasoning_summary_part.added": doc.summary[data.summary_index] = structuredClone(data.part); break;
      case "reasoning_summary_text.delta": doc.summary[data.summary_index].text += data.delta; break;
      case "function_call_arguments.delta":
      case "mcp_call_arguments.delta": doc.arguments = (doc.arguments ?? "") + data.delta; break;
      case "code_interpreter_call_code.delta": doc.code = (doc.code ?? "") + data.delta; break;
      case "image_generation_call.partial_image": doc.result = data.partial_image_b64; break;
    }
  }
}

// A tool call's own object: texts grow, outputs are added at their place, the rest is replaced.
function grown(known, more) {
  for (const [name, value] of Object.entries(more)) {
    if (Array.isArray(value)) {
      known[name] ??= [];
      for (const { index, ...entry } of value) known[name][index ?? known[name].length] = entry;
    } else if (typeof value === "string" && typeof known[name] === "string" && name !== "name") known[name] += value;
    else known[name] = value;
  }
  return known;
}
