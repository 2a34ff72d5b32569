// Makes an element like another one, in place: what stays the same keeps its node, and with it focus, selection and open details.

const cells = 'td, th, dd, li, .timeline-entry';

/** Makes old like fresh, which is used up. Returns the cells whose words have changed. Both are of one kind: the same tag. */
export function morph(old, fresh) {
  const changed = new Set();
  morphElement(old, fresh, changed);
  return [...changed];
}

function morphElement(old, fresh, changed) {
  morphAttributes(old, fresh);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const match = matching(old, at, child);
    if (!match) {
      old.insertBefore(child, at);
      mark(child, changed);
      continue;
    }
    while (at !== match) at = removed(at, changed);
    if (child.nodeType === 1) morphElement(match, child, changed);
    else if (match.nodeValue !== child.nodeValue) {
      if (match.nodeValue.trim() !== child.nodeValue.trim()) mark(match, changed);
      match.nodeValue = child.nodeValue;
    }
    at = match.nextSibling;
  }
  while (at) at = removed(at, changed);
}

// matching finds the node that becomes child: the one with its id, or the next of its kind that has none.
function matching(old, at, child) {
  if (child.id) {
    const same = old.ownerDocument.getElementById(child.id);
    for (let node = at; node; node = node.nextSibling) if (node === same && node.nodeName === child.nodeName) return node;
    return null;
  }
  return at && !at.id && at.nodeName === child.nodeName ? at : null;
}

function removed(node, changed) {
  const after = node.nextSibling;
  if (node.textContent.trim()) mark(node, changed);
  node.remove();
  return after;
}

function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name === 'open' && old.nodeName === 'DETAILS') continue; // whoever opened or closed it meant it
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// mark notes the cell around a change; a stamp says itself what it is.
function mark(node, changed) {
  if (!node.textContent.trim()) return;
  const element = node.nodeType === 1 ? node : node.parentElement;
  const cell = element?.closest(cells);
  if (cell && !element.closest('[data-stamp]') && !element.matches?.(':has([data-stamp])')) changed.add(cell);
}
