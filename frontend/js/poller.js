// Decides when to ask the server: often when watched, seldom when hidden, with patience when it is lost.

import { Emitter } from './emitter.js';

const busyDelay = 1_000;
const idleDelay = 2_500;
const hiddenDelay = 20_000;
const busyFor = 30_000;

// The delay before try n + 1: doubling from a second to half a minute, and spread so that clients do not come back all at once.
export function backoff(n, { retryAfter = 0 } = {}) {
  return Math.max(retryAfter, Math.min(30_000, 1_000 * 2 ** Math.min(n - 1, 9)) * (0.75 + Math.random() / 2));
}

// Events: 'live' after each answer, 'lost' (error) after each failure.
export class Poller extends Emitter {
  #step;
  #timer;
  #abort = null;
  #again = false;
  #busyUntil = 0;
  #failures = 0;

  // step(signal) asks once and returns true when there is more to be had at once.
  constructor(step) {
    super();
    this.#step = step;
  }

  start() {
    document.addEventListener('visibilitychange', () => document.hidden || this.wake());
    addEventListener('pageshow', ({ persisted }) => persisted && this.restart());
    addEventListener('online', () => this.restart());
    addEventListener('offline', () => this.restart());
    this.wake();
  }

  // Something is going on: ask often for a while.
  stir() {
    this.#busyUntil = Date.now() + busyFor;
  }

  // Ask now; once more if a question is under way, for its answer may be older than the reason to ask.
  wake() {
    if (this.#abort) this.#again = true;
    else this.#run();
  }

  // The network changed: what is under way may hang for long on a connection that is gone.
  restart() {
    this.#abort?.abort();
    this.wake();
  }

  async #run() {
    clearTimeout(this.#timer);
    const { signal } = this.#abort = new AbortController();
    let delay = 0;
    try {
      if (!await this.#step(signal)) delay = this.#delay();
      this.#failures = 0;
      this.emit('live');
    } catch (error) {
      // A question that we dropped ourselves says nothing about the server.
      if (!signal.aborted) {
        delay = backoff(++this.#failures, error);
        this.emit('lost', error);
      }
    }
    this.#abort = null;
    this.#timer = setTimeout(() => this.#run(), this.#again ? 0 : delay);
    this.#again = false;
  }

  #delay() {
    if (document.hidden) return hiddenDelay;
    return Date.now() < this.#busyUntil ? busyDelay : idleDelay;
  }
}
