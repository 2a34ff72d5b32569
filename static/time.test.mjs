import assert from 'node:assert/strict';
import test from 'node:test';
import { clock, cutByDay } from './time.js';

const at = new Date('2024-02-29T23:30:05.007Z');

test('a time has the shape the server asks for, in the zone of the reader', () => {
  const berlin = clock('Europe/Berlin');
  assert.equal(berlin.text(at, 'minute'), '2024-03-01 00:30');
  assert.equal(berlin.text(at, 'second'), '2024-03-01 00:30:05');
  assert.equal(berlin.text(at, 'clock'), '00:30:05');
  assert.equal(berlin.text(at, 'day'), 'Friday 1 March 2024');
  assert.equal(berlin.day(at), '2024-03-01');
});

test('a shape that is not known is written to the second', () => {
  assert.equal(clock('UTC').text(at, ''), '2024-02-29 23:30:05');
});

test('the title has the milliseconds, and names the zone', () => {
  assert.equal(clock('UTC').title(at), '2024-02-29 23:30:05.007 UTC');
  assert.match(clock('Asia/Kolkata').title(at), /^2024-03-01 05:00:05\.007 \S+ \(Asia\/(Kolkata|Calcutta)\)$/);
});

test('an hour that comes twice is told apart by its title', () => {
  const berlin = clock('Europe/Berlin');
  const [first, second] = ['2024-10-27T00:30:00Z', '2024-10-27T01:30:00Z'].map((text) => new Date(text));
  assert.equal(berlin.text(first, 'minute'), berlin.text(second, 'minute'));
  assert.notEqual(berlin.title(first), berlin.title(second));
});

test('a timeline is cut where the day of the reader changes, and its order stays', () => {
  const days = [{ items: [4, 3] }, { items: [2, 1] }];
  assert.deepEqual(cutByDay(days, (n) => (n >= 2 ? 'late' : 'early')), [{ day: 'late', items: [4, 3, 2] }, { day: 'early', items: [1] }]);
});

test('a timeline whose cuts stay is left alone', () => {
  assert.equal(cutByDay([{ items: [4, 3] }, { items: [2] }], (n) => (n >= 3 ? 'late' : 'early')), null);
  assert.equal(cutByDay([], () => ''), null);
});
