// New conversations and contacts: start, add, rename, delete, and what can go wrong with each.

import assert from 'node:assert/strict';
import test from 'node:test';
import { bubble, eventually, field, inbound, intercept, newNumber, open, openChat, row, say, sentTo, world } from '../support/harness.js';

const contactsOf = async (number) => (await world.target.api('GET', '/contacts')).body.contacts.filter(({ phoneNumber }) => phoneNumber === number);

test('a conversation is started by number, typed as people type numbers', async () => {
  const number = newNumber();
  const page = await open();
  await page.getByRole('button', { name: 'New conversation' }).click();
  const typed = `00${number.slice(1, 3)} (${number.slice(3, 6)}) ${number.slice(6, 9)}-${number.slice(9)}`;
  await page.getByRole('searchbox').fill(typed);
  await page.locator('.row', { hasText: 'Message +49' }).click();
  await say(page, 'hello new one');
  await eventually(() => sentTo(number), ['hello new one']);
  await page.getByRole('heading', { name: 'Conversations' }).waitFor();
});

test('a conversation is started with a contact, by Enter on a name', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Quentin Unwritten');
  const page = await open();
  await page.getByRole('button', { name: 'New conversation' }).click();
  await row(page, 'Quentin Unwritten').waitFor();
  await page.getByRole('searchbox').fill('quentin');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Quentin Unwritten', level: 2 }).waitFor();
  await eventually(() => page.evaluate(() => document.activeElement.tagName), 'TEXTAREA');
});

test('a contact is added from a conversation, and its name shows at once', async () => {
  const number = newNumber();
  await inbound(number, 'who is this');
  const page = await openChat(number);
  await page.getByRole('button', { name: 'Add to contacts' }).click();
  const dialog = page.getByRole('dialog', { name: 'New contact' });
  await dialog.getByLabel('Name').fill('  Ida Neu  ');
  assert.equal((await dialog.getByLabel('Phone number').inputValue()).replace(/ /g, ''), number);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Ida Neu' }).waitFor();
  await row(page, 'Ida Neu').waitFor();
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.deepEqual((await contactsOf(number)).map(({ displayName }) => displayName), ['Ida Neu']);
});

test('a contact is renamed, then deleted only after a second word; the messages stay', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Old Name');
  await inbound(number, 'I stay');
  const page = await openChat(number);
  await page.getByRole('button', { name: 'Edit contact' }).click();
  const dialog = page.getByRole('dialog', { name: 'Edit contact' });
  await dialog.getByLabel('Name').fill('New Name');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: 'New Name' }).waitFor();
  await page.getByRole('button', { name: 'Edit contact' }).click();
  const asked = [];
  page.on('dialog', async (question) => {
    asked.push(question.message());
    await (asked.length > 1 ? question.accept() : question.dismiss());
  });
  await dialog.getByRole('button', { name: 'Delete contact' }).click();
  assert.equal((await contactsOf(number)).length, 1, 'not yet');
  assert.deepEqual(asked, ['Delete New Name from your contacts? The messages stay.']);
  await dialog.getByRole('button', { name: 'Delete contact' }).click();
  await eventually(async () => (await contactsOf(number)).length, 0);
  await page.getByRole('button', { name: 'Add to contacts' }).waitFor();
  await bubble(page, 'I stay').waitFor();
});

test('the list of contacts leads to each of them, in alphabetical order', async () => {
  await world.target.reset();
  const numbers = [newNumber(), newNumber(), newNumber()];
  await world.target.contact(numbers[0], 'Zora');
  await world.target.contact(numbers[1], 'émile');
  await world.target.contact(numbers[2], 'Frieda');
  const page = await open();
  await row(page, 'Zora').waitFor();
  assert.deepEqual(await page.locator('.row-name').allInnerTexts(), ['émile', 'Frieda', 'Zora']);
  await row(page, 'Frieda').click();
  await page.getByRole('button', { name: 'Edit contact' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Ava');
  await page.keyboard.press('Enter');
  await eventually(() => page.locator('.row-name').allInnerTexts(), ['Ava', 'émile', 'Zora']);
  await page.getByRole('button', { name: 'New contact' }).click();
  const dialog = page.getByRole('dialog', { name: 'New contact' });
  await dialog.getByLabel('Name').fill('Walk-in');
  await dialog.getByLabel('Phone number').fill('030 12');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Enter a phone number with + and country code.').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'number');
  await dialog.getByLabel('Phone number').fill('+49 30 1234567');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await row(page, 'Walk-in').waitFor();
});

test('what the server refuses is said in the dialog, and nothing typed is lost', async () => {
  const number = newNumber();
  await world.target.contact(number, 'First Owner');
  const page = await open();
  await page.getByRole('button', { name: 'New conversation' }).click();
  await page.getByRole('button', { name: 'New contact' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Enter a name of at most 100 characters.').waitFor();
  await dialog.getByLabel('Name').fill('Second Owner');
  await dialog.getByLabel('Phone number').fill(number);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await eventually(async () => (await dialog.locator('p[role="alert"]').innerText()).length > 5, true);
  assert.equal(await dialog.getByLabel('Name').inputValue(), 'Second Owner');
  assert.equal((await contactsOf(number)).length, 1);
});

test('many clicks on Save make one contact', async () => {
  const number = newNumber();
  await inbound(number, 'hi');
  const page = await openChat(number);
  await page.getByRole('button', { name: 'Add to contacts' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Once Only');
  let posts = 0;
  await intercept(page, '/contacts', (route) => { if (route.request().method() === 'POST') posts++; return route.continue(); });
  await page.getByRole('dialog').evaluate((node) => { for (let i = 0; i < 4; i++) node.querySelector('form').requestSubmit(); });
  await page.getByRole('heading', { name: 'Once Only' }).waitFor();
  assert.equal(posts, 1);
});

test('a number that is known already leads to its conversation, not to a second one', async () => {
  const number = newNumber();
  await world.target.contact(number, 'Known Person');
  await inbound(number, 'we know each other');
  const page = await open();
  await page.getByRole('searchbox').fill(number);
  await row(page, 'Known Person').waitFor();
  assert.equal(await page.locator('.row', { hasText: 'Message +' }).count(), 0);
  await page.keyboard.press('Enter');
  await bubble(page, 'we know each other').waitFor();
  await field(page).waitFor();
});
