// The open conversation: what is shown, where, and that the view stays where it is being read.

import assert from 'node:assert/strict';
import test from 'node:test';
import {
  atEnd, bubble, bubbles, chatPath, editJson, eventually, field, inbound, intercept, inView, newNumber, open, openChat, say, sentTo, stored, world,
} from '../support/harness.js';

const day = 86_400_000;

test('sent stands at one side, received at the other, and the name is said to screen readers', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Side Person');
  await inbound(number, 'from them');
  const page = await openChat(number);
  await say(page, 'from us');
  await bubble(page, 'from us').waitFor();
  const middle = (text) => bubble(page, text).locator('.bubble').evaluate((node) => {
    const own = node.getBoundingClientRect();
    const all = node.closest('.chat-scroll').getBoundingClientRect();
    return (own.left + own.right) / 2 < (all.left + all.right) / 2 ? 'left' : 'right';
  });
  assert.equal(await middle('from them'), 'left');
  assert.equal(await middle('from us'), 'right');
  assert.match(await bubble(page, 'from them').innerText(), /Side Person:/);
  assert.match(await bubble(page, 'from us').innerText(), /You:/);
});

test('days are told apart in words', async () => {
  const number = newNumber();
  for (const text of ['oldest', 'older', 'old', 'new']) await inbound(number, text);
  const page = await open();
  await intercept(page, '/messages', editJson(({ messages }) => {
    if (messages.length !== 4) return;
    messages[1].timestamp -= day;
    messages[2].timestamp -= 3 * day;
    messages[3].timestamp -= 400 * day;
  }));
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await bubble(page, 'new').waitFor();
  const lines = await page.locator('.line-day').allInnerTexts();
  assert.equal(lines.length, 4);
  assert.match(lines[0], /^\d{1,2} \w+ \d{4}$/);
  assert.match(lines[1], /^\w+,? \d{1,2} \w+$/);
  assert.deepEqual(lines.slice(2), ['Yesterday', 'Today']);
});

test('dates and words for days follow the locale of the user', async () => {
  const number = newNumber();
  await inbound(number, 'Guten Tag');
  const page = await open('', { locale: 'de-DE' });
  await intercept(page, '/messages', editJson(({ messages }) => messages.forEach((message) => { message.timestamp -= day; })));
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await bubble(page, 'Guten Tag').waitFor();
  assert.equal(await page.locator('.line-day').innerText(), 'Gestern');
});

test('ticks climb from sent over delivered to read, and never go down', async () => {
  const number = newNumber();
  await inbound(number, 'hi');
  const page = await openChat(number);
  await say(page, 'ticks');
  const line = bubble(page, 'ticks');
  const label = () => line.locator('.meta [role="img"]').getAttribute('aria-label');
  await eventually(label, 'Sent');
  const { id } = (await stored(number)).at(-1);
  await world.target.receipt({ id, status: 'success', deliveryStatus: 'delivered' });
  await eventually(label, 'Delivered');
  await world.target.receipt({ id, status: 'success', deliveryStatus: 'read' });
  await eventually(label, 'Read');
});

test('an answer that was overtaken on its way does not take a tick back', async () => {
  const number = newNumber();
  await inbound(number, 'hi');
  const page = await openChat(number);
  await say(page, 'overtaken');
  await eventually(async () => (await stored(number)).at(-1)?.status, 'success');
  const message = (await stored(number)).at(-1);
  await world.target.receipt({ id: message.id, status: 'success', deliveryStatus: 'read' });
  const label = () => bubble(page, 'overtaken').locator('.meta [role="img"]').getAttribute('aria-label');
  await eventually(label, 'Read');
  // The next answer carries the state of long ago.
  let old = false;
  await intercept(page, '/messages-since', editJson((json) => { json.updates.push({ ...message, deliveryStatus: 'sent' }); old = true; }));
  await eventually(() => old, true);
  await inbound(number, 'after it');
  await bubble(page, 'after it').waitFor();
  assert.equal(await label(), 'Read');
});

test('a message that was not delivered tells why', async () => {
  const number = newNumber();
  await inbound(number, 'hi');
  const page = await openChat(number);
  await say(page, 'lost letter');
  await eventually(async () => (await stored(number)).at(-1)?.status, 'success');
  const { id } = (await stored(number)).at(-1);
  await world.target.receipt({ id, status: 'failed', deliveryStatus: 'undelivered', errorCode: 63024, errorMessage: 'The number is not on WhatsApp.' });
  const note = bubble(page, 'lost letter').locator('.note');
  await note.getByText(/^Not delivered: .*63024/).waitFor();
  await note.getByRole('button', { name: 'Try again: lost letter' }).waitFor();
});

