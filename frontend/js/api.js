// The HTTP API: one function an endpoint; an error says how it failed.

import { t } from './locale.js';

// status: 0 without an answer; refused: nothing was stored or sent, and to try again would not help.
function failure(message, status = 0, retryAfter = 0, body = null) {
	const refused = [400, 403, 404, 405, 409, 413, 415].includes(status) && Boolean(body?.code);
	return Object.assign(new Error(message), { status, refused, retryAfter, body });
}

export function createApi(base) {
	async function call(method, path, { json, key, timeout = 20_000, signal } = {}) {
		const answer = await fetch(base + path, {
			method,
			headers: { 'Content-Type': 'application/json', ...(key && { 'Idempotency-Key': key }) },
			body: json && JSON.stringify(json),
			cache: 'no-store',
			signal: AbortSignal.any([AbortSignal.timeout(timeout), signal].filter(Boolean)),
		}).catch(() => { throw failure(t('errorNoAnswer')); });
		const { ok, status, headers } = answer;
		const body = await answer.json().catch(() => null);
		if (ok && body?.success) return body;
		const seconds = Math.min(300, Number(headers.get('Retry-After')) || 0);
		throw failure(body?.error || t('errorStatus', { n: status }), status, seconds * 1000, body);
	}

	return {
		messagesSince: (since, signal) => call('GET', `/messages-since?since=${since}&threads=changed`, { signal }),
		threads: () => call('GET', '/threads'),
		messages: (counterpart, cursor) =>
			call('GET', `/messages?${new URLSearchParams({ counterpart, ...(cursor && { cursor }) })}`),
		send: (phoneNumber, message, key) => call('POST', '/send', { json: { phoneNumber, message }, key, timeout: 90_000 }),
		markRead: (counterpart) => call('POST', `/threads/${encodeURIComponent(counterpart)}/read`, { json: {} }),
		contacts: () => call('GET', '/contacts'),
		addContact: (phoneNumber, displayName) => call('POST', '/contacts', { json: { phoneNumber, displayName } }),
		renameContact: (id, displayName) => call('PATCH', `/contacts/${id}`, { json: { displayName } }),
		deleteContact: (id) => call('DELETE', `/contacts/${id}`),
	};
}
