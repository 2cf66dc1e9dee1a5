// The list of conversations: what a row says, the order, unread counts, search.

import assert from 'node:assert/strict';
import test from 'node:test';
import { bubble, chatPath, editJson, eventually, field, inbound, intercept, newNumber, open, row, setHidden, world } from '../support/harness.js';

test('an empty messenger says so, and what to do', async () => {
  await world.target.reset();
  const page = await open();
  await page.getByText('No conversations yet').waitFor();
  await page.getByText('Choose a conversation, or start a new one.').waitFor();
});

test('a row shows name, preview, time and the number of unread messages', async () => {
  const [known, unknown] = [newNumber(), newNumber()];
  await world.target.contact(known, 'Row Person');
  await inbound(known, 'first');
  await inbound(known, 'second');
  await inbound(unknown, 'hello');
  const page = await open();
  const line = row(page, 'Row Person');
  await line.waitFor();
  assert.match(await line.innerText(), /RP\s*Row Person\s*\d\d:\d\d\s*second\s*2/);
  assert.equal(await line.locator('.badge').getAttribute('aria-label'), '2 unread messages');
  const spaced = `${unknown.slice(0, 3)} ${unknown.slice(3, 6)} ${unknown.slice(6, 9)} ${unknown.slice(9, 12)} ${unknown.slice(12)}`.replace(/ (\d) (\d)$/, ' $1$2');
  assert.match((await page.locator('.row').first().innerText()).replace(/\s/g, ''), new RegExp(spaced.replace(/\s/g, '').replace('+', '\\+')));
});

test('the conversation with the newest message is first, at once when one comes', async () => {
  const [a, b] = [newNumber(), newNumber()];
  await world.target.contact(a, 'Order A');
  await world.target.contact(b, 'Order B');
  await inbound(a, 'one');
  await inbound(b, 'two');
  const page = await open();
  await row(page, 'Order A').waitFor();
  const firstTwo = () => page.locator('.row-name').evaluateAll((nodes) => nodes.slice(0, 2).map((node) => node.textContent));
  assert.deepEqual(await firstTwo(), ['Order B', 'Order A']);
  await inbound(a, 'three');
  await eventually(firstTwo, ['Order A', 'Order B']);
});

test('the page title counts what is unread', async () => {
  await world.target.reset();
  const [a, b] = [newNumber(), newNumber()];
  await inbound(a, 'x');
  const page = await open();
  await eventually(() => page.title(), '(1) Messages');
  await inbound(b, 'y');
  await inbound(b, 'z');
  await eventually(() => page.title(), '(3) Messages');
});

test('opening marks as read, and so does a message that comes while it is open and seen', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Reader');
  await inbound(number, 'unread one');
  const unread = async () => (await world.target.api('GET', '/threads')).body.threads.find(({ counterpart }) => counterpart === number).unreadCount;
  const page = await open();
  await row(page, 'Reader').locator('.badge').waitFor();
  assert.equal(await unread(), 1, 'looking at the list reads nothing');
  await row(page, 'Reader').click();
  await eventually(unread, 0);
  await row(page, 'Reader').locator('.badge').waitFor({ state: 'detached' });
  await inbound(number, 'unread two');
  await bubble(page, 'unread two').waitFor();
  await eventually(unread, 0);
});

test('a summary that was overtaken on its way does not undo a newer one', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Overtaken');
  await inbound(number, 'older text');
  const page = await open();
  await row(page, 'Overtaken').getByText('older text').waitFor();
  const { body } = await world.target.api('GET', '/threads');
  const old = body.threads.find(({ counterpart }) => counterpart === number);
  await inbound(number, 'newer text');
  await row(page, 'Overtaken').getByText('newer text').waitFor();
  let came = 0;
  await intercept(page, '/messages-since', editJson((json) => { json.threads.push(old); came++; }));
  await eventually(() => came > 1, true);
  assert.match(await row(page, 'Overtaken').innerText(), /newer text\s*2/);
});

test('marking as read is not undone by an answer that was on its way', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Read Race');
  await inbound(number, 'unread');
  const page = await open();
  await row(page, 'Read Race').locator('.badge').waitFor();
  const { body } = await world.target.api('GET', '/threads');
  const old = body.threads.find(({ counterpart }) => counterpart === number);
  await row(page, 'Read Race').click();
  await row(page, 'Read Race').locator('.badge').waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.getByText('Choose a conversation').waitFor();
  let came = 0;
  await intercept(page, '/messages-since', editJson((json) => { json.threads.push(old); came++; }));
  await eventually(() => came > 1, true);
  assert.equal(await row(page, 'Read Race').locator('.badge').count(), 0);
});

test('what comes while the page is hidden stays unread until it is shown', async () => {
  const number = newNumber();
  await inbound(number, 'before');
  const page = await open(chatPath(number));
  await bubble(page, 'before').waitFor();
  const unread = async () => (await world.target.api('GET', '/threads')).body.threads.find(({ counterpart }) => counterpart === number).unreadCount;
  await eventually(unread, 0);
  await setHidden(page, true);
  await inbound(number, 'while away');
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await bubble(page, 'while away').waitFor();
  assert.equal(await unread(), 1);
  await setHidden(page, false);
  await eventually(unread, 0);
});

test('search finds names without their accents, texts and numbers, and contacts that never wrote', async () => {
  const [a, b] = [newNumber(), newNumber()];
  await world.target.contact(a, 'Zoë Søndergård-Íñigo');
  await world.target.contact(b, 'Silent Zoë');
  await inbound(a, 'about the parrot');
  const page = await open();
  const search = page.getByRole('searchbox');
  await search.fill('zoe inigo');
  await row(page, 'Zoë Søndergård-Íñigo').waitFor();
  assert.equal(await page.locator('.row').count(), 1);
  await search.fill('PARROT');
  await row(page, 'Zoë Søndergård-Íñigo').waitFor();
  await search.fill(a.slice(1, 6) + ' ' + a.slice(6));
  await row(page, 'Zoë Søndergård-Íñigo').waitFor();
  await search.fill('silent');
  await page.getByRole('heading', { name: 'Contacts' }).waitFor();
  await row(page, 'Silent Zoë').click();
  await field(page).waitFor();
  await page.getByRole('heading', { name: 'Silent Zoë', level: 2 }).waitFor();
  assert.equal(await search.inputValue(), '', 'the list is whole again');
  await search.fill('no such thing <b>');
  await page.getByText('Nothing found for “no such thing <b>”').waitFor();
  await search.press('Escape');
  await row(page, 'Zoë Søndergård-Íñigo').waitFor();
});
