// The address book as last read from the server, in the user's alphabetical order.

import { compareNames } from './format.js';

export class Contacts {
  edits = 0; // counts the changes made here, so that a list read meanwhile is known to be stale
  #byNumber = new Map();

  replaceAll(contacts) {
    contacts.sort((a, b) => compareNames(a.displayName, b.displayName));
    this.#byNumber = new Map(contacts.map((contact) => [contact.phoneNumber, contact]));
  }

  put(contact) {
    this.#byNumber.set(contact.phoneNumber, contact);
    this.edits++;
    this.replaceAll(this.all());
  }

  remove(contact) {
    this.#byNumber.delete(contact.phoneNumber);
    this.edits++;
  }

  all() {
    return [...this.#byNumber.values()];
  }

  byNumber(number) {
    return this.#byNumber.get(number);
  }
}
