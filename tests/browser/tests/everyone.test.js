// For everyone: keyboard alone, screen readers, phones, dark and light, right to left.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { phone } from '../support/browser.js';
import { bubble, chatPath, eventually, inbound, newNumber, open, row, sentTo, world } from '../support/harness.js';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function audit(page, what) {
  // Evaluated by the browser's own tools: the page's policy would forbid it to the page.
  await page.evaluate(`${axeSource}; undefined`);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
  assert.deepEqual(found, []);
}
const focused = (page) => page.evaluate(() => {
  const { activeElement: element } = document;
  return element === document.body ? 'nothing' : element.getAttribute('aria-label') ?? element.innerText ?? '';
});

for (const colorScheme of ['light', 'dark']) {
  for (const viewport of [undefined, phone]) {
    test(`axe finds nothing: ${colorScheme}, ${viewport ? 'phone' : 'desktop'}`, async () => {
      await world.target.reset();
      const number = newNumber();
      const options = { colorScheme, ...(viewport ? { viewport } : {}) };
      const page = await open('', options);
      await page.getByText('No conversations yet').waitFor();
      await audit(page, 'empty');
      await world.target.contact(number, 'Axe Person');
      await inbound(number, 'hello https://example.org');
      await inbound(number, 'a picture', ['image/png']);
      await inbound(newNumber(), 'unread');
      await world.target.outcome({ fail: 'Not on WhatsApp.', code: 63003 });
      await world.target.api('POST', '/send', { phoneNumber: number, message: 'failed one' });
      await world.target.outcome({ unsure: 'No answer.' });
      await world.target.api('POST', '/send', { phoneNumber: number, message: 'unsure one' });
      await world.target.api('POST', '/send', { phoneNumber: number, message: 'good one' });
      await row(page, 'Axe Person').waitFor();
      await audit(page, 'list');
      await row(page, 'Axe Person').click();
      await bubble(page, 'good one').waitFor();
      await page.locator('textarea').fill('x'.repeat(4100));
      await audit(page, 'conversation');
      await page.getByRole('button', { name: 'Edit contact' }).click();
      await page.getByRole('button', { name: 'Delete contact' }).waitFor();
      await audit(page, 'dialog');
      await page.keyboard.press('Escape');
      if (viewport) await page.getByRole('button', { name: 'Back to conversations' }).click();
      await page.getByRole('button', { name: 'New conversation' }).click();
      await row(page, 'Axe Person').waitFor();
      await page.getByRole('searchbox').fill('Axe');
      await audit(page, 'search');
    });
  }
}

test('everything works by keyboard alone', async () => {
  await world.target.reset();
  const numbers = [newNumber(), newNumber(), newNumber()];
  for (const [i, number] of numbers.entries()) {
    await world.target.contact(number, `Key ${i}`);
    await inbound(number, `hello ${i}`);
  }
  const page = await open();
  await row(page, 'Key 2').waitFor();
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /New contact/);
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /New conversation/);
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /Search/);
  await page.keyboard.press('Tab');
  assert.match(await focused(page), /Key 2/, 'the list is one stop');
  await page.keyboard.press('ArrowDown');
  assert.match(await focused(page), /Key 1/);
  await page.keyboard.press('End');
  assert.match(await focused(page), /Key 0/);
  await page.keyboard.press('Enter');
  await bubble(page, 'hello 0').waitFor();
  assert.match(await focused(page), /Message to Key 0/);
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await eventually(() => sentTo(numbers[0]), ['by keyboard']);
  await eventually(() => page.locator('.row-name').allInnerTexts(), ['Key 0', 'Key 2', 'Key 1']);
  await page.keyboard.press('Shift+Tab');
  assert.match(await focused(page), /Messages with Key 0/);
  await page.keyboard.press('Shift+Tab');
  assert.match(await focused(page), /Edit contact/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'name');
  await page.keyboard.press('Escape');
  await eventually(() => focused(page), 'Edit contact', 'focus comes back');
  for (let i = 0; i < 9 && !/Search/.test(await focused(page)); i++) await page.keyboard.press('Shift+Tab');
  assert.match(await focused(page), /Search/);
  await page.keyboard.type('Key 1');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await bubble(page, 'hello 1').waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('Choose a conversation').waitFor();
  await eventually(async () => /Key 1/.test(await focused(page)), true, 'focus is on the conversation that was left');
});

test('the focus stays where it is while messages come and go', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Focus Person');
  await inbound(number, 'hi');
  await world.target.outcome({ fail: 'No.', code: 63003 });
  await world.target.api('POST', '/send', { phoneNumber: number, message: 'failed' });
  const page = await open(chatPath(number));
  const again = page.getByRole('button', { name: 'Try again: failed' });
  await again.focus();
  for (let i = 0; i < 5; i++) await inbound(number, `more ${i}`);
  await bubble(page, 'more 4').waitFor();
  assert.equal(await focused(page), 'Try again: failed');
  // A row with the focus stays in the document even when it is far away.
  await world.target.seed({ threads: 0, messages: 120, from: number });
  await bubble(page, 'Message 119').waitFor();
  assert.equal(await focused(page), 'Try again: failed');
  await page.keyboard.press('Enter');
  await eventually(() => sentTo(number).then((all) => all.at(-1)), 'failed');
  await eventually(() => page.evaluate(() => document.activeElement.tagName), 'SECTION', 'not lost with the button');
});

test('the focus stays on a conversation that moves up in the list', async () => {
  await world.target.reset();
  const numbers = [newNumber(), newNumber(), newNumber()];
  for (const [i, number] of numbers.entries()) {
    await world.target.contact(number, `Move ${i}`);
    await inbound(number, 'x');
  }
  const page = await open();
  await row(page, 'Move 0').focus();
  await inbound(numbers[0], 'moved');
  await eventually(() => page.locator('.row-name').first().innerText(), 'Move 0');
  assert.match(await focused(page), /Move 0/);
});

test('what is touched with a finger is large enough', async () => {
  const number = newNumber();
  await inbound(number, 'x');
  const page = await open(chatPath(number), { viewport: phone, hasTouch: true, isMobile: true });
  await bubble(page, 'x').waitFor();
  const small = await page.locator('button:visible, textarea:visible').evaluateAll((nodes) => nodes
    .map((node) => [node.ariaLabel, node.getBoundingClientRect()]).filter(([, box]) => box.height < 42 || box.width < 42).map(([label]) => label));
  assert.deepEqual(small, []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  assert.equal(await page.evaluate(() => document.activeElement.tagName === 'TEXTAREA'), false, 'no keyboard over the messages');
});

test('the whole page mirrors for a right-to-left language', async () => {
  const number = newNumber();
  await inbound(number, 'x');
  const page = await open('', {});
  await page.route('**/texts.js', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replace("direction: 'ltr'", "direction: 'rtl'").replace("language: 'en'", "language: 'ar'") });
  });
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await bubble(page, 'x').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dir + document.documentElement.lang), 'rtlar');
  const [list, chat] = await Promise.all([page.locator('nav').boundingBox(), page.locator('.pane').boundingBox()]);
  assert.ok(list.x > chat.x, 'the list is on the right');
  const side = await bubble(page, 'x').locator('.bubble').evaluate((node) => node.getBoundingClientRect().left > innerWidth / 3);
  assert.equal(side, true, 'received stands at the right');
  await audit(page, 'rtl');
});

test('no movement for those who asked for none', async () => {
  const page = await open('', { reducedMotion: 'reduce' });
  await page.locator('.row').first().waitFor();
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
});
