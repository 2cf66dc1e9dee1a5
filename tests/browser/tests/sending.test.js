// Composing and sending: one send is sent once, whatever is clicked and whatever breaks, and no text is lost.

import assert from 'node:assert/strict';
import test from 'node:test';
import { bubble, bubbles, chatPath, eventually, field, inbound, intercept, newNumber, open, openChat, row, say, sentTo, stored, world } from '../support/harness.js';

async function chat(options) {
  const number = newNumber();
  await inbound(number, 'hi');
  const page = await openChat(number, options);
  return { number, page };
}
const label = (page, text) => bubble(page, text).locator('.meta [role="img"]').getAttribute('aria-label');

test('Enter sends, Shift+Enter makes a new line', async () => {
  const { number, page } = await chat();
  await field(page).pressSequentially('one');
  await page.keyboard.press('Shift+Enter');
  await field(page).pressSequentially('two');
  await page.keyboard.press('Enter');
  await eventually(() => sentTo(number), ['one\ntwo']);
  assert.equal(await field(page).inputValue(), '');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'TEXTAREA');
});

test('Enter belongs to an input method that is composing', async () => {
  const { number, page } = await chat();
  await field(page).fill('にほん');
  await field(page).evaluate((node) => node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })));
  assert.equal(await field(page).inputValue(), 'にほん');
  await field(page).pressSequentially('ご');
  await page.keyboard.press('Enter');
  await eventually(() => sentTo(number), ['にほんご']);
});

test('white space alone is not sent; text goes out as it was typed', async () => {
  const { number, page } = await chat();
  await field(page).fill(' \n\u00a0\u3000 ');
  await page.keyboard.press('Enter');
  assert.equal(await page.getByRole('button', { name: 'Send' }).isDisabled(), true);
  await field(page).fill('  kept  ');
  await page.keyboard.press('Enter');
  await eventually(() => sentTo(number), ['  kept  ']);
});

test('a counter shows near the limit of 4096, and more is not sent', async () => {
  const { number, page } = await chat();
  const counter = page.locator('.counter');
  await field(page).fill('x'.repeat(3890));
  assert.equal(await counter.isVisible(), false);
  await field(page).fill('x'.repeat(4000) + '😀');
  await counter.getByText('94', { exact: true }).waitFor();
  await field(page).fill('x'.repeat(4097));
  await counter.getByText('-1', { exact: true }).waitFor();
  await page.keyboard.press('Enter');
  assert.equal(await page.getByRole('button', { name: 'Send' }).isDisabled(), true);
  assert.equal((await field(page).inputValue()).length, 4097);
  await field(page).fill('x'.repeat(4096));
  await page.keyboard.press('Enter');
  await eventually(async () => (await sentTo(number)).join('').length, 4096);
});

test('drafts are kept for each conversation, over reloads, and shown in the list', async () => {
  const [a, b] = [newNumber(), newNumber()];
  await world.target.contact(a, 'Draft A');
  await world.target.contact(b, 'Draft B');
  await inbound(a, 'x');
  await inbound(b, 'y');
  const page = await openChat(a);
  await field(page).fill('for a');
  await row(page, 'Draft B').click();
  await page.getByRole('textbox', { name: 'Message to Draft B' }).waitFor();
  assert.equal(await field(page).inputValue(), '');
  await field(page).fill('for b');
  await row(page, 'Draft A').getByText('Draft: for a').waitFor();
  await page.reload();
  assert.equal(await field(page).inputValue(), 'for b');
  await row(page, 'Draft A').click();
  assert.equal(await field(page).inputValue(), 'for a');
  await page.keyboard.press('Enter');
  await page.reload();
  await bubble(page, 'for a').waitFor();
  assert.equal(await field(page).inputValue(), '');
});

test('many clicks and Enters at once are one send', async () => {
  const { number, page } = await chat();
  await field(page).fill('only once');
  await page.evaluate(() => {
    const button = document.querySelector('.send-button');
    const enter = () => document.querySelector('textarea').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
    for (let i = 0; i < 5; i++) { button.click(); enter(); }
  });
  await eventually(() => label(page, 'only once'), 'Sent');
  assert.deepEqual(await sentTo(number), ['only once']);
  assert.equal(await bubble(page, 'only once').count(), 1);
});

test('every message has its own key, two of the same text as well', async () => {
  const { number, page } = await chat();
  const keys = [];
  page.on('request', (request) => request.url().endsWith('/send') && keys.push(request.headers()['idempotency-key']));
  await say(page, 'ok');
  await say(page, 'ok');
  await eventually(() => sentTo(number), ['ok', 'ok']);
  await eventually(() => bubble(page, 'ok').count(), 2);
  assert.equal(new Set(keys).size, 2);
  assert.ok(keys.every((key) => key.length >= 16));
});

