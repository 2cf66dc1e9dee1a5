// Behind the login of the shipped configuration the browser asks once, with the page, and knows it for all that the page does.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test, { after, before } from 'node:test';
import { bubble, eventually, field, newNumber, row, say, world } from '../support/harness.js';
import { apiPath, startTarget } from '../support/target.js';

const command = process.env.WA_TEST_SERVER_COMMAND;
const login = `Basic ${Buffer.from('ana:open sesame').toString('base64')}`;
let target;

before(async () => { if (command) target = await startTarget(`${command} --login`); });
after(() => target?.end());

const visit = async (url) => {
  const context = await world.browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  // With the name and password in the address the browser answers the page's own question, as somebody would type them: nothing but
  // its memory answers those of style, script and API.
  const answer = await page.goto(url);
  return { page, answer, end: () => context.close() };
};
const threads = async () => (await (await fetch(`${target.origin}${apiPath}/threads`, { headers: { Authorization: login } })).json()).threads;

test('one login opens the page and all that it asks for', async () => {
  if (!command) return; // the server in memory has no login
  const number = newNumber();
  await target.inbound({ from: number, body: 'hello' });
  const { page, answer, end } = await visit(target.page.replace('//', '//ana:open%20sesame@'));
  try {
    assert.equal(answer.status(), 200);
    const seen = [];
    page.on('response', (response) => seen.push(`${response.status()} ${new URL(response.url()).pathname}`));
    await page.goto(target.page);
    await row(page, number).or(page.locator('.row', { hasText: 'hello' })).first().click();
    await bubble(page, 'hello').waitFor();
    await eventually(async () => (await threads()).find((one) => one.counterpart === number).unreadCount, 0);
    await field(page).waitFor();
    await say(page, 'answered behind a login');
    await eventually(async () => (await target.created()).filter(({ to }) => to === number).map(({ body }) => body), ['answered behind a login']);
    assert.deepEqual(seen.filter((line) => /^4/.test(line)), []);
    assert.ok(seen.some((line) => line.startsWith(`200 ${apiPath}/messages-since`)), 'polls are answered');
  } finally {
    await end();
  }
});

test('without the login there is no page and no answer', async () => {
  if (!command) return;
  const wrong = `Basic ${Buffer.from('ana:open').toString('base64')}`;
  for (const path of [apiPath + '/threads', '/whatsapp-messenger/', '/whatsapp-messenger/js/main.js', '/whatsapp-messenger']) {
    for (const headers of [{}, { Authorization: wrong }]) {
      assert.equal((await fetch(target.origin + path, { redirect: 'manual', headers })).status, 401, path);
    }
  }
});

test('another site uses nobody\'s login', async () => {
  if (!command) return;
  const number = newNumber();
  await target.inbound({ from: number, body: 'unread' });
  const site = createServer((request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html>'));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  const { page, end } = await visit(target.page.replace('//', '//ana:open%20sesame@'));
  try {
    // A page of another port, in the browser that is logged in: its requests arrive, with the login.
    await page.goto(`http://127.0.0.1:${site.address().port}/`);
    const sent = [];
    page.on('request', (request) => sent.push(request.url()));
    await page.evaluate((path) => Promise.allSettled(['block', 'read'].map((verb) => fetch(`${path}/${verb}`, { method: 'POST', mode: 'no-cors', credentials: 'include' }))),
      `${target.origin}${apiPath}/threads/${encodeURIComponent(number)}`);
    assert.equal(sent.length, 2);
    const thread = (await threads()).find((one) => one.counterpart === number);
    assert.deepEqual([thread.unreadCount, thread.blocked], [1, undefined]);
  } finally {
    await end();
    site.close();
  }
});
