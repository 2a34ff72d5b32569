// Says a sentence to screen readers, politely, in the page's one live region.

/** Says a text in [data-announce]; also when the same text was said just before. */
export function announce(document, text) {
  const region = document.querySelector('[data-announce]');
  if (!region) return;
  region.textContent = '';
  setTimeout(() => { region.textContent = text; }, 50); // a region that is emptied and filled at once is not read again
}
