// SPDX-License-Identifier: Apache-2.0
// The peer's store: LMDB with one key order for each question, messages kept as ready-made JSON members.
import { randomUUID } from 'node:crypto';
import { open } from 'lmdb';

const PREVIEW_CHARACTERS = 100;

// A message is kept as "<r|s>" and its JSON members without braces; what is joined when read is added by render().
function members(m) {
  let json = `"id":"${m.id}","direction":"${m.direction}","phoneNumber":"${m.phoneNumber}","counterpart":${JSON.stringify(m.counterpart)},"body":${JSON.stringify(m.body)}`;
  if (m.sid) json += `,"sid":"${m.sid}"`;
  if (m.status) json += `,"status":"${m.status}"`;
  if (m.deliveryStatus) json += `,"deliveryStatus":"${m.deliveryStatus}"`;
  if (m.errorMessage) json += `,"errorMessage":${JSON.stringify(m.errorMessage)}`;
  if (m.errorCode) json += `,"errorCode":${m.errorCode}`;
  return json;
}

function threadJson(t, contact) {
  const json = `{"counterpart":${JSON.stringify(t.counterpart)},"lastMessagePreview":${JSON.stringify(t.preview)},"lastMessageTimestamp":${t.lastTimestamp},"lastDirection":"${t.direction}","messageCount":${t.count},"unreadCount":${t.unread}`;
  return contact ? `${json},"contactId":"${contact.id}","contactName":${JSON.stringify(contact.displayName)}}` : `${json}}`;
}

const RANK = { accepted: 0, scheduled: 0, queued: 1, sending: 2, sent: 3, failed: 4, undelivered: 4, canceled: 4, delivered: 5, read: 6 };

// Ready-made JSON is read as Latin-1, which only widens bytes, joined, and sent as Latin-1: UTF-8 is never decoded on the way out.
const BYTES = {
  encode: (json) => Buffer.from(json),
  decode: (bytes, end) => bytes.latin1Slice(0, typeof end === 'number' ? end : (end?.end ?? bytes.length)),
};
const utf8 = (bytes) => Buffer.from(bytes, 'latin1').toString();

// The newest page of at most this many threads is kept rendered in each process.
const PAGES_KEPT = 1000;

export class Store {
  constructor(path, { durable = true } = {}) {
    // Commits of one moment share a transaction, and the next may be written while the last is being synced: write() waits for both.
    this.env = open({ path, maxDbs: 12, mapSize: 64 * 2 ** 30, overlappingSync: durable, noSync: !durable, noMetaSync: !durable, compression: false });
    const db = (name, encoding) => this.env.openDB({ name, encoding });
    const ready = (name) => this.env.openDB({ name, encoder: BYTES });
    this.messages = ready('messages'); // [counterpart, timestamp] -> members
    this.sids = db('sids', 'msgpack'); // sid -> [counterpart, timestamp]
    this.log = db('log', 'string'); // timestamp -> counterpart
    this.changes = db('changes', 'msgpack'); // timestamp -> [counterpart, timestamp of the message]
    this.threads = this.env.openDB({ name: 'threads', encoding: 'msgpack', sharedStructuresKey: Symbol.for('structures') });
    this.rows = ready('rows'); // timestamp of the last message -> the thread's row as JSON, contact included
    this.contacts = db('contacts', 'json'); // id -> contact
    this.contactNumbers = db('contact_numbers', 'string'); // number -> id
    this.contactNames = db('contact_names', 'string'); // [name, number] -> the contact as JSON
    this.lists = db('lists', 'string'); // 'contacts' -> the answer to GET /contacts, rewritten with each contact
    this.meta = db('meta', 'msgpack');
    this.pages = new Map(); // counterpart -> { version, limit, body }
  }

  timestamp() {
    return this.meta.get('timestamp') ?? 0;
  }

