// Forms that post: sent once, their typing kept, and the total of a new order while it is typed.

const once = 'button[data-once]';
const releaseAfter = 10_000; // ms: whoever stopped the page while it was sending can send again; a command id is stored once
const saveAfter = 400; // ms after the last key
const kept = ['expectedVersion', 'seenVersion']; // hidden fields that go with what was typed: the version it was typed for

// ISO 4217: the currencies whose minor digits are not 2.
const minorDigits = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};
const maxAmountLength = 32;
const maxQuantity = 1_000_000n;
const maxMinor = 2n ** 63n - 1n;

/** The minor digits of a known currency. */
export function digitsOf(currency) {
  return Number(Object.keys(minorDigits).find((digits) => minorDigits[digits].split(' ').includes(currency)) ?? 2);
}

/** Reads an amount as the server does: digits and at most one dot. A BigInt of minor units, or null. */
export function parseAmount(text, digits) {
  const [, whole, fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined || text.length > maxAmountLength || fraction.length > digits) return null;
  return BigInt(whole + fraction.padEnd(digits, '0'));
}

/** The total of lines {sku, name, quantity, price} as typed, in minor units; null while it cannot be told. Empty lines do not count. */
export function totalOf(lines, digits) {
  const filled = lines.filter(({ sku, name, price }) => sku || name || price);
  let total = 0n;
  for (const { quantity, price } of filled) {
    const amount = parseAmount(price, digits);
    const count = /^\d{1,16}$/.test(quantity) ? BigInt(quantity) : 0n;
    if (amount === null || count < 1n || count > maxQuantity) return null;
    total += amount * count;
  }
  return filled.length > 0 && total <= maxMinor ? total : null;
}

