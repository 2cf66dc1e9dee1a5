// The left side: conversations, then contacts, and search.

import { formatCount, formatDay, formatNumber, initials, matcher, t } from '../locale.js';
import { digitsOf, parseNumber } from '../typed.js';
import { openContactDialog } from './contact-dialog.js';
import { h, icon, iconButton, make, patch } from './dom.js';
import { VirtualList } from './virtual-list.js';

const linkTo = (counterpart) => `#/chat/${encodeURIComponent(counterpart)}`;

// Initials on a colour that stays the same.
export function avatar(counterpart, contact) {
	const hue = counterpart.replace(/\D/g, '') % 360;
	return h('span.avatar', { 'aria-hidden': 'true', style: { '--hue': hue } },
		(contact && initials(contact.displayName)) || icon('person'));
}

export function createThreads(messenger) {
	let active; // the counterpart whose row Tab leads to
	const search = make(h('input', {
		type: 'search', autocomplete: 'off', dir: 'auto', placeholder: t('search'), 'aria-label': t('search'), oninput: searched,
	}));
	const viewport = make(h('div.threads-scroll'));
	const element = make(h('nav.threads', { 'aria-label': t('conversations'), onkeydown }));
	const list = new VirtualList(viewport, { view: rowView, guess: ({ heading }) => (heading ? 112 : 70) });

	function render() {
		const query = search.value.trim();
		const rows = messenger.ready ? findRows(query) : [];
		if (!rows.some(({ key }) => key === active)) active = rows[0]?.key;
		viewport.hidden = !rows.length;
		patch(element,
			h('header', null, h('h2', null, t('conversations')),
				iconButton('personAdd', t('contactNew'), () => openContactDialog(messenger, null, parseNumber(query) ?? '')),
				iconButton('compose', t('newConversation'), () => search.focus())),
			h('form.search', { role: 'search', onsubmit }, icon('search'), search),
			viewport,
			h('div.empty', { role: 'status', hidden: rows.length > 0 }, !rows.length && nothing(query)));
		list.rows = rows;
		list.draw();
	}

	function nothing(query) {
		if (query) return h('p', { dir: 'auto' }, t('searchNone', { query }));
		if (!messenger.ready) return h('p', null, t('loading'));
		return [icon('chat'), h('p', null, t('noConversations'))];
	}

	// The latest first; contacts without a conversation follow in their own order.
	function findRows(query) {
		const number = parseNumber(query);
		const matches = matcher(query);
		const digits = number?.slice(1) ?? digitsOf(query).replace(/^0+/, '');
		const entries = new Map(messenger.outbox.visible().map((entry) => [entry.counterpart, entry]));
		const all = new Set([...messenger.threads.keys(), ...entries.keys(), ...messenger.contacts.keys()]);
		const rows = [...all].map((counterpart) => describe(counterpart, entries.get(counterpart)))
			.filter(({ key, name, preview, profile }) => matches(name, preview, profile) || (digits && key.includes(digits)))
			.sort((a, b) => b.timestamp - a.timestamp);
		const contact = rows.find(({ timestamp }) => !timestamp);
		if (contact) contact.heading = t('contacts');
		if (number && !all.has(number)) rows.unshift({ key: number, name: t('startWith', { number: formatNumber(number) }) });
		return rows;
	}

	// entry: the last in the outbox; what was refused is old after the next message.
	function describe(counterpart, entry) {
		const thread = messenger.threads.get(counterpart);
		const last = thread?.lastMessageTimestamp ?? 0;
		const waiting = /refused|expired/.test(entry?.state) && entry.createdAt < last ? null : entry;
		const text = (waiting?.body ?? thread?.lastMessagePreview) || t('attachment');
		const draft = counterpart !== messenger.opened && messenger.draft(counterpart);
		const timestamp = Math.max(last, waiting?.createdAt ?? 0);
		return {
			key: counterpart, name: messenger.nameOf(counterpart), profile: thread?.profileName, timestamp, unread: thread?.unreadCount,
			preview: draft ? t('draft', { text: draft }) : !timestamp ? formatNumber(counterpart)
				: waiting || thread.lastDirection === 'sent' ? t('you', { text }) : text,
		};
	}

	function rowView({ key, heading, name, preview, timestamp, unread }) {
		return h('li', null, heading && h('h2', null, heading), h('a', {
			class: unread ? 'row unread' : 'row', href: linkTo(key),
			tabindex: key === active ? '0' : '-1', onfocus: () => { active = key; },
			'aria-current': key === messenger.opened && 'true',
		},
		avatar(key, messenger.contacts.get(key)),
		h('span.row-name', { key: 'name' }, h('bdi', null, name)),
		timestamp && h('span.row-when', { key: 'when' }, formatDay(timestamp, true)),
		preview && h('span.row-preview', { key: 'preview' }, h('bdi', null, preview)),
		unread && h('span.badge', { key: 'badge', role: 'img', 'aria-label': t('unread', { n: unread }) }, formatCount(unread))));
	}

	// The list is one stop for Tab; arrows lead through it, from the search and back to it.
	function onkeydown(event) {
		const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
		const inList = viewport.contains(event.target);
		const fromSearch = event.target === search && event.key === 'ArrowDown';
		if (!step || !list.rows.length || !(inList || fromSearch)) return;
		event.preventDefault();
		const index = (inList ? list.rows.findIndex(({ key }) => key === active) : -1) + step;
		if (index === -1) search.focus();
		else focusRow(list.rows.at(Math.min(list.rows.length - 1, Math.max(0, index))).key);
	}

	function focusRow(key) {
		active = key;
		list.reveal(key).querySelector('a').focus({ preventScroll: true });
	}

	function onsubmit(event) {
		event.preventDefault();
		if (search.value.trim() && list.rows.length) location.hash = linkTo(list.rows[0].key);
	}

	function searched() {
		viewport.scrollTop = 0;
		render();
	}

	// False when there was nothing to clear.
	function clearSearch() {
		const was = search.value;
		search.value = '';
		if (was) searched();
		return was !== '';
	}

	function focus(counterpart) {
		if (messenger.threads.has(counterpart)) focusRow(counterpart);
		else search.focus();
	}

	return { element, render, clearSearch, focus };
}
