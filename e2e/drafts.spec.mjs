import { test, expect, serve, answered } from './test.mjs';
import { form, line, main, orderBody } from './person.mjs';

const server = serve({ flags: ['--demo', '--demo-traffic', '0'] });

// Each way in which a person leaves the answer to a form and comes to it again.
const ways = {
  'a reload': (page) => page.reload(),
  'another page and Back': async (page) => {
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Customers' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toContainText('Customers');
    await page.goBack();
  },
};

async function twoLines(page) {
  await page.goto(server.url + '/orders/new');
  await main(page).getByLabel('Customer').fill('Grace Hopper');
  await main(page).getByLabel('Reference').fill('PO-77');
  await line(page, 0).fill({ sku: 'A-1', name: 'Anvil', quantity: 2, price: '80.00' });
  await page.getByRole('button', { name: 'Add line' }).click();
  await expect(line(page, 1).field('sku')).toBeFocused();
  await line(page, 1).fill({ sku: 'B-2', name: 'Bellows', quantity: '0', price: '4.50' });
}

async function expectTwoLines(page) {
  await expect(page.getByRole('heading', { level: 1 })).toContainText('New order');
  await expect(main(page).getByLabel('Customer')).toHaveValue('Grace Hopper');
  await expect(main(page).getByLabel('Reference')).toHaveValue('PO-77');
  await expect(line(page, 0).field('price')).toHaveValue('80.00');
  await expect(line(page, 1).field('sku')).toHaveValue('B-2');
  await expect(line(page, 1).field('quantity')).toHaveValue('0');
}

async function noReason(page) {
  const order = await server.order();
  await page.goto(`${server.url}/orders/${order.id}`);
  await (await form(page, 'cancel')).getByRole('button', { name: 'Cancel order' }).click();
  await expect(main(page).getByRole('alert')).toContainText('The order was not cancelled.');
  await (await form(page, 'cancel')).getByLabel('Reason').fill('Ordered twice');
  return order;
}

for (const [way, leave] of Object.entries(ways)) {
  test(`the lines of a new order come back after ${way}, and make one order`, async ({ page, guard }) => {
    guard.allow(answered(422));
    await twoLines(page);
    await leave(page);
    await expectTwoLines(page);

    // The same when it was refused, and a link of the summary was followed.
    await page.getByRole('button', { name: 'Create order' }).click();
    await main(page).getByRole('alert').getByRole('link', { name: 'quantity' }).click();
    await expect(line(page, 1).field('quantity')).toBeFocused();
    await leave(page);
    await expectTwoLines(page);

    await line(page, 1).field('quantity').fill('3');
    await page.getByRole('button', { name: 'Add line' }).click();
    await page.getByRole('button', { name: 'Remove line 3' }).click();
    await expect(line(page, 2).field('sku')).toHaveCount(0);
    await leave(page);
    await expect(line(page, 2).field('sku')).toHaveCount(0);
    await expect(main(page).locator('[data-running-total]')).toHaveText('173.50 EUR');
    await page.getByRole('button', { name: 'Create order' }).click();
    await expect(orderBody(page)).toContainText('173.50');
    const made = new URL(page.url()).pathname;

    // Back, and sent again as it is: it was made once.
    await page.goBack();
    await expect(line(page, 1).field('sku')).toHaveValue('B-2');
    await page.getByRole('button', { name: 'Create order' }).click();
    await expect(orderBody(page)).toContainText('173.50');
    expect(new URL(page.url()).pathname).toBe(made);
  });

  test(`a reason comes back after ${way} where it was missing before`, async ({ page, guard }) => {
    guard.allow(answered(422));
    const order = await noReason(page);
    await leave(page);
    await expect(main(page).getByLabel('Reason')).toHaveValue('Ordered twice');
    expect(new URL(page.url()).pathname).toBe(`/orders/${order.id}`);
    await main(page).getByRole('button', { name: 'Cancel order' }).click();
    await expect(orderBody(page)).toContainText('Ordered twice');
  });

  test(`an item with a mistake comes back after ${way}, untouched`, async ({ page, guard }) => {
    guard.allow(answered(422));
    const order = await server.order();
    await page.goto(`${server.url}/orders/${order.id}`);
    const fields = await form(page, 'addItem');
    await fields.getByLabel('SKU').fill('PEN-2');
    await fields.getByLabel('Price').fill('1.999');
    await fields.getByRole('button', { name: 'Add item' }).click();
    await expect(main(page).getByRole('alert')).toContainText('The item was not added.');
    await leave(page);
    await expect(main(page).getByLabel('SKU')).toHaveValue('PEN-2');
    await expect(main(page).getByLabel('Price')).toHaveValue('1.999');
  });

  test(`what was typed comes back after ${way} from the page of a conflict, with the version first seen`, async ({ page, guard }) => {
    guard.allow(answered(409));
    const order = await server.order();
    await page.goto(`${server.url}/orders/${order.id}`);
    await (await form(page, 'cancel')).getByLabel('Reason').fill('Ordered twice');
    await server.add(order.id, 1);
    await (await form(page, 'cancel')).getByRole('button', { name: 'Cancel order' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toContainText('The order moved');
    await leave(page);
    await expect(main(page).getByLabel('Reason')).toHaveValue('Ordered twice');
    await main(page).getByRole('button', { name: 'Cancel order' }).click();
    await expect(orderBody(page)).toContainText('while looking at v1');
  });
}

test('an address that takes only POST leads a person to its order', async ({ page }) => {
  const order = await server.order();
  for (const command of ['items', 'confirm', 'cancel']) {
    await page.goto(`${server.url}/orders/${order.id}/${command}`);
    expect(new URL(page.url()).pathname).toBe(`/orders/${order.id}`);
    expect((await server.ask('GET', `/orders/${order.id}/${command}`)).status).toBe(405);
  }
});

test('who acts as somebody else stays where they are, with what they typed', async ({ page }) => {
  await twoLines(page);
  await page.locator('.menu summary').click();
  await page.getByRole('button', { name: 'operator2' }).click();
  await expect(main(page)).toContainText('you act as operator2');
  await expectTwoLines(page);
});