  // Inside a write transaction only: greater than every commit's before it.
  #tick(given) {
    const last = this.meta.get('timestamp') ?? 0;
    const now = given ?? Math.max(Date.now(), last + 1);
    this.meta.put('timestamp', now);
    return now;
  }

  // Inside a write transaction only: writes a thread and its ready-made row.
  #threadPut(thread, version, before) {
    thread.version = version;
    this.threads.put(thread.counterpart, thread);
    if (before !== undefined && before !== thread.lastTimestamp) this.rows.remove(before);
    this.rows.put(thread.lastTimestamp, threadJson(thread, this.#contactOf(thread.counterpart)));
  }

  #contactOf(counterpart) {
    const id = this.contactNumbers.get(counterpart);
    return id && this.contacts.get(id);
  }

  // Inside a write transaction only. A second message with the same sid stores nothing.
  #add(m, given) {
    if (m.sid && this.sids.get(m.sid)) return null;
    const timestamp = this.#tick(given);
    const received = m.direction === 'received';
    m.timestamp = timestamp;
    const key = [m.counterpart, timestamp];
    this.messages.put(key, `${received ? 'r' : 's'}${members(m)},"timestamp":${timestamp}`);
    if (m.sid) this.sids.put(m.sid, key);
    this.log.put(timestamp, m.counterpart);
    const thread = this.threads.get(m.counterpart) ?? { counterpart: m.counterpart, count: 0, unread: 0, readTimestamp: 0 };
    const before = thread.lastTimestamp;
    thread.preview = m.body.length <= PREVIEW_CHARACTERS ? m.body : Array.from(m.body).slice(0, PREVIEW_CHARACTERS).join('');
    thread.lastTimestamp = timestamp;
    thread.direction = m.direction;
    thread.count += 1;
    if (received) thread.unread += 1;
    this.#threadPut(thread, timestamp, before);
    return m;
  }

  // Runs `work` in a write transaction. Resolves once what it wrote is on the disk.
  async #write(work) {
    const result = await this.env.transaction(work);
    await this.env.flushed;
    return result;
  }

  add(message) {
    return this.#write(() => this.#add(message));
  }

  // Several messages with timestamps of their own in one transaction, for seeding.
  addAll(messages) {
    return this.env.transaction(() => {
      for (const m of messages) this.#add(m, m.timestamp);
    });
  }

  applyStatus(sid, deliveryStatus, errorCode) {
    return this.#write(() => {
      const key = this.sids.get(sid);
      if (!key) return;
      const text = utf8(this.messages.get(key));
      const m = JSON.parse(`{${text.slice(1)}}`);
      if (!((RANK[deliveryStatus] ?? -1) > (RANK[m.deliveryStatus] ?? -1))) return;
      m.deliveryStatus = deliveryStatus;
      const failed = RANK[deliveryStatus] === 4;
      m.status = failed ? 'failed' : 'success';
      delete m.errorCode;
      delete m.errorMessage;
      if (failed) {
        if (errorCode) m.errorCode = errorCode;
        m.errorMessage = 'The message could not be delivered';
      }
      this.messages.put(key, text[0] + members(m) + `,"timestamp":${m.timestamp}`);
      const thread = this.threads.get(m.counterpart);
      const now = this.#tick();
      this.changes.put(now, key);
      this.#threadPut(thread, now, thread.lastTimestamp);
    });
  }

  // Renders one stored message with what is joined when read.
  #render(text, timestamp, contact, readTimestamp) {
    const received = text.charCodeAt(0) === 114;
    return `{${text.slice(1)}${contact}${received ? (timestamp > readTimestamp ? ',"unread":true}' : ',"unread":false}') : '}'}`;
  }

  #contactMember(counterpart) {
    const id = this.contactNumbers.get(counterpart);
    return id ? `,"contactId":"${id}"` : '';
  }

  // The page as JSON, newest first, `before` exclusive (0: the newest). Newest pages are kept until their thread changes.
  page(counterpart, before, limit) {
    const thread = this.threads.get(counterpart);
    if (before !== 0 || !thread) return this.#pageRender(counterpart, thread, before || Number.MAX_SAFE_INTEGER, limit);
    let kept = this.pages.get(counterpart);
    if (kept === undefined || kept.version !== thread.version || kept.limit !== limit) {
      if (this.pages.size >= PAGES_KEPT) this.pages.clear();
      kept = { version: thread.version, limit, body: this.#pageRender(counterpart, thread, Number.MAX_SAFE_INTEGER, limit) };
      this.pages.set(counterpart, kept);
    }
    return kept.body;
  }

  #pageRender(counterpart, thread, before, limit) {
    const contact = this.#contactMember(counterpart);
    const readTimestamp = thread?.readTimestamp ?? 0;
    let json = '';
    let count = 0;
    let last = 0;
    for (const { key, value } of this.messages.getRange({ start: [counterpart, before - 1], end: [counterpart, 0], reverse: true, limit: limit + 1 })) {
      if (count++ === limit) return Buffer.from(`{"success":true,"messages":[${json}],"cursor":"${last}","listComplete":false}`, 'latin1');
      last = key[1];
      json += (json ? ',' : '') + this.#render(value, last, contact, readTimestamp);
    }
    return Buffer.from(`{"success":true,"messages":[${json}],"listComplete":true}`, 'latin1');
  }

  // What changed after `since`, at most `max` messages: { messages, updates (JSON in Latin-1), timestamp, hasMore }.
  since(since, max) {
    const now = this.timestamp();
    let timestamp = now;
    const messages = [];
    const updates = [];
    let hasMore = false;
    if (since < now) {
      for (const { key, value } of this.log.getRange({ start: since + 1, limit: max + 1 })) {
        if (messages.length === max) {
          hasMore = true;
          break;
        }
        timestamp = key;
        messages.push(this.#one(value, key));
      }
      if (!hasMore) timestamp = now;
      const seen = new Set();
      for (const { value } of this.changes.getRange({ start: since + 1, end: timestamp + 1, limit: max })) {
        if (value[1] <= since && !seen.has(value[1])) {
          seen.add(value[1]);
          updates.push(this.#one(value[0], value[1]));
        }
      }
    }
    return { messages: messages.join(','), updates: updates.join(','), timestamp, hasMore };
  }

  #one(counterpart, timestamp) {
    const thread = this.threads.get(counterpart);
    return this.#render(this.messages.get([counterpart, timestamp]), timestamp, this.#contactMember(counterpart), thread?.readTimestamp ?? 0);
  }

  // All threads as JSON in Latin-1, the latest first.
  threadList() {
    let json = '';
    for (const { value } of this.rows.getRange({ reverse: true })) json += json === '' ? value : `,${value}`;
    return json;
  }

  // The thread's row as JSON text, undefined when there is no such thread.
  markRead(counterpart) {
    return this.#write(() => {
      const thread = this.threads.get(counterpart);
      if (thread && thread.unread > 0) {
        thread.unread = 0;
        thread.readTimestamp = this.#tick();
        this.#threadPut(thread, thread.readTimestamp, thread.lastTimestamp);
      }
      return thread && threadJson(thread, this.#contactOf(counterpart));
    });
  }

  // All contacts by name as JSON.
  contactList() {
    return this.lists.get('contacts') ?? '{"success":true,"contacts":[]}';
  }

  // Inside a write transaction only: what hangs on a contact that was added, renamed or deleted.
  #contactChanged(phoneNumber, now) {
    let json = '';
    for (const { value } of this.contactNames.getRange({})) json += json === '' ? value : `,${value}`;
    this.lists.put('contacts', `{"success":true,"contacts":[${json}]}`);
    const thread = this.threads.get(phoneNumber);
    if (thread) this.#threadPut(thread, now, thread.lastTimestamp);
  }

  #contactPut(contact) {
    this.contacts.put(contact.id, contact);
    this.contactNames.put([contact.displayName.toLowerCase(), contact.phoneNumber], JSON.stringify(contact));
  }

  contactAdd(phoneNumber, displayName) {
    return this.#write(() => {
      if (this.contactNumbers.get(phoneNumber)) return null;
      const now = this.#tick();
      const contact = { id: randomUUID(), phoneNumber, displayName, createdAt: now, updatedAt: now };
      this.contactNumbers.put(phoneNumber, contact.id);
      this.#contactPut(contact);
      this.#contactChanged(phoneNumber, now);
      return contact;
    });
  }

  contactRename(id, displayName) {
    return this.#write(() => {
      const contact = this.contacts.get(id);
      if (!contact) return null;
      this.contactNames.remove([contact.displayName.toLowerCase(), contact.phoneNumber]);
      contact.displayName = displayName;
      contact.updatedAt = this.#tick();
      this.#contactPut(contact);
      this.#contactChanged(contact.phoneNumber, contact.updatedAt);
      return contact;
    });
  }

  contactDelete(id) {
    return this.#write(() => {
      const contact = this.contacts.get(id);
      if (!contact) return false;
      this.contacts.remove(id);
      this.contactNumbers.remove(contact.phoneNumber);
      this.contactNames.remove([contact.displayName.toLowerCase(), contact.phoneNumber]);
      this.#contactChanged(contact.phoneNumber, this.#tick());
      return true;
    });
  }

  close() {
    return this.env.close();
  }
}
