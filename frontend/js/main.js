// Puts the page together, and tells what happens.

import { createApi } from './api.js';
import { t } from './locale.js';
import { Messenger } from './messenger.js';
import { createStorage } from './storage.js';
import { texts } from './texts.js';
import { createChat } from './view/chat.js';
import { h, linkButton, make, patch } from './view/dom.js';
import { createThreads } from './view/threads.js';

Object.assign(document.documentElement, { lang: texts.language, dir: texts.direction });
const { content: apiBase } = document.querySelector('meta[name="whatsapp-api-base"]');
const messenger = new Messenger(createApi(apiBase.replace(/\/+$/, '')), createStorage(apiBase), {
	changed: renderSoon,
	polled: tellWay,
	incoming({ counterpart, body }) {
		const name = messenger.nameOf(counterpart);
		const here = counterpart === messenger.opened && !document.hidden;
		announce(here ? t('said', { name, text: body || t('attachment') }) : t('saidElsewhere', { name }));
	},
	failed: ({ counterpart }) => announce(t('saidFailed', { name: messenger.nameOf(counterpart) })),
});
const threads = createThreads(messenger);
const chat = createChat(messenger, close);
const banner = make(h('div.banner', { role: 'status' }));
// Read out, unlike lists that are drawn again.
const log = make(h('div.spoken', { role: 'log' }));
document.getElementById('app').replaceChildren(banner,
	make(h('main.app', null, h('h1.spoken', null, t('title')), threads.element, chat.element)), log);

function announce(text) {
	log.append(make(h('p', { dir: 'auto' }, text)));
	if (log.childElementCount > 15) log.firstChild.remove();
}

// One line about the way to the server.
let lost = false;
function tellWay(error, failures) {
	const show = (text, action) => patch(banner, h('p', null, t(text), action));
	// One failure is a hiccup, unless the next try is far away.
	if (error && (failures > 1 || error.retryAfter)) {
		lost = true;
		if (error.status === 401) show('lostLogin', linkButton(t('reload'), () => location.reload()));
		else show(navigator.onLine ? 'lostServer' : 'lostOffline', linkButton(t('tryNow'), messenger.poller.wake));
	} else if (!error && lost) {
		lost = false;
		show('lostBack');
		setTimeout(() => lost || patch(banner), 2_500);
	}
}

function render() {
	const n = [...messenger.threads.values()].reduce((sum, { unreadCount }) => sum + unreadCount, 0);
	document.title = n ? t('titleUnread', { n }) : t('title');
	chat.render();
	threads.render();
}

// Many changes in one turn are drawn once.
let due = false;
function renderSoon() {
	if (!due) queueMicrotask(() => { due = false; render(); });
	due = true;
}

// So Back, reload and links work.
function counterpartInAddress() {
	try {
		return decodeURIComponent(/^#\/chat\/(.+)/.exec(location.hash)[1]);
	} catch {
		return null;
	}
}

function close() {
	if (history.state?.fromList) history.back();
	else location.hash = '#/';
}

addEventListener('hashchange', () => {
	const before = messenger.opened;
	messenger.open(counterpartInAddress());
	if (before === null) history.replaceState({ fromList: true }, '');
	threads.clearSearch();
	render();
	if (messenger.opened !== null) chat.focus();
	else threads.focus(before);
});

document.addEventListener('keydown', (event) => {
	if (event.key !== 'Escape' || event.isComposing || event.target.closest('dialog')) return;
	if (!threads.clearSearch() && messenger.opened !== null) close();
});

setInterval(renderSoon, 20_000); // "today" becomes "yesterday" while nobody does anything
messenger.open(counterpartInAddress());
render();
