// The right side: who the conversation is with, its messages, and what stands between them and the composer.

import { formatTime } from '../format.js';
import { t } from '../i18n.js';
import { formatNumber, isNumber } from '../phone.js';
import { buildTimeline } from '../timeline.js';
import { ComposerView } from './composer.js';
import { h, icon, iconButton, make, patch, spoken } from './dom.js';
import { rowView } from './message.js';
import { avatar } from './threads.js';
import { VirtualList } from './virtual-list.js';

const closesSoon = 3 * 3600_000;

export class ChatView {
  #unread = null; // {id, n}: where the line "unread messages" stands
  #unreadAtOpen = 0;
  #below = 0; // new messages under the lower edge
  #newest; // id of the newest message that was counted
  #now = 0;

  // actions: {close(), contact(number)}
  constructor(messenger, drafts, actions) {
    const { outbox } = messenger;
    Object.assign(this, { messenger, actions });
    this.composer = new ComposerView(drafts, (counterpart, text) => {
      outbox.add(counterpart, text);
      this.list.scrollToEnd();
    });
    const rowActions = {
      canRetry: ({ id }) => !outbox.retried(id),
      retry: (message) => this.#keepFocus(() => outbox.retry(message)),
      edit: (entry) => { outbox.discard(entry); this.composer.takeBack(entry.body); },
      discard: (entry) => this.#keepFocus(() => outbox.discard(entry)),
      loadPage: () => this.#keepFocus(() => messenger.loadPage()),
    };
    this.head = make(h('header', { class: 'chat-head' }));
    this.viewport = make(h('section', { class: 'chat-scroll', tabindex: '0' }));
    this.pill = make(h('button', { type: 'button', class: 'pill', onclick: () => this.#toNewest() }));
    this.notice = make(h('p', { class: 'notice', role: 'status' }));
    this.chat = make(h('div', { class: 'chat' },
      this.head, h('div', { class: 'chat-body' }, this.viewport, this.pill), this.notice, this.composer.element));
    this.empty = make(h('div', { class: 'empty' }, icon('chat'), h('h2', null, t('emptyTitle')), h('p', null, t('emptyHint'))));
    this.element = make(h('div', { class: 'pane' }, this.empty, this.chat));
    this.list = new VirtualList({
      viewport: this.viewport,
      view: (row) => rowView(row, messenger.nameOf(messenger.opened), this.#now, rowActions),
      guess: ({ message }) => (message ? 48 + 22 * Math.ceil(message.body.length / 48) + (message.media?.length ?? 0) * 240 : 44),
      stickToEnd: true,
      onScroll: () => this.#onScroll(),
    });
  }

  // null closes.
  open(counterpart) {
    this.#unreadAtOpen = this.messenger.threads.get(counterpart)?.unreadCount ?? 0;
    this.#unread = null;
    this.#newest = undefined;
    this.list.reset();
    this.chat.hidden = counterpart === null;
    this.empty.hidden = !this.chat.hidden;
    this.messenger.open(counterpart);
    this.composer.open(counterpart);
    this.render();
  }

  render() {
    const { messenger } = this;
    const { opened, outbox, api } = messenger;
    const conversation = messenger.conversation();
    if (!conversation) return;
    this.#now = Date.now();
    this.#renderHead(opened);
    this.#findUnread(conversation);
    this.#countBelow(conversation);
    this.viewport.ariaBusy = String(conversation.loading);
    const rowKey = (id) => outbox.rowKey(id);
    this.list.setRows(buildTimeline(conversation, outbox.visible(opened), rowKey, this.#unread, api.clockSkew));
    this.#onScroll();
  }

  focus() {
    // A phone would cover half of the messages with its keyboard.
    const reading = matchMedia('(pointer: coarse)').matches || this.composer.field.disabled;
    (reading ? this.viewport : this.composer.field).focus({ preventScroll: true });
  }

  #renderHead(counterpart) {
    const contact = this.messenger.contacts.byNumber(counterpart);
    const name = this.messenger.nameOf(counterpart);
    const number = isNumber(counterpart);
    patch(this.head,
      iconButton('back', t('back'), this.actions.close, 'back'),
      avatar(counterpart, contact),
      h('div', { class: 'who' },
        h('h2', { dir: contact || !number ? 'auto' : 'ltr' }, name),
        contact && h('p', { dir: 'ltr' }, formatNumber(counterpart))),
      number && (contact
        ? iconButton('compose', t('contactEdit'), () => this.actions.contact(counterpart))
        : iconButton('personAdd', t('contactAdd'), () => this.actions.contact(counterpart))));
    const { optedOut, blocked, windowClosesAt } = this.messenger.threads.get(counterpart) ?? {};
    const left = Number(windowClosesAt) - this.messenger.api.clockSkew - this.#now;
    patch(this.notice, !number ? t('noReply') : blocked ? t('blocked') : optedOut ? t('optedOut') : left <= 0 ? t('windowClosed')
      : left < closesSoon && t('windowCloses', { time: formatTime(this.#now + left) }));
    this.composer.setUp(name, !number || Boolean(optedOut || blocked));
    this.viewport.ariaLabel = t('messagesWith', { name });
  }

  // The line stays where it was when the conversation was opened.
  #findUnread({ loaded, messages }) {
    if (!loaded || !this.#unreadAtOpen) return;
    const first = messages.filter(({ direction }) => direction === 'received').at(-this.#unreadAtOpen);
    this.#unread = first ? { id: first.id, n: this.#unreadAtOpen } : null;
    this.#unreadAtOpen = 0;
  }

  #countBelow({ loaded, messages }) {
    const from = messages.findLastIndex(({ id }) => id === this.#newest) + 1;
    if (from && !this.list.stuck) this.#below += messages.slice(from).filter(({ direction }) => direction === 'received').length;
    if (loaded) this.#newest = messages.at(-1)?.id;
  }

  #toNewest() {
    this.list.scrollToEnd();
    this.#onScroll();
    this.focus();
  }

  #onScroll() {
    if (this.list.stuck) this.#below = 0;
    this.pill.hidden = this.list.stuck;
    this.pill.classList.toggle('new', this.#below > 0);
    patch(this.pill, this.#below ? t('newBelow', { n: this.#below }) : spoken(t('toNewest')), icon('down'));
    // Before the upper edge is reached, so that scrolling rarely has to wait.
    const { loaded, error } = this.messenger.conversation() ?? {};
    const { scrollTop, clientHeight } = this.viewport;
    if (loaded && !error && clientHeight && scrollTop < clientHeight * 1.5) this.messenger.loadPage();
  }

  // The button that was used goes away with its row: the keyboard goes on from the messages.
  #keepFocus(act) {
    act();
    setTimeout(() => document.activeElement === document.body && this.viewport.focus({ preventScroll: true }));
  }
}
