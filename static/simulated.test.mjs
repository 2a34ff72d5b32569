import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { connectionOf, newOf, next, stampOf } from './freshness.js';

// What pages of the simulation (cmd/web/simulation_test.go) were told, with what its Go copy of freshness.js made of it. After a change of both:
//   go test ./cmd/web -run TestSeeds -seed 12 -tape $PWD/static/testdata/simulated.json
test('what a simulated page judges, the script judges', () => {
  const tape = JSON.parse(readFileSync(new URL('./testdata/simulated.json', import.meta.url), 'utf8'));
  assert.ok(tape.length > 100);
  const stamps = new Map();
  let state = null;
  for (const [i, entry] of tape.entries()) {
    const { at, frame } = entry;
    state = next(state, { items: [], lists: [], ...frame, drawn: { state: frame.drawn } }, at);
    for (const [key, stamp] of Object.entries(entry.stamps ?? {})) stamps.set(key, stamp);
    const seen = { stamps: {}, fresh: newOf(state), since: state.since, live: connectionOf(state, at) === 'live' };
    const want = { stamps: {}, fresh: entry.fresh, since: entry.since, live: entry.live };
    for (const { projection, id } of Object.values(state.items)) {
      const key = `${projection} ${id}`;
      seen.stamps[key] = stampOf(state, projection, id, at).state;
      want.stamps[key] = stamps.get(key);
    }
    assert.deepEqual(seen, want, `frame ${i}, ${frame.type}`);
  }
});
