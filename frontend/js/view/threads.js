// The left side: conversations, and contacts to start one with, with search over both.

import { formatCount, formatWhen, initials, matcher } from '../format.js';
import { t } from '../i18n.js';
import { formatNumber, isNumber, parseNumber } from '../phone.js';
import { linkTo } from '../router.js';
import { h, icon, iconButton, make, patch, spoken } from './dom.js';
import { VirtualList } from './virtual-list.js';

// The round picture of a counterpart: initials on a colour that stays the same.
export function avatar(counterpart, contact) {
  const hue = [...counterpart].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7) * 137 % 360;
  return h('span', { class: 'avatar', 'aria-hidden': 'true', style: { '--hue': hue } },
    (contact && initials(contact.displayName)) || icon('person'));
}

export class ThreadsView {
  #people = false; // contacts instead of conversations
  #active; // key of the row that Tab leads to

  // actions: {open(counterpart), edit(contact), add(number)}
  constructor(messenger, drafts, actions) {
    Object.assign(this, { messenger, drafts, actions });
    this.head = make(h('header', { class: 'threads-head' }));
    this.search = make(h('input', {
      type: 'search', id: 'search', autocomplete: 'off', spellcheck: 'false', dir: 'auto', 'aria-keyshortcuts': '/',
      oninput: () => this.#searched(), onkeydown: (event) => this.#onSearchKey(event),
    }));
    this.viewport = make(h('div', { class: 'threads-scroll', onkeydown: (event) => this.#onKey(event) }));
    this.empty = make(h('div', { class: 'empty', role: 'status' }));
    this.element = make(h('nav', { class: 'threads', 'aria-label': t('conversations') },
      this.head, h('div', { class: 'search', role: 'search' }, icon('search'), this.search), this.viewport, this.empty));
    this.list = new VirtualList({
      viewport: this.viewport, label: t('conversations'), view: (row) => this.#row(row), guess: (row) => (row.heading ? 42 : 72),
    });
  }

  render() {
    const query = this.search.value.trim();
    const rows = this.#rows(query);
    const [icons, key, act] = this.#people ? ['back', 'back', false] : ['compose', 'newConversation', true];
    const button = iconButton(icons, t(key), () => this.showPeople(act));
    const label = t(this.#people ? 'searchPeople' : 'search');
    this.search.placeholder = label;
    this.search.ariaLabel = label;
    const title = h('h2', null, t(this.#people ? 'newConversation' : 'conversations'));
    patch(this.head, this.#people ? [button, title] : [title, button]);
    if (!rows.some((row) => row.key === this.#active)) this.#active = rows.find((row) => !row.heading)?.key;
    this.viewport.hidden = !rows.length;
    this.list.setRows(rows);
    const { ready } = this.messenger;
    patch(this.empty, rows.length ? [] : query ? h('p', { dir: 'auto' }, t('searchNone', { query }))
      : ready ? [icon('chat'), h('strong', null, t('noConversations')), h('p', null, t('noConversationsHint'))]
        : [h('span', { class: 'spinner' }), h('p', null, t('loading'))]);
  }

  showPeople(people) {
    this.#people = people;
    this.search.value = '';
    this.#searched();
    this.search.focus();
  }

  // Back to where the keyboard came from.
  focus(counterpart) {
    const row = this.list.rows.find((one) => one.counterpart === counterpart);
    if (row) this.#focusRow(row.key);
    else this.search.focus();
  }

  // The neighbour of the open conversation.
  step(direction) {
    const rows = this.list.rows.filter((row) => row.counterpart);
    return rows[rows.findIndex((row) => row.counterpart === this.messenger.opened) + direction]?.counterpart;
  }

  // Esc leads from the search to the contacts to the conversations. True when it did something.
  escape() {
    const some = this.#people || this.search.value !== '';
    if (some) this.showPeople(this.#people && this.search.value !== '');
    return some;
  }

  #rows(query) {
    const matches = matcher(query);
    const threads = this.#people ? [] : this.#threads().filter((row) => matches(row.counterpart, row.name, row.preview));
    const shown = new Set(threads.map((row) => row.counterpart));
    const contacts = !this.#people && !query ? [] : this.messenger.contacts.all()
      .filter(({ phoneNumber, displayName }) => !shown.has(phoneNumber) && matches(phoneNumber, displayName))
      .map((contact) => this.#contact(contact));
    const number = parseNumber(query);
    const known = [...threads, ...contacts].some((row) => row.counterpart === number);
    return [
      this.#people && { key: 'new', icon: 'personAdd', name: t('contactNew'), act: () => this.actions.add(number ?? '') },
      number && !known && {
        key: 'start', icon: 'chat', counterpart: number, name: t('startWith', { number: formatNumber(number) }),
      },
      ...threads,
      contacts.length > 0 && { key: 'heading', heading: t('contacts') },
      ...contacts,
    ].filter(Boolean);
  }

  #threads() {
    const { threads, outbox } = this.messenger;
    const counterparts = new Set([...threads.all().map(({ counterpart }) => counterpart), ...outbox.counterparts()]);
    const now = Date.now();
    return [...counterparts].map((counterpart) => this.#thread(counterpart, now)).sort((a, b) => b.timestamp - a.timestamp);
  }

  #thread(counterpart, now) {
    const { outbox, threads, contacts, opened, api } = this.messenger;
    const thread = threads.get(counterpart);
    const last = thread?.lastMessageTimestamp ?? 0;
    // What is on its way is the newest, whatever the clocks say; what was refused is old after the next message.
    const entry = outbox.visible(counterpart)
      .findLast(({ state, createdAt }) => !/refused|expired/.test(state) || createdAt + api.clockSkew >= last);
    const timestamp = entry ? Math.max(last, entry.createdAt + api.clockSkew) : last;
    const text = (entry?.body.slice(0, 300) ?? thread?.lastMessagePreview) || t('attachment');
    const draft = counterpart === opened ? '' : this.drafts.get(counterpart).slice(0, 300);
    return {
      key: counterpart, counterpart, timestamp, contact: contacts.byNumber(counterpart), name: this.messenger.nameOf(counterpart),
      preview: draft ? t('draft', { text: draft }) : entry || thread?.lastDirection === 'sent' ? t('you', { text }) : text,
      when: formatWhen(timestamp, now), waiting: entry, draft, unread: thread?.unreadCount,
    };
  }

  #contact(contact) {
    const { phoneNumber, displayName } = contact;
    return {
      key: `contact ${phoneNumber}`, counterpart: phoneNumber, contact, edit: true,
      name: displayName, preview: formatNumber(phoneNumber),
    };
  }

  #row({ key, heading, counterpart, contact, name, preview, when, waiting, draft, unread, icon: image, act, edit }) {
    if (heading) return h('li', { class: 'row-heading' }, h('h2', null, heading));
    const choose = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.#active = key;
      this.#choose(counterpart, act);
    };
    return h('li', { class: 'row-line' },
      h('a', {
        class: `row${unread ? ' unread' : ''}${draft ? ' draft' : ''}`,
        href: counterpart ? linkTo(counterpart) : '#/', onclick: choose, tabindex: key === this.#active ? '0' : '-1',
        'aria-current': counterpart === this.messenger.opened && !act && 'true',
      },
      image ? h('span', { class: 'avatar plain' }, icon(image)) : avatar(counterpart, contact),
      h('span', { class: 'row-name', dir: isNumber(counterpart ?? '') && !contact && !image ? 'ltr' : 'auto' }, name),
      when && h('span', { class: 'row-when' }, when),
      preview && h('span', { class: 'row-preview', dir: 'auto' }, waiting && icon('clock', t('stateQueued')), preview),
      unread > 0 && h('span', { class: 'badge' },
        h('span', { 'aria-hidden': 'true' }, formatCount(unread)), spoken(t('unread', { n: unread })))),
      edit && iconButton('compose', t('contactEditOf', { name }), () => this.actions.edit(contact)));
  }

  #choose(counterpart, act) {
    if (act) return act();
    this.#people = false;
    this.search.value = '';
    this.actions.open(counterpart);
    this.#searched();
  }

  #onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity, PageDown: 8, PageUp: -8 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const rows = this.list.rows.filter((row) => !row.heading);
    const index = rows.findIndex((row) => row.key === this.#active);
    if (index === 0 && event.key === 'ArrowUp') this.search.focus();
    else this.#focusRow(rows[Math.min(rows.length - 1, Math.max(0, index + step))].key);
  }

  #onSearchKey(event) {
    const rows = this.list.rows.filter((row) => !row.heading);
    const first = rows.find((row) => row.counterpart);
    if (event.key === 'ArrowDown' && rows.length) {
      event.preventDefault();
      this.#focusRow(rows[0].key);
    } else if (event.key === 'Enter' && !event.isComposing && this.search.value.trim() && first) {
      this.#choose(first.counterpart);
    }
  }

  #focusRow(key) {
    this.#active = key;
    this.list.reveal(key).querySelector('a').focus({ preventScroll: true });
  }

  #searched() {
    this.viewport.scrollTop = 0;
    this.render();
  }
}
