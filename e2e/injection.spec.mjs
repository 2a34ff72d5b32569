import { test, expect, serve } from './test.mjs';
import { full } from './pages.mjs';
import { live, orderBody, orderRow } from './person.mjs';
import { seed } from './seed.mjs';

const server = serve();

// Short enough for every field; it ends an attribute, a tag and a text area, and would say so if any of it ran.
const hostile = (field) => `"'></textarea><img src=x onerror=alert(1)><b data-injected>${field}</b>`;
const marks = '[data-injected], img[src="x"]';

const facts = {};

test.beforeAll(async () => {
  Object.assign(facts, await seed(server, {
    customerId: hostile('c'), reference: hostile('r').slice(0, 64), sku: hostile('s').slice(0, 64), name: hostile('n'), reason: hostile('why'),
  }));
});

test('markup in any field is shown as text on every page', async ({ page }) => {
  for (const { name, path } of [...full(facts), { name: 'cancelled order', path: `/orders/${facts.cancelled}` }]) {
    await page.goto(server.url + path);
    expect(await page.locator(marks).count(), `${name} lets markup through`).toBe(0);
  }
  await page.goto(`${server.url}/orders/${facts.cancelled}`);
  await expect(page.getByRole('main')).toContainText(hostile('why'));
  await expect(page.getByRole('main')).toContainText(hostile('n'));
  await expect(page.getByRole('main')).toContainText(hostile('c'));
});

test('markup in any field is shown as text by every frame', async ({ page, context }) => {
  const order = await server.order({ customerId: hostile('c'), reference: hostile('f').slice(0, 64) });
  const list = page;
  const one = await context.newPage();
  const customers = await context.newPage();
  const events = await context.newPage();
  await list.goto(server.url + '/orders');
  await one.goto(`${server.url}/orders/${order.id}`);
  await customers.goto(server.url + '/customers');
  await events.goto(server.url + '/events');
  for (const window of [list, one, customers]) await live(window);

  await server.add(order.id, 1, { sku: hostile('s').slice(0, 64), name: hostile('live'), quantity: 1, price: '1.00' });
  await server.cancel(order.id, 2, hostile('gone'));
  await expect(orderBody(one)).toHaveAttribute('data-version', '3');
  await expect(orderBody(one)).toContainText(hostile('live'));
  await expect(orderBody(one)).toContainText(hostile('gone'));
  await expect(orderRow(list, order.id)).toHaveAttribute('data-version', '3');
  for (const window of [list, one, customers, events]) expect(await window.locator(marks).count()).toBe(0);
});
