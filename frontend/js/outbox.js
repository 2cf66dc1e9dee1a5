// Brings each composed message to the server exactly once: in order, with one key for all its attempts, over reloads.

import { Emitter } from './emitter.js';
import { backoff } from './poller.js';

const keyLifetime = 23 * 3600_000; // the server knows a key for 24 hours
const clockTolerance = 5_000;

/*
 * An entry is {key, counterpart, body, createdAt, attempts, state, error, boundId, retryOf}; its states are
 *   queued    not tried since the page was loaded
 *   sending   under way
 *   waiting   no sure answer: tried again by itself with the same key, which cannot send twice
 *   refused   the server said no and stored nothing
 *   expired   too old to try again with its key, and nobody knows what became of it
 * Events: 'change' (counterpart), 'answer' (message).
 */
export class Outbox extends Emitter {
  #entries;
  #busy = new Set(); // counterparts with a send under way
  #timers = new Map();
  #rowKeys = new Map(); // message id -> key of the entry that it was, so that its bubble stays the same

  constructor(api, storage) {
    super();
    Object.assign(this, { api, storage });
    this.#entries = storage.names('out.').map((name) => storage.get(name)).sort((a, b) => a.createdAt - b.createdAt);
    for (const entry of this.#entries) {
      if (entry.state !== 'refused') entry.state = isOld(entry) ? 'expired' : 'queued';
      Object.assign(entry, { notBefore: 0, boundId: null });
    }
    for (const name of storage.names('retried.')) {
      if (Date.now() - storage.get(name) > keyLifetime) storage.set(name, null);
    }
  }

  // What is not (yet) shown as a message of the conversation.
  visible(counterpart) {
    return this.#entries.filter((entry) => entry.counterpart === counterpart && !entry.boundId);
  }

  counterparts() {
    return new Set(this.#entries.filter((entry) => !entry.boundId).map((entry) => entry.counterpart));
  }

  rowKey(id) {
    return this.#rowKeys.get(id) ?? id;
  }

  add(counterpart, body) {
    // crypto.randomUUID would need a secure context.
    const key = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16).padStart(8, '0')).join('');
    this.#enqueue({ key, counterpart, body });
  }

  // The key follows from the failed message: however often and wherever this is clicked, it is one send.
  retry({ id, counterpart, body }) {
    if (!this.retried(id)) this.#enqueue({ key: `retry-${id}`, counterpart, body, retryOf: id });
  }

  retried(id) {
    return this.storage.get(`retried.${id}`) !== null || this.#entries.some(({ key }) => key === `retry-${id}`);
  }

  // Only for what certainly is not under way.
  discard(entry) {
    this.#remove(entry);
    this.emit('change', entry.counterpart);
  }

  // The way to the server is open (again).
  wake() {
    for (const entry of this.#entries) {
      if (!entry.told) entry.notBefore = 0;
      this.#pump(entry.counterpart);
    }
  }

  /*
   * A message that came by polling or with a page may be the one that an entry waits to hear of. Until the entry's own
   * answer says which message it is, the best guess hides the entry, so that nothing shows twice.
   */
  claim({ id, direction, counterpart, body, timestamp }) {
    if (direction !== 'sent' || this.#rowKeys.has(id)) return;
    const entry = this.visible(counterpart).find((one) => one.body === body && one.attempts > 0 && one.state !== 'refused'
      && timestamp >= one.createdAt + this.api.clockSkew - clockTolerance);
    if (!entry) return;
    entry.boundId = id;
    this.#rowKeys.set(id, entry.key);
    if (entry.state === 'expired') this.#remove(entry);
    this.emit('change', counterpart);
  }

  #enqueue(fields) {
    const entry = { createdAt: Date.now(), attempts: 0, notBefore: 0, ...fields };
    this.#entries.push(entry);
    this.#set(entry, { state: 'queued' });
    this.#pump(entry.counterpart);
  }

  // One at a time for each counterpart: what was written first arrives first.
  async #pump(counterpart) {
    const entry = this.#entries.find((one) => one.counterpart === counterpart && /queued|waiting/.test(one.state));
    if (!entry || this.#busy.has(counterpart)) return;
    clearTimeout(this.#timers.get(counterpart));
    const delay = entry.notBefore - Date.now();
    if (delay > 0) {
      this.#timers.set(counterpart, setTimeout(() => this.#pump(counterpart), delay));
      return;
    }
    this.#busy.add(counterpart);
    if (isOld(entry)) this.#set(entry, { state: 'expired' });
    else await this.#attempt(entry);
    this.#busy.delete(counterpart);
    this.#pump(counterpart);
  }

  async #attempt(entry) {
    this.#set(entry, { state: 'sending', attempts: entry.attempts + 1 });
    try {
      this.#settle(entry, (await this.api.send(entry.counterpart, entry.body, entry.key)).message);
    } catch (error) {
      if (error.body?.message?.id) this.#settle(entry, error.body.message);
      else if (error.refused) this.#refuse(entry, error);
      else this.#wait(entry, error);
    }
  }

  // told: the server has said when to come again, so being reachable is no reason to come earlier.
  #wait(entry, error) {
    const notBefore = Date.now() + backoff(entry.attempts, error);
    this.#set(entry, { state: 'waiting', told: error.retryAfter > 0, notBefore });
  }

  // The server has told which message this is: the entry becomes that message.
  #settle(entry, message) {
    if (entry.boundId !== message.id) this.#rowKeys.delete(entry.boundId);
    this.#rowKeys.set(message.id, entry.key);
    if (entry.retryOf) this.storage.set(`retried.${entry.retryOf}`, Date.now());
    this.#remove(entry);
    this.emit('answer', message);
  }

  #refuse(entry, error) {
    this.#rowKeys.delete(entry.boundId);
    this.#set(entry, { state: 'refused', error: error.message, boundId: null });
  }

  #set(entry, fields) {
    this.storage.set(`out.${entry.key}`, Object.assign(entry, fields));
    this.emit('change', entry.counterpart);
  }

  #remove(entry) {
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.storage.set(`out.${entry.key}`, null);
  }
}

function isOld(entry) {
  return Date.now() - entry.createdAt > keyLifetime;
}
