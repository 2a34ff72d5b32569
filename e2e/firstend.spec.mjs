import { test, expect, serve, away } from './test.mjs';
import { addItem, cancelOrder, confirmOrder, findByReference, live, orderBody } from './person.mjs';

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

  await findByReference(page, server.url, reference);

  // A second window on the same order, which must not be loaded again.
  await secondWindow.goto(page.url());
  await live(secondWindow);
  await secondWindow.evaluate(() => { window.sameDocument = true; });

  await addItem(page, { sku: 'MUG-7', name: 'Enamel mug', quantity: 3, price: '7.25' });
  await expect(orderBody(page)).toContainText('MUG-7');
  await expect(orderBody(secondWindow)).toContainText('MUG-7');

  await confirmOrder(page);
  await expect(orderBody(page)).toContainText('local confirmed the order');
  await expect(orderBody(secondWindow)).toContainText('local confirmed the order');

  await cancelOrder(page, 'Ordered twice');
  await expect(orderBody(page)).toContainText('Ordered twice');
  await expect(orderBody(secondWindow)).toContainText('Ordered twice');
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
  await expect(orderBody(page)).toContainText('Ordered twice');

  const verified = await server.web(['verify']);
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
});