test('an answer that is lost is asked for again with the same key: one send, one bubble', async () => {
  const { number, page } = await chat();
  const keys = [];
  await intercept(page, '/send', async (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    if (keys.length > 2) return route.continue();
    await route.fetch(); // the server does it all, only the answer is lost
    return route.abort();
  });
  await say(page, 'answer lost');
  await eventually(() => label(page, 'answer lost'), 'Sent');
  await eventually(() => keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.deepEqual(await sentTo(number), ['answer lost']);
  assert.equal(await bubble(page, 'answer lost').count(), 1);
  await page.reload();
  await bubble(page, 'answer lost').waitFor();
  assert.equal(await bubble(page, 'answer lost').count(), 1);
});

test('a message that polling brings before the answer is shown once, at every moment', async () => {
  const { number, page } = await chat();
  await page.evaluate(() => {
    globalThis.most = 0;
    new MutationObserver(() => {
      const found = [...document.querySelectorAll('.message .bubble p')].filter((node) => node.textContent === 'twice?').length;
      globalThis.most = Math.max(globalThis.most, found);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  await world.target.outcome({ hold: true });
  await say(page, 'twice?');
  await eventually(async () => (await stored(number)).length, 2);
  const id = (await stored(number)).at(-1).id;
  await page.locator(`.message[data-id="${id}"]`).waitFor();
  assert.equal(await bubble(page, 'twice?').count(), 1);
  await world.target.release();
  await eventually(() => label(page, 'twice?'), 'Sent');
  await inbound(number, 'and then');
  await bubble(page, 'and then').waitFor();
  assert.equal(await page.evaluate(() => globalThis.most), 1);
});

test('the same text from another place while ours is under way is shown beside it', async () => {
  const { number, page } = await chat();
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  await intercept(page, '/send', async (route) => { await gate; await route.continue(); });
  await say(page, 'same words');
  await bubble(page, 'same words').waitFor();
  await world.target.api('POST', '/send', { phoneNumber: number, message: 'same words' });
  await eventually(async () => (await stored(number)).length, 2);
  await page.locator(`.message[data-id="${(await stored(number)).at(-1).id}"]`).waitFor();
  go();
  await eventually(() => bubble(page, 'same words').count(), 2);
  await eventually(() => sentTo(number), ['same words', 'same words']);
});

test('what was written first is sent first, however slow', async () => {
  const { number, page } = await chat();
  await world.target.outcome({ hold: true });
  await say(page, 'first');
  await say(page, 'second');
  await say(page, 'third');
  await eventually(async () => (await stored(number)).map(({ body }) => body), ['hi', 'first']);
  await world.target.release();
  await eventually(() => sentTo(number), ['first', 'second', 'third']);
  await eventually(() => bubbles(page).locator('.bubble p').allInnerTexts(), ['hi', 'first', 'second', 'third']);
});

test('a server that is away keeps nothing from being written; it is sent when it is back, once', async () => {
  const { number, page } = await chat();
  await world.target.stop();
  try {
    await say(page, 'while away');
    await bubble(page, 'while away').getByText('Waiting for the server. It will be sent once, by itself.').waitFor();
    assert.equal(await bubble(page, 'while away').getByRole('button').count(), 0, 'nothing to click that could send twice');
  } finally {
    await world.target.start();
  }
  await eventually(() => label(page, 'while away'), 'Sent');
  assert.deepEqual(await sentTo(number), ['while away']);
});

test('what waits to be sent survives a reload, and is sent once', async () => {
  const { number, page } = await chat();
  const keys = new Set();
  await intercept(page, '/send', async (route) => {
    keys.add(route.request().headers()['idempotency-key']);
    await route.fetch();
    await route.abort();
  });
  await say(page, 'before reload');
  await eventually(() => sentTo(number), ['before reload']);
  await page.unrouteAll({ behavior: 'wait' });
  page.on('request', (request) => request.url().endsWith('/send') && keys.add(request.headers()['idempotency-key']));
  await page.reload();
  await eventually(() => label(page, 'before reload'), 'Sent');
  assert.equal(await bubble(page, 'before reload').count(), 1);
  assert.equal(keys.size, 1);
  assert.deepEqual(await sentTo(number), ['before reload']);
  await eventually(() => page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('|out.')).length), 0);
});

test('a server that is busy is asked again when it says', async () => {
  const { number, page } = await chat();
  const tries = [];
  await intercept(page, '/send', async (route) => {
    tries.push(Date.now());
    if (tries.length > 1) return route.continue();
    return route.fulfill({ status: 503, headers: { 'Retry-After': '2' }, json: { success: false, error: 'Too much to do.', code: 'UNAVAILABLE' } });
  });
  await say(page, 'busy');
  await eventually(() => sentTo(number), ['busy']);
  assert.ok(tries[1] - tries[0] >= 2000, 'not before Retry-After');
});

test('a gateway that answers with a page of its own is no answer', async () => {
  const { number, page } = await chat();
  let tries = 0;
  await intercept(page, '/send', (route) => (++tries > 1 ? route.continue() : route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' })));
  await say(page, 'through');
  await eventually(() => label(page, 'through'), 'Sent');
  assert.deepEqual(await sentTo(number), ['through']);
});

test('a refusal keeps the text, says why, and gives it back to be edited', async () => {
  const { number, page } = await chat();
  await intercept(page, '/send', (route) => route.fulfill({ status: 409, json: { success: false, error: 'The 24-hour window is closed.', code: 'CONFLICT' } }));
  await say(page, 'refused text');
  const line = bubble(page, 'refused text');
  await line.getByText('Not sent: The 24-hour window is closed.').waitFor();
  await page.reload();
  await line.getByText('Not sent: The 24-hour window is closed.').waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await line.getByRole('button', { name: 'Edit: refused text' }).click();
  assert.equal(await field(page).inputValue(), 'refused text');
  assert.equal(await line.count(), 0);
  await field(page).press('End');
  await page.keyboard.type(', better');
  await page.keyboard.press('Enter');
  await eventually(() => sentTo(number), ['refused text, better']);
});

test('a refused message can be thrown away', async () => {
  const { number, page } = await chat();
  await intercept(page, '/send', (route) => route.fulfill({ status: 400, json: { success: false, error: 'No.', code: 'INVALID_INPUT' } }));
  await say(page, 'rubbish');
  await bubble(page, 'rubbish').getByRole('button', { name: 'Discard: rubbish' }).click();
  await eventually(() => bubble(page, 'rubbish').count(), 0);
  await page.reload();
  await bubble(page, 'hi').waitFor();
  assert.equal(await bubble(page, 'rubbish').count(), 0);
  assert.deepEqual(await sentTo(number), []);
});

test('Twilio says no: the text stays with the reason, and one retry is one send, whatever is clicked', async () => {
  const { number, page } = await chat();
  await world.target.outcome({ fail: 'The recipient is not on WhatsApp.', code: 63003 });
  await say(page, 'try me');
  await bubble(page, 'try me').getByText(/^Not delivered: /).waitFor();
  // Another browser shows it too, and then hears nothing any more.
  const other = await openChat(number);
  await other.getByRole('button', { name: 'Try again: try me' }).waitFor();
  await intercept(other, '/messages-since', (route) => route.abort());
  assert.deepEqual(await sentTo(number), []);
  await bubble(page, 'try me').getByRole('button', { name: 'Try again: try me' }).evaluate((node) => { node.click(); node.click(); node.click(); });
  await eventually(() => sentTo(number), ['try me']);
  await eventually(() => bubble(page, 'try me').count(), 2);
  await eventually(() => bubble(page, 'try me').nth(1).getAttribute('data-state'), 'sent');
  assert.equal(await page.getByRole('button', { name: 'Try again: try me' }).count(), 0);
  await page.reload();
  await bubble(page, 'try me').nth(1).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Try again: try me' }).count(), 0);
  // It does not know that the button was pressed; the server does.
  await other.getByRole('button', { name: 'Try again: try me' }).click();
  await eventually(() => other.getByRole('button', { name: 'Try again: try me' }).count(), 0);
  await eventually(() => other.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('|out.')).length), 0);
  assert.deepEqual(await sentTo(number), ['try me']);
  await other.unrouteAll({ behavior: 'wait' });
  await eventually(() => bubble(other, 'try me').count(), 2);
});

test('nobody knows whether it was sent: said so, and no button that could send it twice', async () => {
  const { number, page } = await chat();
  await world.target.outcome({ unsure: 'Twilio did not answer.' });
  await say(page, 'perhaps');
  await bubble(page, 'perhaps').getByText(/^Not confirmed yet: /).waitFor();
  assert.equal(await label(page, 'perhaps'), 'Not confirmed');
  assert.equal(await bubble(page, 'perhaps').getByRole('button').count(), 0);
  const { id } = (await stored(number)).at(-1);
  await world.target.receipt({ id, status: 'success', deliveryStatus: 'delivered', errorMessage: undefined });
  await eventually(() => label(page, 'perhaps'), 'Delivered');
  assert.equal(await bubble(page, 'perhaps').locator('.note').count(), 0);
});

test('what is on its way is the newest in the list, whatever the clocks say', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Clock Person');
  await inbound(number, 'before');
  const page = await open();
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  await intercept(page, '/', async (route) => {
    if (route.request().url().endsWith('/send')) await gate;
    const answer = await route.fetch();
    await route.fulfill({ response: answer, headers: { ...answer.headers(), date: new Date(Date.now() - 60_000).toUTCString() } });
  });
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await bubble(page, 'before').waitFor();
  await say(page, 'on its way');
  await row(page, 'Clock Person').getByText('You: on its way').waitFor();
  go();
  await eventually(() => label(page, 'on its way'), 'Sent');
});

test('a first message to a new number makes a conversation at once', async () => {
  const number = newNumber();
  const page = await open(chatPath(number));
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  await intercept(page, '/send', async (route) => { await gate; await route.continue(); });
  await page.getByText('This is the beginning of your conversation.').waitFor();
  await say(page, 'nice to meet you');
  await page.locator('.row', { hasText: 'You: nice to meet you' }).waitFor();
  go();
  await eventually(() => label(page, 'nice to meet you'), 'Sent');
  assert.equal(await page.locator('.row', { hasText: 'You: nice to meet you' }).count(), 1);
});
