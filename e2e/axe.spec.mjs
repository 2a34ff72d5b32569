import { AxeBuilder } from '@axe-core/playwright';
import { test, expect, serve, answered } from './test.mjs';
import { empty, failing, full } from './pages.mjs';
import { form, line, orderBody, typeItem } from './person.mjs';
import { seed } from './seed.mjs';

const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const looks = [
  { name: 'light, wide', colorScheme: 'light', width: 1280 },
  { name: 'dark, wide', colorScheme: 'dark', width: 1280 },
  { name: 'light, 320', colorScheme: 'light', width: 320 },
  { name: 'dark, 320', colorScheme: 'dark', width: 320 },
  { name: 'forced colours', colorScheme: 'dark', forcedColors: 'active', width: 1280 },
];

// A trace would keep a copy of every document and of axe itself, which takes longer than the inspection; what is found is printed.
test.use({ trace: 'off' });

const server = serve();
const bare = serve();
let facts;

test.beforeAll(async () => {
  facts = await seed(server);
});

// Looks at the page as it stands in every look. The document is not loaded again, so states after a POST are covered too.
async function inspect(page, name) {
  const found = [];
  for (const look of looks) {
    await page.setViewportSize({ width: look.width, height: 900 });
    await page.emulateMedia({ colorScheme: look.colorScheme, forcedColors: look.forcedColors ?? 'none', reducedMotion: 'reduce' });
    // The pages have no frames, so the mode that prepares for them is not needed; it is five times slower.
    const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).withTags(tags).analyze();
    for (const violation of violations) {
      for (const node of violation.nodes) found.push(`${name}, ${look.name}: ${violation.id}: ${node.target.join(' ')}: ${node.failureSummary}`);
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) found.push(`${name}, ${look.name}: scrolls sideways by ${wide} px`);
  }
  return found;
}

async function inspectAll(page, url, list) {
  const found = [];
  for (const { name, path, status = 200 } of list) {
    const answer = await page.goto(url + path);
    if (answer.status() !== status) found.push(`${name}: answered ${answer.status()} instead of ${status}`);
    found.push(...(await inspect(page, name)));
  }
  expect(found).toEqual([]);
}

test('pages without orders are accessible', async ({ page }) => {
  await inspectAll(page, bare.url, empty);
});

test('pages with orders are accessible', async ({ page }) => {
  test.setTimeout(300_000);
  await inspectAll(page, server.url, full(facts));
});

test('pages that say no are accessible', async ({ page, guard }) => {
  guard.allow(answered(404));
  guard.allow(answered(400));
  await inspectAll(page, server.url, failing);
});

test('forms that come back with messages, and the conflict page, are accessible', async ({ page, guard }) => {
  guard.allow(answered(409));
  guard.allow(answered(422));
  const found = [];

  await page.goto(server.url + '/orders/new');
  await line(page, 0).fill({ sku: '', name: '', quantity: '0', price: '1.999' });
  await page.locator('form', { has: page.getByRole('button', { name: 'Create order' }) }).evaluate((form) => { form.noValidate = true; });
  await page.getByRole('button', { name: 'Create order' }).click();
  await expect(page.locator('[aria-invalid="true"]').first()).toBeVisible();
  found.push(...(await inspect(page, 'a new order with mistakes')));

  const order = await server.order();
  await page.goto(`${server.url}/orders/${order.id}`);
  const fields = await typeItem(page, { sku: 'PEN-2', name: 'Fountain pen', quantity: '0', price: '1.00' });
  await fields.evaluate((form) => { form.noValidate = true; });
  await fields.getByRole('button', { name: 'Add item' }).click();
  await expect(page.locator('[aria-invalid="true"]').first()).toBeVisible();
  found.push(...(await inspect(page, 'an item with mistakes')));

  await page.goto(`${server.url}/orders/${order.id}`);
  const cancel = await form(page, 'cancel');
  await cancel.getByLabel('Reason').fill('Ordered twice');
  await server.add(order.id, 1);
  await expect(orderBody(page)).toHaveAttribute('data-version', '2');
  const answer = page.waitForResponse((response) => response.request().method() === 'POST');
  await cancel.getByRole('button', { name: 'Cancel order' }).click();
  expect((await answer).status()).toBe(409);
  await expect(page.getByRole('main').getByRole('button', { name: /version 2/ })).toBeVisible();
  found.push(...(await inspect(page, 'a conflict')));
  expect(found).toEqual([]);
});
