// The socket: what the server tells changes the page, and in doubt the page says so. After the page has loaded it asks for nothing by
// HTTP, unless the server says that it missed something.
import { announce } from './announce.js';
import { backoff, connectionOf, hubOf, isNewer, isOlder, isStale, lacksHeads, next, restartWait } from './freshness.js';
import { drawShare, moveForms, pageFrame, redraw, swap, takeOver, tick, withElement } from './page.js';

const tickEvery = 1_000; // ms
const connectWithin = 10_000; // ms
const askEvery = 2_000; // ms at least between two readings of the page, however often the server says that something is missing
const sayLostAfter = 5_000; // ms
const restart = 1012;

/** Follows the page, if it says what to watch. */
export function start(document) {
  const topics = document.body.dataset.watch?.split(' ').filter(Boolean) ?? [];
  if (topics.length === 0) return;
  follow(document, topics);
}

function follow(document, topics) {
  const clock = () => performance.now();
  let state = next(null, pageFrame(document, document.body.dataset.seq), clock());
  let socket = null;
  let attempt = 0;
  let retry; // timer
  let giveUp; // timer
  let hub = ''; // of the socket
  let asking = null; // AbortController of a page that is fetched
  let failed = 0; // fetches, one after the other: no page came, or one that could not say how far its orders are
  let askedAt = -Infinity;
  let lostSince = null;
  let lostSaid = false;

  const see = (frame) => { state = next(state, frame, clock()); };

  const show = () => {
    redraw(document, state, clock());
    if (connectionOf(state, clock()) === 'live') {
      if (lostSaid) announce(document, 'Live again.');
      [lostSince, lostSaid] = [null, false];
    } else {
      lostSince ??= clock();
    }
  };

  const close = () => {
    clearTimeout(retry);
    clearTimeout(giveUp);
    const old = socket;
    socket = null; // what it still says is not heard
    old?.close();
  };

  const watch = () => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ watch: topics, since: state.since }));
  };

  const connect = () => {
    close();
    hub = '';
    see({ type: 'connecting' });
    const mine = new WebSocket(new URL('/live', document.location.href).href.replace(/^http/, 'ws'));
    socket = mine;
    mine.onopen = watch;
    mine.onmessage = ({ data }) => {
      if (mine === socket) hear(data);
    };
    mine.onclose = ({ code }) => {
      if (mine === socket) lost(code);
    };
    giveUp = setTimeout(() => {
      if (mine === socket && state.link === 'connecting') lost(0);
    }, connectWithin);
    show();
  };

  const lost = (code) => {
    close();
    see({ type: 'closed' });
    show();
    retry = setTimeout(connect, code === restart ? restartWait(Math.random()) : backoff(attempt++, Math.random()));
  };

  const hear = (data) => {
    see({ type: 'tick', wall: Date.now() });
    if (isStale(state)) { // this page slept: what waited in the socket is no answer
      connect();
      return;
    }
    let frames;
    try {
      frames = [JSON.parse(data)].flat();
    } catch {
      lost(0);
      return;
    }
    for (const frame of frames) take(frame);
    if (state.link === 'live') attempt = 0;
    show();
    if (state.resync || lacksHeads(state)) ask();
  };

  const take = (frame) => {
    const whole = withElement(document, frame);
    const newer = frame.type === 'row' && isNewer(state, frame);
    const older = frame.type === 'row' && isOlder(state, frame);
    see(whole);
    if (frame.type === 'hello') hub = hubOf(frame.seq);
    if (frame.type === 'row') {
      if (newer) swap(document, whole);
      if (frame.projection === 'order' && !older) moveForms(document, frame);
      tick(document, frame);
    }
    if (frame.type === 'projection') {
      swap(document, { ...whole, projection: 'projection' });
      drawShare(document, frame);
    }
  };

  // ask reads this page again and takes over what it says, in place.
  const ask = async () => {
    if (asking) return;
    asking = new AbortController();
    const { signal } = asking;
    const url = ownURL(document);
    try {
      await pause(Math.max(askedAt + askEvery - clock(), failed === 0 ? 0 : backoff(failed, Math.random())), signal);
      askedAt = clock();
      const response = await fetch(url, { signal, headers: { Accept: 'text/html' }, cache: 'no-store' });
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      if (!response.ok || response.redirected || !page.body.dataset.seq) throw new Error(`status ${response.status}`);
      if (url !== ownURL(document)) throw new Error('another page by now');
      const fresh = takeOver(document, page, (frame) => isOlder(state, frame, page.body.dataset.seq));
      see(pageFrame(document, page.body.dataset.seq, fresh));
      failed = lacksHeads(state) ? failed + 1 : 0;
    } catch {
      failed += 1;
    }
    if (signal.aborted) return;
    asking = null;
    if (failed === 0 && socket && hub && hub !== hubOf(state.since)) connect(); // another process read the page, and only that one can go on from there
    else if (!state.resync) watch(); // what happened since the server read the page
    show();
    if (state.resync || lacksHeads(state)) ask();
  };

  const sleep = () => {
    close();
    asking?.abort();
    asking = null;
    see({ type: 'closed' });
    redraw(document, state, clock());
  };

  const wake = () => {
    if (socket && state.link !== 'stale') return;
    see({ type: 'wake' });
    attempt = 0;
    connect();
  };

  document.addEventListener('headway:results', ({ detail }) => {
    see(pageFrame(document, detail.seq));
    watch();
    show();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    see({ type: 'tick', wall: Date.now() });
    if (isStale(state) || !socket) wake();
  });
  document.addEventListener('freeze', sleep);
  document.addEventListener('resume', wake);
  addEventListener('pagehide', sleep); // an open socket would keep the page out of the browser's memory for Back
  addEventListener('pageshow', (event) => {
    if (event.persisted) wake();
  });
  addEventListener('online', wake);

  setInterval(() => {
    see({ type: 'tick', wall: Date.now() });
    if (isStale(state)) connect();
    show();
    if (lostSince !== null && !lostSaid && clock() - lostSince > sayLostAfter) {
      lostSaid = true;
      announce(document, 'Not live: what this page shows may be old.');
    }
  }, tickEvery);

  connect();
}

// ownURL is where this page can be read.
function ownURL(document) {
  const url = new URL(document.location.href);
  url.hash = '';
  return url.href;
}

const pause = (ms, signal) => new Promise((done, failed) => {
  const timer = setTimeout(done, ms);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    failed(signal.reason);
  });
});