test('older pages come when scrolling up, and what is being read stays where it is', async () => {
  const number = newNumber();
  await world.target.seed({ threads: 0, messages: 180, from: number });
  const page = await openChat(number);
  await bubble(page, 'Message 179').waitFor();
  await eventually(() => atEnd(page), true);
  const view = page.locator('.chat-scroll');
  const firstInView = () => view.evaluate((node) => {
    const top = node.getBoundingClientRect().top;
    const found = [...node.querySelectorAll('.message')].find((one) => one.getBoundingClientRect().top >= top);
    return { text: found.querySelector('.bubble p').textContent, top: Math.round(found.getBoundingClientRect().top) };
  });
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  let asked = false;
  await intercept(page, '/messages', async (route) => {
    if (route.request().url().includes('cursor=')) { asked = true; await held; }
    await route.continue();
  });
  // The page before the one on the screen may be here already: it is read ahead.
  for (let i = 0; !asked && i < 200; i++) {
    await view.evaluate((node) => new Promise((resolve) => {
      node.scrollTop -= 300;
      requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    }));
  }
  assert.equal(asked, true);
  const before = await firstInView();
  const rows = () => view.evaluate((node) => node.querySelector('.rows').clientHeight);
  const height = await rows();
  release();
  await eventually(async () => await rows() > height, true);
  const now = await firstInView();
  assert.equal(now.text, before.text);
  assert.ok(Math.abs(now.top - before.top) <= 2, `moved from ${before.top} to ${now.top}`);
  await page.unrouteAll({ behavior: 'wait' });
  await eventually(async () => { await view.press('Home'); return page.locator('.line-beginning').count(); }, 1);
  await bubble(page, 'Message 0').waitFor();
  await page.locator('.line-beginning').waitFor();
});

test('an older page that fails is offered again', async () => {
  const number = newNumber();
  await world.target.seed({ threads: 0, messages: 120, from: number });
  const page = await openChat(number);
  await intercept(page, '/messages', (route) => (route.request().url().includes('cursor=') ? route.abort() : route.continue()));
  await page.locator('.chat-scroll').focus();
  await eventually(async () => { await page.keyboard.press('Home'); return page.getByText('The messages could not be loaded.').count(); }, 1);
  await page.unrouteAll({ behavior: 'wait' });
  await page.getByRole('button', { name: 'Try again' }).click();
  await eventually(async () => { await page.keyboard.press('Home'); return page.locator('.line-beginning').count(); }, 1);
});

test('at the end a new message comes into view; further up a pill tells of it', async () => {
  const number = newNumber();
  await world.target.seed({ threads: 0, messages: 40, from: number });
  const page = await openChat(number);
  await inbound(number, 'seen at once');
  await bubble(page, 'seen at once').waitFor();
  await eventually(() => inView(bubble(page, 'seen at once')), true);
  assert.equal(await page.locator('.pill').isVisible(), false);
  await page.locator('.chat-scroll').hover();
  await page.mouse.wheel(0, -900);
  await page.getByRole('button', { name: 'Go to the newest message' }).waitFor();
  await inbound(number, 'below one');
  await page.getByRole('button', { name: '1 new message' }).waitFor();
  await inbound(number, 'below two');
  await page.getByRole('button', { name: '2 new messages' }).click();
  await eventually(() => inView(bubble(page, 'below two')), true);
  await page.locator('.pill').waitFor({ state: 'hidden' });
});

test('sending from further up leads to what was sent', async () => {
  const number = newNumber();
  await world.target.seed({ threads: 0, messages: 40, from: number });
  const page = await openChat(number);
  await page.locator('.chat-scroll').hover();
  await page.mouse.wheel(0, -900);
  await page.locator('.pill').waitFor();
  await say(page, 'down here');
  await eventually(() => inView(bubble(page, 'down here')), true);
});

test('the newest message stays in view when a window becomes smaller', async () => {
  const number = newNumber();
  await world.target.seed({ threads: 0, messages: 30, from: number });
  const page = await openChat(number);
  await eventually(() => inView(bubble(page, 'Message 29')), true);
  await page.setViewportSize({ width: 700, height: 420 });
  await eventually(() => inView(bubble(page, 'Message 29')), true);
});

