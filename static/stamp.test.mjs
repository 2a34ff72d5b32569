import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { duration, grouped, label, words } from './stamp.js';

const examples = JSON.parse(readFileSync(new URL('testdata/words.json', import.meta.url), 'utf8')); // words_test.go wants the same of the server

test('the words of a stamp are the server’s', () => {
  for (const { words: want, ...stamp } of examples.stamps) assert.equal(words(stamp), want);
  assert.equal(words({ state: 'held', version: 4, words: 'held at version 5: as served' }), 'held at version 5: as served');
});

test('a length of time is cut, not rounded: nothing looks older than it is', () => {
  for (const { ms, words: want } of examples.spans) assert.equal(duration(ms), want);
  assert.equal(duration(999.9), '999 ms');
});

test('counts are grouped and projections named for people', () => {
  assert.deepEqual([grouped(1), grouped(999), grouped(1_000), grouped(1_234_567)], ['1', '999', '1,000', '1,234,567']);
  assert.equal(label('customer_order_summary'), 'Customer order summary');
});