/** Writes an amount for people: "1,299.00 EUR". */
export function formatAmount(minor, digits, currency) {
  const all = String(minor).padStart(digits + 1, '0');
  const whole = all.slice(0, all.length - digits).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${whole}${digits > 0 ? '.' + all.slice(-digits) : ''} ${currency}`;
}

/**
 * What to put into a form that is shown again by Back or a reload: pairs [name, value]. typed and hidden are the names the form has;
 * draft is {fields, touched, sent}. What was typed comes back with the version it was typed for. A form that was sent comes back
 * with its command id, too: sent again as it is, it is stored at most once.
 */
export function restored(draft, typed, hidden) {
  const whole = draft.fields.every(([name]) => typed.includes(name) || hidden.includes(name));
  return draft.fields.filter(([name]) => {
    if (typed.includes(name)) return true;
    if (!hidden.includes(name)) return false;
    return kept.includes(name) ? draft.touched : name === 'commandId' && draft.sent && whole;
  });
}

/** A name, label or value of the first line of an order, as it is in line n, from 0. */
export const numbered = (text, n) => text.replace(/^(items\[|new-items-|remove-line:)0(?!\d)/, `$1${n}`).replace(/^(Line|Remove line) 1$/, `$1 ${n + 1}`);

/** Starts all of it. */
export function start(document) {
  const sending = new Set();
  const guards = new Map();
  const answered = settle(document);
  for (const form of document.querySelectorAll('form[data-guard]')) guards.set(form, guard(form, form === answered));
  document.querySelector('[data-error-summary]')?.focus(); // an alert that was there from the start is not always read out

  document.addEventListener('input', (event) => {
    const form = event.target.form;
    if (form?.getAttribute('method') !== 'post') return;
    form.dataset.touched = '';
    guards.get(form)?.edited();
  });
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (event.submitter?.name === 'staff') chooseStaff(event);
    if (event.defaultPrevented || !form.querySelector(once)) return;
    if (sending.has(form)) {
      event.preventDefault();
      return;
    }
    const isCommand = !event.submitter?.hasAttribute('formnovalidate'); // the others edit lines
    guards.get(form)?.submitted(isCommand);
    rememberPlace(event.submitter);
    sending.add(form);
    setTimeout(() => disable(form)); // not before the browser has read the pressed button's name and value
    setTimeout(() => release(document, sending), releaseAfter);
  });
  addEventListener('pageshow', () => release(document, sending));
  for (const event of ['beforeunload', 'hashchange']) { // a link within the page makes an entry of its own
    addEventListener(event, () => guards.forEach(({ keep }) => keep()));
  }

  for (const form of document.querySelectorAll('form:has([data-running-total])')) runTotal(form);
  returnToPlace(document);
}

// chooseStaff acts as somebody else, and loads the page again where it is: its entry of the history has what was typed.
async function chooseStaff(event) {
  const { body: { dataset }, location } = event.target.ownerDocument;
  if (dataset.home && dataset.home !== location.pathname) return; // it would be sent again: the server leads back
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target, event.submitter));
  await fetch(event.target.action, { method: 'POST', body, redirect: 'manual' }).catch(() => {});
  location.reload();
}

function disable(form) {
  for (const button of form.querySelectorAll(once)) {
    if (button.disabled) continue;
    button.disabled = true;
    button.dataset.sent = '';
  }
}

// release enables what disable disabled, but for a button that a rule has disabled meanwhile: that one has a reason.
function release(document, sending) {
  sending.clear();
  for (const button of document.querySelectorAll(`${once}[data-sent]`)) {
    delete button.dataset.sent;
    const reason = button.dataset.action && document.querySelector(`[data-reason-for="${button.dataset.action}"]`);
    button.disabled = Boolean(reason?.textContent.trim());
  }
}

// settle gives a form that the server sent back the address where a GET shows it, because Back and a reload ask with GET. Returns that form.
function settle(document) {
  const { home } = document.body.dataset;
  const form = home && [...document.querySelectorAll('form[data-guard]')].find((f) => f.getAttribute('action') === document.location.pathname);
  if (!form) return null;
  history.replaceState(history.state, '', home);
  return form;
}

// guard keeps a form's fields in its entry of the history: it comes back with Back and with a reload, and in no other place. A form that the
// server sent back is kept as it came: its entry leads to a page that knows nothing of it.
function guard(form, answered) {
  const name = form.getAttribute('action');
  const draft = history.state?.drafts?.[name];
  if (draft) fit(form, draft);
  const fields = [...form.elements].filter((field) => field.name && ['INPUT', 'TEXTAREA', 'SELECT'].includes(field.tagName));
  const hidden = fields.filter((field) => field.type === 'hidden');
  const typed = fields.filter((field) => field.type !== 'hidden');
  const served = hidden.map((field) => [field, field.value]);
  const names = (list) => list.map((field) => field.name);
  let sent = answered;
  let timer;

  if (draft) {
    for (const [fieldName, value] of restored(draft, names(typed), names(hidden))) {
      const field = form.elements.namedItem(fieldName);
      field.value = value;
      if (field.type !== 'hidden' && value) field.closest('details')?.setAttribute('open', '');
    }
    sent = draft.sent;
  }
  if (draft?.touched || (answered && typed.length > 0)) form.dataset.touched = '';
  const save = () => {
    clearTimeout(timer);
    const state = { fields: fields.map((field) => [field.name, field.value]), touched: 'touched' in form.dataset, sent };
    try {
      history.replaceState({ ...history.state, drafts: { ...history.state?.drafts, [name]: state } }, '');
    } catch {
      // too large for the history, or too often: the form itself still has it
    }
  };
  const keep = () => {
    if (sent || 'touched' in form.dataset) save();
  };
  keep();
  form.addEventListener('change', save); // a field was left: what comes next may be another page
  return {
    keep,
    edited() {
      if (sent && draft) for (const [field, value] of served) field.value = value; // another wish: the ids made for this page
      sent = false;
      clearTimeout(timer);
      timer = setTimeout(save, saveAfter);
    },
    submitted(isCommand) {
      sent ||= isCommand;
      save();
    },
  };
}

// fit gives a form the fields of its draft that the page at this address does not begin with: lines, and the version first seen.
function fit(form, draft) {
  const lines = [...form.querySelectorAll('[data-line]')];
  const wanted = Math.max(1, draft.fields.filter(([name]) => /^items\[\d+\]\.sku$/.test(name)).length);
  for (const line of lines.slice(wanted)) line.remove();
  for (let n = lines.length; lines.length > 0 && n < wanted; n++) lines[0].parentElement.append(copyOf(lines[0], n));
  for (const [name] of draft.fields) {
    if (!draft.touched || !kept.includes(name) || form.elements.namedItem(name)) continue;
    const field = form.ownerDocument.createElement('input');
    field.type = 'hidden';
    field.name = name;
    form.append(field);
  }
  if (wanted === 1) return;
  for (const button of form.querySelectorAll('[data-line] button')) {
    button.disabled = false;
    button.removeAttribute('title');
  }
}

function copyOf(line, n) {
  const copy = line.cloneNode(true);
  copy.dataset.line = n;
  for (const element of [copy, ...copy.querySelectorAll('*')]) {
    for (const attribute of element.attributes) attribute.value = numbered(attribute.value, n);
  }
  return copy;
}

function runTotal(form) {
  const output = form.querySelector('[data-running-total]');
  const valueOf = (scope, end) => scope.querySelector(`[name$="${end}"]`)?.value.trim() ?? '';
  const known = new Set([...document.querySelectorAll('#currencies option')].map((option) => option.value));
  const draw = () => {
    const currency = valueOf(form, 'currency').toUpperCase();
    const lines = [...form.querySelectorAll('[data-line]')].map((line) => Object.fromEntries(
      ['sku', 'name', 'quantity', 'price'].map((name) => [name, valueOf(line, `.${name}`)])));
    const total = known.has(currency) ? totalOf(lines, digitsOf(currency)) : null;
    const words = total === null ? 'not known yet' : formatAmount(total, digitsOf(currency), currency);
    if (output.textContent.trim() !== words) output.textContent = words; // it is a live region: said only when it changes
  };
  form.addEventListener('input', draw);
  draw();
}

const placeKey = 'headway.lines';

// rememberPlace lets the next page, the same form with a line more or less, begin where this one was left.
function rememberPlace(button) {
  if (button?.name !== 'do' || !button.hasAttribute('formnovalidate')) return;
  try {
    sessionStorage.setItem(placeKey, button.value === 'add-line' ? 'last' : 'add');
  } catch {
    // the page begins at its top
  }
}

function returnToPlace(document) {
  let place = null;
  try {
    place = sessionStorage.getItem(placeKey);
    sessionStorage.removeItem(placeKey);
  } catch {
    return;
  }
  if (place === 'last') [...document.querySelectorAll('[data-line]')].at(-1)?.querySelector('input')?.focus();
  if (place === 'add') document.querySelector('button[value="add-line"]')?.focus();
}
