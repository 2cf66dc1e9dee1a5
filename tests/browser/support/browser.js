// Starts Debian's Chromium and opens pages in it the way that people would, with every complaint of the page noted.

import { chromium } from 'playwright-core';

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const desktop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

export function launch() {
  return chromium.launch({ executablePath: process.env.WA_TEST_CHROMIUM ?? '/usr/bin/chromium', args: flags });
}

// options: {viewport, colorScheme, locale, timezoneId, hasTouch, storageState}
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: desktop, locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options });
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      (globalThis.policyViolations ??= []).push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    // A request that fails is what many tests are about; the browser notes it by itself.
    if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(message.text())) page.complaints.push(message.text());
  });
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  return page;
}
