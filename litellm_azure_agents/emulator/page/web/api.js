// The page's read API, the project's own routes, and server-sent events over fetch.
// The token is kept for this tab and travels in the Authorization header only.

import { $ } from "./dom.js";

const KEY = "emulator-token";
const PROJECT = "/api/projects/local";

export function takeTokenFromFragment() {
  if (!location.hash.startsWith("#token=")) return;
  sessionStorage.setItem(KEY, decodeURIComponent(location.hash.slice(7)));
  history.replaceState(null, "", location.pathname);
}

const headers = (more) => {
  // An emulator without a token of its own accepts any: no need to ask then.
  return { Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? "page"}`, ...more };
};

let asking = null;

function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = $("ask");
    $("ask-error").textContent = sessionStorage.getItem(KEY) ? "That token is not accepted." : "";
    dialog.oncancel = (event) => event.preventDefault();
    $("ask-form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, $("ask-input").value.trim());
      $("ask-input").value = "";
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.showModal();
  });
  return asking;
}

export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = error?.code;
  }
}

async function call(path, options = {}) {
  for (;;) {
    const answer = await fetch(path, { ...options, headers: headers(options.headers) });
    if (answer.ok) return answer;
    const body = await answer.json().catch(() => ({}));
    const injected = answer.status !== 401 || !answer.headers.has("www-authenticate");
    if (injected) throw new Refused(answer.status, body.error);
    await askToken();
  }
}

export async function get(path, signal) {
  return (await call(`/page/api/${path}`, { signal })).json();
}

const versioned = (path) => PROJECT + path + (path.startsWith("/openai/v1") ? "" : "?api-version=v1");

export function post(path, body, signal) {
  const sent = { "Content-Type": "application/json" };
  return call(versioned(path), { method: "POST", headers: sent, body: JSON.stringify(body), signal });
}

export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
      if (name) yield { name, data: data.startsWith("{") ? JSON.parse(data) : data };
    }
  }
}

// Streams rest while nobody looks: a browser opens six connections to a host and no more, over all
// its tabs. `path()` is asked again when they go on.
const streams = new Set();
document.addEventListener("visibilitychange", () => {
  for (const stream of streams) document.hidden ? stream.rest() : stream.start();
});

// An open stream of the read API; calls back, never throws. Returns what ends it.
export function follow(path, on, onEnd = () => {}) {
  let stopper = null;
  const stream = {
    async start() {
      if (stopper) return;
      const { signal } = (stopper = new AbortController());
      let failure = null;
      try {
        for await (const event of events(await call(`/page/api/${path()}`, { signal }))) {
          if (signal.aborted) return;
          on(event);
        }
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      streams.delete(stream);
      onEnd(failure);
    },
    rest() {
      stopper?.abort();
      stopper = null;
    },
  };
  streams.add(stream);
  if (!document.hidden) stream.start();
  return () => {
    streams.delete(stream);
    stream.rest();
  };
}

const names = new Map();

export function fileName(id) {
  if (!names.has(id)) names.set(id, get(`files/${encodeURIComponent(id)}/about`).then((file) => file.filename, () => id));
  return names.get(id);
}

const files = new Map();

export function fileUrl(id) {
  if (!files.has(id)) {
    const url = call(`/page/api/files/${encodeURIComponent(id)}`)
      .then((answer) => answer.blob())
      .then((blob) => URL.createObjectURL(blob));
    url.catch(() => files.delete(id));
    files.set(id, url);
  }
  return files.get(id);
}
