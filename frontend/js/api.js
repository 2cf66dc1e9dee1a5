// Speaks the HTTP API: one function an endpoint, every failure as an ApiError.

import { t } from './i18n.js';

// status is 0 when no answer came; code is the API's own word where it gave one.
export class ApiError extends Error {
  constructor(message, { status = 0, code = '', retryAfter = 0, body = null } = {}) {
    super(message);
    Object.assign(this, { status, code, retryAfter, body });
  }

  // For sure nothing was stored or sent, and trying again would not help.
  get refused() {
    return [400, 403, 404, 405, 409, 413, 415].includes(this.status) && this.code !== '';
  }
}

const readTimeout = 20_000;
const sendTimeout = 90_000;

export class Api {
  clockSkew = 0; // the server's clock minus ours, from the Date header, good to about two seconds

  constructor(base) {
    this.base = base;
  }

  messagesSince = (since, signal) => this.#call('GET', '/messages-since', { query: { since, threads: 'changed' }, signal });
  threads = () => this.#call('GET', '/threads');
  messages = (counterpart, cursor, limit) => this.#call('GET', '/messages', { query: { counterpart, cursor, limit } });
  send = (phoneNumber, message, key) => this.#call('POST', '/send', {
    json: { phoneNumber, message }, key, timeout: sendTimeout,
  });
  markRead = (counterpart) => this.#call('POST', `/threads/${encodeURIComponent(counterpart)}/read`, { json: {} });
  contacts = () => this.#call('GET', '/contacts');
  addContact = (phoneNumber, displayName) => this.#call('POST', '/contacts', { json: { phoneNumber, displayName } });
  renameContact = (id, displayName) => this.#call('PATCH', `/contacts/${encodeURIComponent(id)}`, { json: { displayName } });
  deleteContact = (id) => this.#call('DELETE', `/contacts/${encodeURIComponent(id)}`);

  async #call(method, path, { query = {}, json, key, timeout = readTimeout, signal } = {}) {
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined));
    const headers = {};
    if (json) headers['Content-Type'] = 'application/json';
    if (key) headers['Idempotency-Key'] = key;
    const abort = new AbortController();
    const stop = () => abort.abort();
    const timer = setTimeout(stop, timeout);
    signal?.addEventListener('abort', stop);
    try {
      const answer = await fetch(`${this.base}${path}${search.size ? '?' : ''}${search}`, {
        method, headers, body: json && JSON.stringify(json), cache: 'no-store', signal: abort.signal,
      });
      return this.#read(answer, await answer.json().catch(() => null));
    } catch (error) {
      throw error instanceof ApiError ? error : new ApiError(t('errorNoAnswer'));
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  #read({ ok, status, headers }, body) {
    const date = Date.parse(headers.get('Date'));
    if (date) this.clockSkew = date - Date.now();
    if (ok && body?.success) return body;
    throw new ApiError(String(body?.error || t('errorStatus', { n: status })), {
      status, body, code: String(body?.code ?? ''), retryAfter: Math.min(300, Number(headers.get('Retry-After')) || 0) * 1000,
    });
  }
}
