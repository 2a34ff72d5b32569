// The document as the live view sees it: what it shows, and how a frame changes it. Whether a frame may is for freshness.js to say.
import { announce } from './announce.js';
import { arrives, connectionOf, doubtOf, listStampOf, newOf, maxNew, stampOf, waitOf } from './freshness.js';
import { morph } from './morph.js';
import { draw, duration, grouped, label, read, words } from './stamp.js';
import { localise } from './time.js';

const changedFor = 600; // ms, as the style sheet tints
const connectionWords = { live: 'Live', connecting: 'Connecting', off: 'Not live' };

const isProjection = (element) => element.dataset.live === 'projection';

const find = (root, name, id) =>
  [...root.querySelectorAll(`[data-live="${CSS.escape(name)}"]`)].find((element) => element.dataset.id === id) ?? null;

/** The frame {type:'page'} of a document; seq is the sequence it was read at. */
export function pageFrame(document, seq, fresh) {
  const items = [];
  for (const element of document.querySelectorAll('[data-live]')) {
    if (isProjection(element)) continue;
    const { live, id, version, head } = element.dataset;
    const left = 'left' in element.dataset;
    items.push({ projection: live, id, version: Number(version), head: Number(head), left, ...read(element.querySelector('[data-stamp]')) });
  }
  const lists = [...document.querySelectorAll('[data-stamp]')].filter(isOfList)
    .map((element) => ({ projection: element.dataset.projection, ...read(element) }));
  for (const { dataset } of document.querySelectorAll('[data-tick][data-cause]')) {
    if (dataset.cause !== 'held') lists.push({ projection: dataset.tick, state: dataset.cause, words: dataset.why }); // that is the order's own
  }
  for (const bar of document.querySelectorAll('[data-headway]')) {
    if (!lists.some((list) => list.projection === bar.dataset.headway)) {
      lists.push({ projection: bar.dataset.headway, state: 'drawn' in bar.dataset ? undefined : bar.dataset.state });
    }
  }
  return {
    type: 'page', build: document.body.dataset.build, seq, items, lists, fresh,
    counts: countsOf(document), beyond: beyond(document),
  };
}

// A list's stamp, and a projection card's, is the projection's own; any other is its live element's.
const isOfList = (stamp) => {
  const element = stamp.closest('[data-live]');
  return 'listStamp' in stamp.dataset || !element || isProjection(element);
};

function countsOf(document) {
  const link = document.querySelector('[data-new]');
  if (!link) return null;
  return new URL(link.href).pathname === '/events' ? 'events' : 'orders';
}

// beyond is the time after which an order was created that would be in this list if it had been there: any, if the list has no other pages; if it
// is the first page of the newest, the oldest that it shows; else the newest.
function beyond(document) {
  const query = new URL(document.location.href).searchParams;
  const created = [...document.querySelectorAll('[data-live="order_list"]')].map(createdOf).filter((ms) => ms !== undefined);
  const first = !query.get('cursor');
  if (created.length === 0 || (first && !document.querySelector('[rel="next"]'))) return null;
  const newestFirst = first && ['', '-created'].includes(query.get('sort') ?? '') && !query.get('q');
  return newestFirst ? Math.min(...created) : Math.max(...created);
}

