// Unsent text, one for each conversation, kept over reloads and shared by all tabs.

import { Emitter } from './emitter.js';

export class Drafts extends Emitter {
  constructor(storage) {
    super();
    this.storage = storage;
    storage.watch((name) => name.startsWith('draft.') && this.emit('change', name.slice(6)));
  }

  get(counterpart) {
    return this.storage.get(`draft.${counterpart}`) ?? '';
  }

  set(counterpart, text) {
    if (this.get(counterpart) === text) return;
    this.storage.set(`draft.${counterpart}`, text || null);
    this.emit('change', counterpart);
  }
}
