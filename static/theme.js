// The colours: light, dark, or auto for what the system says. The server paints the first page by its cookie; this script changes
// the page in place, keeps the choice, and carries it to the other windows. Without it the form of the menu does the same by a reload.
(() => {
  'use strict';
  const key = 'headway.theme';
  const names = ['auto', 'light', 'dark'];
  const root = document.documentElement;

  const stored = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is closed to this page: the cookie alone decides
    }
  };

  const show = (name) => {
    if (!names.includes(name)) return;
    if (name === 'auto') delete root.dataset.theme;
    else root.dataset.theme = name;
    for (const button of document.querySelectorAll('button[name="theme"]')) {
      button.setAttribute('aria-pressed', String(button.value === name));
    }
  };

  show(stored());
  document.addEventListener('DOMContentLoaded', () => show(stored()));
  addEventListener('pageshow', () => show(stored())); // a page kept for Back may be older than the choice
  addEventListener('storage', (event) => {
    if (event.key === key) show(event.newValue);
  });

  document.addEventListener('submit', (event) => {
    const button = event.submitter;
    if (button?.name !== 'theme' || !names.includes(button.value)) return;
    event.preventDefault();
    show(button.value);
    try {
      localStorage.setItem(key, button.value);
    } catch {
      // the cookie keeps it
    }
    const body = new URLSearchParams(new FormData(event.target, button));
    fetch(event.target.action, { method: 'POST', body, redirect: 'manual', keepalive: true }).catch(() => {});
  });
})();
