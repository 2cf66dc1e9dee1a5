// One counterpart's messages, each once and in order, however they came.

// States only climb: what was overtaken has a lower one.
const states = ['pending', 'unsure', 'sent', 'failed', 'delivered', 'read'];
const rank = (message) => states.indexOf(stateOf(message)) - lacking(message);
const newer = (a, b) => (a && rank(a) > rank(b) ? a : b);

// Of what was received attachments only come.
function lacking({ media = [] }) {
	return media.reduce((sum, { missing, awaited }) => sum + (awaited ? 2 : missing ? 1 : 0), 0);
}

// '' for what was received.
export function stateOf({ direction, status, deliveryStatus, errorMessage }) {
	if (direction !== 'sent') return '';
	if (status === 'failed') return status;
	if (deliveryStatus === 'read' || deliveryStatus === 'delivered') return deliveryStatus;
	if (status === 'pending') return errorMessage ? 'unsure' : status;
	return 'sent';
}

export class Conversation {
	messages = []; // oldest first
	complete = false; // the oldest message is here
	loaded = false; // the newest page is here
	loading = false;
	error = null;
	#byId = new Map();
	#news = new Map(); // states of messages that no page has brought yet

	constructor(counterpart) {
		this.counterpart = counterpart;
	}

	addPage({ messages, cursor, listComplete }) {
		Object.assign(this, { cursor, complete: listComplete, loaded: true });
		// Of one millisecond a page's are older.
		const known = [...this.#byId.values()];
		this.#byId.clear();
		this.add(messages.reverse());
		this.add(known);
	}

	// Those of other conversations are passed over.
	add(messages) {
		const ours = messages.filter(({ counterpart }) => counterpart === this.counterpart);
		for (const message of ours) {
			const { id } = message;
			this.#byId.set(id, newer(this.#byId.get(id), newer(this.#news.get(id), message)));
		}
		if (ours.length) this.messages = [...this.#byId.values()].sort((a, b) => a.timestamp - b.timestamp);
	}

	// New states; a page on its way may still bring an older one.
	update(messages) {
		for (const message of messages) this.#news.set(message.id, newer(this.#news.get(message.id), message));
		this.add(messages.filter(({ id }) => this.#byId.has(id)));
	}
}
