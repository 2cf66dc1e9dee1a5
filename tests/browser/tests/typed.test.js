// Numbers and blank texts: the page reads them as the server does. tests/unit/test_base_phone.c reads the same vectors.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { eventually, field, inbound, newNumber, open, openChat, row, say, sentTo, stored, world } from '../support/harness.js';

const vectors = JSON.parse(readFileSync(new URL('../../number-vectors.json', import.meta.url), 'utf8'));
const codes = (ranges) => ranges.map((range) => range.split('..').map((code) => parseInt(code, 16))).map(([first, last = first]) => [first, last]);

test('every number is read as the server reads it, and 00 as +', async () => {
  assert.ok(vectors.numbers.length >= 85);
  const page = await open();
  const read = await page.evaluate(async (typed) => {
    const { readNumber } = await import('./js/typed.js');
    return typed.map(readNumber);
  }, vectors.numbers.map(([typed]) => typed));
  vectors.numbers.forEach(([typed, number], i) => assert.equal(read[i], number, JSON.stringify(typed)));
  const parsed = await page.evaluate(async () => {
    const { parseNumber } = await import('./js/typed.js');
    return ['0044 (0)20 7946 0958', '\u202d00 44 20 7946 0958', '+44 20 7946 0958', '020 7946 0958', '44 20'].map(parseNumber);
  });
  assert.deepEqual(parsed, ['+442079460958', '+442079460958', '+442079460958', null, null]);
});

test('nothing to see in a text is judged as the server judges', async () => {
  const page = await open();
  const judged = await page.evaluate(async (texts) => {
    const { isUnseen } = await import('./js/typed.js');
    return texts.map(isUnseen);
  }, vectors.texts.map(([text]) => text));
  vectors.texts.forEach(([text, unseen], i) => assert.equal(judged[i], unseen, JSON.stringify(text)));
});

test('each character is dropped or not, seen or not, as the server says', async () => {
  const page = await open();
  const wrong = await page.evaluate(async (lists) => {
    const { isUnseen, readNumber } = await import('./js/typed.js');
    const has = (name, code) => lists[name].some(([first, last]) => first <= code && code <= last);
    const found = [];
    for (let code = 0; code < 0xe1000; code = code === 0xd7ff ? 0xe000 : code === 0xffff ? 0xe0000 : code + 1) {
      if (has('newer', code)) continue;
      const character = String.fromCodePoint(code);
      const isDropped = readNumber(`+4477${character}00900123`) === '+447700900123';
      if (isDropped !== has('dropped', code)) found.push(`U+${code.toString(16)} in a number`);
      if (isUnseen(character) !== has('unseen', code)) found.push(`U+${code.toString(16)} in a text`);
    }
    return found;
  }, { dropped: codes(vectors.dropped), unseen: codes(vectors.unseen), newer: codes(vectors.newer) });
  assert.deepEqual(wrong, []);
});

test('a number copied from an address book starts a conversation, and finds one that there is', async () => {
  const number = newNumber();
  const copied = `\u202a${number.slice(0, 3)} (0)${number.slice(3, 6)}\u00a0${number.slice(6, 9)}\u2011${number.slice(9)}\u202c`;
  const page = await open();
  await page.getByRole('searchbox').fill(copied);
  await page.locator('.row', { hasText: 'Message +49' }).click();
  await say(page, 'to the right one');
  await eventually(() => sentTo(number), ['to the right one']);
  await world.target.contact(number, 'Copied Person');
  await row(page, 'Copied Person').waitFor();
  await page.getByRole('searchbox').fill(copied);
  await row(page, 'Copied Person').waitFor();
  assert.equal(await page.locator('.row', { hasText: 'Message +' }).count(), 0);
  await page.getByRole('searchbox').fill(`\u202a${number.slice(5, 8)}\u2011${number.slice(8)}`);
  await row(page, 'Copied Person').waitFor();
});

test('a contact takes a copied number, and no name of which nothing is seen', async () => {
  const number = newNumber();
  const page = await open();
  await page.getByRole('button', { name: 'New contact' }).click();
  const dialog = page.getByRole('dialog', { name: 'New contact' });
  await dialog.getByLabel('Name').fill('\u200b\u3164');
  await dialog.getByLabel('Phone number').fill(`\u2066${number.slice(0, 3)} (0)${number.slice(3)}\u2069`);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Enter a name of at most 100 characters.').waitFor();
  await dialog.getByLabel('Name').fill('Address Book');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await row(page, 'Address Book').waitFor();
  const { body } = await world.target.api('GET', '/contacts');
  assert.deepEqual(body.contacts.filter(({ displayName }) => displayName === 'Address Book').map(({ phoneNumber }) => phoneNumber), [number]);
});

test('a text of which nothing is seen is not sent', async () => {
  const number = newNumber();
  await inbound(number, 'hi');
  const page = await openChat(number);
  await field(page).fill('\u00a0\ufeff\u2003\u200b\u2800');
  assert.ok(await page.getByRole('button', { name: 'Send' }).isDisabled());
  await page.keyboard.press('Enter');
  await say(page, '\u200bseen');
  await eventually(() => sentTo(number), ['\u200bseen']);
  assert.deepEqual((await stored(number)).map(({ body }) => body), ['hi', '\u200bseen']);
});
