// SPDX-License-Identifier: Apache-2.0
// The peer: mod_whatsapp's API on Fastify and LMDB in a cluster, as a good Node developer would write it for speed.
import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import { Pool } from 'undici';
import { parseForm, Verifier } from './signature.js';
import { Store } from './store.js';

const env = (name, fallback) => {
  const value = process.env[name] ?? fallback;
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};
const BASE = '/api/whatsapp-messenger';
const workers = Number(env('WA_PEER_WORKERS', '2'));

process.on('SIGTERM', () => process.exit(0));
if (cluster.isPrimary && workers > 1) {
  let listening = 0;
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('listening', () => {
    if (++listening === workers) console.log('ready');
  });
  cluster.on('exit', (worker, code, signal) => {
    console.error(`worker ${worker.process.pid} ended: ${signal ?? code}`);
    process.exit(1);
  });
} else {
  await serve();
  if (cluster.isPrimary) console.log('ready');
}

async function serve() {
  const account = env('WA_PEER_ACCOUNT_SID');
  const token = env('WA_PEER_AUTH_TOKEN');
  const number = env('WA_PEER_NUMBER');
  const store = new Store(env('WA_PEER_STORE'));
  const verifier = new Verifier(token, env('WA_PEER_PUBLIC_URL'));
  const twilio = new Pool(env('WA_PEER_TWILIO_URL'), { connections: 128, pipelining: 1, keepAliveTimeout: 30000 });
  const twilioPath = `/2010-04-01/Accounts/${account}/Messages.json`;
  const twilioHeaders = {
    authorization: `Basic ${Buffer.from(`${account}:${token}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  };

  const app = Fastify({ logger: false, bodyLimit: 64 * 1024, routerOptions: { maxParamLength: 200 } });
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (request, body, done) => done(null, parseForm(body)));

  const json = (reply, body) => reply.headers({ 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).send(body);
  const fail = (reply, status, code, error) => {
    reply.code(status);
    return json(reply, JSON.stringify({ success: false, error, code }));
  };
  const phone = (typed) => {
    if (typeof typed !== 'string') return null;
    let s = typed.startsWith('whatsapp:') ? typed.slice(9) : typed;
    if (!/^\+[1-9][0-9]{1,14}$/.test(s)) {
      s = s.replace(/[ .()-]/g, '');
      if (!/^\+[1-9][0-9]{1,14}$/.test(s)) return null;
    }
    return s;
  };
  const queryPhone = (typed) => phone(typed?.[0] === ' ' ? `+${typed.slice(1)}` : typed);

  app.setErrorHandler((error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) console.error(error);
    const code = { 400: 'INVALID_INPUT', 413: 'PAYLOAD_TOO_LARGE', 415: 'UNSUPPORTED_MEDIA_TYPE' }[status] ?? 'INTERNAL_ERROR';
    return fail(reply, code === 'INTERNAL_ERROR' ? 500 : status, code, status >= 500 ? 'Internal error' : error.message);
  });
  app.setNotFoundHandler((request, reply) => fail(reply, 404, 'NOT_FOUND', 'There is nothing at this path'));

  app.get(`${BASE}/messages`, (request, reply) => {
    const { counterpart: typed, cursor, limit: typedLimit } = request.query;
    const counterpart = queryPhone(typed);
    if (!counterpart) return fail(reply, 400, 'INVALID_INPUT', 'counterpart must be a phone number');
    if (typedLimit !== undefined && !/^[0-9]{1,9}$/.test(typedLimit)) return fail(reply, 400, 'INVALID_INPUT', 'limit must be a number');
    if (cursor !== undefined && !/^[0-9]{1,15}$/.test(cursor)) return fail(reply, 400, 'INVALID_INPUT', 'cursor is not one of ours');
    const limit = Math.min(Number(typedLimit ?? 50), 200);
    return json(reply, store.page(counterpart, Number(cursor ?? 0), limit));
  });

  app.get(`${BASE}/threads`, (request, reply) => json(reply, Buffer.from(`{"success":true,"threads":[${store.threadList()}]}`, 'latin1')));

  app.get(`${BASE}/messages-since`, (request, reply) => {
    const { since } = request.query;
    if (!/^[0-9]{1,15}$/.test(since ?? '')) return fail(reply, 400, 'INVALID_INPUT', 'since must be a time in milliseconds');
    const found = store.since(Number(since), 500);
    const body = `{"success":true,"messages":[${found.messages}],"updates":[${found.updates}],"threads":[${store.threadList()}],"timestamp":${found.timestamp},"hasMore":${found.hasMore}}`;
    return json(reply, Buffer.from(body, 'latin1'));
  });

  app.post(`${BASE}/threads/:counterpart/read`, async (request, reply) => {
    const thread = await store.markRead(queryPhone(request.params.counterpart) ?? '');
    if (!thread) return fail(reply, 404, 'NOT_FOUND', 'There is no such thread');
    return json(reply, `{"success":true,"thread":${thread}}`);
  });

  app.get(`${BASE}/contacts`, (request, reply) => json(reply, store.contactList()));

  const nameOf = (body) => {
    const name = typeof body?.displayName === 'string' ? body.displayName.trim() : '';
    return name.length >= 1 && name.length <= 100 ? name : null;
  };
  app.post(`${BASE}/contacts`, async (request, reply) => {
    const phoneNumber = phone(request.body?.phoneNumber);
    const displayName = nameOf(request.body);
    if (!phoneNumber || !displayName) return fail(reply, 400, 'INVALID_INPUT', 'phoneNumber and displayName (1 to 100 characters) are needed');
    const contact = await store.contactAdd(phoneNumber, displayName);
    if (!contact) return fail(reply, 400, 'INVALID_INPUT', 'There is a contact with this number');
    return json(reply, JSON.stringify({ success: true, contact }));
  });
  app.patch(`${BASE}/contacts/:id`, async (request, reply) => {
    const displayName = nameOf(request.body);
    if (!displayName) return fail(reply, 400, 'INVALID_INPUT', 'displayName must have 1 to 100 characters');
    const contact = await store.contactRename(request.params.id, displayName);
    if (!contact) return fail(reply, 404, 'NOT_FOUND', 'There is no such contact');
    return json(reply, JSON.stringify({ success: true, contact }));
  });
  app.delete(`${BASE}/contacts/:id`, async (request, reply) => {
    if (!(await store.contactDelete(request.params.id))) return fail(reply, 404, 'NOT_FOUND', 'There is no such contact');
    return json(reply, '{"success":true}');
  });

  const TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>';
  app.post(`${BASE}/webhook`, async (request, reply) => {
    const fields = Array.isArray(request.body) ? request.body : [];
    if (!verifier.isSigned(request.raw.url, fields, request.headers['x-twilio-signature'])) return fail(reply, 403, 'UNAUTHORIZED', 'The signature is missing or wrong');
    const form = Object.fromEntries(fields);
    if (form.AccountSid !== account) return fail(reply, 403, 'UNAUTHORIZED', 'This is for another account');
    if (!/^(SM|MM)[0-9a-fA-F]{32}$/.test(form.MessageSid ?? '')) return fail(reply, 400, 'INVALID_INPUT', 'MessageSid is missing or not valid');
    if (form.MessageStatus && form.MessageStatus !== 'received') {
      await store.applyStatus(form.MessageSid, form.MessageStatus, Number(form.ErrorCode) || 0);
    } else {
      const counterpart = (form.From ?? '').replace(/^whatsapp:/, '');
      if (!counterpart) return fail(reply, 400, 'INVALID_INPUT', 'From is missing');
      await store.add({ id: randomUUID(), sid: form.MessageSid, direction: 'received', phoneNumber: number, counterpart, body: form.Body ?? '' });
    }
    return reply.headers({ 'content-type': 'text/xml', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).send(TWIML);
  });

  app.post(`${BASE}/send`, async (request, reply) => {
    const counterpart = phone(request.body?.phoneNumber);
    const body = request.body?.message;
    if (!counterpart) return fail(reply, 400, 'INVALID_INPUT', 'phoneNumber must be a phone number');
    if (typeof body !== 'string' || body.trim() === '' || body.length > 4096 || body.includes('\0') || !body.isWellFormed()) {
      return fail(reply, 400, 'INVALID_INPUT', 'message must be text of 1 to 4096 characters');
    }
    const message = { id: randomUUID(), direction: 'sent', phoneNumber: number, counterpart, body, status: 'success' };
    let status = 0;
    try {
      const answer = await twilio.request({
        method: 'POST', path: twilioPath, headers: twilioHeaders,
        body: `To=whatsapp%3A${encodeURIComponent(counterpart)}&From=whatsapp%3A${encodeURIComponent(number)}&Body=${encodeURIComponent(body)}`,
      });
      status = answer.statusCode;
      const result = await answer.body.json();
      if (status >= 200 && status < 300) {
        message.sid = result.sid;
        message.deliveryStatus = result.status;
      } else {
        message.status = 'failed';
        message.errorCode = result.code;
        message.errorMessage = 'Twilio refused the message';
      }
    } catch {
      message.status = 'pending';
      message.errorMessage = 'Twilio did not answer';
    }
    await store.add(message);
    const id = store.contactNumbers.get(counterpart);
    if (id) message.contactId = id;
    if (message.status === 'success') return json(reply, JSON.stringify({ success: true, message }));
    reply.code(502);
    return json(reply, JSON.stringify({ success: false, error: message.errorMessage, code: 'TWILIO_ERROR', message }));
  });

  await app.listen({ host: env('WA_PEER_HOST', '127.0.0.1'), port: Number(env('WA_PEER_PORT')), backlog: 1024 });
}
