// The messenger without its looks, in step with the server.

import { Conversation } from './conversation.js';
import { compareNames, formatNumber } from './locale.js';
import { createOutbox } from './outbox.js';
import { createPoller } from './poller.js';

const farFuture = 253_402_300_799_999; // is answered with the server's time, and no messages
const rewindOfAnotherStore = 60_000;

export class Messenger {
	threads = new Map(); // counterpart -> summary
	contacts = new Map(); // phone number -> contact, in alphabetical order
	ready = false;
	opened = null; // counterpart of the conversation on the screen
	#conversations = new Map();
	#since = null;
	#contactsVersion = 0; // counts reasons to read them
	#contactsRead = -1;

	// on: {changed(), incoming(message), failed(message), polled(error, failures)}
	constructor(api, storage, on) {
		Object.assign(this, { api, storage, on });
		this.outbox = createOutbox(api, storage, on.changed, (message) => this.#settled(message));
		this.poller = createPoller((signal) => this.#ask(signal), on.polled);
	}

	draft = (counterpart) => this.storage.get(`draft.${counterpart}`) ?? '';
	setDraft = (counterpart, text) => this.storage.set(`draft.${counterpart}`, text);
	// ~: their own word.
	nameOf(counterpart) {
		const { profileName } = this.threads.get(counterpart) ?? {};
		return this.contacts.get(counterpart)?.displayName ?? (profileName ? `~${profileName}` : formatNumber(counterpart));
	}

	get conversation() {
		return this.#conversations.get(this.opened);
	}

	// Puts it on the screen (null: none); it is loaded and marked read.
	open(counterpart) {
		this.opened = counterpart;
		if (counterpart !== null && !this.conversation) this.#conversations.set(counterpart, new Conversation(counterpart));
		if (!this.conversation?.loaded) this.loadPage();
		this.poller.wake();
	}

	// The newest page, or the next older one; not before polling began, or what is stored in between would be in neither.
	loadPage = async () => {
		const { conversation } = this;
		if (this.#since === null || !conversation || conversation.loading || conversation.complete) return;
		Object.assign(conversation, { loading: true, error: null });
		this.on.changed();
		try {
			const page = await this.api.messages(conversation.counterpart, conversation.cursor);
			conversation.addPage(page);
			for (const message of page.messages.reverse()) this.outbox.claim(message);
		} catch (error) {
			conversation.error = error;
		}
		conversation.loading = false;
		this.on.changed();
	};

	// call(api) adds, renames or deletes one.
	async changeContacts(call) {
		await call(this.api);
		this.#contactsVersion++;
		this.poller.wake();
	}

	// True when there is more to be had at once.
	async #ask(signal) {
		if (this.#since === null) return this.#begin(signal);
		const answer = await this.api.messagesSince(this.#since, signal);
		if (this.#since - answer.timestamp > rewindOfAnotherStore) location.reload();
		this.#apply(answer);
		this.#since = answer.timestamp;
		this.outbox.live(this.#since);
		if (this.#contactsRead !== this.#contactsVersion) await this.#readContacts();
		if (!document.hidden && this.threads.get(this.opened)?.unreadCount) {
			this.#merge([(await this.api.markRead(this.opened)).thread]);
		}
		return answer.hasMore;
	}

	// The time comes first: what happens while lists are read is polled.
	async #begin(signal) {
		const { timestamp } = await this.api.messagesSince(farFuture, signal);
		const [{ threads }] = await Promise.all([this.api.threads(), this.#readContacts()]);
		this.#merge(threads);
		this.#since = timestamp;
		this.ready = true;
		this.loadPage();
		return true;
	}

	async #readContacts() {
		const version = this.#contactsVersion;
		const { contacts } = await this.api.contacts();
		contacts.sort((a, b) => compareNames(a.displayName, b.displayName));
		this.contacts = new Map(contacts.map((contact) => [contact.phoneNumber, contact]));
		this.#contactsRead = version;
		this.on.changed();
	}

	#apply({ messages, updates, threads }) {
		if (threads.length || updates.length) this.#merge(threads);
		for (const conversation of this.#conversations.values()) {
			conversation.add(messages);
			conversation.update(updates);
		}
		for (const message of [...messages, ...updates]) {
			this.outbox.claim(message);
			if (message.status === 'failed') this.on.failed(message);
		}
		for (const message of messages) {
			if (message.direction === 'received' && message.timestamp > this.#since) this.on.incoming(message);
		}
		// Somebody else added, renamed or deleted a contact.
		const isOther = ({ counterpart, contactName }) => contactName !== this.contacts.get(counterpart)?.displayName;
		if (threads.some(isOther)) this.#contactsVersion++;
	}

	// The newer summary has more messages; of as many, fewer unread ones.
	#merge(summaries) {
		for (const summary of summaries) {
			const { counterpart, messageCount, unreadCount } = summary;
			const known = this.threads.get(counterpart);
			if (known?.messageCount > messageCount) continue;
			const unread = known?.messageCount === messageCount ? Math.min(known.unreadCount, unreadCount) : unreadCount;
			this.threads.set(counterpart, { ...summary, unreadCount: unread });
		}
		this.on.changed();
	}

	// What was just sent shows before the next answer tells of it.
	#settled(message) {
		const { counterpart, body, timestamp } = message;
		const known = this.threads.get(counterpart) ?? { counterpart, messageCount: 0, unreadCount: 0, lastMessageTimestamp: 0 };
		const last = { lastMessagePreview: body, lastMessageTimestamp: timestamp, lastDirection: 'sent' };
		this.#conversations.get(counterpart)?.add([message]);
		this.#merge([known.lastMessageTimestamp > timestamp ? known : { ...known, ...last }]);
		this.poller.wake();
	}
}
