// Polling: every message exactly once, in order, with a server that is slow, fails, restarts or goes away.

import assert from 'node:assert/strict';
import test from 'node:test';
import { bubble, bubbles, chatPath, editJson, eventually, field, inbound, intercept, newNumber, open, openChat, row, setHidden, stored, world } from '../support/harness.js';

const sinceOf = (request) => new URL(request.url()).searchParams.get('since');
const isPoll = (request) => request.url().includes('/messages-since');
const texts = (page) => bubbles(page).locator('.bubble p').allInnerTexts();

test('each question begins where the last answer ended, and asks for changed threads only', async () => {
  const number = newNumber();
  const page = await open();
  const asked = [];
  const answered = [];
  page.on('response', async (response) => {
    if (!isPoll(response.request())) return;
    asked.push(sinceOf(response.request()));
    assert.match(response.url(), /threads=changed/);
    answered.push(String((await response.json()).timestamp));
  });
  for (let i = 0; i < 4; i++) {
    await inbound(number, `chain ${i}`);
    await page.locator('.row', { hasText: `chain ${i}` }).waitFor();
  }
  // News without a message moves the time on as well.
  await world.target.contact(number, 'Chain Person');
  await row(page, 'Chain Person').waitFor();
  const { length } = answered;
  await eventually(() => answered.length > length, true);
  await eventually(() => answered.length >= 4 && asked.length === answered.length, true);
  assert.deepEqual(asked.slice(1), answered.slice(0, -1));
});

test('messages, replies and receipts come by themselves', async () => {
  const number = newNumber();
  await inbound(number, 'zero');
  const page = await openChat(number);
  await inbound(number, 'one');
  await world.target.api('POST', '/send', { phoneNumber: number, message: 'from another window' });
  await inbound(number, 'two');
  await eventually(() => texts(page), ['zero', 'one', 'from another window', 'two']);
});

test('answers that are lost, late, broken or repeated change nothing: every message once, in order', async () => {
  const number = newNumber();
  await inbound(number, 'message 0');
  const page = await openChat(number);
  let n = 0;
  let last = null;
  await intercept(page, '/messages-since', async (route) => {
    const kind = n++ % 6;
    if (kind === 0) return route.abort();
    const answer = await route.fetch();
    if (kind === 1) return route.abort(); // the server has answered, nobody heard it
    if (kind === 2) return route.fulfill({ status: 500, json: { success: false, error: 'Oh no.', code: 'INTERNAL_ERROR' } });
    if (kind === 3) return route.fulfill({ status: 200, contentType: 'text/html', body: '<p>Please sign in' });
    const json = await answer.json();
    if (kind === 4 && last) json.messages.unshift(...last.messages, ...last.messages);
    last = json;
    return route.fulfill({ response: answer, json });
  });
  const wanted = ['message 0'];
  for (let i = 1; i <= 12; i++) {
    await inbound(number, `message ${i}`);
    wanted.push(`message ${i}`);
    await page.evaluate(() => dispatchEvent(new Event('online')));
  }
  await eventually(async () => { await page.evaluate(() => dispatchEvent(new Event('online'))); return texts(page); }, wanted);
});

test('a message that is stored while the page begins is not lost between its first page and polling', async () => {
  const number = newNumber();
  await inbound(number, 'early');
  const page = await open();
  let stage = 0;
  await intercept(page, '/', async (route) => {
    const { pathname } = new URL(route.request().url());
    // Something new before and after every single answer of the start.
    if (stage < 8 && /messages|threads|contacts/.test(pathname)) {
      await inbound(number, `during ${stage++}`);
      const answer = await route.fetch();
      await inbound(number, `during ${stage++}`);
      return route.fulfill({ response: answer });
    }
    return route.continue();
  });
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await eventually(() => stage >= 8, true);
  await inbound(number, 'late');
  await bubble(page, 'late').waitFor();
  await eventually(() => texts(page), (await stored(number)).map(({ body }) => body));
});

