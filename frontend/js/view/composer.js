// The field to write in.

import { formatCount, t } from '../locale.js';
import { isUnseen } from '../typed.js';
import { h, icon, make, patch } from './dom.js';

const limit = 4096; // UTF-16 units, as the server counts
const warnFrom = 200;

export function createComposer(changed, send) {
	const field = make(h('textarea', {
		rows: 1, dir: 'auto', placeholder: t('compose'), enterkeyhint: 'send', autocomplete: 'off', oninput: edited, onkeydown,
	}));
	const counter = make(h('span.counter', { role: 'status' }));
	const button = make(h('button.send-button', { 'aria-label': t('send'), title: t('send') }, icon('send')));
	const element = make(h('form.composer', { onsubmit }, h('div.composer-field', null, field, counter), button));

	function render() {
		const left = limit - field.value.length;
		button.disabled = field.disabled || left < 0 || isUnseen(field.value);
		counter.classList.toggle('over', left < 0);
		patch(counter, left < warnFrom && formatCount(left));
	}

	function edited() {
		render();
		changed(field.value);
	}

	function write(text) {
		field.value = text;
		edited();
		field.focus();
	}

	function onsubmit(event) {
		event.preventDefault();
		if (button.disabled) return;
		const text = field.value;
		write('');
		send(text);
	}

	function onkeydown(event) {
		// While an input method is composing, Enter belongs to it.
		if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
		event.preventDefault();
		element.requestSubmit();
	}

	// Text that comes back to be edited goes before what is there already.
	const takeBack = (text) => write(field.value ? `${text}\n${field.value}` : text);

	return { element, field, render, takeBack };
}
