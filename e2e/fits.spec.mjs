import { test, expect, serve, answered } from './test.mjs';
import { form, live } from './person.mjs';

const server = serve();
const widths = [320, 760, 899, 900, 1023, 1024, 1199, 1200, 1280]; // each side of where the layout changes

const usual = '999,990,000.00 USD'; // stands on one line
let facts;

test.beforeAll(async () => {
  const order = (customerId, currency, price) => server.order({
    customerId, currency, items: [{ sku: 'LAMP-1', name: 'Desk lamp, brass', quantity: 1_000_000, price }],
  });
  facts = { usual: await order('Two Tabs', 'USD', '999.99'), huge: await order('Big', 'EUR', '92233720368.54') };
});

// tooWide lists what is wider than its place: the page itself, and every cell, number and button.
const tooWide = () => {
  const wide = document.documentElement.scrollWidth > innerWidth ? [`the page: ${document.documentElement.scrollWidth}`] : [];
  for (const element of document.querySelectorAll('main :is(td, th, dd, table, button, input, .tile-value)')) {
    if (element.closest('.visually-hidden') || !element.checkVisibility()) continue;
    const place = element.closest('.sheet, .tile') ?? element.closest('main');
    const end = place.getBoundingClientRect().right - parseFloat(getComputedStyle(place).paddingRight);
    if (element.getBoundingClientRect().right > end + 1) wide.push(`${element.className || element.localName} leaves its card`);
    const cut = getComputedStyle(element).overflowX !== 'visible' || element.localName === 'input';
    if (!cut && element.scrollWidth > element.clientWidth + 1) wide.push(`${element.className || element.localName}: ${element.textContent.trim()}`);
  }
  return wide;
};

async function fits(page, name) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(tooWide), `${name} at ${width} px`).toEqual([]);
  }
}

test('nothing is wider than its place, however large the amounts', async ({ page }) => {
  const paths = {
    'the overview': '/', 'the list': '/orders', 'the customers': '/customers', 'a customer': '/customers/Two%20Tabs', 'a large customer': '/customers/Big',
    'an order': `/orders/${facts.usual.id}`, 'a large order': `/orders/${facts.huge.id}`,
  };
  for (const [name, path] of Object.entries(paths)) {
    await page.goto(server.url + path);
    await live(page);
    await fits(page, name);
  }
});

test('an amount of usual size stands on one line of the list', async ({ page }) => {
  await page.goto(server.url + '/orders');
  for (const width of [320, 1024, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    const lines = await page.getByText(usual, { exact: true }).evaluate((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getClientRects().length;
    });
    expect(lines, `${usual} at ${width} px`).toBe(1);
  }
});

test('a cancellation that meets a conflict fits its card and looks dangerous', async ({ page, guard }) => {
  guard.allow(answered(409));
  const order = await server.order();
  await page.goto(`${server.url}/orders/${order.id}`);
  await live(page);
  const fields = await form(page, 'cancel');
  await fields.getByLabel('Reason').fill('Ordered twice');
  await server.add(order.id, 1);
  await expect(page.locator('[data-live="order"]')).toHaveAttribute('data-version', '2');
  await fields.getByRole('button', { name: 'Cancel order' }).click();
  const again = page.getByRole('button', { name: 'Cancel the order at version 2' });
  await expect(again).toHaveClass(/danger/);
  await fits(page, 'the conflict');
});
