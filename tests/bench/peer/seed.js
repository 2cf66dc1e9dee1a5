// SPDX-License-Identifier: Apache-2.0
// Fills the peer's store with the same messages, threads and contacts that tests/bench/fill.c makes.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Store } from './store.js';

const [path, sentencesFile, messages, threads, contacts] = process.argv.slice(2).map((a, i) => (i < 2 ? a : Number(a)));
const sentences = readFileSync(sentencesFile, 'utf8').trim().split('\n');
const counterpart = (i) => `+1555${String(i).padStart(7, '0')}`;
const store = new Store(path, { durable: false });
const start = Date.now() - (messages + 60) * 1000;
const BATCH = 5000;

for (let at = 0; at < messages; at += BATCH) {
  const batch = [];
  for (let i = at; i < Math.min(at + BATCH, messages); i++) {
    const mixed = Math.imul(i, 2654435761) >>> 8;
    const received = i % 2 === 0;
    batch.push({
      id: randomUUID(),
      sid: `SM${i.toString(16).padStart(32, '0')}`,
      direction: received ? 'received' : 'sent',
      phoneNumber: '+14155238886',
      counterpart: counterpart(Math.floor(i / 2) % threads),
      body: sentences[mixed % 16],
      status: received ? undefined : 'success',
      deliveryStatus: received ? undefined : 'delivered',
      timestamp: start + i * 1000,
    });
  }
  await store.addAll(batch);
}
// A quarter of the threads has a contact.
for (let i = 0; i < contacts; i++) await store.contactAdd(counterpart(i * 4), `Customer ${String((i * 37) % contacts).padStart(4, '0')}`);
// One thread in ten has unread messages.
for (let i = 0; i < threads; i++) if (i % 10 !== 0) await store.markRead(counterpart(i));
await store.env.flushed;
await store.close();
