import { test, expect, serve, away } from './test.mjs';

const server = serve({
  before: async (server) => {
    const imported = await server.web(['import', 'testdata/messy.csv']);
    expect(imported.code, imported.stderr).toBe(1); // it has bad lines; the good orders are kept
  },
});

test('an imported order is found, changed, followed by a second window, and outlives kill -9', async ({ page, secondWindow, guard }) => {
  const { body } = await server.ask('GET', '/orders?status=created');
  const reference = body.orders.find((order) => order.reference)?.reference;
  expect(reference, 'the file has an order that is still open').toBeTruthy();

  // Found by its reference.
  await page.goto(server.url + '/orders');
  const search = page.getByRole('main').getByRole('searchbox');
  await search.fill(reference);
  await search.press('Enter');
  await page.getByRole('main').getByRole('link', { name: reference, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(reference);

  // A second window on the same order, which must not be loaded again.
  await secondWindow.goto(page.url());
  await secondWindow.evaluate(() => { window.sameDocument = true; });

  // An item is added.
  await page.getByLabel('SKU').fill('MUG-7');
  await page.getByLabel('Name').fill('Enamel mug');
  await page.getByLabel('Quantity').fill('3');
  await page.getByLabel('Price').fill('7.25');
  await page.getByRole('button', { name: 'Add item' }).click();
  await expect(page.getByRole('cell', { name: 'MUG-7' })).toBeVisible();
  await expect(secondWindow.getByRole('cell', { name: 'MUG-7' })).toBeVisible();

  // Confirmed.
  await page.getByRole('button', { name: 'Confirm order' }).click();
  await expect(page.locator('[data-live=order]')).toContainText('confirmed');
  await expect(secondWindow.locator('[data-live=order]')).toContainText('confirmed');

  // Cancelled.
  await page.getByLabel('Reason').fill('Ordered twice');
  await page.getByRole('button', { name: 'Cancel order' }).click();
  await expect(page.locator('[data-live=order]')).toContainText('Ordered twice');
  await expect(secondWindow.locator('[data-live=order]')).toContainText('Ordered twice');
  expect(await secondWindow.evaluate(() => window.sameDocument), 'the second window kept its document').toBe(true);

  // Killed and started again: everything is there.
  guard.allow(away);
  const id = new URL(page.url()).pathname.split('/')[2];
  const before = await server.ask('GET', `/orders/${id}`);
  await server.kill();
  await server.start();
  const after = await server.ask('GET', `/orders/${id}`);
  expect(after.body.order).toEqual(before.body.order);
  expect(after.body.events).toEqual(before.body.events);
  await page.reload();
  await expect(page.locator('[data-live=order]')).toContainText('Ordered twice');

  const verified = await server.web(['verify']);
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
});
