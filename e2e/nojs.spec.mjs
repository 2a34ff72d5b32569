import { test, expect, serve, answered } from './test.mjs';
import { addItem, cancelOrder, confirmOrder, line, main, message, orderBody } from './person.mjs';

test.use({ javaScriptEnabled: false });

const server = serve();

test('the whole errand works with JavaScript off', async ({ page, secondWindow, guard }) => {
  guard.allow(answered(409));
  guard.allow(answered(422));

  // Three lines, one of them removed.
  await page.goto(server.url + '/orders/new');
  await main(page).getByLabel('Customer').fill('Annie Easley');
  await main(page).getByLabel('Currency').fill('EUR');
  await main(page).getByLabel('Reference').fill('PO-55');
  await line(page, 0).fill({ sku: 'A-1', name: 'Anvil', quantity: 1, price: '80.00' });
  await page.getByRole('button', { name: 'Add line' }).click();
  await line(page, 1).fill({ sku: 'B-2', name: 'Bellows', quantity: 1, price: '40.00' });
  await page.getByRole('button', { name: 'Add line' }).click();
  await line(page, 2).fill({ sku: 'C-3', name: 'Chisel', quantity: 2, price: '9.999' });
  await page.getByRole('button', { name: /Remove line 2/ }).click();
  await expect(line(page, 2).field('sku')).toHaveCount(0);
  await expect(line(page, 0).field('sku')).toHaveValue('A-1');
  await expect(line(page, 1).field('sku')).toHaveValue('C-3');

  // A mistake, told beside its field, and mended.
  await page.getByRole('button', { name: 'Create order' }).click();
  expect(await message(line(page, 1).field('price'))).toContain('2');
  await expect(main(page).getByLabel('Customer')).toHaveValue('Annie Easley');
  await expect(line(page, 1).field('price')).toHaveValue('9.999');
  await line(page, 1).field('price').fill('9.99');
  await page.getByRole('button', { name: 'Create order' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('PO-55');
  await expect(main(page)).toContainText('99.98');

  // Added to.
  await addItem(page, { sku: 'D-4', name: 'Drill', quantity: 1, price: '0.02' });
  await expect(main(page)).toContainText('100.00');

  // A conflict: the page still shows version 2 when another window has made it 3.
  await secondWindow.goto(page.url());
  await addItem(secondWindow, { sku: 'E-5', name: 'Emery', quantity: 1, price: '5.00' });
  await expect(main(secondWindow)).toContainText('E-5');
  await confirmOrder(page);
  await expect(main(page)).toContainText('E-5');
  await main(page).getByRole('button', { name: /version 3/ }).click();
  await expect(orderBody(page)).toHaveAttribute('data-version', '4');
  await expect(orderBody(page)).toContainText('confirmed');

  // Cancelled.
  await cancelOrder(page, 'No longer needed');
  await expect(orderBody(page)).toHaveAttribute('data-version', '5');
  await expect(orderBody(page)).toContainText('No longer needed');
});

test('search, tabs, sorting and pages are links and forms', async ({ page }) => {
  const order = await server.order({ reference: 'FIND-ME' });
  await page.goto(server.url + '/orders');
  await main(page).getByRole('searchbox').fill('find');
  await main(page).getByRole('searchbox').press('Enter');
  await main(page).getByRole('link', { name: 'FIND-ME' }).click();
  await expect(page).toHaveURL(new RegExp(order.id));
  for (const name of ['Overview', 'Customers', 'Events', 'Projections']) {
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name }).click();
    await expect(page.getByRole('heading', { level: 1 })).toContainText(name);
  }
});
