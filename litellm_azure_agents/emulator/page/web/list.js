// A list that draws only the rows in view; rows have one height. Thousands of rows are cheap.

import { fill, h, note } from "./dom.js";

const SPARE = 8;

export class List {
  // draw(row) -> children; load(before) -> {rows, next}; open(row)
  constructor({ label, height, draw, load, open, empty }) {
    Object.assign(this, { height, draw, load, open, empty });
    this.rows = [];
    this.next = null;
    this.active = -1;
    this.drawn = new Map();
    this.busy = null;
    this.space = h("div", { class: "space", role: "presentation" });
    this.state = h("div", { class: "list-state" });
    this.element = h("div", {
      class: "rows", role: "listbox", tabindex: "0", "aria-label": label,
      onscroll: () => this.later(),
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
    }, this.space, this.state);
    this.watcher = new ResizeObserver(() => this.later());
    this.watcher.observe(this.element);
  }

  close() {
    this.watcher.disconnect();
    this.closed = true;
  }

  // ---- data

  setRows(rows, next = null) {
    const id = this.rows[this.active]?.id;
    this.rows = rows;
    this.next = next;
    this.active = rows.findIndex((row) => row.id === (id ?? this.wanted));
    this.paint();
  }

  // The newest page; rows of older pages stay below it.
  async refresh() {
    const page = await this.fetch(null);
    if (!page) return;
    const fresh = new Set(page.rows.map((row) => row.id));
    const reached = page.next;
    const older = reached === null ? [] : this.rows.filter((r) => r.seq < reached && !fresh.has(r.id));
    this.setRows([...page.rows, ...older], older.length ? this.next : reached);
  }

  async more() {
    if (this.next === null || this.busy) return;
    const page = await this.fetch(this.next);
    if (!page) return;
    const known = new Set(this.rows.map((row) => row.id));
    this.setRows([...this.rows, ...page.rows.filter((row) => !known.has(row.id))], page.next);
  }

  async fetch(before) {
    const mine = (this.busy = {});
    try {
      const page = await this.load(before);
      this.failed = null;
      return this.closed || this.busy !== mine ? null : page;
    } catch (error) {
      this.failed = error;
      this.paint();
      return null;
    } finally {
      if (this.busy === mine) this.busy = null;
      this.loaded = true;
    }
  }

  // ---- drawing

  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint();
    });
  }

  paint() {
    const { height, rows, element } = this;
    this.space.style.height = `${rows.length * height}px`;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - SPARE);
    const last = Math.min(rows.length, Math.ceil((element.scrollTop + element.clientHeight) / height) + SPARE);
    const kept = new Map();
    for (let index = first; index < last; index++) {
      const row = rows[index];
      const text = JSON.stringify(row);
      let old = this.drawn.get(row.id);
      if (!old || old.text !== text) {
        const fresh = h("div", { class: "row", role: "option", id: `row-${row.id ?? index}` }, this.draw(row));
        if (old) old.element.replaceWith(fresh);
        else this.space.append(fresh);
        old = { element: fresh, text };
      }
      const { element: drawn } = old;
      drawn.style.top = `${index * height}px`;
      drawn.dataset.index = index;
      drawn.setAttribute("aria-selected", String(index === this.active));
      drawn.setAttribute("aria-posinset", index + 1);
      drawn.setAttribute("aria-setsize", this.next === null ? rows.length : -1);
      kept.set(row.id, old);
    }
    for (const [id, old] of this.drawn) if (!kept.has(id)) old.element.remove();
    this.drawn = kept;
    const current = this.rows[this.active];
    if (current) element.setAttribute("aria-activedescendant", `row-${current.id}`);
    else element.removeAttribute("aria-activedescendant");
    this.paintState();
    if (this.loaded && !this.failed && last >= rows.length - SPARE) this.more();
  }

  paintState() {
    if (this.failed) fill(this.state, note("error", "This list can't be read.", this.failed.message));
    else if (this.next !== null) fill(this.state, h("div", { class: "note loading" }, "Looking further back …"));
    else if (!this.rows.length && this.loaded) fill(this.state, this.empty?.());
    else fill(this.state);
  }

  // ---- moving

  click(event) {
    const row = event.target.closest(".row");
    if (!row || event.target.closest("a, button")) return;
    this.active = Number(row.dataset.index);
    this.paint();
    this.open(this.rows[this.active]);
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 };
    if (event.key in steps) {
      event.preventDefault();
      this.move(steps[event.key]);
    }
  }

  move(by) {
    if (!this.rows.length) return;
    const from = this.active < 0 && by > 0 ? -1 : this.active;
    this.active = Math.min(this.rows.length - 1, Math.max(0, from + by));
    const top = this.active * this.height;
    const { element } = this;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + this.height > element.scrollTop + element.clientHeight)
      element.scrollTop = top + this.height - element.clientHeight;
    this.paint();
  }

  openActive() {
    if (this.rows[this.active]) this.open(this.rows[this.active]);
  }

  select(id) {
    this.wanted = id; // it may not be loaded yet
    const index = this.rows.findIndex((row) => row.id === id);
    if (index >= 0) this.active = index;
    this.paint();
  }
}
