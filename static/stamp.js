// Draws a stamp: its words here, its icon by its state in the style sheet. The same words as the server's, which words.js is made of.
import wording from './words.js';

const say = (words, of) => words.replace('%s', () => of);

/** A short length of time for people, cut, not rounded: "38 ms", "1.4 s", "3 min". */
export function duration(ms) {
  const span = wording.spans.find(({ below }) => ms < below) ?? wording.spans.at(-1);
  const tenths = Math.floor((Math.max(0, ms) * 10) / span.unit);
  return say(span.words, span.tenths ? (tenths / 10).toFixed(1) : String(Math.floor(tenths / 10)));
}

/** A count with its thousands grouped: 12,345. */
export const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** The words of a stamp: those of the server, if it carries any. */
export function words(stamp) {
  if (stamp.words) return stamp.words;
  switch (stamp.state) {
    case 'current': return stamp.version > 0 ? say(wording.version, String(stamp.version)) : 'current';
    case 'behind': return behind(stamp);
    case 'held': return because(stamp.version > 0 ? say(wording.heldAt, String(stamp.version + 1)) : 'held', stamp.reason);
    case 'paused': case 'rebuilding': case 'stalled': return because(stamp.state, stamp.reason);
  }
  return because('unknown', stamp.reason);
}

function behind({ events, ms }) {
  const much = events > 0 ? say(events === 1 ? wording.event : wording.events, grouped(events)) : wording.behind;
  return ms > 0 ? much + say(wording.age, duration(ms)) : much;
}

function because(state, reason) {
  const sentence = (reason ?? '').trim().replace(/\.$/, '');
  const why = sentence.charAt(0).toLowerCase() + sentence.slice(1);
  if (!why) return state;
  return why.startsWith(state) ? why : state + say(wording.because, why);
}

/** The name of a projection for people: order_list is "Order list". */
export function label(projection) {
  const name = projection.replaceAll('_', ' ');
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** The stamp that an element carries, as the server drew it; its state is undefined if this script drew it. */
export function read(element) {
  if (!element || 'drawn' in element.dataset) return { state: undefined, words: undefined, sinceMs: 0 };
  const hidden = element.querySelector('.visually-hidden')?.textContent ?? '';
  const text = element.textContent.replace(hidden, '').trim().replace(/\s+/g, ' ');
  return { state: element.dataset.state, words: text, sinceMs: Number(element.dataset.sinceMs) || 0 };
}

/** Draws a stamp into its element, if it says anything else than it does. */
export function draw(element, stamp) {
  const text = words(stamp);
  const known = read(element);
  if (element.dataset.state === stamp.state && (known.words ?? element.dataset.drawn) === text) return;
  element.dataset.state = stamp.state;
  element.dataset.drawn = text;
  element.title = `${label(element.dataset.projection ?? '')}: ${stamp.state}${text === stamp.state ? '' : `, ${text}`}`;
  if (stamp.state !== 'current' || !(stamp.version > 0)) {
    element.textContent = text;
    return;
  }
  const hidden = element.ownerDocument.createElement('span');
  hidden.className = 'visually-hidden';
  hidden.textContent = wording.currentAt;
  element.replaceChildren(hidden, text);
}
