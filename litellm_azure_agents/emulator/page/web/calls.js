// What agents do besides talking: tool calls, searches, code, thoughts. Steps and output items.

import { badge, h, tag } from "./dom.js";
import { fileChip, inlinePicture, linkedPicture, message, picture, webLink } from "./content.js";
import { json, maybeJson } from "./json.js";

// A box with a headline; what is long is folded until someone looks.
function box(kind, title, status, body, open = true) {
  const quiet = status === "completed" ? null : badge(status);
  return h("details", { class: `call ${kind}`, open },
    h("summary", {}, tag(kind.replaceAll("_", " ")), h("strong", {}, title), quiet), body);
}

const labelled = (label, content) =>
  content && h("div", { class: "labelled" }, h("span", { class: "label" }, label), content);

// ---- classic: a run step

export function step(doc) {
  const details = doc.step_details;
  if (details.type === "message_creation") return null; // the message itself is shown
  const error = doc.last_error && h("p", { class: "error" }, `${doc.last_error.code}: ${doc.last_error.message}`);
  const calls = details.tool_calls ?? details.activities ?? [];
  return h("div", { class: "step" }, calls.map((call) => toolCall(call, doc.status)), error);
}

function toolCall(call, status) {
  switch (call.type) {
    case "function": {
      const { name, arguments: given, output } = call.function;
      return box("function", name, output === null || output === undefined ? (status === "in_progress" ? "requires_action" : status) : "completed",
        [labelled("arguments", maybeJson(given)), labelled("output", maybeJson(output))]);
    }
    case "code_interpreter": {
      const { input, outputs } = call.code_interpreter;
      return code(input, outputs ?? [], status);
    }
    case "file_search":
      return search("file search", (call.file_search.results ?? []).map((hit) => ({
        ...hit, text: hit.content?.map((part) => part.text).join("\n"),
      })), status);
    case "mcp":
      return box("mcp", `${call.server_label ?? ""} · ${call.name}`, status,
        [labelled("arguments", maybeJson(call.arguments)), labelled("output", maybeJson(call.output))]);
    case "mcp_list_tools":
      return box("mcp_tools", call.server_label, "completed",
        h("p", { class: "dim" }, Object.keys(call.tools ?? {}).join(", ")), false);
    default:
      return box(call.type ?? "call", call.type ?? "call", status, json(call[call.type] ?? call));
  }
}

function code(input, outputs, status, images = []) {
  return box("code", "code interpreter", status, [
    h("pre", { class: "plain", tabindex: "0" }, input ?? ""),
    outputs.map((output) => {
      if (output.type === "logs") return labelled("output", h("pre", { class: "plain", tabindex: "0" }, output.logs));
      return output.image?.file_id ? picture(output.image.file_id) : linkedPicture(output.url);
    }),
    images.map((id) => picture(id)),
  ]);
}

function search(title, results, status) {
  return box("search", title, status, results.length
    ? h("ol", { class: "hits" }, results.map((hit) => h("li", {},
      fileChip(hit.file_id, hit.file_name ?? hit.filename),
      h("span", { class: "dim" }, ` score ${Number(hit.score).toFixed(2)}`),
      hit.text && h("q", {}, hit.text.slice(0, 600)))))
    : h("p", { class: "dim" }, status === "completed" ? "Nothing was found." : ""), false);
}

// ---- new: an item of a response or conversation

export function item(doc) {
  const { type, status } = doc;
  switch (type) {
    case "message":
      return message(doc);
    case "reasoning":
      return box("thought", "reasoning", status, [...(doc.summary ?? []), ...(doc.content ?? [])]
        .map((part) => h("p", { class: "text" }, part.text)));
    case "function_call":
      return box("function", doc.name, status, labelled("arguments", maybeJson(doc.arguments)));
    case "function_call_output":
      return box("result", doc.call_id, "completed",
        typeof doc.output === "string" ? maybeJson(doc.output) : json(doc.output));
    case "code_interpreter_call": {
      const outputs = doc.outputs ?? [];
      const shown = outputs.some((output) => output.type === "image") ? [] : doc.images;
      return code(doc.code, outputs, status, shown);
    }
    case "file_search_call":
      return search(`file search: ${(doc.queries ?? []).join("; ")}`, doc.results ?? [], status);
    case "web_search_call":
      return box("search", `web search: ${doc.action?.query ?? ""}`, status, json(doc.action), false);
    case "image_generation_call":
      return box("image", "image generation", status, doc.result && inlinePicture(doc.result));
    case "mcp_call":
      return box("mcp", `${doc.server_label} · ${doc.name}`, status, [
        labelled("arguments", maybeJson(doc.arguments)), labelled("output", maybeJson(doc.output)),
        doc.error && json(doc.error)]);
    case "mcp_list_tools":
      return box("mcp_tools", doc.server_label, "completed",
        h("p", { class: "dim" }, (doc.tools ?? []).map((tool) => tool.name).join(", ")), false);
    case "mcp_approval_request":
      return box("approval", `${doc.server_label} · ${doc.name}`, "completed", maybeJson(doc.arguments));
    case "mcp_approval_response":
      return box("approval", doc.approve ? "approved" : "denied", "completed", doc.reason, false);
    case "oauth_consent_request":
      return box("consent", doc.server_label, "completed", webLink(doc.consent_link, doc.consent_link));
    case "structured_outputs":
      return box(type, "", "completed", json(doc.output));
    case "workflow_action":
      return box(type, `${doc.kind} · ${doc.action_id}`, status, json(doc), false);
    default:
      return box(type ?? "item", doc.name ?? "", status, json(doc), false);
  }
}
