// What became of a message, in one word, and which of two versions of a message is the newer one.

const ranks = { queued: 1, sending: 1, sent: 3, failed: 4, undelivered: 4, canceled: 4, delivered: 5, read: 6 };

// States only climb, so an answer that was overtaken on its way is known by its lower rank.
export function rank({ status, deliveryStatus, errorMessage }) {
  const own = { failed: 4, success: 2 }[status] ?? (errorMessage ? 0.5 : 0);
  return Math.max(own, ranks[deliveryStatus] ?? 0);
}

// pending, unsure, sent, delivered, read or failed; '' for what was received.
export function stateOf({ direction, status, deliveryStatus, errorMessage }) {
  if (direction !== 'sent') return '';
  if (status === 'failed') return status;
  if (deliveryStatus === 'read' || deliveryStatus === 'delivered') return deliveryStatus;
  if (status === 'pending') return errorMessage ? 'unsure' : status;
  return 'sent';
}
