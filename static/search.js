import { announce } from './announce.js';
import { localise } from './time.js';

// Search boxes that answer while somebody types. Without it the same form is sent with Enter.

const waitFor = 250; // ms after the last key
const beside = ['[data-list-stamp]', '[data-new]']; // in the page's head: they tell about the results, too

/** The URL of a GET form: its action with the fields that are not empty. */
export function urlOf(action, fields) {
  const query = new URLSearchParams([...fields].filter(([, value]) => value !== '')).toString();
  return query ? `${action}?${query}` : action;
}

/** Starts every form with data-search-as-you-type. */
export function start(document) {
  for (const form of document.querySelectorAll('form[data-search-as-you-type]')) follow(document, form);
}

function follow(document, form) {
  let timer;
  let running = new AbortController();
  const cancel = () => {
    clearTimeout(timer);
    running.abort();
    document.querySelector('[data-results]')?.removeAttribute('aria-busy');
  };
  const soon = () => {
    cancel();
    timer = setTimeout(() => {
      running = new AbortController();
      ask(document, urlOf(form.getAttribute('action'), new FormData(form)), running.signal);
    }, waitFor);
  };
  form.addEventListener('input', (event) => {
    if (event.target.type === 'search') soon(); // the other fields have a button
  });
  document.addEventListener('headway:caught-up', soon);
  form.addEventListener('submit', cancel);
  addEventListener('pagehide', cancel);
}

async function ask(document, url, signal) {
  const results = document.querySelector('[data-results]');
  results?.setAttribute('aria-busy', 'true');
  let page;
  try {
    const response = await fetch(url, { signal, headers: { Accept: 'text/html' } });
    if (!response.ok) throw new Error(`status ${response.status}`);
    page = new DOMParser().parseFromString(await response.text(), 'text/html');
    if (!page.querySelector('[data-results]')) throw new Error('no results');
  } catch (error) {
    if (!signal.aborted) fail(document, results, url);
    return;
  }
  if (signal.aborted) return;
  show(document, page, url);
}

function show(document, page, url) {
  const results = document.querySelector('[data-results]');
  const fresh = document.adoptNode(page.querySelector('[data-results]'));
  const focused = results.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  localise(fresh);
  results.replaceWith(fresh);
  if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  for (const selector of beside) {
    const old = document.querySelector(`main .page-head ${selector}`);
    const now = page.querySelector(`main .page-head ${selector}`);
    if (old && now) old.replaceWith(document.adoptNode(now));
  }
  for (const field of document.querySelectorAll('.top input[name="back"]')) field.value = url;
  history.replaceState(history.state, '', url);
  const words = fresh.querySelector('.pager-count, .empty p, .banner')?.textContent.trim();
  if (words) announce(document, words);
  // Whoever follows the page live asks for what happened since the server read these results.
  document.dispatchEvent(new CustomEvent('headway:results', { detail: { root: fresh, seq: page.body.dataset.seq } }));
}

// fail says that the rows shown do not answer what was typed.
function fail(document, results, url) {
  results?.removeAttribute('aria-busy');
  if (!results) return;
  results.querySelector('[data-search-failed]')?.remove();
  const banner = document.createElement('p');
  banner.className = 'banner banner-bad';
  banner.dataset.searchFailed = '';
  banner.setAttribute('role', 'alert');
  const again = document.createElement('a');
  again.href = url;
  again.textContent = 'Search again';
  banner.append('The search was not answered; the rows below are of the search before. ', again);
  results.prepend(banner);
}
