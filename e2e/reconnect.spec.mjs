import { test, expect, serve, away } from './test.mjs';
import { connection, live, main, orderBody, orderRow, stamp } from './person.mjs';

const server = serve();

test('a restart of the server makes open pages unknown, then current, and they catch up with what they missed', async ({ page, secondWindow, guard }) => {
  guard.allow(away);
  const order = await server.order();
  await page.goto(server.url + '/orders');
  await secondWindow.goto(`${server.url}/orders/${order.id}`);
  await live(page);
  await live(secondWindow);
  await page.evaluate(() => { window.sameDocument = true; });
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'current');

  await server.stop();
  await expect(connection(page)).not.toHaveAttribute('data-state', 'live');
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'unknown');
  await expect(stamp(orderBody(secondWindow))).toHaveAttribute('data-state', 'unknown');

  await server.start();
  await server.confirm(order.id, 1);
  await live(page);
  await expect(orderRow(page, order.id)).toHaveAttribute('data-version', '2');
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'current');
  await live(secondWindow);
  await expect(orderBody(secondWindow)).toHaveAttribute('data-version', '2');
  await expect(stamp(orderBody(secondWindow))).toHaveAttribute('data-state', 'current');
});

test('a server that falls silent without closing anything makes pages unknown', async ({ page }) => {
  const order = await server.order();
  await page.goto(server.url + '/orders');
  await live(page);
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'current');
  server.freeze();
  try {
    await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'unknown', { timeout: 60_000 });
  } finally {
    server.thaw();
  }
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'current', { timeout: 60_000 });
});

test('a page that comes back by the Back button is not current until it has asked', async ({ page }) => {
  const order = await server.order();
  await page.goto(server.url + '/orders');
  await live(page);
  await main(page).getByRole('link', { name: order.reference, exact: true }).click();
  await live(page);
  await server.confirm(order.id, 1);
  await page.goBack();
  await expect(orderRow(page, order.id)).toHaveAttribute('data-version', '2');
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'current');
});
