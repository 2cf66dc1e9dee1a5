// A list of any length: only rows near the screen are in the document, and what is being read stays still.

import { h, make, patch } from './dom.js';

const overscan = 500;
const nearEnd = 40;

// view(row) describes an li, guess(row) is its height before it is seen. Every row has a key. still selects what keeps its
// place on the screen when other rows come or go; the end then stays in view once it is.
export class VirtualList {
	rows = [];
	atEnd = true;
	#heights = new Map(); // key -> height when it was last seen
	#frame = 0;

	constructor(viewport, { still, view, guess, drawn = () => {} }) {
		this.list = viewport.appendChild(make(h('ul.rows', { role: 'list' })));
		Object.assign(this, { viewport, still, view, guess, drawn });
		viewport.addEventListener('scroll', () => {
			this.atEnd = viewport.scrollHeight - viewport.scrollTop - viewport.clientHeight < nearEnd;
			this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.draw({ follow: false }); });
		}, { passive: true });
		viewport.addEventListener('error', () => this.draw(), true); // a picture that does not come is not as high
		new ResizeObserver(() => this.draw()).observe(viewport);
	}

	scrollToEnd() {
		this.atEnd = true;
		this.draw();
	}

	// Brings a row into view, and returns its li.
	reveal(key) {
		this.draw({ wanted: key });
		const item = [...this.list.children].find((node) => node.key === key);
		item.scrollIntoView({ block: 'nearest' });
		return item;
	}

	// What is measured moves what is near: again, until it stays. follow: the end has to come into view.
	draw({ wanted, follow = this.still && this.atEnd } = {}) {
		let moved = this.viewport.clientHeight > 0;
		if (!moved) patch(this.list); // not on the screen
		for (let pass = 0; moved && pass < 5; pass++) moved = this.#drawOnce(wanted, follow);
		this.drawn();
	}

	#drawOnce(wanted, follow) {
		const { viewport, list, rows, still } = this;
		const placeOf = (node) => node.offsetTop - viewport.scrollTop;
		const held = still && !follow && [...list.querySelectorAll(still)].find((node) => placeOf(node) + node.offsetHeight > 0);
		const heldAt = held && placeOf(held);
		const focused = list.querySelector(':scope > :focus-within')?.key;

		let end = 0;
		let top = viewport.scrollTop;
		const ends = rows.map((row) => {
			if (row.key === held?.key) top = end - heldAt;
			return end += this.#heights.get(row.key) ?? this.guess(row);
		});
		if (follow) top = end - viewport.clientHeight;

		let drawnTo = 0;
		patch(list, rows.map((row, i) => {
			const start = ends[i - 1] ?? 0;
			const near = ends[i] > top - overscan && start < top + viewport.clientHeight + overscan;
			// The row with the focus stays, or the keyboard would lose its place.
			if (!near && row.key !== focused && row.key !== wanted) return null;
			const item = this.view(row);
			Object.assign(item.props, { key: row.key, style: { 'margin-top': `${start - drawnTo}px` } });
			drawnTo = ends[i];
			return item;
		}));
		list.style.paddingBottom = `${end - drawnTo}px`;

		const moved = held?.isConnected && placeOf(held) - heldAt;
		if (follow) viewport.scrollTop = viewport.scrollHeight;
		else if (moved) viewport.scrollTop += moved;

		// True when something has another height than it was drawn with.
		return [...list.children].filter(({ key, offsetHeight }) => {
			const changed = this.#heights.get(key) !== offsetHeight;
			this.#heights.set(key, offsetHeight);
			return changed;
		}).length > 0;
	}
}
