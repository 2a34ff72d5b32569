import { test, expect, serve } from './test.mjs';
import { line, live, main, orderBody, orderRow } from './person.mjs';

const server = serve();

// Moves with Tab until the element has the focus, as a person without a mouse does, and insists that the focus can be seen.
async function tabTo(page, target, limit = 80) {
  for (let n = 0; n < limit; n++) {
    await page.keyboard.press('Tab');
    if (await target.evaluate((element) => element === document.activeElement)) {
      expect(await target.evaluate((element) => {
        const style = getComputedStyle(element);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
      }), 'the focus is visible').toBe(true);
      return;
    }
  }
  throw new Error(`Tab does not reach ${target} within ${limit} presses`);
}

async function typeInto(page, target, text) {
  await tabTo(page, target);
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type(text);
}

test('the whole errand works by keyboard alone', async ({ page }) => {
  // The first stop of every page leads past the rail.
  await page.goto(server.url + '/orders/new');
  await page.keyboard.press('Tab');
  await expect(page.locator(':focus')).toHaveText(/skip/i);
  await page.keyboard.press('Enter');

  await typeInto(page, main(page).getByLabel('Customer'), 'Mae Jemison');
  await typeInto(page, main(page).getByLabel('Currency'), 'EUR');
  await typeInto(page, main(page).getByLabel('Reference'), 'PO-99');
  await typeInto(page, line(page, 0).field('sku'), 'LAMP-1');
  await typeInto(page, line(page, 0).field('name'), 'Desk lamp');
  await typeInto(page, line(page, 0).field('quantity'), '2');
  await typeInto(page, line(page, 0).field('price'), '12.50');
  await tabTo(page, page.getByRole('button', { name: 'Create order' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toContainText('PO-99');
  await live(page);

  // The order is added to, confirmed and cancelled.
  await open(page, 'addItem');
  const add = page.locator('form', { has: page.locator('button[data-action="addItem"]') });
  await typeInto(page, add.getByLabel('SKU'), 'BULB-9');
  await typeInto(page, add.getByLabel('Name'), 'Bulb');
  await typeInto(page, add.getByLabel('Quantity'), '1');
  await typeInto(page, add.getByLabel('Price'), '3.00');
  await page.keyboard.press('Enter');
  await expect(orderBody(page)).toHaveAttribute('data-version', '2');

  await open(page, 'confirm');
  await tabTo(page, page.locator('button[data-action="confirm"]'));
  await page.keyboard.press('Enter');
  await expect(orderBody(page)).toHaveAttribute('data-version', '3');

  await open(page, 'cancel');
  await typeInto(page, main(page).getByLabel('Reason'), 'Ordered twice');
  await tabTo(page, page.locator('button[data-action="cancel"]'));
  await page.keyboard.press('Enter');
  await expect(orderBody(page)).toHaveAttribute('data-version', '4');
});

// Unfolds the form of an action, if it is folded.
async function open(page, action) {
  const fold = page.locator('details', { has: page.locator(`button[data-action="${action}"]`) });
  if ((await fold.count()) === 0 || (await fold.evaluate((details) => details.open))) return;
  await tabTo(page, fold.locator('summary'));
  await page.keyboard.press('Enter');
}

test('single keys search, move, open and go, and never while somebody types', async ({ page }) => {
  const order = await server.order({ reference: 'KEYS-1', customerId: 'Valentina' });
  await page.goto(server.url + '/');
  await live(page);

  await page.keyboard.press('/');
  await expect(page.locator(':focus')).toHaveAttribute('type', 'search');
  await page.keyboard.type('KEYS-1');
  await expect(page).toHaveURL(server.url + '/'); // the g, j and k of a text are text
  await page.keyboard.press('Enter');
  await expect(orderRow(page, order.id)).toBeVisible();
  await live(page);

  await page.keyboard.press('Escape');
  await page.locator('body').evaluate(() => document.activeElement?.blur?.());
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/orders/${order.id}`));

  for (const [key, path] of [['o', '/orders'], ['c', '/customers'], ['e', '/events'], ['p', '/projections']]) {
    await live(page);
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await expect(page).toHaveURL(server.url + path);
  }

  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
});
