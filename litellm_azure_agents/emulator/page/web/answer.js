// The form in which a user plays the tools: results of function calls, yes or no to approvals.

import { h, tag } from "./dom.js";

const given = (call) => h("code", { class: "given" }, call.arguments ?? "");

// submit({outputs: [[id, text]], approvals: [[id, yes]]}) may be async; what it throws is shown.
export function answerForm(pending, submit, cancel) {
  const error = h("p", { class: "error", role: "alert" });
  const outputs = pending.calls.map((call) => ({ call, field: h("textarea", {
    rows: 2, placeholder: "Its result: text or JSON", "aria-label": `Result of ${call.name}`, spellcheck: "false",
  }) }));
  const approvals = pending.approvals.map((call) => ({ call, name: `approve-${call.id}` }));
  const form = h("form", { class: "answer", "aria-label": "The agent waits for you", onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    try {
      await submit({
        outputs: outputs.map(({ call, field }) => [call.id, field.value]),
        approvals: approvals.map(({ call, name }) => [call.id, new FormData(form).get(name) === "yes"]),
      });
    } catch (failure) {
      error.textContent = failure.message;
      button.disabled = false;
    }
  }, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  } });
  const button = h("button", { class: "primary" }, "Submit");
  form.append(
    h("h2", {}, "The agent waits for you"),
    ...outputs.map(({ call, field }) => h("div", { class: "ask" },
      h("div", {}, tag("function"), h("strong", {}, call.name), given(call)), field)),
    ...approvals.map(({ call, name }) => h("fieldset", { class: "ask" },
      h("legend", {}, tag("approval"), h("strong", {}, `${call.server} · ${call.name}`), given(call)),
      h("label", {}, h("input", { type: "radio", name, value: "yes", checked: true }), " Yes, let it"),
      h("label", {}, h("input", { type: "radio", name, value: "no" }), " No"))),
    error,
    h("div", { class: "buttons" }, button,
      cancel && h("button", { type: "button", onclick: cancel }, "Cancel run")),
  );
  return form;
}

// The answers as a body of submit_tool_outputs.
export function submission({ outputs, approvals }, stream) {
  return approvals.length
    ? { tool_approvals: approvals.map(([id, approve]) => ({ tool_call_id: id, approve })), stream }
    : { tool_outputs: outputs.map(([id, output]) => ({ tool_call_id: id, output })), stream };
}

// The same as input items of the next response.
export const answerItems = ({ outputs, approvals }) => [
  ...outputs.map(([id, output]) => ({ type: "function_call_output", call_id: id, output })),
  ...approvals.map(([id, approve]) => ({ type: "mcp_approval_response", approval_request_id: id, approve })),
];
