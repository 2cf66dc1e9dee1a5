// The right side: the open conversation.

import { formatNumber, t } from '../locale.js';
import { isNumber } from '../typed.js';
import { createComposer } from './composer.js';
import { openContactDialog } from './contact-dialog.js';
import { h, icon, iconButton, make, patch } from './dom.js';
import { avatar } from './threads.js';
import { buildTimeline, rowView } from './timeline.js';
import { VirtualList } from './virtual-list.js';

export function createChat(messenger, close) {
	const { outbox } = messenger;
	let shown; // the conversation on the screen
	let seen; // the time of the newest message that was in view
	const element = make(h('div.pane'));
	const viewport = make(h('section.chat-scroll', { tabindex: '0' }));
	const pill = make(h('button.pill', { type: 'button', onclick: toNewest }));
	const composer = createComposer((text) => messenger.setDraft(messenger.opened, text), (text) => {
		outbox.add({ counterpart: messenger.opened, body: text });
		list.scrollToEnd();
	});
	const actions = {
		// A later message that says the same may be the retry.
		canRetry({ id, body, media }) {
			const same = (one) => one.body === body && one.direction !== 'received';
			return body && !media && !outbox.visibleIn(messenger.opened).some(same) && shown.messages.findLast(same).id === id;
		},
		retry: outbox.add,
		discard: outbox.discard,
		edit(entry) {
			outbox.discard(entry);
			composer.takeBack(entry.body);
		},
		loadPage: messenger.loadPage,
	};
	const list = new VirtualList(viewport, {
		still: '.message', drawn,
		view: (row) => rowView(row, messenger.nameOf(messenger.opened), actions),
		guess: ({ message }) => (message ? 48 + message.body.length / 2 + (message.media?.length ?? 0) * 240 : 44),
	});

	function render() {
		const { opened, conversation } = messenger;
		if (conversation !== shown) {
			shown = conversation;
			seen = Infinity;
			composer.field.value = messenger.draft(opened);
			list.atEnd = true;
		}
		if (!shown) {
			patch(element, h('div.empty', null, icon('chat'), h('p', null, t('choose'))));
			return;
		}
		const name = messenger.nameOf(opened);
		const { optedOut, blocked, windowClosesAt, channel } = messenger.threads.get(opened) ?? {};
		const stop = channel ? 'otherChannel' : !isNumber(opened) ? 'noReply' : blocked ? 'blocked' : optedOut && 'optedOut';
		const notice = stop || (windowClosesAt < Date.now() && 'windowClosed');
		viewport.ariaLabel = t('messagesWith', { name });
		viewport.ariaBusy = String(shown.loading);
		composer.field.ariaLabel = t('composeLabel', { name });
		composer.field.disabled = Boolean(stop);
		composer.render();
		patch(element, head(opened, name), h('div.chat-body', null, viewport, pill),
			h('p.notice', { role: 'status' }, notice && t(notice, { channel })), composer.element);
		list.rows = buildTimeline(shown, outbox);
		list.draw();
	}

	function head(counterpart, name) {
		const contact = messenger.contacts.get(counterpart);
		const number = formatNumber(counterpart);
		return h('header.chat-head', null,
			iconButton('back', t('back'), close),
			avatar(counterpart, contact),
			h('div.who', null,
				h('h2', null, h('bdi', null, name)),
				name !== number && h('p', null, h('bdi', null, number))),
			isNumber(counterpart) && iconButton(contact ? 'compose' : 'personAdd', t(contact ? 'contactEdit' : 'contactAdd'),
				() => openContactDialog(messenger, contact, counterpart)));
	}

	function drawn() {
		if (!shown) return;
		const { messages, loaded, error } = shown;
		if (list.atEnd && loaded) seen = messages.at(-1)?.timestamp ?? 0;
		const below = messages.filter(({ direction, timestamp }) => direction === 'received' && timestamp > seen).length;
		pill.hidden = list.atEnd;
		patch(pill, below && t('newBelow', { n: below }), icon('down', !below && t('toNewest')));
		if (loaded && !error && viewport.scrollTop < viewport.clientHeight * 1.5) messenger.loadPage();
	}

	function toNewest() {
		list.scrollToEnd();
		focus();
	}

	function focus() {
		// A phone would cover half of the messages with its keyboard.
		const reading = matchMedia('(pointer: coarse)').matches || composer.field.disabled;
		(reading ? viewport : composer.field).focus({ preventScroll: true });
	}

	return { element, render, focus };
}
