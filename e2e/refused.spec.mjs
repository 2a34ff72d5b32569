import { test, expect, serve, answered } from './test.mjs';
import { form, line, main, message, orderBody, typeItem } from './person.mjs';

const server = serve();

test('a button that a rule blocks is disabled and says which rule', async ({ page }) => {
  const order = await server.order();
  await server.confirm(order.id, 1);
  await page.goto(`${server.url}/orders/${order.id}`);
  for (const action of ['addItem', 'confirm']) {
    await expect(page.locator(`button[data-action="${action}"]`)).toBeDisabled();
    await expect(page.locator(`[data-reason-for="${action}"]`)).toContainText('confirmed');
  }
  await expect(page.locator('button[data-action="cancel"]')).toBeEnabled();
});

test('whoever gets round the button is refused with a sentence, and nothing is stored', async ({ page, guard }) => {
  guard.allow(answered(422));
  const order = await server.order();
  await server.confirm(order.id, 1);
  await page.goto(`${server.url}/orders/${order.id}`);
  const answer = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.locator('form', { has: page.locator('button[data-action="confirm"]') })
    .evaluate((form) => HTMLFormElement.prototype.submit.call(form));
  expect((await answer).status()).toBe(422);
  await expect(main(page).getByRole('alert')).toContainText('confirmed');
  expect((await server.ask('GET', `/orders/${order.id}`)).body.version).toBe(2);
});

test('an item with mistakes comes back as it was typed, each message beside its field', async ({ page, guard }) => {
  guard.allow(answered(422));
  const order = await server.order();
  await page.goto(`${server.url}/orders/${order.id}`);
  const fields = await typeItem(page, { sku: 'PEN-2', name: 'Fountain pen', quantity: '0', price: '1.999' });
  // The browser's own checks are not the ones that count.
  await fields.evaluate((form) => { form.noValidate = true; });
  await fields.getByRole('button', { name: 'Add item' }).click();
  const again = await form(page, 'addItem');
  await expect(again.getByLabel('SKU')).toHaveValue('PEN-2');
  await expect(again.getByLabel('Quantity')).toHaveValue('0');
  await expect(again.getByLabel('Price')).toHaveValue('1.999');
  expect(await message(again.getByLabel('Quantity'))).toContain('1,000,000');
  expect(await message(again.getByLabel('Price'))).toContain('2');
  expect((await server.ask('GET', `/orders/${order.id}`)).body.version).toBe(1);
});

test('a new order without a customer, in no known currency, comes back as it was typed', async ({ page, guard }) => {
  guard.allow(answered(422));
  await page.goto(server.url + '/orders/new');
  await main(page).getByLabel('Currency').fill('XXQ');
  await line(page, 0).fill({ sku: '', name: 'Desk lamp', quantity: '-1', price: '5.00' });
  await page.locator('form', { has: page.getByRole('button', { name: 'Create order' }) }).evaluate((form) => { form.noValidate = true; });
  await page.getByRole('button', { name: 'Create order' }).click();
  await expect(main(page).getByLabel('Currency')).toHaveValue('XXQ');
  expect(await message(main(page).getByLabel('Customer'))).not.toBe('');
  expect(await message(main(page).getByLabel('Currency'))).toContain('XXQ');
  expect(await message(line(page, 0).field('sku'))).not.toBe('');
  expect(await message(line(page, 0).field('quantity'))).not.toBe('');
  await expect(main(page).getByRole('alert').getByRole('link', { name: 'Line 1: The quantity must be from 1 to 1,000,000.' })).toBeVisible();
  expect((await server.ask('GET', '/orders?q=Desk')).body.orders.filter((order) => order.currency === 'XXQ')).toEqual([]);
});

test('pages that do not exist say what there is not, and where to go', async ({ page, guard }) => {
  guard.allow(answered(404));
  guard.allow(answered(400));
  for (const [path, status] of [['/orders/nothing', 404], ['/nowhere', 404], ['/orders?cursor=not-ours', 400]]) {
    const answer = await page.goto(server.url + path);
    expect(answer.status(), path).toBe(status);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(main(page).getByRole('link').or(main(page).getByRole('searchbox')).first()).toBeVisible();
  }
});
