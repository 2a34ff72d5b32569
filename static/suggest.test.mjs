import assert from 'node:assert/strict';
import test from 'node:test';
import { filled } from './suggest.js';

const products = [{ sku: 'LAMP-9', name: 'Desk lamp', prices: { EUR: '59.00', JPY: '9000' } }, { sku: 'OLD', name: 'Desk lamp', prices: {} }];
const line = (sku, name = '', price = '') => ({ sku, name, price });

test('a known SKU fills in its name and its price in the currency of the order', () => {
  assert.deepEqual(filled(line('LAMP-9'), products, 'EUR'), { name: 'Desk lamp', price: '59.00' });
  assert.deepEqual(filled(line('LAMP-9'), products, 'JPY'), { name: 'Desk lamp', price: '9000' });
});

test('a currency that a product has no price in leaves the price to be typed', () => {
  assert.deepEqual(filled(line('LAMP-9'), products, 'USD'), { name: 'Desk lamp' });
  assert.deepEqual(filled(line('LAMP-9'), products, ''), { name: 'Desk lamp' });
});

test('a known name fills in the price, and no SKU: two may have that name', () => {
  assert.deepEqual(filled(line('', 'Desk lamp'), products, 'EUR'), { price: '59.00' });
});

test('what was typed stays', () => {
  assert.deepEqual(filled(line('LAMP-9', 'My lamp', '1.00'), products, 'EUR'), {});
});

test('a product that is not known fills nothing in', () => {
  assert.deepEqual(filled(line('NEW', 'Desk lamp'), products, 'EUR'), {});
});
