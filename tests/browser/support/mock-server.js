// A messenger server in memory that speaks the HTTP API and serves the page: what the browser tests run against
// when no real one is given. It can be slow, fail, lose answers and go away on command.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const apiBase = '/api/whatsapp-messenger';
const pageBase = '/whatsapp-messenger';
const frontend = process.env.WA_TEST_FRONTEND ?? fileURLToPath(new URL('../../../frontend', import.meta.url));
// The page's own reading, whatever this version of Node takes a module for.
const { isUnseen, readNumber } = await import(`data:text/javascript,${encodeURIComponent(readFileSync(join(frontend, 'js/typed.js'), 'utf8'))}`);
const ourNumber = '+14155238886';
const pageLimit = 500;
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
export const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
  + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export class MockServer {
  constructor() {
    this.reset();
    this.sockets = new Set();
  }

  reset() {
    this.messages = []; // in the order of their timestamps
    this.byId = new Map();
    this.byCounterpart = new Map();
    this.threads = new Map();
    this.contacts = new Map();
    this.keys = new Map();
    this.created = []; // what "Twilio" has got
    this.outcomes = []; // what becomes of the next sends
    this.faults = [];
    this.log = [];
    this.now = 0;
    this.hasDate = true; // a Date header, which tells the page what time it is here
  }

  async start(port = this.port ?? 0) {
    this.server = createServer((request, response) => this.#serve(request, response));
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    this.port = this.server.address().port;
    this.origin = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  // ---- what happens outside: people write, receipts come ----

  // fields: more of a webhook's, by Twilio's names.
  inbound({ from, body = '', media = [], at, fields = {} }) {
    const message = this.#store({
      direction: 'received', counterpart: from, body, media, unread: true, at, type: fields.MessageType,
      replyTo: this.#replyTo(fields.OriginalRepliedMessageSid), referral: referral(fields), sid: fields.MessageSid,
    });
    if (fields.MessageType === 'document' && body) for (const one of message.media) one.fileName = body;
    if (!body && fields.MessageType) this.threads.get(from).lastMessagePreview = `[${fields.MessageType}]`;
    if (fields.ProfileName) this.threads.get(from).profileName = fields.ProfileName;
    return message;
  }

  #replyTo(sid) {
    const answered = sid && this.messages.find((message) => message.sid === sid);
    if (!answered) return sid && { sid };
    return { sid, id: answered.id, direction: answered.direction, preview: answered.body.slice(0, 100) };
  }

  // Something that was sent earlier, or from elsewhere.
  outbound({ to, body, status = 'success', deliveryStatus, errorMessage, errorCode, at }) {
    return this.#store({ direction: 'sent', counterpart: to, body, status, deliveryStatus, errorMessage, errorCode, at });
  }

  receipt(id, state) {
    const message = this.byId.get(id);
    Object.assign(message, state);
    message.changed = this.#tick();
  }

  setThread(counterpart, fields) {
    Object.assign(this.threads.get(counterpart), fields, { changed: this.#tick() });
  }

  contact(phoneNumber, displayName) {
    const contact = { id: randomUUID(), phoneNumber, displayName, createdAt: Date.now(), updatedAt: Date.now() };
    this.contacts.set(contact.id, contact);
    this.#touch(phoneNumber);
    return contact;
  }

  // {path: RegExp, method, status, drop: 'before' | 'after', delay, times, until: Promise}
  fault(fault) {
    this.faults.push({ times: Infinity, ...fault });
  }

  heal() {
    this.faults = [];
  }

  #tick(at) {
    this.now = at ?? Math.max(Date.now(), this.now + 1);
    return this.now;
  }

  #store({ at, counterpart, media = [], ...fields }) {
    const timestamp = this.#tick(at);
    const message = { id: randomUUID(), phoneNumber: ourNumber, counterpart, timestamp, changed: timestamp, ...fields };
    message.media = media.map(({ contentType, data, url }, n) => ({ contentType, data, url: url ?? `${apiBase}/messages/${message.id}/media/${n}` }));
    this.messages.push(message);
    this.byId.set(message.id, message);
    if (!this.byCounterpart.has(counterpart)) this.byCounterpart.set(counterpart, []);
    this.byCounterpart.get(counterpart).push(message);
    const thread = this.threads.get(counterpart) ?? { counterpart, messageCount: 0, unreadCount: 0 };
    Object.assign(thread, {
      lastMessagePreview: Array.from(message.body).slice(0, 100).join(''), lastMessageTimestamp: timestamp,
      lastDirection: message.direction, messageCount: thread.messageCount + 1, changed: timestamp,
      unreadCount: thread.unreadCount + (message.unread ? 1 : 0),
      ...(channelOf(counterpart) ? { channel: channelOf(counterpart) }
        : message.direction === 'received' ? { windowClosesAt: timestamp + 86_400_000 } : {}),
    });
    this.threads.set(counterpart, thread);
    return message;
  }

  #touch(counterpart) {
    const thread = this.threads.get(counterpart);
    if (thread) thread.changed = this.#tick();
  }

  // ---- how the API shows it ----

  #contactOf(number) {
    return [...this.contacts.values()].find((contact) => contact.phoneNumber === number);
  }

  #message({ changed, media, ...message }) {
    const contactId = this.#contactOf(message.counterpart)?.id;
    const shown = { ...message, contactId, unread: message.direction === 'received' ? message.unread : undefined };
    if (media.length) shown.media = media.map(({ data, ...one }) => one);
    return shown;
  }

  #thread({ changed, ...thread }) {
    const contact = this.#contactOf(thread.counterpart);
    return { ...thread, contactId: contact?.id, contactName: contact?.displayName };
  }

  // ---- HTTP ----

  async #serve(request, response) {
    const url = new URL(request.url, this.origin);
    response.sendDate = this.hasDate;
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    this.log.push({ method: request.method, path: url.pathname, url: request.url, headers: request.headers, body });
    const fault = this.faults.find((one) => one.times > 0 && one.path.test(url.pathname) && (!one.method || one.method === request.method));
    if (fault) {
      fault.times--;
      if (fault.until) await fault.until;
      if (fault.delay) await new Promise((resolve) => setTimeout(resolve, fault.delay));
      if (fault.drop === 'before') return request.socket.destroy();
      if (fault.html) return response.writeHead(fault.status, { 'Content-Type': 'text/html' }).end('<h1>Bad Gateway</h1>');
      if (fault.status) return this.#json(response, fault.status, { success: false, error: fault.error ?? 'Not now.', code: fault.code ?? 'UNAVAILABLE' }, fault.headers);
    }
    if (!url.pathname.startsWith(apiBase)) return this.#static(request, url.pathname, response);
    const route = url.pathname.slice(apiBase.length);
    const media = /^\/messages\/([^/]+)\/media\/(\d+)$/.exec(route);
    if (media) return this.#media(media, response);
    let answer;
    try {
      answer = await this.#api(request, route, url.searchParams, body);
    } catch (error) {
      if (!error.status) throw error;
      answer = error;
    }
    if (fault?.drop === 'after') return request.socket.destroy();
    return this.#json(response, answer.status ?? 200, answer.body, answer.headers);
  }

  #json(response, status, body, headers = {}) {
    response.writeHead(status, {
      'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...headers,
    }).end(JSON.stringify(body));
  }

  #static(request, path, response) {
    const inside = path === pageBase || path.startsWith(`${pageBase}/`) ? normalize(path.slice(pageBase.length)) : '/none';
    let file = join(frontend, inside);
    if (existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
    if (!file.startsWith(frontend) || !existsSync(file)) return response.writeHead(404).end();
    const tag = `"${statSync(file).mtimeMs}"`;
    const headers = {
      'Content-Type': types[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache', ETag: tag, 'Content-Encoding': 'gzip',
    };
    if (request.headers['if-none-match'] === tag) return response.writeHead(304, headers).end();
    return response.writeHead(200, headers).end(gzipSync(readFileSync(file)));
  }

  #media([, id, n], response) {
    const item = this.byId.get(id)?.media[n];
    if (!item?.data) return this.#json(response, 404, { success: false, error: 'There is no such media.', code: 'NOT_FOUND' });
    return response.writeHead(200, {
      'Content-Type': item.contentType, 'X-Content-Type-Options': 'nosniff', 'Content-Disposition': 'inline',
    }).end(item.data);
  }

  async #api(request, route, query, text) {
    const { method } = request;
    const key = `${method} ${route}`;
    if (key === 'GET /threads') {
      const threads = [...this.threads.values()].map((thread) => this.#thread(thread));
      return ok({ threads: threads.sort((a, b) => b.lastMessageTimestamp - a.lastMessageTimestamp) });
    }
    if (key === 'GET /messages') return this.#page(query);
    if (key === 'GET /messages-since') return this.#since(query);
    if (key === 'GET /contacts') return ok({ contacts: [...this.contacts.values()] });
    const contact = /^\/contacts\/([^/]+)$/.exec(route);
    const read = /^\/threads\/([^/]+)\/read$/.exec(route);
    if (method === 'DELETE' && contact) return this.#deleteContact(contact[1]);
    const body = json(request, text);
    if (key === 'POST /send') return this.#send(body, request.headers['idempotency-key']);
    if (key === 'POST /contacts') return this.#addContact(body);
    if (method === 'PATCH' && contact) return this.#rename(contact[1], body);
    if (method === 'POST' && read) return this.#read(decodeURIComponent(read[1]));
    throw fail(404, 'NOT_FOUND', 'There is nothing at this address.');
  }

  #page(query) {
    const counterpart = query.get('counterpart')?.replace(/^ /, '+');
    if (!counterpart) throw fail(400, 'INVALID_INPUT', 'counterpart is missing.');
    const all = this.byCounterpart.get(counterpart) ?? [];
    const limit = Math.min(200, Number(query.get('limit') ?? 50));
    const cursor = query.get('cursor');
    if (cursor && !/^before-\d+$/.test(cursor)) throw fail(400, 'INVALID_INPUT', 'cursor is not one of ours.');
    const end = cursor ? Number(cursor.slice(7)) : all.length;
    const start = Math.max(0, end - limit);
    const messages = all.slice(start, end).reverse().map((message) => this.#message(message));
    return ok({ messages, cursor: start ? `before-${start}` : undefined, listComplete: start === 0 });
  }

  #since(query) {
    if (!/^\d{1,15}$/.test(query.get('since') ?? '')) throw fail(400, 'INVALID_INPUT', 'since must be digits.');
    const since = Math.min(Number(query.get('since')), this.now);
    let low = 0;
    let high = this.messages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.messages[middle].timestamp > since) high = middle;
      else low = middle + 1;
    }
    const messages = this.messages.slice(low, low + pageLimit);
    const hasMore = low + pageLimit < this.messages.length;
    const timestamp = hasMore ? messages.at(-1).timestamp : this.now;
    const changed = (one) => one.changed > since && one.changed <= timestamp;
    const updates = this.messages.slice(0, low).filter(changed);
    const threads = [...this.threads.values()].filter((thread) => query.get('threads') !== 'changed' || thread.changed > since);
    return ok({
      messages: messages.map((message) => this.#message(message)), updates: updates.map((message) => this.#message(message)),
      threads: threads.map((thread) => this.#thread(thread)), timestamp, hasMore,
    });
  }

  async #send({ phoneNumber, message: body = '', mediaUrl = [] }, key) {
    const counterpart = number(phoneNumber);
    const urls = [mediaUrl].flat();
    const isText = typeof body === 'string' && (!isUnseen(body) || (body === '' && urls.length));
    if (!isText || body.length > 4096) throw fail(400, 'INVALID_INPUT', 'message must be 1 to 4096 characters.');
    if (urls.length > 10 || !urls.every((url) => /^https:\/\//i.test(url))) {
      throw fail(400, 'INVALID_INPUT', 'mediaUrl must be an https:// address, or an array of 1 to 10 of them.');
    }
    const known = key && this.keys.get(key);
    const meaning = JSON.stringify([counterpart, body, urls]);
    if (known && known.meaning !== meaning) throw fail(409, 'CONFLICT', 'This Idempotency-Key was used for another message.');
    if (known) return known.answer;
    const answer = this.#create(counterpart, body, urls);
    if (key) this.keys.set(key, { meaning, answer });
    answer.catch(() => this.keys.delete(key));
    return answer;
  }

  // An outcome is {refuse, fail, unsure, hold: Promise, receipts: [...]}.
  async #create(counterpart, body, urls) {
    const outcome = this.outcomes.shift() ?? {};
    if (outcome.refuse) throw fail(409, 'CONFLICT', outcome.refuse);
    const media = urls.map((url) => ({ url, contentType: typeOf(url) }));
    const message = this.#store({ direction: 'sent', counterpart, body, status: 'pending', media });
    if (outcome.hold) await outcome.hold;
    if (!outcome.fail) this.created.push(...parts(body, urls).map((text) => ({ to: counterpart, body: text })));
    if (outcome.fail) Object.assign(message, { status: 'failed', errorMessage: outcome.fail, errorCode: outcome.code });
    else if (outcome.unsure) Object.assign(message, { errorMessage: outcome.unsure });
    else Object.assign(message, { status: 'success', sid: `SM${message.id.replaceAll('-', '')}`, deliveryStatus: 'queued' });
    message.changed = this.#tick();
    const shown = { success: !outcome.fail && !outcome.unsure, message: this.#message(message) };
    if (shown.success) return { body: shown };
    return { status: 502, body: { ...shown, error: message.errorMessage, code: 'TWILIO_ERROR' } };
  }

  #read(counterpart) {
    const thread = this.threads.get(counterpart);
    if (!thread) throw fail(404, 'NOT_FOUND', 'There is no such conversation.');
    thread.unreadCount = 0;
    for (const message of this.byCounterpart.get(counterpart)) message.unread = false;
    thread.changed = this.#tick();
    return ok({ thread: this.#thread(thread) });
  }

  #addContact({ phoneNumber, displayName }) {
    const to = number(phoneNumber);
    if (this.#contactOf(to)) throw fail(400, 'INVALID_INPUT', 'Another contact has this number.');
    return ok({ contact: this.contact(to, name(displayName)) });
  }

  #rename(id, { displayName }) {
    const contact = this.contacts.get(id);
    if (!contact) throw fail(404, 'NOT_FOUND', 'There is no such contact.');
    Object.assign(contact, { displayName: name(displayName), updatedAt: Date.now() });
    this.#touch(contact.phoneNumber);
    return ok({ contact });
  }

  #deleteContact(id) {
    const contact = this.contacts.get(id);
    if (!contact) throw fail(404, 'NOT_FOUND', 'There is no such contact.');
    this.contacts.delete(id);
    this.#touch(contact.phoneNumber);
    return ok({});
  }
}

