import { announce } from './announce.js';

// Single keys. None is taken while somebody types, with a modifier, or once they are turned off in the help.

const key = 'headway.keys';
const sequenceFor = 1500; // ms between g and the next key
const rows = 'main tbody tr:has(a[href]), main .timeline-entry';

/**
 * What a key means. pending tells whether g came just before. Returns {action, pending}: the action is null, 'help', 'search',
 * 'down', 'up', or {go: letter}.
 */
export function decide(pending, pressed) {
  if (pending) return { action: /^[a-z]$/.test(pressed) && pressed !== 'g' ? { go: pressed } : null, pending: pressed === 'g' };
  const action = { '?': 'help', '/': 'search', j: 'down', k: 'up' }[pressed] ?? null;
  return { action, pending: pressed === 'g' };
}

/** Tells whether a key event belongs to the page, not to a text, a list, the browser or somebody else's handler. */
export function isFree(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return false;
  const at = event.target;
  if (at?.isContentEditable || ['TEXTAREA', 'SELECT'].includes(at?.tagName)) return false;
  return at?.tagName !== 'INPUT' || ['checkbox', 'radio', 'button', 'submit', 'reset'].includes(at.type);
}

/** The place a step away: from none (-1) down is the first and up the last; it stops at the ends. -1 if there is none. */
export function step(count, at, by) {
  if (count === 0) return -1;
  if (at < 0) return by > 0 ? 0 : count - 1;
  return Math.min(Math.max(at + by, 0), count - 1);
}

/** Listens for the keys, and puts a way to the help into the menu. */
export function start(document) {
  let pending = false;
  let timer;
  const help = () => openHelp(document);
  addMenuEntry(document, help);
  document.addEventListener('keydown', (event) => {
    if (!isFree(event) || isOff() || document.querySelector('dialog[open]')) return;
    if (['Shift', 'CapsLock', 'AltGraph'].includes(event.key)) return; // half of another key
    const decided = decide(pending, event.key);
    pending = decided.pending;
    clearTimeout(timer);
    if (pending) timer = setTimeout(() => { pending = false; }, sequenceFor);
    if (decided.action && act(document, decided.action, help)) event.preventDefault();
  });
}

// act tells whether there was something to do.
function act(document, action, help) {
  switch (action) {
    case 'help': help(); return true;
    case 'search': return search(document);
    case 'down': return move(document, 1);
    case 'up': return move(document, -1);
  }
  const link = document.querySelector(`[data-go="${action.go}"]`);
  link?.click();
  return Boolean(link);
}

function search(document) {
  const box = document.querySelector('[data-search]');
  box?.focus();
  box?.select();
  return Boolean(box);
}

// move gives the focus to a row's first link, so that Enter opens it as it opens any link.
function move(document, by) {
  const all = [...document.querySelectorAll(rows)].filter((row) => row.checkVisibility?.() ?? true);
  const to = step(all.length, all.indexOf(document.activeElement?.closest(rows)), by);
  all[to]?.querySelector('a[href]').focus();
  return to >= 0;
}

function isOff() {
  try {
    return localStorage.getItem(key) === 'off';
  } catch {
    return false;
  }
}

function turn(document, on) {
  try {
    if (on) localStorage.removeItem(key);
    else localStorage.setItem(key, 'off');
  } catch {
    announce(document, 'The browser does not keep this choice.');
  }
}

function addMenuEntry(document, help) {
  const panel = document.querySelector('.menu-panel');
  if (!panel) return;
  const button = make(document, 'button', { type: 'button', textContent: 'Keyboard shortcuts' });
  button.addEventListener('click', () => {
    panel.closest('details')?.removeAttribute('open');
    help();
  });
  panel.append(button);
}

function openHelp(document) {
  let dialog = document.getElementById('keys-help');
  if (!dialog) document.body.append(dialog = buildHelp(document));
  showChoice(dialog);
  dialog.showModal();
}

function showChoice(dialog) {
  const now = isOff() ? 'off' : 'on';
  for (const button of dialog.querySelectorAll('button[value]')) button.setAttribute('aria-pressed', String(button.value === now));
}

function buildHelp(document) {
  const dialog = make(document, 'dialog', { id: 'keys-help' });
  dialog.setAttribute('aria-labelledby', 'keys-help-title');
  const table = make(document, 'table', { className: 'table' });
  const lineRows = table.appendChild(document.createElement('tbody'));
  const lines = [
    ['?', 'This help'], ['/', 'Search'], ['j', 'Next row'], ['k', 'Previous row'], ['Enter', 'Open the row'],
    ...[...document.querySelectorAll('[data-go]')].map((link) => [`g ${link.dataset.go}`, link.title || link.textContent.trim()]),
  ];
  for (const [keys, words] of lines) {
    const row = lineRows.insertRow();
    const head = row.appendChild(make(document, 'th', { scope: 'row' }));
    for (const name of keys.split(' ')) head.append(make(document, 'kbd', { textContent: name }), ' ');
    row.insertCell().textContent = words;
  }
  const choices = make(document, 'fieldset', { className: 'choices' });
  choices.append(make(document, 'legend', { textContent: 'Single keys' }));
  for (const [value, textContent] of [['on', 'On'], ['off', 'Off']]) {
    const choice = make(document, 'button', { type: 'button', value, textContent });
    choice.addEventListener('click', () => {
      turn(document, value === 'on');
      showChoice(dialog);
    });
    choices.append(choice);
  }
  const close = make(document, 'form', { method: 'dialog', className: 'action-foot' });
  close.append(make(document, 'button', { textContent: 'Close', autofocus: true }));
  const body = make(document, 'div', { className: 'help action-form' });
  body.append(make(document, 'h2', { id: 'keys-help-title', textContent: 'Keyboard shortcuts' }), table, choices, close);
  dialog.append(body);
  return dialog;
}

const make = (document, name, properties) => Object.assign(document.createElement(name), properties);
