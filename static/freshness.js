// What a page knows of its freshness: one pure function, next(state, frame, now) → state, and what can be asked of a state. No document,
// no clock, no socket. now is a monotonic time in milliseconds; frames are the server's and the page's own:
//
//   {type:'page', build, seq, items, lists, counts, beyond}  the page as it is in the document: loaded, or its parts replaced. An order that
//                  was created after beyond (ms) would be on it if it had been there; null: any would. An item has left if it is
//                  shown, and the page would not show it if it were loaded now: nobody says any more how far it is
//   {type:'connecting'} {type:'closed'} {type:'wake'} {type:'tick', wall}
//   hello, beat, row, head, projection, resync: as the server sends them
//
// In doubt the answer is unknown, never current.

export const silentAfter = 12_000; // ms without contact until everything is unknown
export const clockStep = 5_000; // ms that the wall clock may drift from the monotonic one before the page must have slept
export const maxNew = 1_000; // new orders that are counted
export const maxHeads = 10_000; // orders whose newest event is remembered for counting

const causes = ['paused', 'rebuilding', 'stalled', 'unknown'];

export const keyOf = (projection, id) => `${projection} ${id}`;

const nothing = {
  build: '', since: '', link: 'none', answered: false, contact: null, resync: false, otherBuild: false,
  last: null, drift: null, items: {}, lists: {}, counts: null, beyond: null, fresh: [], heads: {}, events: 0,
};

/** The state after a frame. A time that goes backwards is the last one. */
export function next(state, frame, time) {
  state ??= nothing;
  const now = Math.max(state.last ?? time, time);
  const slept = state.last !== null && now - state.last > silentAfter;
  const base = { ...(slept ? asleep(state) : state), last: now };
  switch (frame.type) {
    case 'page': return shown(base, frame, now);
    case 'connecting': return { ...base, link: 'connecting', answered: base.link === 'none' && base.answered };
    case 'closed': return { ...base, link: 'closed', answered: false, contact: null };
    case 'wake': return asleep(base);
    case 'tick': return tick(base, frame, now);
    case 'hello': return { ...base, link: 'open', contact: base.contact ?? now, otherBuild: base.otherBuild || differs(base.build, frame.build) };
  }
  if (!['open', 'live'].includes(base.link)) return base; // what a socket says after it closed, or this page slept, is no answer
  switch (frame.type) {
    case 'beat': return heard({ ...base, link: 'live', answered: !base.resync }, frame, now);
    case 'row': return row(heard(base, frame, now), frame, now);
    case 'head': return head(heard(base, frame, now), frame, now);
    case 'projection': return projection(heard(base, frame, now), frame, now);
    case 'resync': return { ...base, resync: true, answered: false, contact: now };
  }
  return base; // a newer server's word
}

const differs = (mine, theirs) => Boolean(mine && theirs && mine !== theirs);

// heard is any word of the server: it is there, and this page has seen everything up to its sequence, unless something is missing.
const heard = (state, frame, now) => ({ ...state, contact: now, since: state.resync ? state.since : frame.seq || state.since });

const asleep = (state) => ({ ...state, link: state.link === 'none' ? 'none' : 'stale', answered: false, contact: null });

// shown takes the page as it is. The first is its own answer; one that was read again waits for the beat that answers its watch. Heads that
// were told before stay told.
function shown(state, frame, now) {
  const items = {};
  for (const item of frame.items) {
    const key = keyOf(item.projection, item.id);
    const old = state.items[key];
    const head = item.projection === 'customer_order_summary' ? item.version : Math.max(item.head, item.version, old?.head ?? 0);
    const stamp = item.state === undefined && old ? { state: old.state, words: old.words } : { state: item.state, words: item.words };
    const behindAt = head > item.version ? old?.behindAt ?? now - (item.sinceMs || 0) : null;
    items[key] = { projection: item.projection, id: item.id, version: item.version, head, ...stamp, behindAt, left: item.left };
  }
  const lists = { ...state.lists };
  for (const list of frame.lists) {
    if (list.state !== undefined) lists[list.projection] = { state: list.state, words: list.words, events: 0, ms: 0, at: now };
  }
  const first = state.link === 'none';
  return {
    ...state, items, lists,
    build: state.build || frame.build || '', since: frame.seq || state.since, resync: false,
    answered: first || state.answered,
    contact: first || ['open', 'live'].includes(state.link) ? now : state.contact,
    counts: frame.counts ?? null, beyond: frame.beyond ?? null,
    fresh: (frame.fresh ?? []).slice(0, maxNew), events: 0,
  };
}

