import assert from 'node:assert/strict';
import test from 'node:test';
import { urlOf } from './search.js';

test('the address has the fields that are not empty, in their order, and escapes them', () => {
  assert.equal(urlOf('/orders', [['status', 'created'], ['status', 'confirmed'], ['q', 'a&b c'], ['from', '']]),
    '/orders?status=created&status=confirmed&q=a%26b+c');
});

test('an empty search is the plain address', () => {
  assert.equal(urlOf('/orders', [['q', '']]), '/orders');
});
