import { expect } from '@playwright/test';

// What a person does on a page, located by role and label: a page that changes its words changes them here too.

export const main = (page) => page.getByRole('main');

/** The part of an order's page that every viewer shares. */
export const orderBody = (page) => page.locator('[data-live="order"]');

/** The row of an order in a list. */
export const orderRow = (page, id) => page.locator(`[data-live="order_list"][data-id="${id}"]`);

export const stamp = (scope) => scope.locator('[data-stamp]').first();

export const connection = (page) => page.locator('[data-connection]');

/** Waits until the page follows the server. */
export const live = (page) => expect(connection(page)).toHaveAttribute('data-state', 'live');

/** A command form of an order's page: addItem, confirm, cancel or note. Forms are folded until somebody needs them. */
export async function form(page, action) {
  const button = page.locator(`button[data-action="${action}"]`);
  const fold = page.locator('details', { has: button });
  if ((await fold.count()) > 0 && !(await fold.evaluate((details) => details.open))) await fold.locator('summary').click();
  return page.locator('form', { has: button });
}

export async function typeItem(page, { sku, name, quantity, price }) {
  const fields = await form(page, 'addItem');
  await fields.getByLabel('SKU').fill(sku);
  await fields.getByLabel('Name').fill(name);
  await fields.getByLabel('Quantity').fill(String(quantity));
  await fields.getByLabel('Price').fill(String(price));
  return fields;
}

export async function addItem(page, item) {
  const fields = await typeItem(page, item);
  await fields.getByRole('button', { name: 'Add item' }).click();
}

export async function confirmOrder(page) {
  const fields = await form(page, 'confirm');
  await fields.getByRole('button', { name: 'Confirm order' }).click();
}

export async function cancelOrder(page, reason) {
  const fields = await form(page, 'cancel');
  await fields.getByLabel('Reason').fill(reason);
  await fields.getByRole('button', { name: 'Cancel order' }).click();
}

export async function addNote(page, text) {
  const fields = await form(page, 'note');
  await fields.getByLabel('Note').fill(text);
  await fields.getByRole('button', { name: 'Add note' }).click();
}

/** Line n, from 0, of the form for a new order. */
export function line(page, n) {
  const field = (name) => page.locator(`[name="items[${n}].${name}"]`);
  return {
    field,
    fill: async ({ sku, name, quantity, price }) => {
      await field('sku').fill(sku);
      await field('name').fill(name);
      await field('quantity').fill(String(quantity));
      await field('price').fill(String(price));
    },
  };
}

/** The message beside a field: what a screen reader reads with it. */
export async function message(field) {
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  const ids = ((await field.getAttribute('aria-describedby')) ?? '').split(/\s+/).filter(Boolean);
  const texts = await Promise.all(ids.map((id) => field.page().locator(`[id="${id}"]`).textContent()));
  return texts.join(' ').trim();
}

/** Follows an order from the list by its reference. */
export async function findByReference(page, url, reference) {
  await page.goto(url + '/orders');
  const search = main(page).getByRole('searchbox');
  await search.fill(reference);
  await search.press('Enter');
  await main(page).getByRole('link', { name: reference, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(reference);
}
