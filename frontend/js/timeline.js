// Turns a conversation into the rows that are shown: messages, what is being sent, and the lines between them.

import { dayOf } from './format.js';

const groupGap = 5 * 60_000;

/*
 * entries: what the outbox shows; rowKey: message id -> key of its row;
 * unread: {id, n} with the id of the first message that was unread when the conversation was opened, or null.
 * Loose rows are those that must not hold the view in its place.
 */
export function buildTimeline(conversation, entries, rowKey, unread, clockSkew) {
  const rows = [{ key: 'head', type: headType(conversation), loose: true }];
  let last = null;
  const push = (row, direction) => {
    const day = dayOf(row.timestamp);
    const begins = day !== last?.day;
    if (begins) rows.push({ key: `day-${day}`, type: 'day', timestamp: row.timestamp, loose: true });
    const line = unread && row.message?.id === unread.id;
    if (line) rows.push({ key: 'unread', type: 'unread', n: unread.n, loose: true });
    row.first = begins || line || last.direction !== direction || row.timestamp - last.timestamp > groupGap;
    rows.push(row);
    last = { day, direction, timestamp: row.timestamp };
  };
  for (const message of conversation.messages) {
    push({ key: rowKey(message.id), message, timestamp: message.timestamp }, message.direction);
  }
  for (const entry of entries) {
    push({ key: entry.key, entry, timestamp: Math.max(entry.createdAt + clockSkew, last?.timestamp ?? 0) }, 'sent');
  }
  return rows;
}

function headType({ loaded, complete, error, loading }) {
  if (error) return loaded ? 'olderFailed' : 'pageFailed';
  if (loading || !loaded) return 'olderLoading';
  return complete ? 'beginning' : 'gap';
}
