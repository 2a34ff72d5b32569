import { announce } from './announce.js';

const tick = 'M3 8.5l3.5 3.5L13 4.5';
const shownFor = 1500; // ms

/** Lets [data-copy] buttons copy their value, and says so to the eye and to screen readers. */
export function start(document) {
  document.addEventListener('click', async (event) => {
    const button = event.target.closest?.('[data-copy]');
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch { // not allowed, or no secure context
      announce(document, 'The browser did not allow copying.');
      return;
    }
    announce(document, `Copied ${button.dataset.copy}`);
    mark(button);
  });
}

function mark(button) {
  const path = button.querySelector('path');
  if ('copied' in button.dataset || !path) return;
  const drawn = path.getAttribute('d');
  button.dataset.copied = '';
  path.setAttribute('d', tick);
  setTimeout(() => {
    delete button.dataset.copied;
    path.setAttribute('d', drawn);
  }, shownFor);
}
