import { test, expect, serve } from './test.mjs';
import { addItem, addNote, cancelOrder, confirmOrder, line, live, main, orderBody, orderRow, stamp } from './person.mjs';

const server = serve();

test('a person makes an order, adds to it, confirms it and cancels it, and sees each step arrive', async ({ page }) => {
  await page.goto(server.url + '/');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Orders' }).click();
  await main(page).getByRole('link', { name: 'New order' }).first().click();

  // Made.
  await main(page).getByLabel('Customer').fill('Katherine Johnson');
  await main(page).getByLabel('Currency').fill('EUR');
  await main(page).getByLabel('Reference').fill('PO-7');
  await line(page, 0).fill({ sku: 'LAMP-1', name: 'Desk lamp', quantity: 2, price: '12.50' });
  await page.getByRole('button', { name: 'Create order' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('PO-7');
  const id = new URL(page.url()).pathname.split('/')[2];
  await expect(orderBody(page)).toHaveAttribute('data-version', '1');
  await expect(orderBody(page)).toContainText('25.00');
  await live(page);

  // Its receipt ticks for every projection.
  const ticks = page.locator(`[data-receipt][data-id="${id}"] [data-tick]`);
  await expect(ticks.first()).toBeVisible();
  for (const tick of await ticks.all()) await expect(tick).toHaveAttribute('data-state', 'arrived');

  // Added to: the page shows its own write at once.
  await addItem(page, { sku: 'BULB-9', name: 'Bulb', quantity: 4, price: '1.25' });
  await expect(orderBody(page)).toHaveAttribute('data-version', '2');
  await expect(orderBody(page)).toContainText('BULB-9');
  await expect(orderBody(page)).toContainText('30.00');

  // Confirmed: nothing can be added any more, and the page says why.
  await confirmOrder(page);
  await expect(orderBody(page)).toHaveAttribute('data-version', '3');
  await expect(page.locator('button[data-action="addItem"]')).toBeDisabled();
  await expect(page.locator('[data-reason-for="addItem"]')).toContainText('confirmed');

  // Cancelled, with a reason.
  await cancelOrder(page, 'Ordered twice');
  await expect(orderBody(page)).toHaveAttribute('data-version', '4');
  await expect(orderBody(page)).toContainText('Ordered twice');
  for (const action of ['addItem', 'confirm', 'cancel']) {
    await expect(page.locator(`button[data-action="${action}"]`)).toBeDisabled();
  }

  // A note can be added even now; it is on the page, in the timeline and in the search of the list.
  await addNote(page, 'Ring twice;\nthen leave it with Dorothy');
  await expect(orderBody(page)).toHaveAttribute('data-version', '5');
  await expect(orderBody(page).getByRole('region', { name: 'Notes' })).toContainText('leave it with Dorothy');
  await expect(orderBody(page).locator('#v5')).toContainText('noted: Ring twice;');
  await page.goto(server.url + '/orders?q=dorothy');
  await expect(orderRow(page, id)).toBeVisible();

  // The list has it, current.
  await page.goto(server.url + '/orders');
  await expect(orderRow(page, id)).toContainText('cancelled');
  await expect(stamp(orderRow(page, id))).toHaveAttribute('data-state', 'current');

  // As it was at version 1, with the stored event one click away.
  await page.goto(`${server.url}/orders/${id}?at=1`);
  await expect(main(page)).toContainText('25.00');
  await expect(main(page)).not.toContainText('BULB-9');
  await expect(page.locator('button[data-action]')).toHaveCount(0);
  await page.goto(`${server.url}/orders/${id}/events/2`);
  await expect(main(page)).toContainText('OrderItemAdded');
  await expect(main(page)).toContainText('BULB-9');

  // The customer's page adds it up.
  await page.goto(server.url + '/customers');
  await main(page).getByRole('link', { name: 'Katherine Johnson' }).click();
  await expect(orderRow(page, id)).toBeVisible();
});

test('an order becomes the pattern of a new one', async ({ page }) => {
  const order = await server.order({ reference: 'PO-8', customerId: 'Mary Jackson' });
  await page.goto(`${server.url}/orders/${order.id}`);
  await page.getByRole('link', { name: 'Duplicate as new' }).click();
  await expect(main(page).getByLabel('Customer')).toHaveValue('Mary Jackson');
  await expect(line(page, 0).field('sku')).toHaveValue('LAMP-1');
  await page.getByRole('button', { name: 'Create order' }).click();
  await expect(orderBody(page)).toHaveAttribute('data-version', '1');
  expect(new URL(page.url()).pathname).not.toBe(`/orders/${order.id}`);
});

test('a form that is sent twice makes one order', async ({ page }) => {
  await page.goto(server.url + '/orders/new');
  await main(page).getByLabel('Customer').fill('Dorothy Vaughan');
  await main(page).getByLabel('Currency').fill('EUR');
  await line(page, 0).fill({ sku: 'LAMP-1', name: 'Desk lamp', quantity: 1, price: '1.00' });
  await page.getByRole('button', { name: 'Create order' }).dblclick();
  await expect(orderBody(page)).toHaveAttribute('data-version', '1');
  // Back, and once more: the form still has the command id it was made with.
  const first = new URL(page.url()).pathname;
  await page.goBack();
  await page.getByRole('button', { name: 'Create order' }).click();
  await expect(orderBody(page)).toHaveAttribute('data-version', '1');
  expect(new URL(page.url()).pathname).toBe(first);
  const { body } = await server.ask('GET', '/orders?customer=Dorothy%20Vaughan');
  expect(body.orders).toHaveLength(1);
});

test('search answers while it is typed into, and the address keeps it', async ({ page }) => {
  const order = await server.order({ reference: 'ZEBRA-77' });
  await server.order({ reference: 'YAK-1' });
  await page.goto(server.url + '/orders');
  await page.evaluate(() => { window.sameDocument = true; });
  await main(page).getByRole('searchbox').pressSequentially('zebra');
  await expect(main(page).locator('[data-live="order_list"]')).toHaveCount(1);
  await expect(orderRow(page, order.id)).toBeVisible();
  await expect(page).toHaveURL(/q=zebra/);
  expect(await page.evaluate(() => window.sameDocument)).toBe(true);
  await page.reload();
  await expect(main(page).locator('[data-live="order_list"]')).toHaveCount(1);
});