test('pictures, sounds, films and files are shown, links lead out safely', async () => {
  const number = newNumber();
  await inbound(number, 'a picture', ['image/png']);
  await inbound(number, '', ['audio/ogg']);
  await inbound(number, 'a film', ['video/mp4']);
  await inbound(number, 'a file', ['application/pdf']);
  await inbound(number, 'see https://example.org/a_(b)?q=1&r=<x>, please');
  const page = await openChat(number);
  const image = bubble(page, 'a picture').locator('img');
  await eventually(() => image.evaluate((node) => node.complete && node.naturalWidth > 0), true);
  await page.locator('.message audio[controls][src]').waitFor();
  await bubble(page, 'a film').locator('video[controls][src]').waitFor();
  const file = bubble(page, 'a file').locator('a.file');
  assert.match(await file.innerText(), /File\s*application\/pdf/);
  for (const link of [file, page.locator('.message p a')]) {
    assert.equal(await link.getAttribute('target'), '_blank');
    assert.match(await link.getAttribute('rel'), /\bnoopener\b/);
  }
  assert.equal(await page.locator('.message p a').getAttribute('href'), 'https://example.org/a_(b)?q=1&r=');
});

test('a picture that does not come turns into a file, and one from elsewhere is never fetched', async () => {
  const number = newNumber();
  await inbound(number, 'broken', ['image/png']);
  await inbound(number, 'elsewhere', ['image/png']);
  const page = await open();
  const foreign = [];
  page.on('request', (request) => request.url().startsWith(world.target.origin) || foreign.push(request.url()));
  await intercept(page, '/messages/', (route) => route.abort());
  await intercept(page, '/messages', async (route) => (/\/media\//.test(route.request().url()) ? route.abort() : editJson(({ messages }) => {
    for (const message of messages ?? []) if (message.body === 'elsewhere') message.media[0].url = 'https://example.org/a.png';
  })(route)));
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await bubble(page, 'broken').locator('a.file', { hasText: 'Picture' }).waitFor();
  const link = bubble(page, 'elsewhere').locator('a.file');
  await link.waitFor();
  assert.equal(await link.getAttribute('href'), 'https://example.org/a.png');
  assert.deepEqual(foreign, []);
});

test('an attachment that is missing is said in a sentence, and shown when it comes', async () => {
  const number = newNumber();
  await inbound(number, 'given up', ['image/png']);
  await inbound(number, 'awaited', ['image/png']);
  const page = await open();
  let isThere = false;
  const edit = ({ messages, updates = [] }) => {
    for (const message of [...messages ?? [], ...updates]) {
      if (message.body === 'given up') message.media = [{ missing: true }];
      if (message.body === 'awaited' && !isThere) message.media = [{ missing: true, awaited: true }];
    }
  };
  await intercept(page, '/messages', editJson(edit));
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await bubble(page, 'given up').getByText('The attachment is missing').waitFor();
  await bubble(page, 'awaited').getByText('The attachment is not there yet').waitFor();
  assert.equal(await page.locator('.message a, .message img').count(), 0);
  isThere = true;
  await page.reload();
  await bubble(page, 'awaited').locator('img').waitFor();
});

test('a message with several attachments goes out in parts and is one', async () => {
  const number = newNumber();
  await inbound(number, 'hello');
  const page = await openChat(number);
  const files = ['a.pdf', 'b.png', 'c.jpg'].map((file) => `https://files.example.org/${file}`);
  const sent = await world.target.api('POST', '/send', { phoneNumber: number, message: 'see these', mediaUrl: files });
  assert.equal(sent.status, 200);
  const attachments = bubble(page, 'see these').locator('a.file');
  await attachments.nth(2).waitFor();
  assert.equal(await bubbles(page).count(), 2);
  assert.deepEqual(await attachments.evaluateAll((links) => links.map((link) => link.href)), files);
  assert.deepEqual(await sentTo(number), ['see these', '', '', '']);
});

test('an address that is no web address never becomes a link', async () => {
  const number = newNumber();
  await inbound(number, 'evil', ['image/png']);
  await inbound(number, 'javascript:alert(1) data:text/html,x');
  const page = await open();
  await intercept(page, '/messages', editJson(({ messages }) => {
    for (const message of messages) if (message.media) message.media[0].url = 'javascript:alert(1)';
  }));
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await bubble(page, 'evil').waitFor();
  assert.equal(await page.locator('.message a').count(), 0);
});