test('news of a message that is older than the page that brings it is not undone by that page', async () => {
  const number = newNumber();
  await inbound(number, 'hi');
  const { body } = await world.target.api('POST', '/send', { phoneNumber: number, message: 'raced' });
  const page = await open();
  let release;
  const gate = new Promise((resolve) => { release = resolve; });
  await intercept(page, '/messages', async (route) => {
    if (isPoll(route.request())) return route.continue();
    const answer = await route.fetch(); // read before the receipt, delivered after it
    await gate;
    return route.fulfill({ response: answer });
  });
  await page.locator('.row', { hasText: 'raced' }).click();
  await page.getByText('Loading messages…').waitFor();
  const brought = page.waitForResponse(async (response) => isPoll(response.request()) && (await response.json()).updates.some(({ id }) => id === body.message.id));
  await world.target.receipt({ id: body.message.id, status: 'success', deliveryStatus: 'read' });
  await brought;
  release();
  await eventually(() => bubble(page, 'raced').getAttribute('data-state'), 'read');
});

test('a long absence is caught up with, page by page', async () => {
  const number = newNumber();
  await inbound(number, 'before');
  const page = await openChat(number);
  await page.context().setOffline(true);
  await page.getByText('You are offline. Messages will arrive when you are back.').waitFor();
  await world.target.seed({ threads: 0, messages: 1200, from: number });
  await page.context().setOffline(false);
  await bubble(page, 'Message 1199').waitFor();
  await page.getByText('Connected again').waitFor();
  await page.locator('.chat-scroll').focus();
  await page.keyboard.press('Home');
  await bubble(page, 'before').waitFor();
  await bubble(page, 'Message 0').waitFor();
});

test('a server that cannot be reached is told quietly, and it heals by itself', async () => {
  const number = newNumber();
  await inbound(number, 'before');
  const page = await openChat(number);
  await field(page).fill('still writing');
  await world.target.stop();
  const banner = page.locator('.banner');
  try {
    await banner.getByText('The server cannot be reached. Trying again…').waitFor();
    assert.equal(await field(page).inputValue(), 'still writing');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'TEXTAREA', 'the banner takes no focus');
  } finally {
    await world.target.start();
  }
  await inbound(number, 'after');
  await bubble(page, 'after').waitFor();
  await banner.getByText('Connected again').waitFor();
  await eventually(() => banner.innerText(), '');
  assert.deepEqual(await texts(page), ['before', 'after']);
});

test('"Try now" asks at once', async () => {
  const page = await open();
  await page.locator('.row').first().waitFor();
  let broken = true;
  await intercept(page, '/messages-since', (route) => (broken ? route.fulfill({ status: 503, headers: { 'Retry-After': '120' }, json: { success: false, error: 'Busy.', code: 'UNAVAILABLE' } }) : route.continue()));
  await page.getByRole('button', { name: 'Try now' }).waitFor();
  broken = false;
  await page.getByRole('button', { name: 'Try now' }).click();
  await page.getByText('Connected again').waitFor();
});

test('a page that begins while the server is away fills when it is back', async () => {
  const number = newNumber();
  await inbound(number, 'patience');
  const page = await open();
  await page.locator('.row').first().waitFor();
  let broken = true;
  await intercept(page, '/', (route) => (broken ? route.abort() : route.continue()));
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await page.getByText('The server cannot be reached. Trying again…').waitFor();
  assert.equal(await page.getByText('No conversations yet').count(), 0, 'not knowing is not the same as empty');
  broken = false;
  await bubble(page, 'patience').waitFor();
});

test('a conversation that cannot be loaded is offered again, and heals', async () => {
  const number = newNumber();
  await inbound(number, 'here I am');
  const page = await open();
  await page.locator('.row', { hasText: 'here I am' }).waitFor();
  await intercept(page, '/messages', (route) => (isPoll(route.request()) ? route.continue() : route.fulfill({ status: 500, json: { success: false, error: 'x', code: 'INTERNAL_ERROR' } })));
  await page.locator('.row', { hasText: 'here I am' }).click();
  await page.getByText('The messages could not be loaded.').waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await page.getByRole('button', { name: 'Try again' }).click();
  await bubble(page, 'here I am').waitFor();
});

