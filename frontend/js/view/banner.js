// One quiet line about the way to the server; it comes and goes by itself.

import { t } from '../i18n.js';
import { h, make, patch } from './dom.js';

const patience = 1500; // a hiccup is not worth a word
const goodNews = 2500;

export class BannerView {
  #timer;
  #lost = false;

  constructor(retry) {
    this.retry = retry;
    this.element = make(h('div', { class: 'banner', role: 'status' }));
  }

  lost({ status }) {
    const show = status === 401
      ? () => this.#show(t('lostLogin'), 'reload', () => location.reload())
      : () => this.#show(t(navigator.onLine ? 'lostServer' : 'lostOffline'), 'tryNow', this.retry);
    if (this.#lost) return this.element.firstChild && show();
    this.#lost = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(show, patience);
  }

  live() {
    if (!this.#lost) return;
    this.#lost = false;
    clearTimeout(this.#timer);
    if (!this.element.firstChild) return;
    this.#show(t('lostBack'));
    this.#timer = setTimeout(() => patch(this.element), goodNews);
  }

  #show(text, action, onclick) {
    patch(this.element, h('p', null, text, action && h('button', { type: 'button', class: 'link-button', onclick }, t(action))));
  }
}