function createdOf(row) {
  const ms = Date.parse(row.querySelector('.col-created time')?.dateTime);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A frame with what its HTML says: element, its stamp as drawn, created, and whether a new row could be one of this list. */
export function withElement(document, frame) {
  if (!frame.html) return frame;
  const template = document.createElement('template');
  template.innerHTML = frame.html; // made by the server's templates, which escape
  const element = template.content.firstElementChild;
  if (!element) return frame;
  const shown = { ...frame, element, drawn: read(element.querySelector('[data-stamp]')), created: createdOf(element) };
  return { ...shown, matches: matches(document, element) };
}

// matches tells whether a new row would be in this list, as far as it can be told here: never for a text or dates.
function matches(document, row) {
  const query = new URL(document.location.href).searchParams;
  if (query.get('q') || query.get('from') || query.get('to')) return false;
  const statuses = query.getAll('status').filter(Boolean);
  const customer = query.get('customer');
  return (statuses.length === 0 || statuses.includes(row.querySelector('[data-status]')?.dataset.status)) &&
    (!customer || row.querySelector('.col-customer')?.textContent.trim() === customer);
}

/** Puts a row in the place of the one that is shown. */
export function swap(document, frame) {
  const old = find(document, frame.projection ?? 'projection', frame.id);
  if (!old || !frame.element || old.nodeName !== frame.element.nodeName) return;
  localise(frame.element);
  const leaves = frame.projection === 'order_list' && !stays(document, frame.element);
  for (const cell of morph(old, document.adoptNode(frame.element))) tint(cell);
  old.toggleAttribute('data-unmatched', leaves);
  if (leaves) markUnmatched(old);
}

// markUnmatched says that a row stays only until the list is loaded again.
function markUnmatched(row) {
  const note = row.ownerDocument.createElement('span');
  note.className = 'none';
  note.textContent = ' no longer in this filter';
  row.querySelector('.col-status')?.append(note);
}

// stays tells whether a row that is shown still belongs to the statuses that were asked for.
function stays(document, row) {
  const statuses = new URL(document.location.href).searchParams.getAll('status').filter(Boolean);
  return statuses.length === 0 || statuses.includes(row.querySelector('[data-status]')?.dataset.status);
}

function tint(cell) {
  cell.classList.remove('changed');
  void cell.offsetWidth; // starts the tint again if it is running
  cell.classList.add('changed');
  setTimeout(() => cell.classList.remove('changed'), changedFor);
}

/** Moves the command forms on to an order's new version: buttons, reasons, and the version of forms nobody has typed into. */
export function moveForms(document, { id, version, actions }) {
  if (!find(document, 'order', id)) return;
  for (const [name, { allowed, reason }] of Object.entries(actions ?? {})) {
    for (const button of document.querySelectorAll(`[data-action="${CSS.escape(name)}"]`)) {
      if (allowed && 'sent' in button.dataset) continue; // forms.js lets go of it
      if (!allowed && button === document.activeElement) keepFocus(button);
      button.disabled = !allowed;
    }
    for (const element of document.querySelectorAll(`[data-reason-for="${CSS.escape(name)}"]`)) {
      if (element.textContent.trim() !== (reason ?? '')) element.textContent = reason ?? '';
    }
  }
  for (const receipt of document.querySelectorAll('section:not([role="status"]) > [data-receipt]')) {
    if (Number(receipt.dataset.version) < version) receipt.parentElement.remove(); // the timeline tells of the new head
  }
  for (const field of document.querySelectorAll('input[name="expectedVersion"]')) {
    if (!('touched' in field.form.dataset) && Number(field.value) < version) field.value = version;
  }
}

// keepFocus hands the focus of a button that goes away to its order's part of the page.
function keepFocus(button) {
  const next = button.closest('details')?.querySelector('summary') ?? button.ownerDocument.getElementById('main');
  next?.focus({ preventScroll: true });
}

/** Ticks the receipts that waited for this row. How long it took, the timeline says. */
export function tick(document, frame) {
  for (const receipt of document.querySelectorAll('[data-receipt]')) {
    for (const line of receipt.querySelectorAll('[data-tick]')) {
      const said = line.querySelector('[data-tick-words]');
      const waits = { projection: line.dataset.tick, id: receipt.dataset.id, version: Number(receipt.dataset.version) };
      if (line.dataset.state === 'waiting' && arrives(waits, frame)) {
        line.dataset.state = 'arrived';
        said.removeAttribute('aria-live');
        said.textContent = 'arrived';
      }
      if (said.textContent !== 'arrived') continue;
      const took = document.querySelector(`#v${waits.version} [data-arrival="${CSS.escape(waits.projection)}"]`)?.dataset.took;
      if (took) said.textContent = `arrived after ${took}`;
    }
  }
}

// drawWaits says how long each receipt has waited for a projection, and why it is not there.
function drawWaits(document, state, now) {
  for (const line of document.querySelectorAll('[data-tick][data-state="waiting"]')) {
    line.dataset.since ??= now - Number(line.dataset.sinceMs);
    const stamp = waitOf(state, line.dataset.tick, now);
    const held = line.dataset.cause === 'held' && stamp.state !== 'unknown';
    const why = held ? line.dataset.why : stamp.state !== 'behind' && words(stamp);
    const text = `waiting for ${duration(now - Number(line.dataset.since))}${why ? `, ${why}` : ''}`;
    const said = line.querySelector('[data-tick-words]');
    if (said.textContent !== text) said.textContent = text;
  }
}

/** Draws a projection's line of the headway bar. */
export function drawShare(document, frame) {
  for (const bar of document.querySelectorAll(`[data-headway="${CSS.escape(frame.id)}"]`)) {
    const share = Math.min(Math.max(Number(frame.share) || 0, 0), 1);
    bar.querySelector('rect')?.setAttribute('width', share * 100);
    bar.dataset.percent = Math.floor(share * 100);
  }
}

/** Draws what the state says: every stamp, the headway bar, the connection, the count of what is new, and the offer to load a newer build. */
export function redraw(document, state, now) {
  for (const element of document.querySelectorAll('[data-stamp]')) {
    const live = element.closest('[data-live]');
    const stamp = isOfList(element)
      ? listStampOf(state, element.dataset.projection, now) : stampOf(state, live.dataset.live, live.dataset.id, now);
    if (stamp) draw(element, stamp);
    if (stamp && live && !isProjection(live)) live.dataset.head = Math.max(stamp.head, stamp.version);
  }
  for (const bar of document.querySelectorAll('[data-headway]')) drawBar(bar, listStampOf(state, bar.dataset.headway, now));
  drawWaits(document, state, now);
  tellCaughtUp(document, state, now);
  drawConnection(document, state, now);
  drawNew(document, newOf(state));
  if (state.otherBuild) offerReload(document);
}

// tellCaughtUp has an empty list read again, once it lacks no events.
function tellCaughtUp(document, state, now) {
  const list = document.querySelector('[data-so-far]');
  if (!list || listStampOf(state, list.dataset.soFar, now)?.state !== 'current') return;
  delete list.dataset.soFar;
  document.dispatchEvent(new CustomEvent('headway:caught-up'));
}

function drawBar(bar, stamp) {
  if (!stamp || (bar.dataset.state === stamp.state && !('percent' in bar.dataset))) return;
  bar.dataset.state = stamp.state;
  bar.dataset.drawn = '';
  const share = bar.dataset.percent === undefined ? '' : `${bar.dataset.percent} % of the log, `;
  const text = `${label(bar.dataset.headway)}: ${share}${words(stamp)}`;
  if (bar.getAttribute('aria-label') === text) return;
  bar.setAttribute('aria-label', text);
  const title = bar.querySelector('title');
  if (title) title.textContent = text;
}

function drawConnection(document, state, now) {
  const word = connectionOf(state, now);
  for (const element of document.querySelectorAll('[data-connection]')) {
    if (element.dataset.state !== word) element.dataset.state = word;
    if (element.textContent !== connectionWords[word]) element.textContent = connectionWords[word];
    const why = doubtOf(state, now);
    element.title = why === null ? 'What this page shows follows the server.' : `Not sure to be current: ${why}.`;
  }
}

function drawNew(document, count) {
  const link = document.querySelector('[data-new]');
  if (!link) return;
  const text = `${grouped(Math.min(count, maxNew))}${count >= maxNew ? '+' : ''} new, show`;
  if (link.hidden === (count === 0) && (count === 0 || link.textContent === text)) return;
  link.hidden = count === 0;
  link.textContent = text;
}

function offerReload(document) {
  if (document.querySelector('[data-reload]')) return;
  const banner = document.createElement('p');
  banner.className = 'banner banner-warn';
  banner.dataset.reload = '';
  const link = document.createElement('a');
  link.href = document.location.href;
  link.textContent = 'Load this page again';
  link.addEventListener('click', (event) => {
    event.preventDefault();
    document.location.reload(); // keeps this entry of the history, where forms.js has what was typed
  });
  const sentence = document.createElement('span');
  sentence.append('The server runs a newer version of Headway. ', link, '; what you typed is kept.');
  banner.append(sentence);
  document.getElementById('main')?.prepend(banner);
  announce(document, 'The server runs a newer version of Headway. This page can be loaded again; what you typed is kept.');
}

/**
 * Takes over what another reading of this page says: every live element that is not older than the one shown, the stamps of lists, the
 * bar, receipts and forms. Nothing that somebody types into is touched. What the new reading has not is marked as left. Returns the ids of orders
 * that only the new reading has.
 */
export function takeOver(document, page, isOlder) {
  for (const element of document.querySelectorAll('[data-live]')) { // before the new elements are moved out of their page
    element.toggleAttribute('data-left', !find(page, element.dataset.live, element.dataset.id));
  }
  for (const element of page.querySelectorAll('[data-live]')) {
    const { live, id, version } = element.dataset;
    const frame = { projection: live, id, version: Number(version), element };
    if (isProjection(element) || !isOlder(frame)) swap(document, frame);
  }
  for (const stamp of page.querySelectorAll('[data-list-stamp]')) {
    for (const old of document.querySelectorAll(`[data-list-stamp][data-projection="${CSS.escape(stamp.dataset.projection)}"]`)) {
      morph(old, document.adoptNode(stamp.cloneNode(true)));
    }
  }
  for (const bar of page.querySelectorAll('[data-headway]')) {
    const old = document.querySelector(`[data-headway="${CSS.escape(bar.dataset.headway)}"]`);
    const width = bar.querySelector('rect')?.getAttribute('width');
    if (old && width) old.querySelector('rect')?.setAttribute('width', width);
    if (old) {
      old.dataset.state = bar.dataset.state;
      delete old.dataset.drawn;
      delete old.dataset.percent;
    }
  }
  takeOverForms(document, page);
  takeOverReceipts(document, page);
  const shown = new Set([...document.querySelectorAll('[data-live="order_list"]')].map((row) => row.dataset.id));
  return [...page.querySelectorAll('[data-live="order_list"]')].map((row) => row.dataset.id).filter((id) => !shown.has(id));
}

function takeOverForms(document, page) {
  const order = page.querySelector('[data-live="order"]');
  if (!order) return;
  const actions = {};
  for (const button of page.querySelectorAll('[data-action]')) {
    const name = button.dataset.action;
    const reason = page.querySelector(`[data-reason-for="${CSS.escape(name)}"]`)?.textContent.trim() ?? '';
    actions[name] = { allowed: !button.disabled, reason };
  }
  moveForms(document, { id: order.dataset.id, version: Number(order.dataset.version), actions });
}

function takeOverReceipts(document, page) {
  for (const receipt of page.querySelectorAll('[data-receipt]')) {
    const { id, version } = receipt.dataset;
    for (const line of receipt.querySelectorAll('[data-tick]')) {
      const { tick: projection, state, cause, why } = line.dataset;
      if (state === 'arrived') tick(document, { type: 'row', projection, id, version: Number(version) });
      for (const old of document.querySelectorAll(`[data-receipt][data-version="${version}"] [data-tick="${CSS.escape(projection)}"]`)) {
        delete old.dataset.cause;
        if (cause) Object.assign(old.dataset, { cause, why });
      }
    }
  }
}