test('signed out: told, with a way to sign in', async () => {
  const page = await open();
  await page.locator('.row').first().waitFor();
  await intercept(page, '/messages-since', (route) => route.fulfill({ status: 401, body: 'no' }));
  await page.getByText('You are signed out.').waitFor();
  await page.getByRole('button', { name: 'Reload' }).waitFor();
});

test('a slow server does not make the page slow', async () => {
  const number = newNumber();
  await inbound(number, 'slow');
  const page = await openChat(number);
  let release;
  const gate = new Promise((resolve) => { release = resolve; });
  await intercept(page, '/', async (route) => { await gate; await route.continue(); });
  await field(page).fill('typing goes on');
  await page.keyboard.press('Enter');
  await bubble(page, 'typing goes on').waitFor();
  await page.getByRole('searchbox').fill('typing goes');
  await page.locator('.row', { hasText: 'You: typing goes on' }).waitFor();
  release();
  await eventually(() => bubble(page, 'typing goes on').getAttribute('data-state'), 'sent');
});

test('hidden it asks seldom; shown again it asks at once', async () => {
  const number = newNumber();
  await inbound(number, 'x');
  const page = await open();
  await page.clock.install();
  await page.reload();
  await page.locator('.row', { hasText: 'x' }).first().waitFor();
  let polls = 0;
  page.on('request', (request) => { if (isPoll(request)) polls++; });
  const quiet = async () => { await page.evaluate(() => fetch('.').then(() => 0)); };
  // Runs n seconds of the page's own clock, letting each question be answered.
  const run = async (seconds) => {
    for (let i = 0; i < seconds * 2; i++) { await page.clock.runFor(500); await quiet(); }
  };
  await run(10);
  const shown = polls;
  assert.ok(shown >= 3, `${shown} questions in ten seconds`);
  await setHidden(page, true);
  await run(5);
  polls = 0;
  await run(60);
  assert.ok(polls >= 2 && polls <= 4, `${polls} questions in a hidden minute`);
  polls = 0;
  await setHidden(page, false);
  await eventually(() => polls > 0, true);
});

test('a message from another conversation is announced and counted, not shown here', async () => {
  const [here, there] = [newNumber(), newNumber()];
  await world.target.contact(here, 'Here');
  await world.target.contact(there, 'There');
  await inbound(here, 'hi');
  const page = await openChat(here);
  const log = page.locator('[role="log"]');
  await inbound(here, 'said aloud');
  await log.getByText('Here: said aloud').waitFor();
  await inbound(there, 'secret');
  await log.getByText('New message from There').waitFor();
  await row(page, 'There').locator('.badge').waitFor();
  assert.equal(await bubble(page, 'secret').count(), 0);
  assert.equal(await log.getByText('Here: said aloud').count(), 1, 'each once');
});

test('a store that was replaced by an older one is read anew', async () => {
  const number = newNumber();
  await inbound(number, 'still there');
  const page = await openChat(number);
  await bubble(page, 'still there').waitFor();
  let once = true;
  let asked = 0;
  page.on('request', (request) => { if (request.url().endsWith('/threads')) asked++; });
  await intercept(page, '/messages-since', editJson((json) => {
    if (once) json.timestamp -= 3_600_000;
    once = false;
  }));
  await eventually(() => asked >= 1, true);
  await inbound(number, 'goes on');
  await eventually(() => texts(page), ['still there', 'goes on']);
});

test('contacts that somebody else changes show here', async () => {
  const number = newNumber();
  await inbound(number, 'who am I');
  const page = await openChat(number);
  const contact = await world.target.contact(number, 'Now Known');
  await page.getByRole('heading', { name: 'Now Known' }).waitFor();
  await world.target.api('PATCH', `/contacts/${contact.id}`, { displayName: 'Renamed Elsewhere' });
  await page.getByRole('heading', { name: 'Renamed Elsewhere' }).waitFor();
});
