import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { digitsOf, formatAmount, numbered, parseAmount, restored, totalOf } from './forms.js';

test('every currency has the minor digits that the server gives it', () => {
  const table = readFileSync(new URL('../domain/currency.go', import.meta.url), 'utf8');
  const known = [...table.matchAll(/\b([A-Z]{3})(\d)(?= )/g)];
  assert.ok(known.length > 150, 'the table is found');
  for (const [, currency, digits] of known) assert.equal(digitsOf(currency), Number(digits), currency);
});

test('an amount is read as the server reads it', () => {
  for (const [text, digits, minor] of [
    ['12.99', 2, 1299n], ['12.9', 2, 1290n], ['12', 2, 1200n], ['0', 2, 0n], ['1500', 0, 1500n], ['1.234', 3, 1234n],
    ['92233720368547758.07', 2, 2n ** 63n - 1n],
  ]) assert.equal(parseAmount(text, digits), minor, text);
});

test('what the server would not read as an amount is none', () => {
  for (const [text, digits] of [['', 2], ['.', 2], ['.5', 2], ['5.', 2], ['1.234', 2], ['1.5', 0], ['-1', 2], ['1e3', 2], ['1,000', 2], [' 1', 2],
    ['١', 2], ['1'.repeat(33), 2]]) {
    assert.equal(parseAmount(text, digits), null, JSON.stringify(text));
  }
});

const line = (quantity, price, sku = 'A', name = 'B') => ({ sku, name, quantity, price });

test('a total is exact where floats are not', () => {
  assert.equal(totalOf([line('3', '0.10'), line('1', '90071992547409.93')], 2), 9007199254741023n);
});

test('a line that nobody filled in does not count, whatever its quantity', () => {
  assert.equal(totalOf([line('2', '1.50'), line('1', '', '', '')], 2), 300n);
});

test('a total is not known while a line is not complete, no line is there, or it does not fit', () => {
  assert.equal(totalOf([line('2', '1.50'), line('1', '')], 2), null);
  assert.equal(totalOf([line('', '1.50')], 2), null);
  assert.equal(totalOf([line('0', '1.50')], 2), null);
  assert.equal(totalOf([line('1.5', '1.50')], 2), null);
  assert.equal(totalOf([line('1000001', '1.50')], 2), null);
  assert.equal(totalOf([line('1', '', '', '')], 2), null);
  assert.equal(totalOf([], 2), null);
  assert.equal(totalOf([line('1', '92233720368547758.07'), line('1', '0.01')], 2), null);
});

test('an amount is written as the server writes it', () => {
  assert.equal(formatAmount(129900n, 2, 'EUR'), '1,299.00 EUR');
  assert.equal(formatAmount(5n, 2, 'EUR'), '0.05 EUR');
  assert.equal(formatAmount(1234567n, 0, 'JPY'), '1,234,567 JPY');
  assert.equal(formatAmount(1000n, 3, 'KWD'), '1.000 KWD');
});

const fields = [['commandId', 'c1'], ['expectedVersion', '5'], ['sku', 'LAMP']];
const names = (draft, typed = ['sku']) => restored(draft, typed, ['commandId', 'expectedVersion']).map(([name]) => name);

test('what was typed comes back with the version it was typed for, and is a new command', () => {
  assert.deepEqual(names({ fields, touched: true, sent: false }), ['expectedVersion', 'sku']);
});

test('a form that was sent comes back with its command id: sent again as it is, it is stored once', () => {
  assert.deepEqual(names({ fields, touched: true, sent: true }), ['commandId', 'expectedVersion', 'sku']);
});

test('a form that nobody typed into is decided at the version the page shows', () => {
  assert.deepEqual(names({ fields, touched: false, sent: true }), ['commandId', 'sku']);
});

test('a form that has lost a field is no longer the command that was sent', () => {
  assert.deepEqual(names({ fields: [...fields, ['items[1].sku', 'BULB']], touched: true, sent: true }), ['expectedVersion', 'sku']);
});

test('a line of a draft is named as the server names it', () => {
  for (const [first, third] of [
    ['items[0].sku', 'items[2].sku'], ['new-items-0-sku', 'new-items-2-sku'], ['remove-line:0', 'remove-line:2'], ['Line 1', 'Line 3'],
    ['Remove line 1', 'Remove line 3'], ['numeric', 'numeric'],
  ]) assert.equal(numbered(first, 2), third);
});
