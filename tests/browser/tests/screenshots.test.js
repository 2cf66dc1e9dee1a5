// Pictures of the main states, to be looked at: in the folder WA_TEST_SCREENSHOTS, or thrown away.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { desktop, openPage, phone } from '../support/browser.js';
import { bubble, chatPath, world } from '../support/harness.js';
import { MockServer } from '../support/mock-server.js';
import { showcase } from '../support/showcase.js';
import { pagePath } from '../support/target.js';

const wanted = process.env.WA_TEST_SCREENSHOTS;
const folder = wanted ?? mkdtempSync(join(tmpdir(), 'wa-screenshots-'));
const now = Date.parse('2026-03-12T16:42:00+01:00');
const priya = '+447700900123';
const jose = '+34600123456';

test('the main states, for desktop and phone, light and dark', async () => {
  mkdirSync(folder, { recursive: true });
  const mock = await new MockServer().start();
  mock.hasDate = false;
  showcase(mock, now);
  try {
    for (const [device, options] of [['desktop', { viewport: desktop }], ['phone', { viewport: phone, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }]]) {
      for (const colorScheme of ['light', 'dark']) await pictures(mock, `${device}-${colorScheme}`, { ...options, colorScheme });
    }
  } finally {
    await mock.stop();
    if (!wanted) rmSync(folder, { recursive: true });
  }
});

async function pictures(mock, name, options) {
  const page = await openPage(world.browser, 'about:blank', options);
  await page.clock.setFixedTime(now);
  const shoot = async (state) => {
    await page.evaluate(() => Promise.all([...document.images].map((image) => image.decode().catch(() => 0))));
    const path = join(folder, `${name}-${state}.png`);
    await page.screenshot({ path, animations: 'disabled' });
    assert.ok(statSync(path).size > 5000, path);
  };
  const visit = async (path) => {
    await page.goto(mock.origin + pagePath + path);
    await page.reload();
  };
  await visit('');
  await page.locator('.row').nth(6).waitFor();
  await shoot('list');
  await visit(chatPath(priya));
  await bubble(page, 'See you! 👋').waitFor();
  await page.locator('.message img').waitFor();
  await shoot('conversation');
  await visit(chatPath(jose));
  await page.locator('.note').waitFor();
  await page.locator('textarea').fill('¿Me puede llamar, por favor?');
  await shoot('failed');
  await visit(chatPath('+491701234567'));
  await page.getByRole('button', { name: 'Add to contacts' }).click();
  await page.getByLabel('Name').fill('Hannah Vogt');
  await shoot('contact');
  await visit('');
  await page.getByRole('button', { name: 'New conversation' }).click();
  await page.getByRole('searchbox').fill('+49 30 123456');
  await page.getByText('Message +49').waitFor();
  await shoot('search');
  await visit(chatPath(priya));
  await bubble(page, 'See you! 👋').waitFor();
  await page.context().setOffline(true);
  await page.getByText('You are offline.').waitFor();
  await page.locator('textarea').fill('On my way');
  await page.keyboard.press('Enter');
  await page.getByText('Waiting for the server.').waitFor();
  await shoot('offline');
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}
