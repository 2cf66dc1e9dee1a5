// Brings each message to the server exactly once: in order, with one key for all attempts, over reloads.

const keyLifetime = 23 * 3600_000; // the server knows a key for 24 hours

/*
 * An entry is {key, counterpart, body, createdAt, notBefore, since, state, errorMessage}; its states are
 *   pending   not tried since the page was loaded
 *   sending   under way
 *   waiting   no sure answer: tried again with the same key, which cannot send twice
 *   refused   the server said no and stored nothing
 *   expired   too old for its key, and nobody knows what became of it
 * since is the server's time before the first attempt: what was stored until then is another message.
 */
export function createOutbox(api, storage, changed, settled) {
	const entries = storage.all('out.').sort((a, b) => a.createdAt - b.createdAt);
	const rowKeys = new Map(); // message id -> key of the entry that it was, so that its bubble stays the same
	let now; // on the server

	for (const entry of entries) if (entry.state === 'sending') entry.state = 'pending';

	function set(entry, fields) {
		storage.set(`out.${entry.key}`, Object.assign(entry, fields));
		changed();
	}

	// What is not (yet) shown as a message of a conversation.
	function visible() {
		const shown = new Set(rowKeys.values());
		return entries.filter(({ key }) => !shown.has(key));
	}
	const visibleIn = (counterpart) => visible().filter((entry) => entry.counterpart === counterpart);

	// A retry has a key of its own: however often and wherever it is clicked, it is one send.
	function add({ id, counterpart, body }) {
		const key = id ? `retry-${id}` : crypto.getRandomValues(new Uint32Array(4)).join('-');
		if (entries.some((entry) => entry.key === key)) return;
		const entry = { key, counterpart, body, createdAt: Date.now(), notBefore: 0 };
		entries.push(entry);
		set(entry, { state: 'pending' });
		if (now) pump(counterpart);
	}

	// Only for what certainly is not under way.
	function discard(entry) {
		entries.splice(entries.indexOf(entry), 1);
		storage.set(`out.${entry.key}`);
		changed();
	}

	// One at a time for each counterpart: what was written first arrives first.
	async function pump(counterpart) {
		const entry = entries.find((one) => one.counterpart === counterpart && /pending|sending|waiting/.test(one.state));
		if (!entry || entry.state === 'sending' || entry.notBefore > Date.now()) return;
		if (Date.now() - entry.createdAt > keyLifetime) set(entry, { state: 'expired' });
		else await attempt(entry);
		pump(counterpart);
	}

	async function attempt(entry) {
		set(entry, { state: 'sending', since: entry.since ?? now });
		const answer = api.send(entry.counterpart, entry.body, entry.key);
		await answer.then(({ message }) => settle(entry, message), ({ body, refused, message, retryAfter }) => {
			if (body?.message) return settle(entry, body.message);
			if (refused) unclaim(entry);
			const state = refused ? 'refused' : 'waiting';
			return set(entry, { state, errorMessage: message, notBefore: Date.now() + Math.max(1_000, retryAfter) });
		});
	}

	// The entry becomes the message that the server tells.
	function settle(entry, message) {
		unclaim(entry);
		rowKeys.set(message.id, entry.key);
		now = Math.max(now, message.timestamp);
		discard(entry);
		settled(message);
	}

	// A message that was polled may be what an entry waits to hear of: until that is sure, the best guess hides the entry.
	function claim({ id, direction, counterpart, body, timestamp }) {
		if (direction !== 'sent' || rowKeys.has(id)) return;
		const entry = visibleIn(counterpart).find((one) => one.body === body && one.since < timestamp && one.state !== 'refused');
		if (entry) rowKeys.set(id, entry.key);
	}

	function unclaim({ key }) {
		for (const [id, claimed] of rowKeys) if (claimed === key) rowKeys.delete(id);
	}

	// The server can be reached, and this is its time: what waits is tried.
	function live(time) {
		now = time;
		for (const { counterpart } of entries) pump(counterpart);
	}

	return { visible, visibleIn, add, discard, claim, live, rowKey: (id) => rowKeys.get(id) ?? id };
}
