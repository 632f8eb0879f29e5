// Messages: text with citations, images, files. Both protocols' shapes, stored or still growing.

import { fileName, fileUrl } from "./api.js";
import { badge, h, when } from "./dom.js";
import { json } from "./json.js";

const PICTURE = /\.(png|jpe?g|gif|webp)$/i;
const MARKER = /^【[^】]*】/;

export function message(doc, { author } = {}) {
  const sources = [];
  const parts = typeof doc.content === "string" ? [doc.content] : doc.content ?? [];
  const who = author ?? doc.role;
  const failed = doc.status && !["completed", "in_progress"].includes(doc.status);
  const reason = doc.incomplete_details?.reason;
  return h("article", { class: `message ${doc.role}`, id: doc.id, "aria-label": `${who} message` },
    h("div", { class: "who" }, h("strong", {}, who), doc.created_at && when(doc.created_at),
      failed && badge(doc.status), reason && h("span", { class: "dim" }, reason)),
    h("div", { class: "body" }, parts.map((part) => partView(part, sources)),
      (doc.attachments ?? []).map((file) => fileChip(file.file_id))),
    sources.length > 0 && h("ol", { class: "sources", "aria-label": "Sources" }, sources.map(source)));
}

function partView(part, sources) {
  if (typeof part === "string") return text(part, [], sources);
  switch (part.type) {
    case "text":
      return typeof part.text === "string"
        ? text(part.text, [], sources)
        : text(part.text?.value ?? "", part.text?.annotations ?? [], sources);
    case "input_text":
    case "output_text":
    case "summary_text":
    case "reasoning_text":
      return text(part.text ?? "", part.annotations ?? [], sources);
    case "refusal":
      return h("p", { class: "text refusal" }, part.refusal);
    case "image_file":
      return picture(part.image_file?.file_id);
    case "image_url":
      return linkedPicture(part.image_url?.url);
    case "input_image":
      return part.file_id ? picture(part.file_id) : linkedPicture(part.image_url);
    case "input_file":
      return part.file_id
        ? fileChip(part.file_id, part.filename)
        : h("span", { class: "chip" }, part.filename ?? part.file_url ?? "file");
    default:
      return json(part);
  }
}

// ---- images and files

export function picture(id, name = "") {
  const caption = h("figcaption", {}, name || id);
  if (!name) fileName(id).then((found) => (caption.textContent = found));
  const image = h("img", { alt: name || `Image ${id}`, loading: "lazy" });
  const figure = h("figure", {}, image, caption);
  fileUrl(id).then(
    (url) => (image.src = url),
    (error) => image.replaceWith(h("p", { class: "dim" }, `The image can't be shown: ${error.message}`)),
  );
  return figure;
}

export function inlinePicture(base64) {
  return h("figure", {}, h("img", { alt: "Generated image", src: `data:image/png;base64,${base64}` }));
}

export function linkedPicture(url) {
  if (/^data:image\/(png|jpeg|gif|webp)[;,]/i.test(url ?? ""))
    return h("figure", {}, h("img", { alt: "Attached image", src: url }));
  return h("p", { class: "dim" }, "Image at ", webLink(url, url), " (the page loads nothing from elsewhere)");
}

export function webLink(url, label) {
  return /^https?:\/\//i.test(url ?? "")
    ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label)
    : h("span", {}, label);
}

// Without a name the id is shown until the name is known.
export function fileChip(id, name) {
  const label = h("span", {}, name ?? id);
  const chip = h("button", { type: "button", class: "chip", title: `Download ${id}`, onclick: async () => {
    try {
      h("a", { href: await fileUrl(id), download: label.textContent }).click();
    } catch (error) {
      label.textContent = error.message;
    }
  } }, "↓ ", label);
  if (!name) fileName(id).then((found) => (label.textContent = found));
  return chip;
}

// ---- text and its citations

// One form for both protocols: {label, url, fileId, quote, marker, start, end}.
function citation(annotation) {
  const own = annotation[annotation.type];
  const inner = own && typeof own === "object" ? own : annotation;
  const start = annotation.start_index ?? annotation.index ?? null;
  return {
    kind: annotation.type,
    url: inner.url,
    fileId: inner.file_id,
    quote: inner.quote,
    label: inner.title || inner.filename || inner.url || null,
    marker: annotation.text,
    start,
    end: annotation.end_index ?? start,
  };
}

// Indices count characters in this emulator, JavaScript's strings count UTF-16 units.
function placeIn(value, cited) {
  if (cited.marker) {
    const near = value.lastIndexOf(cited.marker, units(value, cited.start ?? 0) + 2);
    const at = near >= 0 ? near : value.indexOf(cited.marker);
    if (at >= 0) return [at, at + cited.marker.length];
  }
  if (cited.start === null) return null;
  const from = units(value, cited.start);
  const marker = MARKER.exec(value.slice(from));
  if (marker) return [from, from + marker[0].length];
  return cited.end > cited.start ? [from, units(value, cited.end)] : null;
}

function units(value, characters) {
  let at = 0;
  for (let n = 0; n < characters && at < value.length; n++) at += value.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

function text(value, annotations, sources) {
  const placed = [];
  const extras = [];
  for (const annotation of annotations) {
    const cited = citation(annotation);
    if (cited.kind === "container_file_citation" && PICTURE.test(cited.label ?? "")) {
      extras.push(picture(cited.fileId, cited.label));
      continue;
    }
    const where = placeIn(value, cited);
    if (!where || !isFile(cited)) cited.number = sources.push(cited);
    if (where) placed.push({ cited, from: where[0], to: where[1] });
  }
  placed.sort((a, b) => a.from - b.from);
  const pieces = [];
  let at = 0;
  for (const { cited, from, to } of placed) {
    if (from < at) continue;
    pieces.push(value.slice(at, from), marker(cited, value.slice(from, to)));
    at = to;
  }
  pieces.push(value.slice(at));
  return [extras, value || pieces.length > 1 ? h("p", { class: "text" }, pieces) : null];
}

// Files that the agent made: the place itself becomes the link.
const isFile = ({ kind }) => kind === "file_path" || kind === "container_file_citation";

function marker(cited, shown) {
  const about = [cited.label ?? cited.fileId, cited.quote && `“${cited.quote}”`].filter(Boolean).join(": ");
  if (isFile(cited)) return fileChip(cited.fileId, cited.label ?? shown.split("/").pop());
  return h("button", { type: "button", class: "cite", title: about, "aria-label": `Source ${cited.number}: ${about}`,
    onclick: (event) => {
      const list = event.target.closest(".message").querySelector(".sources");
      const entry = list.children[cited.number - 1];
      list.querySelectorAll(".here").forEach((other) => other.classList.remove("here"));
      entry.classList.add("here");
      entry.scrollIntoView({ block: "nearest" });
    } }, String(cited.number));
}

function source(cited) {
  const to = cited.url ? webLink(cited.url, cited.label) : fileChip(cited.fileId, cited.label);
  return h("li", {}, to, cited.url && cited.label !== cited.url && h("span", { class: "dim url" }, cited.url),
    cited.quote && h("q", {}, cited.quote));
}
