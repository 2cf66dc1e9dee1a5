// SPDX-License-Identifier: Apache-2.0
// Twilio's own Node library at work: signs webhooks as Twilio does, and talks to a stand-in for Twilio's API.
// One order as JSON on stdin, its result as JSON on stdout; test_twilio_sdk.py of the HTTP tests gives the orders.

import { readFileSync } from 'node:fs';
import twilio from 'twilio';
import RequestClient from 'twilio/lib/base/RequestClient.js';

// The library knows Twilio's hosts only: its requests are sent elsewhere, and are otherwise as it makes them.
class Redirected extends RequestClient {
  constructor(base) {
    super();
    this.base = base;
  }

  request(options) {
    const { pathname, search } = new URL(options.uri);
    return super.request({ ...options, uri: this.base + pathname + search });
  }
}

const plain = (message) => JSON.parse(JSON.stringify(message));

const orders = {
  sign: ({ token, url, params }) => twilio.getExpectedTwilioSignature(token, url, params),

  validate: ({ token, signature, url, params }) => twilio.validateRequest(token, signature, url, params),

  async create({ sid, token, base, message }) {
    const client = twilio(sid, token, { httpClient: new Redirected(base) });
    try {
      return { message: plain(await client.messages.create(message)) };
    } catch (error) {
      return { code: error.code, status: error.status, name: error.constructor.name, moreInfo: error.moreInfo };
    }
  },

  async list({ sid, token, base, filter }) {
    const client = twilio(sid, token, { httpClient: new Redirected(base) });
    const since = filter.dateSentAfter && { dateSentAfter: new Date(filter.dateSentAfter) };
    return (await client.messages.list({ ...filter, ...since })).map(plain);
  },

  async fetch({ sid, token, base, message }) {
    const client = twilio(sid, token, { httpClient: new Redirected(base) });
    const media = await client.messages(message).media.list();
    return { message: plain(await client.messages(message).fetch()), media: media.map(plain) };
  },
};

const { order, ...rest } = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(await orders[order](rest)));
