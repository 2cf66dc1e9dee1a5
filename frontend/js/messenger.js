// The messenger without its looks: keeps threads, contacts, conversations and sends in step with the server.

import { Contacts } from './contacts.js';
import { Conversation } from './conversation.js';
import { Emitter } from './emitter.js';
import { Outbox } from './outbox.js';
import { formatNumber } from './phone.js';
import { Poller } from './poller.js';
import { Threads } from './threads.js';

const farFuture = 253_402_300_799_999; // a since that is answered with the server's own time and no messages
const pageSize = 50;
const keptConversations = 12;
const mostPagesToCatchUp = 40;
const listsGoStaleAfter = 120_000;
const rewindOfAnotherStore = 60_000;

// Events: 'change', 'incoming' (message), 'failed' (message), 'restart', 'live', 'lost' (error).
export class Messenger extends Emitter {
  threads = new Threads();
  contacts = new Contacts();
  ready = false;
  opened = null; // counterpart of the conversation on the screen
  #conversations = new Map(); // the one opened last is last
  #since = null;
  #pagesInARow = 0;
  #listsReadAt = 0;
  #seen = new Set(); // ids that polling brought, so that none is announced twice
  #markingRead = false;

  constructor(api, storage) {
    super();
    this.api = api;
    this.outbox = new Outbox(api, storage);
    this.outbox.on('change', () => this.emit('change'));
    this.outbox.on('answer', (message) => this.#answered(message));
    this.poller = new Poller((signal) => this.#step(signal));
    this.poller.on('lost', (error) => this.emit('lost', error));
    this.poller.on('live', () => {
      this.emit('live');
      this.outbox.wake();
      this.#markRead();
    });
    document.addEventListener('visibilitychange', () => this.#markRead());
  }

  nameOf(counterpart) {
    return this.contacts.byNumber(counterpart)?.displayName ?? formatNumber(counterpart);
  }

  conversation(counterpart = this.opened) {
    return this.#conversations.get(counterpart);
  }

  // Makes it the one on the screen (null: none) and loads its newest page when it is not here yet.
  open(counterpart) {
    this.opened = counterpart;
    if (counterpart === null) return;
    const conversation = this.conversation() ?? new Conversation(counterpart);
    this.#conversations.delete(counterpart);
    this.#conversations.set(counterpart, conversation);
    for (const other of [...this.#conversations.keys()].slice(0, -keptConversations)) this.#conversations.delete(other);
    if (!conversation.loaded) this.loadPage(conversation);
    this.#markRead();
  }

  // The newest page, or the next older one. Not before polling has its beginning: what is stored between an earlier page
  // and that beginning would be in neither.
  async loadPage(conversation = this.conversation()) {
    if (this.#since === null || conversation.loading || conversation.complete) return;
    Object.assign(conversation, { loading: true, error: null });
    this.emit('change');
    try {
      const page = await this.api.messages(conversation.counterpart, conversation.cursor, pageSize);
      conversation.loading = false;
      for (const message of conversation.addPage(page).reverse()) this.outbox.claim(message);
    } catch (error) {
      Object.assign(conversation, { loading: false, error });
    }
    this.emit('change');
  }

  async addContact(number, name) {
    this.contacts.put((await this.api.addContact(number, name)).contact);
    this.emit('change');
  }

  async renameContact({ id }, name) {
    this.contacts.put((await this.api.renameContact(id, name)).contact);
    this.emit('change');
  }

  async deleteContact(contact) {
    await this.api.deleteContact(contact.id).catch((error) => {
      if (error.status !== 404) throw error; // somebody else was faster
    });
    this.contacts.remove(contact);
    this.emit('change');
  }

  // Asks once. True when there is more to be had at once.
  async #step(signal) {
    if (this.#since === null) return this.#begin(signal);
    const answer = await this.api.messagesSince(this.#since, signal);
    this.#pagesInARow = answer.hasMore ? this.#pagesInARow + 1 : 0;
    if (this.#since - answer.timestamp > rewindOfAnotherStore || this.#pagesInARow > mostPagesToCatchUp) return this.#restart();
    this.#apply(answer);
    this.#since = answer.timestamp;
    if (!document.hidden && Date.now() - this.#listsReadAt > listsGoStaleAfter) await this.#readLists();
    return answer.hasMore;
  }

  // The time is asked for before the lists are read: what happens in between comes again by polling.
  async #begin(signal) {
    const { timestamp } = await this.api.messagesSince(farFuture, signal);
    await this.#readLists();
    this.#since = timestamp;
    this.ready = true;
    for (const conversation of this.#conversations.values()) this.loadPage(conversation);
    this.emit('change');
    return true;
  }

  // Too much was missed, or the store is another one: what is here is thrown away and read anew.
  #restart() {
    this.#since = null;
    this.#pagesInARow = 0;
    this.#conversations.clear();
    this.threads = new Threads();
    this.emit('restart');
    return true;
  }

  async #readLists() {
    const { edits } = this.contacts;
    const [{ threads }, { contacts }] = await Promise.all([this.api.threads(), this.api.contacts()]);
    const current = edits === this.contacts.edits;
    this.#listsReadAt = current ? Date.now() : 0;
    if (current) this.contacts.replaceAll(contacts);
    this.threads.merge(threads);
    this.emit('change');
  }

  // Must not fail half way: the time is only taken over after it.
  #apply({ messages, updates, threads }) {
    this.threads.merge(threads);
    // Somebody else added, renamed or deleted a contact.
    if (threads.some(({ counterpart, contactName }) => contactName !== this.contacts.byNumber(counterpart)?.displayName)) {
      this.#listsReadAt = 0;
    }
    for (const message of messages) this.#applyNew(message);
    for (const message of updates) this.#applyUpdate(message);
    if (messages.length || updates.length) this.poller.stir();
    if (messages.length || updates.length || threads.length) this.emit('change');
  }

  #applyNew(message) {
    if (this.conversation(message.counterpart)?.add([message]).length) this.outbox.claim(message);
    if (this.#seen.has(message.id)) return;
    this.#seen.add(message.id);
    if (this.#seen.size > 2000) this.#seen.delete(this.#seen.values().next().value);
    if (message.direction === 'received') this.emit('incoming', message);
  }

  #applyUpdate(message) {
    const conversation = this.conversation(message.counterpart);
    if (message.status === 'failed' && conversation?.get(message.id)?.status !== 'failed') this.emit('failed', message);
    conversation?.update([message]);
  }

  #answered(message) {
    this.conversation(message.counterpart)?.add([message]);
    this.threads.note(message);
    if (message.status === 'failed') this.emit('failed', message);
    this.poller.stir();
    this.poller.wake();
    this.emit('change');
  }

  async #markRead() {
    const counterpart = this.opened;
    if (this.#markingRead || document.hidden || !this.threads.get(counterpart)?.unreadCount) return;
    this.#markingRead = true;
    try {
      this.threads.setRead((await this.api.markRead(counterpart)).thread);
      this.emit('change');
    } catch { /* tried again after the next answer */ }
    this.#markingRead = false;
  }
}
