// Pages of other sites change nothing through the browser of somebody who may use the API; our own page does.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test, { after, before } from 'node:test';
import { bubble, eventually, inbound, newNumber, openChat, say, sentTo, stored, world } from '../support/harness.js';
import { apiPath } from '../support/target.js';

// A site on another port that shows what it is asked to.
let site;
before(async () => {
  site = createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>elsewhere</title><iframe name="hole"></iframe>');
  });
  await new Promise((resolve) => site.listen(0, resolve));
});
after(() => site.close());

// As the messenger's own machine, by another name for it, and by one that browsers call the same site.
const places = ['127.0.0.1', 'localhost', 'evil.localhost'];
const port = () => site.address().port;
const real = Boolean(process.env.WA_TEST_SERVER_COMMAND);

async function visit(host, options) {
  const context = await world.browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`http://${host}:${port()}/`);
  return page;
}

// Everything a page can do to post without being asked first, and what is asked first.
const attempts = ({ api, number, id }) => {
  const person = encodeURIComponent(number);
  const json = JSON.stringify({ phoneNumber: number, message: 'from elsewhere', displayName: 'Mallory' });
  const paths = [`/threads/${person}/unblock`, `/threads/${person}/block`, `/threads/${person}/read`, '/send', '/contacts'].map((path) => api + path);
  return { paths, json, contact: `${api}/contacts/${id}` };
};

async function attack(page, wanted) {
  return page.evaluate(async ({ paths, json, contact }) => {
    const tried = [];
    const quietly = (promise) => promise.then(() => tried.push('answered'), () => tried.push('blocked'));
    for (const path of paths) {
      for (const body of [undefined, json, new Blob([json]), new URLSearchParams({ x: json })]) {
        await quietly(fetch(path, { method: 'POST', mode: 'no-cors', credentials: 'include', body }));
        await quietly(fetch(path, { method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer', body }));
      }
      await quietly(fetch(path, { method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json' }, body: json }));
      const form = new FormData();
      form.set('x', json);
      await quietly(fetch(path, { method: 'POST', mode: 'no-cors', body: form }));
      navigator.sendBeacon(path);
      navigator.sendBeacon(path, json);
      navigator.sendBeacon(path, new Blob([json], { type: 'text/plain' }));
      for (const type of ['text/plain', 'multipart/form-data', 'application/x-www-form-urlencoded']) {
        const element = Object.assign(document.createElement('form'), { action: path, method: 'post', enctype: type, target: 'hole' });
        const field = Object.assign(document.createElement('input'), { name: json.slice(0, -1) + ',"x":"', value: '"}' });
        element.append(field);
        document.body.append(element);
        const loaded = new Promise((resolve) => { document.querySelector('iframe').onload = resolve; });
        element.submit();
        await loaded;
      }
      // A frame without an origin of its own.
      const frame = Object.assign(document.createElement('iframe'), { sandbox: 'allow-scripts allow-forms' });
      frame.srcdoc = `<script>fetch(${JSON.stringify(path)}, { method: 'POST', mode: 'no-cors' }).finally(() => parent.postMessage('done', '*'))</script>`;
      const done = new Promise((resolve) => { addEventListener('message', resolve, { once: true }); });
      document.body.append(frame);
      await done;
    }
    for (const method of ['PATCH', 'DELETE', 'PUT']) {
      await quietly(fetch(contact, { method, headers: { 'Content-Type': 'application/json' }, body: json }));
    }
    return tried.length;
  }, wanted);
}

for (const host of places) {
  test(`a page on ${host}, another port, changes nothing`, async () => {
    const number = newNumber();
    await inbound(number, 'still unread');
    const { id } = await world.target.contact(number, 'Still Here');
    const page = await visit(host);
    try {
      const before = real ? (await world.target.answers()).length : 0;
      assert.ok(await attack(page, attempts({ api: world.target.origin + apiPath, number, id })) > 50);
      if (real) {
        // Asked of the server: what a browser tells of frames and beacons is not all of it, and comes when it likes.
        const answered = async (isQuestion) => (await world.target.answers()).slice(before)
          .filter(({ method }) => (method === 'OPTIONS') === isQuestion).map(({ status }) => status);
        await eventually(async () => (await answered(false)).length, 5 * 16, 'how much of what was tried was answered');
        assert.deepEqual([...new Set(await answered(false))], [403]);
        assert.deepEqual([...new Set(await answered(true))], [405]);
      }
    } finally {
      await page.context().close();
    }
    if (!real) return; // the server in memory has no such rule
    const thread = (await world.target.api('GET', '/threads')).body.threads.find(({ counterpart }) => counterpart === number);
    assert.equal(thread.unreadCount, 1);
    assert.equal(thread.blocked, undefined);
    assert.equal(thread.contactName, 'Still Here');
    assert.deepEqual((await stored(number)).map(({ body }) => body), ['still unread']);
    assert.deepEqual(await sentTo(number), []);
  });

  test(`a page on ${host} can show nothing of ours`, async () => {
    if (!real) return;
    const number = newNumber();
    await inbound(number, '', ['image/png']);
    const [{ media: [{ url }] }] = await stored(number);
    const page = await visit(host);
    try {
      const shown = await page.evaluate(async (address) => {
        const picture = new Image();
        const loaded = new Promise((resolve) => { picture.onload = () => resolve('shown'); picture.onerror = () => resolve('blocked'); });
        picture.src = address;
        return loaded;
      }, world.target.origin + url);
      assert.equal(shown, 'blocked');
    } finally {
      await page.context().close();
    }
  });
}

test('our own page does it all', async () => {
  const number = newNumber();
  await inbound(number, 'hello');
  const page = await openChat(number);
  await eventually(async () => (await world.target.api('GET', '/threads')).body.threads.find((one) => one.counterpart === number).unreadCount, 0);
  await say(page, 'from our page');
  await bubble(page, 'from our page').waitFor();
  await eventually(() => sentTo(number), ['from our page']);
  const blocked = await page.evaluate(async (path) => {
    const answers = [];
    for (const verb of ['block', 'unblock']) answers.push((await fetch(`${path}/${verb}`, { method: 'POST' })).status);
    return answers;
  }, `${apiPath}/threads/${encodeURIComponent(number)}`);
  if (real) assert.deepEqual(blocked, [200, 200]);
});
