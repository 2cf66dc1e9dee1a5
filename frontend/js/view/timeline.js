// The rows of a conversation: messages, what is being sent, lines between.

import { stateOf } from '../conversation.js';
import { formatDay, formatTime, startOfDay, t } from '../locale.js';
import { h, icon, linkButton } from './dom.js';


// What is drawn, said, explained and offered. Nothing is sent again while its outcome is unknown.
const looks = {
	pending: ['clock', 'pending'],
	sending: ['clock', 'pending'],
	waiting: ['clock', 'pending', 'noteWaiting'],
	unsure: ['alert', 'unsure', 'noteUnsure'],
	expired: ['alert', 'unsure', 'noteExpired', 'discard'],
	sent: ['tick', 'sent'],
	delivered: ['ticks', 'delivered'],
	read: ['ticks', 'read'],
	failed: ['alert', 'failed', 'noteFailed', 'retry'],
	refused: ['alert', 'failed', 'noteRefused', 'edit', 'discard'],
};

export function buildTimeline({ messages, error, complete, counterpart }, outbox) {
	const rows = [{ key: 'head', line: error ? 'loadFailed' : complete ? 'beginning' : 'loading' }];
	let last = { timestamp: 0 };
	const push = (row, direction, timestamp) => {
		const day = startOfDay(timestamp);
		if (day !== last.day) rows.push({ key: day, line: 'day', timestamp });
		rows.push({ ...row, timestamp, first: day !== last.day || direction !== last.direction });
		last = { day, direction, timestamp };
	};
	for (const message of messages) push({ key: outbox.rowKey(message.id), message }, message.direction, message.timestamp);
	for (const entry of outbox.visibleIn(counterpart)) {
		push({ key: entry.key, entry }, 'sent', Math.max(entry.createdAt, last.timestamp));
	}
	return rows;
}

export const rowView = (row, ...rest) => (row.line ? lineView : bubbleView)(row, ...rest);

function lineView({ line: type, timestamp }, name, actions) {
	return h(`li.line.line-${type}`, null,
		h('span', null, type === 'day' ? formatDay(timestamp) : t(type)),
		type === 'loadFailed' && linkButton(t('retry'), actions.loadPage));
}

function bubbleView({ message, entry, timestamp, first }, name, actions) {
	const { body, media = [], replyTo, referral, errorMessage, errorCode } = message ?? entry;
	const state = message ? stateOf(message) : entry.state;
	const [image, label, note, ...ways] = looks[state] ?? [];
	const reason = `${errorMessage ?? ''}${errorCode ? ` (${errorCode})` : ''}`;
	return h(`li.message.${image ? 'sent' : 'received'}${first ? '.first' : ''}`, {
		'data-state': state, 'data-id': message?.id,
	}, h('div.bubble', null,
		h('span.spoken', null, image ? t('youSaid') : t('theySaid', { name })),
		replyTo && h('blockquote', { dir: 'auto' }, quoted(replyTo)),
		referral && ad(referral),
		media.map(attachment),
		body && body !== media[0]?.fileName && h('p', { dir: 'auto' }, linkify(body)),
		h('div.meta', null,
			h('time', { datetime: new Date(timestamp).toISOString() }, formatTime(timestamp)),
			image && icon(image, t(label)))),
	note && h('div.note', null,
		h('bdi', null, t(note, { reason })),
		ways.filter((way) => way !== 'retry' || actions.canRetry(message)).map((way) => linkButton(
			t(way), () => actions[way](message ?? entry), t('said', { name: t(way), text: body })))));
}

const outside = (selector, href, ...kids) => h(selector, { href, target: '_blank', rel: 'noopener noreferrer' }, ...kids);

// The message that this one answers.
function quoted({ direction, preview }) {
	const text = preview || t(direction ? 'attachment' : 'earlier');
	return direction === 'sent' ? t('you', { text }) : text;
}

function ad({ sourceUrl = '', headline, body }) {
	const text = t('ad', { text: headline ?? body ?? sourceUrl });
	return h('small.ad', { dir: 'auto' }, /^https?:\/\//i.test(sourceUrl) ? outside('a', sourceUrl, text) : text);
}

// The punctuation after an address is no part of it.
function linkify(text) {
	return text.split(/(\bhttps?:\/\/[^\s<>"']*[^\s<>"'.,;:!?…)])/i).map((part, i) => (i % 2 ? outside('a', part, part) : part));
}

function attachment({ url, contentType = '', fileName, missing, awaited }) {
	if (missing) return h('span.file', null, icon('file'), h('span', null, t(awaited ? 'attachmentAwaited' : 'attachmentMissing')));
	const { origin, protocol, href: src } = URL.parse(url, document.baseURI) ?? {};
	// Only our own server may be asked without a click; the page's policy says the same.
	const own = origin === location.origin;
	const type = contentType.split('/')[0];
	if (own && ['video', 'audio'].includes(type)) {
		return h(type, { src, controls: true, preload: 'metadata', 'aria-label': t(type) });
	}
	const label = fileName ?? t(type === 'image' ? 'picture' : 'file');
	const inside = [icon('file'), h('bdi', null, label), h('small', null, contentType)];
	if (!/^https?:$/.test(protocol)) return h('span.file', null, inside);
	if (!own || type !== 'image') return outside('a.file', src, inside);
	const onerror = ({ target }) => { target.parentNode.className = 'file'; };
	return outside('a.picture', src, h('img', { src, alt: label, loading: 'lazy', onerror }), inside);
}
