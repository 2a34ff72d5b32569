import { test, expect, serve } from './test.mjs';
import { confirmOrder, live, orderBody } from './person.mjs';

const server = serve();

test('a receipt says how long it waits and why, and in the end how long it took', async ({ page }) => {
  const order = await server.order();
  await page.goto(`${server.url}/orders/${order.id}`);
  await live(page);
  const unlock = await server.lock();
  const ticks = page.locator('[data-receipt][data-version="2"] [data-tick-words]');
  try {
    await confirmOrder(page);
    await expect(orderBody(page)).toContainText('confirmed');
    await expect(ticks).toHaveCount((await server.ask('GET', '/projections')).body.projections.length);
    for (const words of await ticks.all()) await expect(words).toHaveText(/^waiting for [\d.]+ m?s/);
    for (const words of await ticks.all()) await expect(words).toHaveText(/^waiting for \d+ s, stalled: no heartbeat for \d+ s$/); // it counts on
    await page.reload();
    for (const words of await ticks.all()) await expect(words).toHaveText(/^waiting for \d+ s, stalled: no heartbeat for \d+ s$/);
  } finally {
    await unlock();
  }
  for (const words of await ticks.all()) await expect(words).toHaveText(/^arrived after \d+ s$/);
});
