// What people wrote about: the message that one answers, ads, names of files and of people.

import assert from 'node:assert/strict';
import test from 'node:test';
import {
  bubble, editJson, eventually, inbound, intercept, newNumber, open, openChat, row, say, stored, world,
} from '../support/harness.js';

const sid = () => `SM${crypto.randomUUID().replaceAll('-', '')}`;

test('what a message answers stands above it', async () => {
  const number = newNumber();
  await inbound(number, 'hello');
  const page = await openChat(number);
  await say(page, 'Friday or Saturday?');
  await bubble(page, 'Friday or Saturday?').waitFor();
  await eventually(async () => Boolean((await stored(number)).at(-1).sid), true);
  const asked = (await stored(number)).at(-1);
  await inbound(number, 'the first', [], { OriginalRepliedMessageSid: asked.sid });
  const quote = bubble(page, 'the first').locator('blockquote');
  await quote.waitFor();
  assert.equal(await quote.innerText(), 'You: Friday or Saturday?');
  assert.equal(await bubble(page, 'hello').locator('blockquote').count(), 0);
});

test('what a message answers of theirs, and what is not here', async () => {
  const number = newNumber();
  const first = sid();
  await inbound(number, '<b>one</b>', [], { MessageSid: first });
  await inbound(number, 'this one', [], { OriginalRepliedMessageSid: first });
  await inbound(number, 'an old one', [], { OriginalRepliedMessageSid: sid() });
  const page = await openChat(number);
  assert.equal(await bubble(page, 'this one').locator('blockquote').innerText(), '<b>one</b>');
  assert.equal(await bubble(page, 'an old one').locator('blockquote').innerText(), 'An earlier message');
});

test('an ad is told in one line, and leads to it', async () => {
  const number = newNumber();
  await inbound(number, 'I saw this', [], {
    ReferralSourceUrl: 'https://fb.example/ad?x=1', ReferralSourceType: 'ad', ReferralHeadline: 'Summer <i>sale</i>',
  });
  const page = await openChat(number);
  const link = bubble(page, 'I saw this').locator('.ad a');
  assert.equal(await link.innerText(), 'Came from an ad: Summer <i>sale</i>');
  assert.equal(await link.getAttribute('href'), 'https://fb.example/ad?x=1');
  assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
});

for (const url of ['javascript:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', '//evil.example']) {
  test(`an ad does not lead to ${JSON.stringify(url)}, whatever the server says`, async () => {
    const number = newNumber();
    await inbound(number, 'hi', [], { ReferralHeadline: 'Sale' });
    const page = await open();
    await intercept(page, '/messages', editJson(({ messages }) => messages.forEach((message) => {
      message.referral = { sourceUrl: url, headline: 'Sale' };
    })));
    await page.goto(`${world.target.page}#/chat/${encodeURIComponent(number)}`);
    await page.reload();
    const line = bubble(page, 'hi').locator('.ad');
    await line.waitFor();
    assert.equal(await line.innerText(), 'Came from an ad: Sale');
    assert.equal(await line.locator('a').count(), 0);
  });
}

test('a document has its name, once', async () => {
  const number = newNumber();
  await inbound(number, 'report 2026.pdf', ['application/pdf'], { MessageType: 'document' });
  const page = await openChat(number);
  const file = page.locator('.message .file');
  assert.equal(await file.locator('bdi').innerText(), 'report 2026.pdf');
  assert.equal(await page.locator('.message .bubble > p').count(), 0);
});

test('who is no contact has the name that they gave themself', async () => {
  const number = newNumber();
  await inbound(number, 'hello', [], { ProfileName: 'Zoë Quux' });
  const page = await openChat(number);
  assert.equal(await page.locator('.who h2').innerText(), '~Zoë Quux');
  assert.match((await page.locator('.who p').innerText()).replaceAll(' ', ''), new RegExp(number.slice(1)));
  await page.locator('input[type="search"]').fill('zoe quux');
  await row(page, '~Zoë Quux').waitFor();
  await eventually(() => page.locator('.row').count(), 1);
  await world.target.contact(number, 'Our Name');
  await eventually(() => page.locator('.who h2').innerText(), 'Our Name');
  await row(page, 'Our Name').waitFor(); // still found by the other one
});

test('a kind without a text is told in the list', async () => {
  const number = newNumber();
  await inbound(number, '', ['image/png'], { MessageType: 'sticker' });
  const page = await openChat(number);
  await eventually(() => page.locator('.row[aria-current] .row-preview').innerText(), '[sticker]');
});