const channelOf = (counterpart) => /^([a-z]+):/.exec(counterpart)?.[1];
// Of an ad, as the API tells it.
function referral(fields) {
  const found = Object.entries(fields).filter(([name, value]) => /^Referral(SourceUrl|SourceType|Headline|Body)$/.test(name) && value)
    .map(([name, value]) => [name[8].toLowerCase() + name.slice(9), value])
    .filter(([name, value]) => name !== 'sourceUrl' || /^https?:\/\//i.test(value));
  return found.length ? Object.fromEntries(found) : undefined;
}

const ok = (body) => ({ body: { success: true, ...body } });
const fail = (status, code, error) => ({ status, body: { success: false, error, code } });

function json(request, text) {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw fail(415, 'UNSUPPORTED_MEDIA_TYPE', 'Only application/json is taken here.');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw fail(400, 'INVALID_INPUT', 'The body is not JSON.');
  }
}

function number(text) {
  const plain = readNumber(String(text));
  if (!plain) throw fail(400, 'INVALID_INPUT', 'phoneNumber must be + and 2 to 15 digits.');
  return plain;
}

const fileTypes = { jpg: 'image/jpeg', png: 'image/png', mp4: 'video/mp4', pdf: 'application/pdf' };
const typeOf = (url) => fileTypes[/\.(\w+)$/.exec(new URL(url).pathname)?.[1]] ?? 'application/octet-stream';

// The texts of what goes out: each attachment by itself, and the text where the customer sees it.
function parts(text, urls) {
  const isCaption = text.length <= 1024 && urls.length > 0 && /^(image|video)\//.test(typeOf(urls[0]));
  const bare = urls.map((_, n) => (n === 0 && isCaption ? text : ''));
  return text && !isCaption ? [text, ...bare] : bare;
}

function name(text) {
  const trimmed = String(text ?? '').trim();
  if (isUnseen(trimmed) || trimmed.length > 100) throw fail(400, 'INVALID_INPUT', 'displayName must be 1 to 100 characters.');
  return trimmed;
}

// node support/mock-server.js [port]: to look at the page by hand.
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { showcase } = await import('./showcase.js');
  const mock = await new MockServer().start(Number(process.argv[2] ?? 0));
  showcase(mock);
  console.log(`${mock.origin}${pageBase}/`);
}
