// Lets a model tell its listeners that something changed.

export class Emitter {
  #listeners = [];

  on(name, listener) {
    this.#listeners.push({ name, listener });
  }

  // A listener that throws keeps neither the others nor the model from going on.
  emit(name, detail) {
    for (const one of this.#listeners) {
      if (one.name === name) try { one.listener(detail); } catch (error) { reportError(error); }
    }
  }
}
