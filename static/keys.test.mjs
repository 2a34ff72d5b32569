import assert from 'node:assert/strict';
import test from 'node:test';
import { decide, isFree, step } from './keys.js';

test('a single key means one thing', () => {
  const means = (pressed) => decide(false, pressed).action;
  assert.deepEqual(['?', '/', 'j', 'k', 'x', 'J', 'Enter'].map(means), ['help', 'search', 'down', 'up', null, null, null]);
});

test('g waits for a second key, which is then not a key of its own', () => {
  assert.deepEqual(decide(false, 'g'), { action: null, pending: true });
  assert.deepEqual(decide(true, 'o'), { action: { go: 'o' }, pending: false });
  assert.deepEqual(decide(true, 'k'), { action: { go: 'k' }, pending: false });
});

test('g g waits on, and any other key ends the wait', () => {
  assert.deepEqual(decide(true, 'g'), { action: null, pending: true });
  assert.deepEqual(decide(true, '"]'), { action: null, pending: false });
  assert.deepEqual(decide(true, 'Escape'), { action: null, pending: false });
});

test('no key is taken while somebody types', () => {
  for (const target of [
    { tagName: 'INPUT', type: 'text' }, { tagName: 'INPUT', type: 'search' }, { tagName: 'INPUT', type: 'date' },
    { tagName: 'TEXTAREA' }, { tagName: 'SELECT' }, { tagName: 'DIV', isContentEditable: true },
  ]) assert.equal(isFree({ target }), false, JSON.stringify(target));
  for (const target of [{ tagName: 'BODY' }, { tagName: 'A' }, { tagName: 'BUTTON' }, { tagName: 'INPUT', type: 'checkbox' }]) {
    assert.equal(isFree({ target }), true, JSON.stringify(target));
  }
});

test('no key is taken with a modifier, while a character is composed, or when somebody else has taken it', () => {
  for (const held of ['ctrlKey', 'metaKey', 'altKey', 'isComposing', 'defaultPrevented']) {
    assert.equal(isFree({ target: { tagName: 'BODY' }, [held]: true }), false, held);
  }
});

test('Shift is no modifier: some keyboards need it for ? and /', () => {
  assert.equal(isFree({ target: { tagName: 'BODY' }, shiftKey: true }), true);
});

test('moving begins at the near end and stops at the far one', () => {
  assert.equal(step(3, -1, 1), 0);
  assert.equal(step(3, -1, -1), 2);
  assert.equal(step(3, 0, 1), 1);
  assert.equal(step(3, 2, 1), 2);
  assert.equal(step(3, 0, -1), 0);
  assert.equal(step(0, -1, 1), -1);
});
