// What every test file needs: one browser, one server, fresh pages, fresh phone numbers.

import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { launch, openPage } from './browser.js';
import { apiPath, startTarget } from './target.js';

export const world = { browser: null, target: null };
const pages = [];
let counter = Math.floor(Math.random() * 8_000_000);

before(async () => {
  world.browser = await launch();
  world.target = await startTarget();
});

after(async () => {
  await world.browser?.close();
  await world.target?.end();
});

// No page may have complained, whatever the test was about.
afterEach(async () => {
  for (const page of pages.splice(0)) {
    if (page.isClosed()) continue;
    const violations = await page.evaluate(() => globalThis.policyViolations ?? []).catch(() => []);
    // A poll may be on its way through a handler of the test; the page's end is not that handler's failure.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.removeAllListeners('response', { behavior: 'ignoreErrors' });
    await page.context().close();
    assert.deepEqual([...page.complaints, ...violations], []);
  }
});

// A number that no other test uses.
export const newNumber = () => `+4915${String(10_000_000 + counter++).padStart(8, '0')}`;

export async function open(path = '', options = {}) {
  const page = await openPage(world.browser, world.target.page + path, options);
  pages.push(page);
  return page;
}

export const chatPath = (number) => `#/chat/${encodeURIComponent(number)}`;

// The page with this conversation open.
export async function openChat(number, options) {
  const page = await open(chatPath(number), options);
  await page.locator('.chat-scroll[aria-busy="false"] :is(.message, .line-beginning)').first().waitFor();
  return page;
}

// fields: more of a webhook's, by Twilio's names.
export const inbound = (from, body, media, fields) => world.target.inbound({ from, body, media, fields });

export const bubbles = (page) => page.locator('.message');
export const bubble = (page, text) => page.locator('.message', { has: page.locator('.bubble p', { hasText: exactly(text) }) });
export const row = (page, name) => page.locator('.row', { has: page.locator('.row-name', { hasText: exactly(name) }) });
export const field = (page) => page.locator('textarea');
export const atEnd = (page) => page.locator('.chat-scroll').evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight < 2);
export const inView = (locator) => locator.evaluate((node) => {
  const { top, bottom } = node.getBoundingClientRect();
  const view = node.closest('.chat-scroll').getBoundingClientRect();
  return top >= view.top - 1 && bottom <= view.bottom + 1;
});

const exactly = (text) => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);

export async function say(page, text) {
  await field(page).fill(text);
  await page.keyboard.press('Enter');
}

export async function eventually(check, wanted, what = 'value') {
  const end = Date.now() + 15_000;
  let found;
  do {
    found = await check();
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (Date.now() < end);
  assert.deepEqual(found, wanted, what);
}

// The bodies that Twilio was given for this number.
export async function sentTo(number) {
  return (await world.target.created()).filter(({ to }) => to === number).map(({ body }) => body);
}

// Every body the API has for a conversation, oldest first.
export async function stored(number) {
  const { body } = await world.target.api('GET', `/messages?limit=200&counterpart=${encodeURIComponent(number)}`);
  return body.messages.reverse();
}

// Changes what the API answers on the way: edit(json) or, for a broken way, action(route).
export function intercept(page, path, action) {
  return page.route((url) => url.pathname.startsWith(apiPath + path), action);
}

export const editJson = (edit) => async (route) => {
  const answer = await route.fetch();
  if (!/\bjson\b/.test(answer.headers()['content-type'] ?? '')) return route.fulfill({ response: answer }); // a picture
  const json = await answer.json();
  edit(json, route.request());
  await route.fulfill({ response: answer, json });
};

// The page is told that it is hidden or shown, as a browser does with a tab.
export function setHidden(page, hidden) {
  return page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (value ? 'hidden' : 'visible') });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}
