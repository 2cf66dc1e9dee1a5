// SPDX-License-Identifier: Apache-2.0
// Twilio for measuring sends, of another make: Node's own HTTP server answers every POST with 201 and a full Message, at once or after a delay.
import { createServer } from 'node:http';

const delayMs = Number(process.argv[2] ?? 0);
const account = 'AC00000000000000000000000000000001';
const seed = BigInt(Date.now()) << 20n | BigInt(process.pid);
const created = 'Thu, 24 Aug 2023 05:01:45 +0000';
let sids = 0n;

const hex = (number) => (number & 0xffffffffffffffffn).toString(16).padStart(16, '0');

function message(form) {
  const sid = `SM${hex(seed)}${hex(++sids)}`;
  const path = `/2010-04-01/Accounts/${account}/Messages/${sid}`;
  return {
    account_sid: account, api_version: '2010-04-01', body: form.get('Body'), date_created: created, date_sent: null, date_updated: created,
    direction: 'outbound-api', error_code: null, error_message: null, from: form.get('From'), messaging_service_sid: null, num_media: '0',
    num_segments: '1', price: null, price_unit: null, sid, status: 'queued', subresource_uris: { media: `${path}/Media.json` },
    to: form.get('To'), uri: `${path}.json`,
  };
}

function answer(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method !== 'POST') {
      answer(response, 200, { messages: [], page: 0, page_size: 50, next_page_uri: null, start: 0 });
      return;
    }
    const reply = () => answer(response, 201, message(new URLSearchParams(Buffer.concat(chunks).toString())));
    if (delayMs > 0) setTimeout(reply, delayMs);
    else reply();
  });
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => console.log(server.address().port));
process.on('SIGTERM', () => process.exit(0));
