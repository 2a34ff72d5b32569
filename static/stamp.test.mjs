import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, grouped, label, words } from './stamp.js';

test('the words of a stamp are the server’s', () => {
  for (const [stamp, want] of [
    [{ state: 'current', version: 7 }, 'v7'],
    [{ state: 'current', version: 0 }, 'current'],
    [{ state: 'behind', events: 1, ms: 0 }, '1 event behind'],
    [{ state: 'behind', events: 2, ms: 1_400 }, '2 events behind, 1.4 s'],
    [{ state: 'behind', events: 1_234, ms: 38 }, '1,234 events behind, 38 ms'],
    [{ state: 'behind', events: 0, ms: 0 }, 'behind'],
    [{ state: 'held', version: 4, reason: 'no such type.' }, 'held at version 5: no such type'],
    [{ state: 'held', version: 4, words: 'held at version 5: as served' }, 'held at version 5: as served'],
    [{ state: 'paused', reason: 'Paused by an administrator since 14:02.' }, 'paused by an administrator since 14:02'],
    [{ state: 'stalled', reason: 'No heartbeat for 12 s.' }, 'stalled: no heartbeat for 12 s'],
    [{ state: 'rebuilding' }, 'rebuilding'],
    [{ state: 'unknown', reason: 'no contact for 12 s' }, 'unknown: no contact for 12 s'],
    [{ state: 'a newer server’s', reason: '' }, 'unknown'],
  ]) assert.equal(words(stamp), want);
});

test('a length of time is cut, not rounded: nothing looks older than it is', () => {
  for (const [ms, want] of [
    [-5, '0 ms'], [0, '0 ms'], [999.9, '999 ms'], [1_000, '1.0 s'], [1_499, '1.4 s'], [9_999, '9.9 s'], [10_000, '10 s'], [119_999, '119 s'],
    [120_000, '2 min'], [7_199_999, '119 min'], [7_200_000, '2 h'], [172_799_999, '47 h'], [172_800_000, '2 days'],
  ]) assert.equal(duration(ms), want);
});

test('counts are grouped and projections named for people', () => {
  assert.deepEqual([grouped(1), grouped(999), grouped(1_000), grouped(1_234_567)], ['1', '999', '1,000', '1,234,567']);
  assert.equal(label('customer_order_summary'), 'Customer order summary');
});
