// Puts the page together: models, views, and the keys that work everywhere.

import { Api } from './api.js';
import { Drafts } from './drafts.js';
import { t } from './i18n.js';
import { Messenger } from './messenger.js';
import { currentRoute, Router } from './router.js';
import { Storage } from './storage.js';
import { texts } from './texts.js';
import { BannerView } from './view/banner.js';
import { ChatView } from './view/chat.js';
import { openContactDialog } from './view/contact-dialog.js';
import { h, make } from './view/dom.js';
import { ThreadsView } from './view/threads.js';

const clockTick = 20_000; // "today" becomes "yesterday" and windows close while nobody does anything
const keptAnnouncements = 15;

document.documentElement.lang = texts.language;
document.documentElement.dir = texts.direction;

const { content: apiBase } = document.querySelector('meta[name="whatsapp-api-base"]');
const storage = new Storage(apiBase);
const drafts = new Drafts(storage);
const messenger = new Messenger(new Api(apiBase.replace(/\/+$/, '')), storage);
const router = new Router(showRoute);
const banner = new BannerView(() => messenger.poller.wake());
const threads = new ThreadsView(messenger, drafts, {
  open,
  edit: (contact) => openContactDialog(contact, '', contactActions),
  add: (number) => openContactDialog(undefined, number, contactActions),
});
const chat = new ChatView(messenger, drafts, {
  close: () => router.close(),
  contact: (number) => openContactDialog(messenger.contacts.byNumber(number), number, contactActions),
});
const app = make(h('main', { class: 'app' }, h('h1', { class: 'spoken' }, t('title')), threads.element, chat.element));
// What happens is told here, so that the redrawing of lists is not read out.
const log = make(h('div', { class: 'spoken', role: 'log' }));
document.getElementById('app').replaceChildren(banner.element, app, log);

function announce(text) {
  log.append(make(h('p', { dir: 'auto' }, text)));
  if (log.childElementCount > keptAnnouncements) log.firstChild.remove();
}

function render() {
  const n = messenger.threads.unreadTotal();
  document.title = n ? t('titleUnread', { n }) : t('title');
  threads.render();
  chat.render();
}

// Many changes in one turn are drawn once.
let due = false;
function renderSoon() {
  if (due) return;
  due = true;
  queueMicrotask(() => { due = false; render(); });
}

messenger.on('change', renderSoon);
drafts.on('change', renderSoon);
setInterval(renderSoon, clockTick);
messenger.on('restart', () => chat.open(messenger.opened));
messenger.on('lost', (error) => banner.lost(error));
messenger.on('live', () => banner.live());
messenger.on('incoming', ({ counterpart, body }) => {
  const name = messenger.nameOf(counterpart);
  const here = counterpart === messenger.opened && !document.hidden;
  announce(here ? t('said', { name, text: body || t('attachment') }) : t('saidElsewhere', { name }));
});
messenger.on('failed', ({ counterpart }) => announce(t('saidFailed', { name: messenger.nameOf(counterpart) })));

const contactActions = {
  add: (number, name) => messenger.addContact(number, name).then(() => announce(t('contactAdded', { name }))),
  rename: (contact, name) => messenger.renameContact(contact, name).then(() => announce(t('contactSaved', { name }))),
  remove: (contact) => messenger.deleteContact(contact).then(() => announce(t('contactRemoved', { name: contact.displayName }))),
};

function open(counterpart) {
  router.open(counterpart);
  chat.focus();
}

function showRoute() {
  const before = messenger.opened;
  const counterpart = currentRoute();
  app.classList.toggle('app-chat', counterpart !== null);
  chat.open(counterpart);
  threads.render();
  if (counterpart === null && before !== null) threads.focus(before);
}

document.addEventListener('keydown', (event) => {
  const { key, altKey, ctrlKey, metaKey } = event;
  if (key === 'Escape' && !event.isComposing) {
    if (!threads.escape()) router.close();
  } else if (key === '/' && !ctrlKey && !metaKey && !event.target.closest('input, textarea')) {
    event.preventDefault();
    threads.search.focus();
  } else if (altKey && (key === 'ArrowDown' || key === 'ArrowUp')) {
    event.preventDefault();
    const next = threads.step(key === 'ArrowDown' ? 1 : -1);
    if (next) open(next);
  }
});

showRoute();
messenger.poller.start();