test('what comes from outside is text and nothing else', async () => {
  const number = newNumber();
  const nasty = '<img src=x onerror="document.title=1"><script>alert(1)</script>&lt;b&gt;';
  await world.target.contact(number, '<b>Bold</b> & "quoted"');
  await inbound(number, nasty);
  const page = await openChat(number);
  await bubble(page, nasty).waitFor();
  assert.equal(await page.locator('.message img, .message script, .row b, h2 b').count(), 0);
  await page.getByRole('heading', { name: '<b>Bold</b> & "quoted"' }).waitFor();
});

test('right-to-left text, emoji and long words keep their shape', async () => {
  const number = newNumber();
  await inbound(number, 'שלום, מה שלומך?');
  await inbound(number, '👩‍👩‍👧‍👦🏳️‍🌈');
  await inbound(number, 'x'.repeat(500));
  const page = await openChat(number);
  const direction = await bubble(page, 'שלום, מה שלומך?').locator('p').evaluate((node) => getComputedStyle(node).direction);
  assert.equal(direction, 'rtl');
  await bubble(page, '👩‍👩‍👧‍👦🏳️‍🌈').waitFor();
  const overflow = await page.locator('.chat-scroll').evaluate((node) => node.scrollWidth - node.clientWidth);
  assert.equal(overflow, 0);
  await field(page).fill('שלום');
  assert.equal(await field(page).evaluate((node) => getComputedStyle(node).direction), 'rtl');
});

test('a sender without a phone number can be read but not answered', async () => {
  const page = await open(chatPath('business.1234567'));
  await page.getByText('This sender has no phone number, so you cannot answer from here.').waitFor();
  assert.equal(await field(page).isDisabled(), true);
});

test('who writes by another channel is shown with it, and not answered', async () => {
  const number = newNumber();
  await inbound(number, 'by WhatsApp');
  await inbound(`sms:${number}`, 'by SMS');
  const page = await open(chatPath(`sms:${number}`));
  await bubble(page, 'by SMS').waitFor();
  await page.getByText('They wrote by another channel (sms), not by WhatsApp').waitFor();
  assert.equal(await field(page).isDisabled(), true);
  assert.equal(await page.getByText('by WhatsApp', { exact: true }).count(), 1, 'only in the list: another thread');
  await page.goto(world.target.page + chatPath(number));
  await bubble(page, 'by WhatsApp').waitFor();
  assert.equal(await field(page).isDisabled(), false);
  assert.deepEqual(await sentTo(number), []);
});

test('the 24-hour window and STOP are told before anything is sent', async () => {
  const number = newNumber();
  await inbound(number, 'hi');
  const page = await open();
  let fields = { windowClosesAt: Date.now() - 1000 };
  await intercept(page, '/', async (route) => {
    if (!/\/(threads|messages-since)$/.test(new URL(route.request().url()).pathname)) return route.continue();
    return editJson(({ threads }) => threads.forEach((thread) => Object.assign(thread, fields)))(route);
  });
  await page.goto(world.target.page + chatPath(number));
  await page.reload();
  await page.getByText('They have not written in the last 24 hours').waitFor();
  assert.equal(await field(page).isDisabled(), false);
  fields = { windowClosesAt: Date.now() + 3_600_000 };
  await inbound(number, 'again');
  await page.getByText('They have not written in the last 24 hours').waitFor({ state: 'detached' });
  fields = { optedOut: true };
  await inbound(number, 'STOP');
  await page.getByText('They asked for no more messages (STOP).').waitFor();
  assert.equal(await field(page).isDisabled(), true);
  fields = { blocked: true };
  await inbound(number, 'hello?');
  await page.getByText('This counterpart is blocked.').waitFor();
  assert.equal(await field(page).isDisabled(), true);
  assert.deepEqual(await sentTo(number), []);
});

test('the address leads back to the conversation, and Back to the list', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Address Person');
  await inbound(number, 'hello');
  const page = await open('', { viewport: { width: 390, height: 844 } });
  await page.locator('.row', { hasText: 'Address Person' }).click();
  await bubble(page, 'hello').waitFor();
  assert.equal(await page.locator('nav').isVisible(), false, 'a phone shows one pane');
  await page.reload();
  await bubble(page, 'hello').waitFor();
  await page.goBack();
  await page.locator('.row', { hasText: 'Address Person' }).waitFor();
  assert.equal(await bubbles(page).count(), 0);
  await page.locator('.row', { hasText: 'Address Person' }).click();
  await page.getByRole('button', { name: 'Back to conversations' }).click();
  await page.locator('.row', { hasText: 'Address Person' }).waitFor();
});
