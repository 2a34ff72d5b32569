// Takes pictures of every page and state, light and dark, wide and narrow, into e2e/pictures (not kept), and those of the README
// into docs/pictures. Run it with `make screenshots`, then look at them.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import build from './build.mjs';
import { empty, failing, full } from './pages.mjs';
import { form, line, live, orderBody, typeItem } from './person.mjs';
import { launchOptions } from './playwright.config.mjs';
import { seed } from './seed.mjs';
import { root, Server } from './server.mjs';

const maxPicture = 150 * 1024; // of one that is committed
const pictures = join(root, 'e2e', 'pictures');
const kept = join(root, 'docs', 'pictures');
const looks = [
  { colorScheme: 'light', width: 1280 },
  { colorScheme: 'dark', width: 1280 },
  { colorScheme: 'light', width: 320 },
  { colorScheme: 'dark', width: 320 },
];

async function settle(page) {
  await page.waitForLoadState('networkidle');
  if ((await page.locator('body[data-watch]').count()) > 0) await live(page);
  await page.evaluate(() => document.fonts.ready);
}

async function takeEach(page, name) {
  for (const { colorScheme, width } of looks) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`), fullPage: true });
  }
}

async function takeAll(page, prefix, url, list) {
  for (const { name, path } of list) {
    await page.goto(url + path);
    await settle(page);
    await takeEach(page, `${prefix}-${name}`);
  }
}

async function keep(page, name, url, colorScheme) {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.goto(url);
  await settle(page);
  const path = join(kept, name);
  await page.screenshot({ path });
  const { size } = statSync(path);
  if (size > maxPicture) throw new Error(`${name} has ${size} bytes; at most ${maxPicture} are kept in the repository.`);
}

// The states that only a POST leads to.
async function takeAnswers(page, server) {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(server.url + '/orders/new');
  await line(page, 0).fill({ sku: '', name: '', quantity: '0', price: '1.999' });
  await page.locator('form', { has: page.getByRole('button', { name: 'Create order' }) }).evaluate((f) => { f.noValidate = true; });
  await page.getByRole('button', { name: 'Create order' }).click();
  await settle(page);
  await takeEach(page, 'failing-new-order');

  const order = await server.order();
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${server.url}/orders/${order.id}`);
  const fields = await typeItem(page, { sku: 'PEN-2', name: 'Fountain pen', quantity: '0', price: '1.00' });
  await fields.evaluate((f) => { f.noValidate = true; });
  await fields.getByRole('button', { name: 'Add item' }).click();
  await settle(page);
  await takeEach(page, 'failing-add-item');

  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${server.url}/orders/${order.id}`);
  const cancel = await form(page, 'cancel');
  await cancel.getByLabel('Reason').fill('Ordered twice');
  await server.add(order.id, 1);
  await orderBody(page).and(page.locator('[data-version="2"]')).waitFor();
  await cancel.getByRole('button', { name: 'Cancel order' }).click();
  await settle(page);
  await takeEach(page, 'failing-conflict');
}

rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });
mkdirSync(kept, { recursive: true });

const clean = build();
const [bare, seeded, demo] = [new Server(), new Server(), new Server(['--demo', '--demo-traffic', '0'])];
const browser = await chromium.launch(launchOptions);
try {
  for (const server of [bare, seeded, demo]) await server.start();
  const page = await browser.newPage({ locale: 'en-GB', timezoneId: 'UTC' });
  await takeAll(page, 'empty', bare.url, empty);
  await takeAll(page, 'full', seeded.url, full(await seed(seeded)));
  await takeAll(page, 'failing', seeded.url, failing);
  await takeAnswers(page, seeded);
  await takeAll(page, 'demo', demo.url, empty);

  // The README's: the list as staff see it all day, and an order with a history.
  const { body } = await demo.ask('GET', '/orders?status=confirmed&sort=-items');
  const id = body.orders[0].id;
  await takeAll(page, 'demo', demo.url, [{ name: 'order', path: `/orders/${id}` }]);
  await keep(page, 'orders-light.png', demo.url + '/orders?q=H-119&sort=-total', 'light');
  await keep(page, 'order-dark.png', `${demo.url}/orders/${id}`, 'dark');
} finally {
  await browser.close();
  for (const server of [bare, seeded, demo]) await server.end();
  clean();
}
