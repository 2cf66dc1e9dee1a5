// SPDX-License-Identifier: Apache-2.0
// Twilio's form and its signature: parsing in the order received, signing in the order of the names.
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';

function decode(text) {
  if (text.includes('+')) text = text.replaceAll('+', ' ');
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// @returns [[name, value], ...] as sent
export function parseForm(body) {
  const fields = [];
  for (const part of body.split('&')) {
    if (!part) continue;
    const at = part.indexOf('=');
    fields.push(at < 0 ? [decode(part), ''] : [decode(part.slice(0, at)), decode(part.slice(at + 1))]);
  }
  return fields;
}

const byName = (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0);

export class Verifier {
  constructor(token, publicUrl) {
    this.key = createSecretKey(Buffer.from(token));
    const url = new URL(publicUrl);
    const origin = (port) => `${url.protocol}//${url.hostname}${port}`;
    const standard = url.protocol === 'https:' ? ':443' : ':80';
    this.origins = url.port ? [publicUrl.replace(/\/$/, ''), origin('')] : [origin(''), origin(standard)];
  }

  isSigned(target, fields, given) {
    if (typeof given !== 'string' || given.length !== 28) return false;
    let text = '';
    let before;
    for (const field of fields.toSorted(byName)) {
      if (before && before[0] === field[0] && before[1] === field[1]) continue;
      text += field[0] + field[1];
      before = field;
    }
    const wanted = Buffer.from(given);
    for (const origin of this.origins) {
      const digest = createHmac('sha1', this.key).update(origin + target + text).digest('base64');
      if (timingSafeEqual(Buffer.from(digest), wanted)) return true;
    }
    return false;
  }
}
