// Adds, renames or deletes one contact.

import { formatNumber, t } from '../locale.js';
import { isUnseen, parseNumber } from '../typed.js';
import { h, make, patch } from './dom.js';

// Without a contact it adds one; number may be ''.
export function openContactDialog(messenger, contact, number) {
	const title = t(contact ? 'contactEdit' : 'contactNew');
	const button = (look, label, onclick) => h(`button.button.${look}`, { type: onclick ? 'button' : 'submit', onclick }, t(label));
	const name = make(h('input', { id: 'name', dir: 'auto', autocomplete: 'off' }));
	const phone = make(h('input', { id: 'number', dir: 'ltr', type: 'tel', readonly: Boolean(number) }));
	const problem = make(h('p', { role: 'alert' }));
	const form = make(h('form', { onsubmit },
		h('h2', null, title),
		h('label', null, t('contactName'), name), h('label', null, t('contactNumber'), phone), problem,
		h('div.buttons', null,
			contact && button('quiet', 'remove', remove), button('plain', 'cancel', () => dialog.close()), button('main', 'save'))));
	const dialog = make(h('dialog', { 'aria-label': title, onclose: () => dialog.remove() }, form));

	function complain(text, where) {
		patch(problem, text);
		where.focus();
	}

	// One at a time, whatever is clicked.
	async function run(call) {
		if (form.inert) return;
		form.inert = true;
		try {
			await messenger.changeContacts(call);
			dialog.close();
		} catch (error) {
			form.inert = false;
			complain(error.message, name);
		}
	}

	function remove() {
		if (confirm(t('removeSure', { name: contact.displayName }))) run((api) => api.deleteContact(contact.id));
	}

	function onsubmit(event) {
		event.preventDefault();
		const displayName = name.value.trim();
		const to = parseNumber(phone.value);
		if (isUnseen(displayName) || displayName.length > 100) complain(t('nameNeeded'), name);
		else if (!to) complain(t('numberNeeded'), phone);
		else run((api) => (contact ? api.renameContact(contact.id, displayName) : api.addContact(to, displayName)));
	}

	phone.value = formatNumber(number);
	name.value = contact?.displayName ?? '';
	document.body.append(dialog);
	dialog.showModal();
	name.select();
}
