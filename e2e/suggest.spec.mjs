import { test, expect, serve } from './test.mjs';
import { form } from './person.mjs';

const server = serve();

test('a known SKU fills in its name and last price, and never what was typed', async ({ page }) => {
  const { id } = await server.order({ items: [{ sku: 'LAMP-1', name: 'Desk lamp', quantity: 1, price: '12.50' }] });
  await page.goto(`${server.url}/orders/new`);
  const field = (label) => page.getByRole('group', { name: 'Line 1' }).getByLabel(label, { exact: true });
  await field('SKU').fill('LAMP-1');
  await field('SKU').blur();
  await expect(field('Name')).toHaveValue('Desk lamp');
  await expect(field('Price of one')).toHaveValue('12.50');
  await expect(page.locator('[data-running-total]')).toHaveText('12.50 EUR');

  await page.goto(`${server.url}/orders/${id}`);
  const fields = await form(page, 'addItem');
  await fields.getByLabel('Name').fill('Desk lamp');
  await fields.getByLabel('Name').blur();
  await expect(fields.getByLabel('Price')).toHaveValue('12.50');
  await fields.getByLabel('Price').fill('9.99');
  await fields.getByLabel('SKU').fill('LAMP-1');
  await fields.getByLabel('SKU').blur();
  await expect(fields.getByLabel('Price')).toHaveValue('9.99');
});

test('what is ordered leads from the list of products to its orders', async ({ page }) => {
  const { reference } = await server.order({ items: [{ sku: 'SOFA-2', name: 'Green sofa', quantity: 3, price: '899.00' }] });
  await page.goto(server.url);
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Products');
  await page.getByLabel('Search products').fill('green');
  await expect(page.getByRole('row', { name: /SOFA-2/ })).toContainText('2,697.00 EUR');
  await page.getByRole('link', { name: 'SOFA-2' }).click();
  await page.getByRole('link', { name: reference }).click();
  await expect(page.getByRole('main')).toContainText('Green sofa');
});
