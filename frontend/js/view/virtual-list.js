// Shows a list of any length with only the rows near the screen in the document, and keeps still what is being read.

import { h, make, patch } from './dom.js';

const overscan = 500;
const nearEnd = 40;

/*
 * viewport: the element that scrolls; view(row): description of an li; guess(row): height of a row not seen yet.
 * Rows have a unique key, and loose: true where they must not hold the view (a "loading" line).
 * stickToEnd: the newest is at the end and in view, as in a conversation; otherwise the view stays where it is.
 */
export class VirtualList {
  rows = [];
  #offsets = [0];
  #heights = new Map(); // key -> measured height
  #stale = false; // the offsets do not fit the rows and heights
  #frame = 0;
  #width = 0;

  constructor({ viewport, label, view, guess, stickToEnd = false, onScroll = () => {} }) {
    this.list = viewport.appendChild(make(h('ul', { class: 'rows', role: 'list', 'aria-label': label })));
    Object.assign(this, { viewport, view, guess, stickToEnd, onScroll, stuck: stickToEnd });
    const redraw = () => {
      this.#frame = 0;
      this.#arrange(this.#anchor());
      onScroll();
    };
    viewport.addEventListener('scroll', () => {
      this.stuck = stickToEnd && viewport.scrollHeight - viewport.scrollTop - viewport.clientHeight < nearEnd;
      this.#frame ||= requestAnimationFrame(redraw);
    }, { passive: true });
    viewport.addEventListener('error', redraw, true); // a picture that does not come changes its row's height
    new ResizeObserver(() => {
      if (this.#width !== viewport.clientWidth) this.#heights.clear();
      this.#stale = true;
      this.#width = viewport.clientWidth;
      redraw();
    }).observe(viewport);
  }

  setRows(rows) {
    const anchor = this.#anchor();
    this.rows = rows;
    this.#stale = true;
    this.#arrange(anchor);
  }

  // For another list altogether.
  reset() {
    this.#heights.clear();
    this.stuck = this.stickToEnd;
    this.viewport.scrollTop = 0;
    this.setRows([]);
  }

  scrollToEnd() {
    this.stuck = true;
    this.#arrange(this.#anchor());
  }

  // The li of a row, brought into view.
  reveal(key) {
    const index = this.rows.findIndex((row) => row.key === key);
    const { scrollTop, clientHeight } = this.viewport;
    this.viewport.scrollTop = Math.min(this.#offsets[index], Math.max(scrollTop, this.#offsets[index + 1] - clientHeight));
    this.#arrange(this.#anchor());
    return [...this.list.children].find((node) => node.key === key);
  }

  // What must not move on the screen: the end, or the first row in view.
  #anchor() {
    const { scrollTop } = this.viewport;
    if (this.stickToEnd && this.stuck) return { end: true };
    if (!this.stickToEnd) return { top: scrollTop };
    let index = this.#indexAt(scrollTop);
    while (this.rows[index]?.loose) index++;
    return { top: scrollTop, key: this.rows[index]?.key, distance: this.#offsets[index] - scrollTop };
  }

  // Lays out, draws and measures until what is in view has the heights that it was laid out with.
  #arrange(anchor) {
    if (!this.viewport.clientHeight) { // not on the screen
      patch(this.list);
      return;
    }
    for (let pass = 0; pass < 5; pass++) {
      if (this.#stale) this.#layOut();
      this.#restore(anchor);
      this.#draw();
      this.#measure();
      if (!this.#stale) break;
    }
  }

  #layOut() {
    let end = 0;
    this.#offsets = [0];
    for (const row of this.rows) this.#offsets.push(end += this.#heights.get(row.key) ?? this.guess(row));
    this.#stale = false;
    this.list.style.height = `${end}px`;
  }

  #restore({ end, key, distance, top }) {
    const index = key === undefined ? -1 : this.rows.findIndex((row) => row.key === key);
    const wanted = end ? this.#offsets.at(-1) : index < 0 ? top : this.#offsets[index] - distance;
    if (Math.abs(this.viewport.scrollTop - wanted) >= 1) this.viewport.scrollTop = wanted;
  }

  #draw() {
    const { scrollTop, clientHeight } = this.viewport;
    const first = this.#indexAt(scrollTop - overscan);
    const last = this.#indexAt(scrollTop + clientHeight + overscan);
    // The row with the focus stays, or the keyboard would lose its place.
    const focused = [...this.list.children].find((node) => node.contains(document.activeElement))?.key;
    const pinned = focused === undefined ? -1 : this.rows.findIndex((row) => row.key === focused);
    const indices = this.rows.slice(first, last + 1).map((_, i) => first + i);
    if (pinned >= 0 && pinned < first) indices.unshift(pinned);
    if (pinned > last) indices.push(pinned);
    patch(this.list, indices.map((i) => {
      const { tag, props, kids } = this.view(this.rows[i]);
      return { tag, kids, props: { ...props, key: this.rows[i].key, style: { top: `${this.#offsets[i]}px` } } };
    }));
  }

  #measure() {
    for (const node of this.list.children) {
      const { height } = node.getBoundingClientRect();
      if (Math.abs((this.#heights.get(node.key) ?? -1) - height) < 0.5) continue;
      this.#heights.set(node.key, height);
      this.#stale = true;
    }
  }

  // The last row that begins at or above this place.
  #indexAt(place) {
    let low = 0;
    let high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#offsets[middle] <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
