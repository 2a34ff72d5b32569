import { test, expect, serve, answered } from './test.mjs';
import { addItem, form, live, main, orderBody, typeItem } from './person.mjs';

const server = serve();

const mug = { sku: 'MUG-7', name: 'Enamel mug', quantity: 3, price: '7.25' };
const pen = { sku: 'PEN-2', name: 'Fountain pen', quantity: 1, price: '19.00' };

test('who typed while another window moved the order sees what happened, keeps what was typed, and goes on at the head',
  async ({ page, secondWindow, guard }) => {
    guard.allow(answered(409));
    const order = await server.order();
    await page.goto(`${server.url}/orders/${order.id}`);
    await secondWindow.goto(`${server.url}/orders/${order.id}`);
    await live(page);

    const fields = await typeItem(page, pen);
    await addItem(secondWindow, mug);
    await expect(orderBody(page)).toHaveAttribute('data-version', '2'); // the window has been told, the typed form has not moved
    const answer = page.waitForResponse((response) => response.request().method() === 'POST');
    await fields.getByRole('button', { name: 'Add item' }).click();
    expect((await answer).status()).toBe(409);

    // What happened since, and by whom.
    await expect(main(page)).toContainText('MUG-7');
    await expect(main(page)).toContainText('local');
    // What was typed.
    await expect(page.locator('[name="sku"]')).toHaveValue(pen.sku);
    await expect(page.locator('[name="name"]')).toHaveValue(pen.name);
    await expect(page.locator('[name="quantity"]')).toHaveValue(String(pen.quantity));
    await expect(page.locator('[name="price"]')).toHaveValue(pen.price);
    expect((await server.ask('GET', `/orders/${order.id}`)).body.version, 'nothing was stored').toBe(2);

    // One press.
    await main(page).getByRole('button', { name: /version 2/ }).click();
    await expect(orderBody(page)).toHaveAttribute('data-version', '3');
    await expect(orderBody(page)).toContainText('PEN-2');
    await expect(orderBody(page)).toContainText('MUG-7');
    const { body } = await server.ask('GET', `/orders/${order.id}`);
    expect(body.events.find((event) => event.version === 3).metadata.seenVersion).toBe(1);
  });

test('a command that has become impossible says so on the conflict page', async ({ page, guard }) => {
  guard.allow(answered(409));
  const order = await server.order();
  await page.goto(`${server.url}/orders/${order.id}`);
  await live(page);
  const fields = await typeItem(page, pen);
  await server.confirm(order.id, 1);
  await expect(orderBody(page)).toHaveAttribute('data-version', '2');

  // The button is disabled by now; somebody who pressed it at that very moment gets the same page.
  await fields.evaluate((form) => HTMLFormElement.prototype.submit.call(form));
  await expect(main(page)).toContainText('confirmed');
  await expect(page.locator('[name="sku"]')).toHaveValue(pen.sku);
  const { body } = await server.ask('GET', `/orders/${order.id}`);
  expect(body.version).toBe(2);
  expect(body.order.items).toHaveLength(1);
});

test('confirming and cancelling conflict in the same way', async ({ page, guard }) => {
  guard.allow(answered(409));
  const order = await server.order();
  await page.goto(`${server.url}/orders/${order.id}`);
  await live(page);
  // The reason is typed before the order moves, so this form keeps the version it was made for.
  const fields = await form(page, 'cancel');
  await fields.getByLabel('Reason').fill('Ordered twice');
  await server.add(order.id, 1);
  await expect(orderBody(page)).toHaveAttribute('data-version', '2');
  await fields.getByRole('button', { name: 'Cancel order' }).click();
  await expect(main(page)).toContainText('BULB-9');
  await expect(page.locator('[name="reason"]')).toHaveValue('Ordered twice');
  await main(page).getByRole('button', { name: /version 2/ }).click();
  await expect(orderBody(page)).toContainText('Ordered twice');
  await expect(orderBody(page)).toHaveAttribute('data-version', '3');
});