// tick notices silence, and a sleep that the monotonic clock may not have counted.
function tick(state, frame, now) {
  const drift = frame.wall === undefined ? state.drift : frame.wall - now;
  const slept = state.drift !== null && drift !== null && Math.abs(drift - state.drift) > clockStep;
  const silent = ['open', 'live'].includes(state.link) && now - state.contact > silentAfter;
  return { ...(slept || silent ? asleep(state) : state), drift };
}

/** Tells whether a row replaces the one the page shows; without one there is nothing to replace. The order page's part comes again
 * at the same version when its rows have arrived: its timeline then says how long they took. */
export function isNewer(state, frame) {
  const item = state.items[keyOf(frame.projection, frame.id)];
  return Boolean(item) && (frame.version > item.version || (frame.projection === 'order' && frame.version === item.version));
}

/**
 * Tells whether a row is older than the one the page shows. What a customer's row calls its version is a moment by the clock of its process: in a
 * reading of another process (its sequence is seq) it says nothing, and the reading counts, because it came later.
 */
export function isOlder(state, frame, seq = state.since) {
  const item = state.items[keyOf(frame.projection, frame.id)];
  const comparable = frame.projection !== 'customer_order_summary' || hubOf(seq) === hubOf(state.since);
  return Boolean(item) && comparable && frame.version < item.version;
}

function row(state, frame, now) {
  const key = keyOf(frame.projection, frame.id);
  const item = state.items[key];
  if (!item) return { ...counted(state, frame), items: headed(state.items, frame, frame.head, now) };
  const version = Math.max(item.version, frame.version);
  const top = Math.max(item.head, frame.head || 0, version);
  const stamp = frame.version > item.version ? { state: frame.drawn?.state, words: frame.drawn?.words, left: false } : {};
  const behindAt = top > version ? item.behindAt ?? now : null;
  const items = { ...state.items, [key]: { ...item, ...stamp, version, head: top, behindAt } };
  return { ...state, items: headed(items, frame, frame.head, now) };
}

// counted adds an order that is not on the page, once, if it is new: it has one event, or it would be on the page if it had been there before.
function counted(state, frame) {
  if (state.counts !== 'orders' || frame.projection !== 'order_list' || frame.matches === false) return state;
  const isNew = frame.version === 1 || frame.created === undefined || state.beyond === null || frame.created > state.beyond;
  if (!isNew || state.fresh.includes(frame.id) || state.fresh.length >= maxNew) return state;
  return { ...state, fresh: [...state.fresh, frame.id] };
}

// headed tells every element of an order that its head is at least this. What a customer's row calls its head is none.
function headed(before, { projection: name, id }, top, now) {
  let items = before;
  if (name === 'customer_order_summary') return items;
  for (const [key, item] of Object.entries(before)) {
    if (item.id !== id || item.projection === 'customer_order_summary' || !(top > item.head)) continue;
    if (items === before) items = { ...items };
    const served = item.state === 'unknown' ? { state: undefined, words: undefined } : {}; // its head is known now
    items[key] = { ...item, ...served, head: top, behindAt: item.behindAt ?? now };
  }
  return items;
}

function head(state, frame, now) {
  const items = headed(state.items, frame, frame.version, now);
  if (state.counts !== 'events') return { ...state, items };
  const before = state.heads[frame.id] ?? frame.version - 1;
  if (frame.version <= before) return { ...state, items };
  const heads = Object.keys(state.heads).length >= maxHeads ? {} : state.heads;
  return { ...state, items, heads: { ...heads, [frame.id]: frame.version }, events: state.events + frame.version - before };
}

function projection(state, frame, now) {
  const list = { state: frame.stamp || frame.state, reason: frame.reason, events: frame.lag?.events ?? 0, ms: frame.lag?.ms ?? 0, at: now };
  return { ...state, lists: { ...state.lists, [frame.id]: list } };
}

