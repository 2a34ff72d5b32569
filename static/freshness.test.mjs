import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  arrives, backoff, clockStep, connectionOf, doubtOf, isNewer, isOlder, isStale, keyOf, lacksHeads, listStampOf, maxNew, newOf, next, restartWait,
  silentAfter, stampOf, waitOf,
} from './freshness.js';

const item = (id, version, more = {}) => ({ projection: 'order_list', id, version, head: version, state: 'current', words: `v${version}`, ...more });
const page = (more = {}) => ({ type: 'page', build: 'b1', seq: 'h.1', items: [item('a', 1)], lists: [], counts: null, beyond: null, ...more });
const row = (id, version, more = {}) => ({ type: 'row', projection: 'order_list', id, version, head: version, seq: `h.${version}`, ...more });
const head = (id, version) => ({ type: 'head', id, version, seq: `h.${version}` });
const hello = { type: 'hello', build: 'b1', seq: 'h.1' };
const beat = { type: 'beat', seq: 'h.1' };
const connect = [{ type: 'connecting' }, hello, beat];

// frozen fails the test if next changes what it was given.
function frozen(value) {
  if (value && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

const after = (state, now, ...frames) => frames.reduce((s, frame) => frozen(next(s, frozen(frame), now)), state);
const open = (more, now = 0) => after(null, now, page(more), ...connect);
const stateOf = (state, now, id = 'a') => stampOf(state, 'order_list', id, now).state;

test('a page is current by its own answer, and live once the server has answered its watch', () => {
  let state = after(null, 0, page());
  assert.equal(stateOf(state, 0), 'current');
  assert.equal(connectionOf(state, 0), 'off');
  state = after(state, 10, { type: 'connecting' }, hello);
  assert.equal(connectionOf(state, 10), 'connecting');
  assert.equal(stateOf(state, 10), 'current');
  state = after(state, 20, beat);
  assert.equal(connectionOf(state, 20), 'live');
});

test('what has no answer within 12 s is unknown, and says why', () => {
  const state = open();
  assert.equal(stateOf(state, silentAfter), 'current');
  assert.equal(stateOf(state, silentAfter + 1), 'unknown');
  assert.match(stampOf(state, 'order_list', 'a', silentAfter + 1).reason, /no contact for 12 s/);
  assert.equal(connectionOf(state, silentAfter + 1), 'connecting');
});

test('every word of the server is contact', () => {
  for (const frame of [beat, row('a', 1), row('z', 9), head('a', 1), { type: 'projection', id: 'order_list', stamp: 'current', lag: { events: 0, ms: 0 } }]) {
    const state = after(open(), 8_000, frame);
    assert.equal(stateOf(state, 8_000 + silentAfter), 'current', frame.type);
    assert.equal(stateOf(state, 8_001 + silentAfter), 'unknown', frame.type);
  }
});

test('a closed socket is unknown until its watch is answered again, whatever comes before', () => {
  let state = after(open(), 100, { type: 'closed' });
  assert.equal(stateOf(state, 100), 'unknown');
  assert.equal(connectionOf(state, 100), 'off');
  state = after(state, 200, beat, row('a', 2)); // of the socket that closed
  assert.equal(stateOf(state, 200), 'unknown');
  assert.equal(state.items[keyOf('order_list', 'a')].version, 1);
  state = after(state, 300, { type: 'connecting' }, hello);
  assert.equal(stateOf(state, 300), 'unknown');
  state = after(state, 400, beat);
  assert.equal(stateOf(state, 400), 'current');
});

test('a page back from sleep or from the memory for Back is unknown until a fresh answer', () => {
  const slept = {
    'a wake': after(open(), 10, { type: 'wake' }),
    'a jump between ticks': after(open(), silentAfter + 1, { type: 'tick' }),
    'a jump before a frame that waited in the socket': after(open(), silentAfter + 1, beat),
    'a wall clock that went on': after(open(), 10, { type: 'tick', wall: 1e12 }, { type: 'tick', wall: 1e12 + clockStep + 1 }),
  };
  for (const [rule, state] of Object.entries(slept)) {
    const now = state.last;
    assert.equal(stateOf(state, now), 'unknown', rule);
    assert.ok(isStale(state), `${rule}: the socket is made anew`);
    assert.equal(stateOf(after(state, now + 1, beat), now + 1), 'unknown', `${rule}: the old socket is no answer`);
    assert.equal(stateOf(after(state, now + 1, ...connect), now + 1), 'current', `${rule}: a new one is`);
  }
});

test('ticks and a steady wall clock are no sleep', () => {
  let state = open();
  for (let now = 1_000; now <= 60_000; now += 1_000) {
    state = after(state, now, { type: 'tick', wall: 1e12 + now + (now % 3_000) });
    if (now % 5_000 === 0) state = after(state, now, beat);
    assert.equal(connectionOf(state, now), 'live', String(now));
  }
});

test('silence makes the socket anew', () => {
  let state = open();
  for (let now = 1_000; now <= silentAfter; now += 1_000) state = after(state, now, { type: 'tick' });
  assert.ok(!isStale(state));
  assert.ok(isStale(after(state, silentAfter + 1_000, { type: 'tick' })));
});

test('a head that is newer makes the row behind, with the time since it was told', () => {
  const state = after(open(), 1_000, head('a', 3));
  assert.deepEqual(stampOf(state, 'order_list', 'a', 2_400), { version: 1, head: 3, events: 2, ms: 1_400, state: 'behind' });
  assert.equal(stateOf(after(state, 1_500, row('a', 3)), 1_500), 'current');
});

test('the age of a row that was behind when it was served counts on', () => {
  const state = open({ items: [item('a', 1, { head: 2, state: 'behind', sinceMs: 500 })] });
  assert.equal(stampOf(state, 'order_list', 'a', 1_000).ms, 1_500);
});

test('the cause of being behind is its projection’s', () => {
  for (const cause of ['paused', 'rebuilding', 'stalled', 'unknown']) {
    const told = { type: 'projection', id: 'order_list', state: cause, stamp: cause, reason: 'because', lag: { events: 1, ms: 1 } };
    const state = after(open(), 10, told);
    assert.equal(stateOf(state, 10), 'current', 'a row that equals its head is current all the same');
    const stamp = stampOf(after(state, 20, head('a', 2)), 'order_list', 'a', 20);
    assert.deepEqual([stamp.state, stamp.reason], [cause, 'because']);
  }
});

test('a held row stays held until a newer row', () => {
  const held = item('a', 4, { head: 5, state: 'held', words: 'held at version 5: no such type' });
  const state = open({ items: [held] });
  assert.deepEqual([stateOf(state, 0), stampOf(state, 'order_list', 'a', 0).words], ['held', held.words]);
  assert.equal(stateOf(after(state, 1, head('a', 6)), 1), 'held');
  assert.equal(stateOf(after(state, 1, row('a', 6)), 1), 'current');
  assert.equal(stateOf(after(state, 1, row('a', 6, { drawn: { state: 'held', words: 'held at version 7' } })), 1), 'held', 'or if the newer one is held');
});

test('a row whose head the server did not know stays unknown until it is told', () => {
  const state = open({ items: [item('a', 4, { state: 'unknown', words: 'unknown: the event store did not say' })] });
  assert.equal(stateOf(state, 0), 'unknown');
  assert.equal(stateOf(after(state, 1, head('a', 5)), 1), 'behind');
  assert.equal(stateOf(after(state, 1, head('a', 5), row('a', 5)), 1), 'current');
});

test('a resync is unknown until the page was read again and its watch answered; frames meanwhile do not pass for it', () => {
  let state = after(open(), 10, { type: 'resync', seq: 'other.7' });
  assert.equal(stateOf(state, 10), 'unknown');
  assert.equal(connectionOf(state, 10), 'connecting');
  state = after(state, 20, { ...beat, seq: 'other.7' }, row('a', 2, { seq: 'other.8' }));
  assert.equal(stateOf(state, 20), 'unknown');
  assert.equal(state.since, 'h.1', 'so a socket that breaks now asks from where the page was');
  state = after(state, 30, page({ seq: 'other.9', items: [item('a', 2, { state: undefined })] }));
  assert.equal(state.since, 'other.9', 'what its watch asks from');
  assert.equal(stateOf(state, 30), 'unknown');
  state = after(state, 30, { ...beat, seq: 'other.9' });
  assert.equal(stateOf(state, 30), 'current');
  assert.equal(connectionOf(state, 30), 'live');
  assert.equal(state.since, 'other.9');
});

test('a page that was read while the socket broke is not live', () => {
  const state = after(open(), 10, { type: 'resync' }, { type: 'closed' }, page({ seq: 'h.9' }));
  assert.equal(stateOf(state, 10), 'unknown');
  assert.equal(state.since, 'h.9');
});

test('a hello does not pass for what was missed before it', () => {
  const state = after(open(), 10, { type: 'closed' }, { type: 'connecting' }, { ...hello, seq: 'h.99' });
  assert.equal(state.since, 'h.1');
  assert.equal(after(state, 20, { type: 'head', id: 'q', version: 1, seq: 'h.100' }).since, 'h.100');
});

test('another build is noticed once and not forgotten', () => {
  assert.equal(open().otherBuild, false);
  const state = after(open(), 1, { type: 'closed' }, { type: 'connecting' }, { ...hello, build: 'b2' });
  assert.equal(state.otherBuild, true);
  assert.equal(after(state, 2, hello, page({ build: 'b2' })).otherBuild, true);
});

test('new orders are counted once, if they are new and could be in the list', () => {
  let state = open({ counts: 'orders', beyond: 1_000 });
  state = after(state, 1, row('b', 1), row('b', 2, { created: 5_000 }), row('c', 2, { created: 2_000 }));
  assert.equal(newOf(state), 2);
  state = after(state, 2, row('old', 7, { created: 900 }), row('x', 1, { matches: false }), { ...row('y', 1), projection: 'customer_order_summary' });
  assert.equal(newOf(state), 2, 'an old order that changed, one outside the filter, another projection: none is new here');
  assert.equal(newOf(after(open(), 1, row('b', 1))), 0, 'a page that does not count');
  for (let n = 0; n < maxNew + 10; n++) state = next(state, row(`n${n}`, 1), 3);
  assert.equal(newOf(state), maxNew, 'the count is bounded');
});

test('new events are the versions by which heads moved', () => {
  let state = open({ counts: 'events' });
  state = after(state, 1, head('a', 4), head('a', 4), head('a', 6), head('b', 1), head('a', 5));
  assert.equal(newOf(state), 4);
  assert.equal(newOf(after(state, 2, page({ counts: 'events' }))), 0, 'a page that was read again starts anew');
});

test('a list is what its projection last said, and never better than its rows', () => {
  let state = open({ lists: [{ projection: 'order_list', state: 'current', words: 'current' }] });
  assert.equal(listStampOf(state, 'order_list', 0).state, 'current');
  state = after(state, 100, head('a', 3));
  assert.deepEqual(listStampOf(state, 'order_list', 600), { version: 0, head: 0, events: 2, ms: 500, words: undefined, state: 'behind' });
  state = after(state, 700, { type: 'projection', id: 'order_list', state: 'running', stamp: 'behind', lag: { events: 9, ms: 2_000 }, reason: '' });
  const stamp = listStampOf(state, 'order_list', 1_000);
  assert.deepEqual([stamp.state, stamp.events, stamp.ms], ['behind', 9, 2_300]);
  assert.equal(listStampOf(after(state, 1_100, { type: 'closed' }), 'order_list', 1_100).state, 'unknown');
  assert.equal(listStampOf(state, 'nobody', 0), null);
});

test('a receipt’s tick is for its projection, order and version, or a later one', () => {
  const tick = { projection: 'order_list', id: 'a', version: 3 };
  assert.deepEqual([row('a', 3), row('a', 4), row('a', 2), row('b', 3), { ...row('a', 3), projection: 'order' }, head('a', 3)].map((f) => arrives(tick, f)),
    [true, true, false, false, false, false]);
});

test('a receipt waits for what its projection waits for, and says nothing better than the connection does', () => {
  const told = (stamp, reason) => after(open(), 10, { type: 'projection', id: 'order_list', state: 'x', stamp, lag: { events: 1, ms: 1 }, reason });
  assert.deepEqual(waitOf(open(), 'order_list', 10), { state: 'behind' });
  assert.deepEqual(waitOf(told('current', ''), 'order_list', 10), { state: 'behind' });
  for (const cause of ['paused', 'rebuilding', 'stalled']) {
    assert.deepEqual(waitOf(told(cause, 'Because.'), 'order_list', 10), { state: cause, words: undefined, reason: 'Because.' });
    assert.equal(waitOf(after(told(cause, 'Because.'), 20, { type: 'closed' }), 'order_list', 20).state, 'unknown');
  }
});

test('attempts to connect spread and are bounded', () => {
  for (let attempt = 0; attempt < 50; attempt++) {
    for (const random of [0, 0.5, 0.999]) {
      const ms = backoff(attempt, random);
      assert.ok(ms >= 250 && ms <= 30_000, `${attempt} ${ms}`);
    }
  }
  assert.ok(backoff(3, 0) < backoff(3, 0.9));
});

test('a restart brings its pages back within 10 s, evenly: of 2,000 no more than 300 in a second', () => {
  const perSecond = Array(11).fill(0);
  for (let i = 0; i < 2_000; i++) perSecond[Math.floor(restartWait(i / 2_000) / 1_000)] += 1;
  assert.equal(perSecond[10], 0);
  assert.ok(Math.max(...perSecond) <= 300, perSecond.join(' '));
  assert.ok(restartWait(0) >= 250);
});

// Properties, over histories made from a seed: a failure names the seed.

function random(seed) { // mulberry32
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ids = ['a', 'b', 'c'];
const pick = (r, list) => list[Math.floor(r() * list.length)];

function anyFrame(r) {
  const version = 1 + Math.floor(r() * 6);
  switch (Math.floor(r() * 12)) {
    case 0: return { type: 'connecting' };
    case 1: return hello;
    case 2: case 3: return beat;
    case 4: case 5: return row(pick(r, ids), version, { head: Math.floor(r() * 8) });
    case 6: case 7: return head(pick(r, ids), version);
    case 8: return pick(r, [{ type: 'closed' }, { type: 'wake' }, { type: 'resync' }]);
    case 9: return { type: 'projection', id: 'order_list', stamp: pick(r, ['current', 'behind', 'paused']), lag: { events: 1, ms: 5 } };
    case 10: return { type: 'word of a newer server', version: 99 };
  }
  return { type: 'tick' };
}

function history(seed, length, visit) {
  const r = random(seed);
  let state = next(null, page({ items: ids.map((id) => item(id, 1)), counts: 'orders' }), 0);
  let now = 0;
  for (let n = 0; n < length; n++) {
    now += pick(r, [0, 1, 200, 1_000, 5_000, 13_000]) * (r() < 0.2 ? 1 : 0.2);
    const before = frozen(state);
    const frame = frozen(anyFrame(r));
    state = next(before, frame, now);
    assert.deepEqual(next(before, frame, now), state, `seed ${seed}: the same twice`);
    visit({ before, frame, state, now, at: `seed ${seed}, step ${n}, ${JSON.stringify(frame)}` });
  }
}

test('property: what a page shows never goes backwards', () => {
  for (let seed = 1; seed <= 300; seed++) {
    history(seed, 60, ({ before, state, at }) => {
      for (const [key, old] of Object.entries(before.items)) {
        const now = state.items[key];
        assert.ok(now.version >= old.version && now.head >= old.head && now.head >= now.version, at);
      }
      assert.ok(state.last >= before.last && state.fresh.length >= before.fresh.length, at);
    });
  }
});

test('property: a row is taken over exactly when it is newer and the socket is trusted', () => {
  for (let seed = 1; seed <= 300; seed++) {
    history(seed, 60, ({ before, frame, state, at }) => {
      if (frame.type !== 'row') return;
      const key = keyOf('order_list', frame.id);
      const moved = state.items[key].version > before.items[key].version;
      assert.equal(isNewer(before, frame) && isOlder(before, frame), false, at);
      if (moved) assert.ok(isNewer(before, frame) && state.items[key].version === frame.version, at);
      else if (isNewer(before, frame)) assert.ok(!['open', 'live'].includes(state.link), at);
    });
  }
});

test('a customer that another process read is taken, whatever the clocks of the two say', () => {
  const ada = (version) => ({ projection: 'customer_order_summary', id: 'ada', version, head: version });
  const state = next(null, page({ seq: 'h.1', items: [ada(5_000)] }), 0);
  assert.equal(isOlder(state, ada(3_000), 'h.2'), true);
  assert.equal(isOlder(state, ada(3_000), 'g.1'), false);
  const taken = next(state, page({ seq: 'g.1', items: [ada(3_000)] }), 1);
  assert.equal(taken.items[keyOf('customer_order_summary', 'ada')].head, 3_000);
  assert.equal(isOlder(state, item('a', 0), 'g.1'), false);
  assert.equal(isOlder(next(null, page(), 0), item('a', 0), 'g.1'), true); // an order's versions are its own
});

test('property: current means it equals every head that was told, by a server that answered within 12 s on this socket', () => {
  let currents = 0;
  for (let seed = 1; seed <= 300; seed++) {
    let contact = 0; // a model of its own: when there was last contact, and whether this socket has answered
    let phase = 'page';
    let missing = false;
    let last = 0;
    const told = Object.fromEntries(ids.map((id) => [id, 1]));
    history(seed, 60, ({ frame, state, now, at }) => {
      if (now - last > silentAfter) [phase, contact] = ['gone', null];
      last = now;
      const socket = ['hello', 'page-hello', 'answered'].includes(phase);
      if (frame.type === 'closed' || frame.type === 'wake') [phase, contact] = ['gone', null];
      else if (frame.type === 'connecting') phase = phase === 'page' ? 'page-connecting' : 'gone';
      else if (frame.type === 'tick' && socket && now - contact > silentAfter) [phase, contact] = ['gone', null];
      else if (frame.type === 'hello') {
        contact ??= now;
        if (phase !== 'answered') phase = phase.startsWith('page') ? 'page-hello' : 'hello';
      }
      else if (socket && ['beat', 'row', 'head', 'projection', 'resync'].includes(frame.type)) {
        contact = now;
        if (frame.type === 'beat') phase = 'answered';
        if (frame.type === 'resync') missing = true;
        if (frame.type === 'head' || frame.type === 'row') told[frame.id] = Math.max(told[frame.id], frame.version, frame.head ?? 0);
      }
      for (const id of ids) {
        if (stampOf(state, 'order_list', id, now).state !== 'current') continue;
        currents += 1;
        assert.ok(now - contact <= silentAfter, `${at}: contact`);
        assert.ok(['page', 'page-connecting', 'page-hello', 'answered'].includes(phase), `${at}: ${phase}`);
        assert.equal(missing, false, `${at}: missing`);
        assert.equal(state.items[keyOf('order_list', id)].version, told[id], `${at}: told`);
        assert.equal(doubtOf(state, now), null, at);
      }
    });
  }
  assert.ok(currents > 1_000, 'the histories are not all in doubt');
});

test('property: rows and heads in any order, any number of times, come to the same', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const r = random(seed);
    const frames = Array.from({ length: 12 }, () => (r() < 0.5 ? row(pick(r, ids), 1 + Math.floor(r() * 9)) : head(pick(r, ids), 1 + Math.floor(r() * 9))));
    const twice = [...frames, ...frames].sort(() => r() - 0.5);
    const reached = (list) => Object.values(after(open({ items: ids.map((id) => item(id, 1)) }), 1, ...list).items).map((i) => [i.id, i.version, i.head]);
    assert.deepEqual(reached(twice), reached(frames), `seed ${seed}`);
  }
});

test('a row of any projection tells the head of its order', () => {
  const state = open({ items: [item('a', 1, { projection: 'order' }), item('a', 1)] });
  const told = after(state, 10, row('a', 3, { projection: 'order', head: 4 }));
  assert.deepEqual(stampOf(told, 'order_list', 'a', 10).head, 4);
  assert.equal(stateOf(told, 10), 'behind');
  const other = after(state, 10, row('a', 3, { projection: 'customer_order_summary', head: 1e15 }));
  assert.equal(stateOf(other, 10), 'current', 'what a customer calls its head is none');
});

test('an order that is not shown is new if it would have been shown, whatever its version', () => {
  for (const [beyond, created, count] of [[null, 5, 1], [10, 5, 0], [10, 11, 1]]) {
    assert.equal(newOf(after(open({ counts: 'orders', beyond }), 10, row('n', 3, { created }))), count, `${created} beyond ${beyond}`);
  }
});

test('a row that was left out when the page was read again is unknown until it is told of', () => {
  const state = after(open({ items: [item('a', 1), item('b', 1)] }), 10, { type: 'resync' }, page({ items: [item('a', 1, { left: true }), item('b', 1)] }), beat);
  assert.equal(stateOf(state, 10), 'unknown');
  assert.equal(stateOf(state, 10, 'b'), 'current');
  assert.ok(!lacksHeads(state), 'reading again would not help');
  assert.equal(stateOf(after(state, 20, row('a', 2)), 20), 'current');
});

test('a page that could not be told its heads is to be read again', () => {
  const state = open({ items: [item('a', 1, { state: 'unknown' })] });
  assert.ok(lacksHeads(state));
  assert.ok(!lacksHeads(after(state, 10, page(), beat)));
  assert.ok(!lacksHeads(after(state, 10, head('a', 2))));
});
