// The policy, the size, the requests, and long lists.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { bubble, bubbles, chatPath, eventually, newNumber, open, world } from '../support/harness.js';

const frontend = process.env.WA_TEST_FRONTEND ?? fileURLToPath(new URL('../../../frontend', import.meta.url));
const files = readdirSync(frontend, { recursive: true }).filter((name) => /\.(js|css|html)$/.test(name));
const source = (name) => readFileSync(join(frontend, name), 'utf8');

test('the page is served with the strict policy, and keeps to it', async () => {
  const answer = await fetch(world.target.page);
  const policy = answer.headers.get('Content-Security-Policy');
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
    assert.ok(policy?.includes(rule), `${rule} in ${policy}`);
  }
  const page = await open();
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'globalThis.broken = true';
    document.head.append(script);
  });
  assert.equal(await page.evaluate(() => globalThis.broken), undefined);
  // That was ours, not the page's.
  await page.evaluate(() => { globalThis.policyViolations = []; });
  page.complaints.length = 0;
});

test('no file can turn text into markup or script', () => {
  for (const name of files) {
    assert.doesNotMatch(source(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser|createContextualFragment/, name);
    if (name.endsWith('.html')) assert.doesNotMatch(source(name), /<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style/, name);
  }
});

test('every word is in texts.js, and every text is used', async () => {
  const page = await open();
  const names = await page.evaluate(async () => Object.keys((await import('./js/texts.js')).texts));
  const code = files.filter((name) => name.endsWith('.js') && !name.endsWith('texts.js')).map(source).join('\n');
  const used = new Set([...code.matchAll(/'([a-zA-Z]+)'/g)].map(([, word]) => word));
  assert.deepEqual(names.filter((name) => !used.has(name) && !['language', 'direction'].includes(name)), []);
  const asked = [...code.matchAll(/\bt\('(\w+)'/g)].map(([, word]) => word);
  assert.deepEqual(asked.filter((name) => !names.includes(name)), []);
});

test('all modules are announced in the page, so that they come in one go', async () => {
  const page = await open();
  const loaded = new Set();
  page.on('request', (request) => /\.js$/.test(request.url()) && loaded.add(new URL(request.url()).pathname.split('/js/')[1]));
  await page.reload();
  await page.locator('.threads header').waitFor();
  const announced = await page.locator('link[rel="modulepreload"], script[src]').evaluateAll((nodes) => nodes.map((node) => (node.href || node.src).split('/js/')[1]));
  assert.deepEqual([...loaded].sort(), announced.sort());
  assert.deepEqual(files.filter((name) => name.endsWith('.js')).map((name) => name.slice(3)).sort(), announced.sort());
});

test('the API may be elsewhere', async () => {
  const page = await open();
  await page.route('**/whatsapp-messenger/', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replace('content="/api/whatsapp-messenger"', 'content="/other/place/"') });
  });
  const asked = page.waitForRequest((request) => request.url().includes('/other/place/messages-since'));
  await page.reload();
  await asked;
});

test('1,000 threads and 10,000 messages: only what is near the screen is in the document', async () => {
  await world.target.reset();
  const number = newNumber();
  await world.target.seed({ threads: 1000, messages: 10_000, from: number });
  const page = await open(chatPath(number));
  await bubble(page, 'Message 9999').waitFor();
  await page.locator('.row').first().waitFor();
  const nodes = () => page.evaluate(() => document.querySelectorAll('*').length);
  assert.ok(await nodes() < 1500, `${await nodes()} elements`);

  // Down to the last thread by keyboard.
  await page.locator('.row').first().focus();
  await page.keyboard.press('End');
  await page.locator('.row-preview', { hasText: /^Thread 0$/ }).waitFor();
  assert.ok(await nodes() < 1500, `${await nodes()} elements`);

  // Up to the first message, through 200 pages.
  const view = page.locator('.chat-scroll');
  await view.focus();
  let most = 0;
  await eventuallyLong(async () => {
    await view.evaluate((node) => { node.scrollTop = 0; });
    most = Math.max(most, await nodes());
    return page.locator('.line-beginning').count();
  });
  await bubble(page, 'Message 0').waitFor();
  assert.ok(most < 1500, `${most} elements`);
  const heights = await view.evaluate((node) => node.scrollHeight / node.clientHeight);
  assert.ok(heights > 400, 'all of it is there');

  // Every message in its place, at some spots on the way back.
  for (const part of [0.2, 0.5, 0.9]) {
    await view.evaluate((node, where) => { node.scrollTop = node.scrollHeight * where; }, part);
    await eventually(async () => {
      const numbers = (await bubbles(page).locator('.bubble p').allInnerTexts()).map((text) => Number(text.split(' ')[1]));
      return numbers.length > 5 && numbers.every((n, i) => i === 0 || n === numbers[i - 1] + 1) && Math.abs(numbers[0] / 10_000 - part) < 0.1;
    }, true);
  }
  await page.keyboard.press('End');
  await bubble(page, 'Message 9999').waitFor();
});

async function eventuallyLong(check) {
  const end = Date.now() + 120_000;
  while (!await check()) assert.ok(Date.now() < end, 'the beginning was never reached');
}

test('script and style stay small', () => {
  const wire = files.filter((name) => /\.(js|css)$/.test(name)).map(source);
  const size = wire.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const compressed = wire.reduce((sum, text) => sum + gzipSync(text).length, 0);
  assert.ok(size < 65_000, `${size} bytes`);
  assert.ok(compressed < 30_000, `${compressed} bytes compressed`);
});

test('files are compressed, and not sent again when nothing changed', async () => {
  const address = `${world.target.page}js/messenger.js`;
  const first = await raw(address, { 'Accept-Encoding': 'gzip' });
  assert.equal(first.headers['content-encoding'], 'gzip');
  assert.match(first.headers['content-type'], /^text\/javascript/);
  const second = await raw(address, { 'Accept-Encoding': 'gzip', 'If-None-Match': first.headers.etag });
  assert.equal(second.statusCode, 304);
});

function raw(address, headers) {
  return new Promise((resolve, reject) => {
    get(address, { headers, agent: false }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer));
    }).on('error', reject);
  });
}
