// The server under test, in one shape whatever it is: the one in memory, or a real one that a command starts.
//
// WA_TEST_SERVER_COMMAND starts a real one. It prints one line of JSON {"origin": "http://…"} when it is ready and then
// takes a line of JSON {"op": name, …arguments} at a time on its standard input, answering each with a line
// {"result": …} or {"error": "…"}. With --login API and page ask for one (ana, "open sesame"). It ends when its standard input does. The operations are the methods below.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { MockServer } from './mock-server.js';

export const pagePath = '/whatsapp-messenger/';
export const apiPath = '/api/whatsapp-messenger';

export async function startTarget(command = process.env.WA_TEST_SERVER_COMMAND) {
  return command ? new CommandTarget(command).begin() : new MockTarget().begin();
}

/*
 * inbound({from, body, media: [contentType], fields})  somebody writes to us; fields: more of the webhook's
 * outcome({fail, code, unsure, hold, receipts}) what Twilio does with the next send that has no outcome yet; hold: it answers after release()
 * release()                                    Twilio answers what it holds
 * receipt({id, deliveryStatus, status, errorCode, errorMessage})  news of a message that was sent
 * created()                                    [{to, body}] that Twilio has taken, oldest first
 * answers()                                    [{status, method, origin}] that a real server gave to requests which say whose page made them
 * seed({threads, messages, from})              many threads with one message, and one thread with many
 * reset()                                      an empty messenger
 * stop(), start()                              the server goes away, and comes back with what it has stored, at the same place
 * api(method, path, body)                      {status, body} of a call of the API, as another client would make it
 */
class Target {
  get page() {
    return this.origin + pagePath;
  }

  async api(method, path, body) {
    const answer = await fetch(this.origin + apiPath + path, {
      method, headers: body ? { 'Content-Type': 'application/json' } : {}, body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  }

  async contact(phoneNumber, displayName) {
    return (await this.api('POST', '/contacts', { phoneNumber, displayName })).body.contact;
  }
}

class MockTarget extends Target {
  async begin() {
    this.mock = await new MockServer().start();
    this.origin = this.mock.origin;
    return this;
  }

  async inbound({ from, body, media = [], fields }) {
    this.mock.inbound({ from, body, fields, media: media.map((contentType) => ({ contentType, data: sample(contentType) })) });
  }

  async outcome(outcome) {
    if (outcome.hold) outcome.hold = new Promise((resolve) => { this.release = async () => resolve(); });
    this.mock.outcomes.push(outcome);
  }

  async release() {}

  async receipt({ id, ...state }) {
    this.mock.receipt(id, state);
  }

  async created() {
    return this.mock.created;
  }

  async seed({ threads, messages, from }) {
    for (let i = 0; i < threads; i++) this.mock.inbound({ from: `+1555${1_000_000 + i}`, body: `Thread ${i}` });
    for (let i = 0; i < messages; i++) {
      if (i % 3 === 0) this.mock.outbound({ to: from, body: `Message ${i}`, deliveryStatus: 'read' });
      else this.mock.inbound({ from, body: `Message ${i}` });
    }
  }

  async reset() {
    this.mock.reset();
  }

  stop() {
    return this.mock.stop();
  }

  start() {
    return this.mock.start();
  }

  async end() {
    await this.mock.stop();
  }
}

class CommandTarget extends Target {
  constructor(command) {
    super();
    this.command = command;
  }

  async begin() {
    this.child = spawn('/bin/sh', ['-c', this.command], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.origin = (await this.#next()).origin;
    for (const op of ['inbound', 'outcome', 'release', 'receipt', 'created', 'answers', 'seed', 'reset', 'stop', 'start']) {
      this[op] = (args) => this.#call(op, args);
    }
    return this;
  }

  async end() {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin.end();
    await ended;
  }

  async #call(op, args = {}) {
    this.child.stdin.write(`${JSON.stringify({ op, ...args })}\n`);
    const { result, error } = await this.#next();
    if (error) throw new Error(error);
    return result;
  }

  async #next() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('The server under test has ended.');
    return JSON.parse(value);
  }
}

// The smallest picture there is, and a second of silence.
function sample(contentType) {
  if (contentType === 'image/png') return Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
  return Buffer.from('sample');
}
