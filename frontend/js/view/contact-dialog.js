// Adds, renames or deletes one contact.

import { t } from '../i18n.js';
import { formatNumber, parseNumber } from '../phone.js';
import { h, iconButton, make, patch } from './dom.js';

const longestName = 100;

// contact: what to edit, or undefined to add number (may be '').
// actions: {add(number, name), rename(contact, name), remove(contact)}, each giving a promise.
export function openContactDialog(contact, number, actions) {
  const opener = document.activeElement;
  const dialog = make(h('dialog', {
    class: 'dialog', 'aria-labelledby': 'dialog-title', onclose: closed,
    onclick: ({ target }) => target === dialog && dialog.close(), onkeydown: (event) => event.stopPropagation(),
  }));
  // The browser gives the focus back by itself, unless a redraw came between.
  function closed() {
    dialog.remove();
    if (document.activeElement === document.body) opener.focus();
  }

  const form = make(h('form', { novalidate: true, onsubmit: (event) => { event.preventDefault(); submit(); } }));
  const wrong = {}; // what is wrong with each field, and with the whole
  let sure = false; // asked whether to delete

  const field = (id, label, attributes) => [
    h('label', { for: id, key: `${id}-label` }, label),
    h('input', {
      id, key: id, autocomplete: 'off', 'aria-invalid': wrong[id] ? 'true' : null, 'aria-describedby': `${id}-error`,
      ...attributes,
    }),
    h('span', { key: `${id}-error`, id: `${id}-error`, class: 'form-error' }, wrong[id]),
  ];
  const button = (label, className, onclick) => h('button', {
    key: label, type: onclick ? 'button' : 'submit', class: `button ${className}`, onclick,
  }, t(label));

  function draw() {
    patch(form,
      field('name', t('contactName'), { dir: 'auto' }),
      field('number', t('contactNumber'), { dir: 'ltr', type: 'tel', readonly: Boolean(contact || number) }),
      h('p', { key: 'failure', class: 'form-error', role: 'alert' }, wrong.all),
      h('div', { class: 'buttons' }, sure
        ? [h('p', { dir: 'auto', role: 'alert' }, t('removeSure', { name: contact.displayName })),
          button('cancel', '', () => ask(false)), button('removeYes', 'danger', () => run(() => actions.remove(contact)))]
        : [contact && button('remove', 'quiet', () => ask(true)), button('save', 'main')]));
  }

  function ask(now) {
    sure = now;
    draw();
    form.querySelector(sure ? '.danger' : '.main').focus();
  }

  // One at a time, whatever is clicked.
  async function run(act) {
    if (form.inert) return;
    wrong.all = '';
    draw();
    form.inert = true;
    try {
      await act();
      dialog.close();
    } catch (error) {
      wrong.all = error.message;
      draw();
      form.inert = false;
      form.elements.name.focus();
    }
  }

  function submit() {
    const text = form.elements.name.value.trim();
    const to = contact?.phoneNumber ?? parseNumber(form.elements.number.value);
    wrong.name = text && text.length <= longestName ? '' : t('nameNeeded');
    wrong.number = to ? '' : t('numberNeeded');
    draw();
    const first = form.querySelector('[aria-invalid]');
    if (first) first.focus();
    else run(() => (contact ? actions.rename(contact, text) : actions.add(to, text)));
  }

  draw();
  patch(dialog, h('header', { class: 'dialog-head' },
    h('h2', { id: 'dialog-title' }, t(contact ? 'contactEdit' : 'contactNew')),
    iconButton('close', t('close'), () => dialog.close())), form);
  document.body.append(dialog);
  dialog.showModal();
  form.elements.number.value = formatNumber(contact?.phoneNumber ?? number);
  form.elements.name.value = contact?.displayName ?? '';
  form.elements.name.select();
  form.elements.name.focus();
}
