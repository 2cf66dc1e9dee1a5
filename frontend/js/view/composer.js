// The field to write in: its draft, its limit, and when it may be sent.

import { formatCount } from '../format.js';
import { t } from '../i18n.js';
import { h, icon, make, patch, spoken } from './dom.js';

const limit = 4096; // UTF-16 units, as the server counts
const warnFrom = 200;
const tallest = 168;

export class ComposerView {
  #counterpart = null;

  constructor(drafts, send) {
    Object.assign(this, { drafts, send });
    this.field = make(h('textarea', {
      rows: 1, dir: 'auto', placeholder: t('compose'), enterkeyhint: 'send', autocomplete: 'off',
      oninput: () => this.#changed(), onkeydown: (event) => this.#onKey(event),
    }));
    this.counter = make(h('span', { class: 'counter', role: 'status' }));
    this.button = make(h('button', { class: 'send-button', 'aria-label': t('send'), title: t('send') }, icon('send')));
    this.element = make(h('form', { class: 'composer', onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
      h('div', { class: 'composer-field' }, this.field, this.counter), this.button));
    drafts.on('change', (counterpart) => counterpart === this.#counterpart && this.#show());
  }

  open(counterpart) {
    this.#counterpart = counterpart;
    this.#show();
  }

  // blocked: nothing can be sent to this counterpart; the draft stays.
  setUp(name, blocked) {
    this.field.ariaLabel = t('composeLabel', { name });
    this.field.disabled = blocked;
    this.#measure();
  }

  // Text that comes back to be edited goes before what is there already.
  takeBack(text) {
    this.field.value = this.field.value ? `${text}\n${this.field.value}` : text;
    this.#changed();
    this.field.focus();
  }

  #submit() {
    if (this.button.disabled) return;
    const text = this.field.value;
    this.field.value = '';
    this.#changed();
    this.field.focus();
    this.send(this.#counterpart, text);
  }

  #show() {
    const text = this.drafts.get(this.#counterpart);
    if (this.field.value !== text) this.field.value = text;
    this.#measure();
  }

  #changed() {
    this.drafts.set(this.#counterpart, this.field.value);
    this.#measure();
  }

  #measure() {
    const { field, button, counter } = this;
    field.style.height = 'auto';
    field.style.height = `${Math.min(tallest, field.scrollHeight)}px`;
    const left = limit - field.value.length;
    button.disabled = field.disabled || left < 0 || !field.value.trim();
    counter.classList.toggle('over', left < 0);
    // Every number is shown, but only some are said.
    patch(counter, left < warnFrom && [h('span', { 'aria-hidden': 'true' }, formatCount(left)),
      left < 0 ? spoken(t('tooLong')) : spoken(t('charactersLeft', { n: Math.ceil(left / 50) * 50 }))]);
  }

  #onKey(event) {
    // While an input method is composing, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#submit();
  }
}
