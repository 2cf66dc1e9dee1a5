// Small named values that survive a reload; where the browser refuses, they live as long as the page.

export class Storage {
  #memory = new Map();

  // scope keeps apart several messengers on one origin.
  constructor(scope) {
    this.prefix = `wa|${scope}|`;
    for (const [name, text] of this.#stored()) this.#load(name, text);
  }

  get(name) {
    return this.#memory.get(name) ?? null;
  }

  // null removes.
  set(name, value) {
    if (value === null) this.#memory.delete(name);
    else this.#memory.set(name, value);
    try {
      if (value === null) localStorage.removeItem(this.prefix + name);
      else localStorage.setItem(this.prefix + name, JSON.stringify(value));
    } catch { /* full or forbidden: the memory has it */ }
  }

  names(beginning) {
    return [...this.#memory.keys()].filter((name) => name.startsWith(beginning));
  }

  // Calls back with each name that another tab changes.
  watch(changed) {
    addEventListener('storage', ({ key, newValue }) => {
      if (!key?.startsWith(this.prefix)) return;
      const name = key.slice(this.prefix.length);
      this.#load(name, newValue);
      changed(name);
    });
  }

  #stored() {
    try {
      return Object.entries(localStorage).filter(([key]) => key.startsWith(this.prefix))
        .map(([key, text]) => [key.slice(this.prefix.length), text]);
    } catch {
      return [];
    }
  }

  #load(name, text) {
    this.#memory.delete(name);
    try {
      if (text !== null) this.#memory.set(name, JSON.parse(text));
    } catch { /* unreadable is the same as absent */ }
  }
}