/** Why nothing is sure now: a sentence for the stamp, or null. */
export function doubtOf(state, now) {
  if (state.resync) return 'this page missed something and asks again';
  if (!state.answered) return state.link === 'closed' ? 'no connection' : 'no answer yet';
  if (state.contact === null || now - state.contact > silentAfter) return `no contact for ${Math.floor(silentAfter / 1000)} s`;
  return null;
}

/** The stamp of one live element: {state, version, head, events, ms, words?, reason?}; null if the page does not show it. */
export function stampOf(state, projectionName, id, now) {
  const item = state.items[keyOf(projectionName, id)];
  if (!item) return null;
  const { version, head: top } = item;
  const stamp = { version, head: top, events: top - version, ms: item.behindAt === null ? 0 : Math.max(0, now - item.behindAt) };
  const reason = doubtOf(state, now);
  if (reason) return { ...stamp, state: 'unknown', reason };
  if (item.left) return { ...stamp, state: 'unknown', reason: 'it was left out when this page was read again' };
  if (['held', 'ahead', 'unknown'].includes(item.state)) return { ...stamp, state: item.state, words: item.words };
  if (top <= version) return { ...stamp, state: 'current' };
  const list = state.lists[projectionName];
  if (list && causes.includes(list.state)) return { ...stamp, state: list.state, words: list.words, reason: list.reason };
  if (!list && causes.includes(item.state)) return { ...stamp, state: item.state, words: item.words };
  return { ...stamp, state: 'behind' };
}

/** The stamp of a whole list: what its projection last said, and never better than the rows that the page shows. */
export function listStampOf(state, name, now) {
  const list = state.lists[name];
  if (!list) return null;
  const reason = doubtOf(state, now);
  const elapsed = Math.max(0, now - list.at);
  const stamp = { version: 0, head: 0, events: list.events, ms: list.ms > 0 ? list.ms + elapsed : 0, words: list.words };
  if (reason) return { ...stamp, state: 'unknown', reason, words: undefined };
  if (list.state !== 'current') return { ...stamp, state: list.state, reason: list.reason };
  const behind = Object.values(state.items).filter((item) => item.projection === name && item.head > item.version && item.state !== 'held');
  if (behind.length === 0) return { ...stamp, state: 'current' };
  const events = behind.reduce((sum, item) => sum + item.head - item.version, 0);
  const ms = Math.max(...behind.map((item) => now - item.behindAt));
  return { ...stamp, state: 'behind', events, ms, words: undefined };
}

/** Why a receipt waits for a projection: a stamp; behind if it only has not arrived there yet. */
export function waitOf(state, name, now) {
  const reason = doubtOf(state, now);
  if (reason) return { state: 'unknown', reason };
  const list = state.lists[name];
  return list && causes.includes(list.state) ? { state: list.state, words: list.words, reason: list.reason } : { state: 'behind' };
}

/** The connection in one word: live, connecting or off. Live only when nothing is in doubt. */
export function connectionOf(state, now) {
  if (state.link === 'live' && doubtOf(state, now) === null) return 'live';
  return ['none', 'closed'].includes(state.link) ? 'off' : 'connecting';
}

/** Tells whether the server could not say of some row how far its order is: then the page is to be read again, because no frame will tell. */
export const lacksHeads = (state) => Object.values(state.items).some((item) => item.state === 'unknown' && !item.left);

/** Tells whether the socket must be made anew: this page slept, or the server is silent. */
export const isStale = (state) => state.link === 'stale';

/** How many new entries the page could show. */
export const newOf = (state) => (state.counts === 'events' ? state.events : state.fresh.length);

/** Tells whether a row frame is the arrival that a receipt's tick waits for. */
export const arrives = (tick, frame) => frame.type === 'row' && frame.projection === tick.projection && frame.id === tick.id &&
  frame.version >= tick.version;

/** The hub that a sequence is of: only that one can go on from it. */
export const hubOf = (seq) => seq.split('.')[0];

/** How long to wait before the nth attempt to connect: doubling from half a second to 30 s, with jitter (random in [0, 1)). */
export function backoff(attempt, random) {
  const longest = Math.min(30_000, 500 * 2 ** Math.min(attempt, 10));
  return longest / 2 + random * (longest / 2);
}

/** How long to wait before connecting again to a server that said it restarts: 0.5 to 10 s, so that not all of its pages come at once. */
export const restartWait = (random) => 500 + random * 9_500;
