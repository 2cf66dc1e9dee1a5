// The messages of one counterpart, each exactly once and in order, however they came.

import { rank } from './receipts.js';

export class Conversation {
  messages = []; // oldest first
  cursor = undefined; // where the next older page begins
  complete = false; // the oldest message is here
  loaded = false; // the newest page is here
  loading = false;
  error = null;
  #byId = new Map();
  #early = []; // news of messages that a page on its way may still bring in an older state

  constructor(counterpart) {
    this.counterpart = counterpart;
  }

  get(id) {
    return this.#byId.get(id);
  }

  // A page, newest first as the API gives it. Returns what was not known, oldest first.
  addPage({ messages, cursor, listComplete }) {
    this.cursor = cursor;
    this.complete = listComplete || !cursor;
    this.loaded = true;
    const fresh = this.#merge([...messages].reverse(), true);
    const early = this.#early;
    this.#early = [];
    this.update(early);
    return fresh;
  }

  // New messages from polling, oldest first, or one that was just sent. Returns what was not known.
  add(messages) {
    return this.#merge(messages, false);
  }

  // New states of messages that may or may not be known here.
  update(messages) {
    if (this.loading) this.#early.push(...messages);
    this.#merge(messages.filter(({ id }) => this.#byId.has(id)), false);
  }

  #merge(batch, older) {
    const fresh = [];
    for (const message of batch) {
      const known = this.#byId.get(message.id);
      if (!known) {
        fresh.push({ ...message });
        this.#byId.set(message.id, fresh.at(-1));
      } else if (rank(message) >= rank(known)) {
        for (const name in known) if (!(name in message)) delete known[name];
        Object.assign(known, message);
      }
    }
    if (fresh.length) this.messages = older ? interleave(fresh, this.messages) : interleave(this.messages, fresh);
    return fresh;
  }
}

// Two ordered lists become one; where times are equal, a goes first.
function interleave(a, b) {
  const all = [];
  let i = 0;
  for (const message of b) {
    while (i < a.length && a[i].timestamp <= message.timestamp) all.push(a[i++]);
    all.push(message);
  }
  return all.concat(a.slice(i));
}
