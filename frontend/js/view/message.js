// Describes one row of a conversation: a message, something being sent, or a line between them.

import { formatDay, formatMoment, formatTime, isJumbo } from '../format.js';
import { t } from '../i18n.js';
import { stateOf } from '../receipts.js';
import { h, icon, spoken } from './dom.js';
import { attachment, linkify } from './media.js';

// What is said and drawn for each state of a message or an outbox entry.
const looks = {
  pending: ['clock', 'statePending'],
  sending: ['clock', 'statePending'],
  queued: ['clock', 'stateQueued'],
  waiting: ['clock', 'stateQueued', () => t('noteWaiting')],
  unsure: ['alert', 'stateUnsure', (reason) => t('noteUnsure', { reason })],
  expired: ['alert', 'stateUnsure', () => t('noteExpired')],
  sent: ['tick', 'stateSent'],
  delivered: ['ticks', 'stateDelivered'],
  read: ['ticks', 'stateRead'],
  failed: ['alert', 'stateFailed', (reason) => t('noteFailed', { reason })],
  refused: ['alert', 'stateFailed', (reason) => t('noteRefused', { reason })],
};

// actions: {canRetry(message), retry(message), edit(entry), discard(entry), loadPage()}
export function rowView(row, name, now, actions) {
  return row.message || row.entry ? bubble(row, name, actions) : line(row, now, actions);
}

function bubble({ message, entry, timestamp, first }, name, actions) {
  const { body, media = [] } = message ?? entry;
  const state = message ? stateOf(message) : entry.state;
  const [image, label, note] = looks[state] ?? [];
  const jumbo = !media.length && isJumbo(body);
  return h('li', {
    class: `message ${image ? 'sent' : 'received'}${first ? ' first' : ''}${jumbo ? ' jumbo' : ''}`,
    'data-state': state, 'data-id': message?.id,
  }, h('div', { class: 'bubble' },
    spoken(image ? t('youSaid') : t('theySaid', { name })),
    media.map(attachment),
    body ? h('p', { dir: 'auto' }, linkify(body)) : !media.length && h('p', { class: 'blank' }, t('emptyMessage')),
    h('div', { class: 'meta' },
      h('time', { datetime: new Date(timestamp).toISOString(), title: formatMoment(timestamp) }, formatTime(timestamp)),
      image && icon(image, t(label)))),
  note && h('div', { class: 'note' }, h('span', { dir: 'auto' }, note(reasonOf(message ?? { errorMessage: entry.error }))),
    ways(state, message, entry, actions).map(([word, onclick]) => h('button', {
      key: word, type: 'button', class: 'link-button', onclick,
      'aria-label': t('aboutMessage', { word: t(word), text: body.slice(0, 80) }),
    }, t(word)))));
}

function reasonOf({ errorMessage, errorCode }) {
  const reason = errorMessage || t('reasonUnknown');
  return errorCode && !reason.includes(errorCode) ? t('reasonCode', { reason, code: errorCode }) : reason;
}

// A message whose outcome is not known is never offered to be sent again.
function ways(state, message, entry, actions) {
  if (state === 'failed') {
    const can = message.body && !message.media?.length && actions.canRetry(message);
    return can ? [['retry', () => actions.retry(message)]] : [];
  }
  const ends = [['discard', () => actions.discard(entry)]];
  return state === 'refused' ? [['edit', () => actions.edit(entry)], ...ends] : state === 'expired' ? ends : [];
}

function line({ type, timestamp, n }, now, actions) {
  const text = type === 'day' ? formatDay(timestamp, now) : type !== 'gap' && t(type, { n });
  return h('li', { class: `line line-${type}` },
    type === 'olderLoading' && h('span', { class: 'spinner' }),
    text && h('span', { key: 'text' }, text),
    /Failed$/.test(type) && h('button', { type: 'button', class: 'link-button', onclick: actions.loadPage }, t('retry')));
}
