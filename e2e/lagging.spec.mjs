import { randomUUID } from 'node:crypto';
import { test, expect, serve } from './test.mjs';
import { live, main } from './person.mjs';

const server = serve();

test('an empty result says what it may lack, and is read again when the list has caught up', async ({ page }) => {
  await server.order();
  await page.goto(`${server.url}/orders?q=LATE-1`);
  await live(page);
  const results = page.locator('[data-results]');
  await expect(results.getByText('No order matches.', { exact: true })).toBeVisible();
  const unlock = await server.lock();
  try {
    const items = [{ sku: 'LAMP-1', name: 'Desk lamp', quantity: 2, price: '12.50' }];
    await server.ask('POST', '/orders', { commandId: randomUUID(), customerId: 'Ada Lovelace', currency: 'EUR', reference: 'LATE-1', items });
    await main(page).getByRole('searchbox').fill('LATE');
    await expect(results).toContainText('No order matches, but 1 event is not applied yet');
  } finally {
    await unlock();
  }
  await expect(results.getByRole('link', { name: 'LATE-1' })).toBeVisible({ timeout: 15_000 });
  await main(page).getByRole('searchbox').fill('zzz');
  await expect(results.getByText('No order matches.', { exact: true })).toBeVisible();
});
