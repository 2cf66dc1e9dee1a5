// The summaries of all conversations; an answer that was overtaken on its way never undoes a newer one.

export class Threads {
  #known = new Map();
  #readCount = new Map(); // counterpart -> how many messages there were when it was marked read

  get(counterpart) {
    return this.#known.get(counterpart);
  }

  all() {
    return [...this.#known.values()];
  }

  merge(summaries) {
    for (const summary of summaries) {
      const { counterpart, messageCount } = summary;
      // messageCount only grows: the summary with fewer messages is the older one.
      if (messageCount < this.#known.get(counterpart)?.messageCount) continue;
      const unread = messageCount - (this.#readCount.get(counterpart) ?? 0);
      this.#known.set(counterpart, { ...summary, unreadCount: Math.max(0, Math.min(summary.unreadCount, unread)) });
    }
  }

  // What was just sent shows before the next summary tells of it.
  note({ counterpart, timestamp, body, direction }) {
    const known = this.#known.get(counterpart) ?? { counterpart, messageCount: 0, unreadCount: 0, lastMessageTimestamp: 0 };
    if (known.lastMessageTimestamp > timestamp) return;
    this.#known.set(counterpart, {
      ...known, lastMessageTimestamp: timestamp, lastMessagePreview: body, lastDirection: direction,
    });
  }

  // The answer to "mark read": what it counted is read, whatever an older answer still says.
  setRead({ counterpart, messageCount, ...rest }) {
    this.#readCount.set(counterpart, Math.max(messageCount, this.#readCount.get(counterpart) ?? 0));
    this.merge([{ counterpart, messageCount, ...rest }]);
    this.merge([this.get(counterpart)]);
  }

  unreadTotal() {
    return this.all().reduce((sum, { unreadCount }) => sum + unreadCount, 0);
  }
}
