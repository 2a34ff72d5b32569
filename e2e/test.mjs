import { test as base, expect } from '@playwright/test';
import { Server } from './server.mjs';

export { expect };

/** A server for the tests of one file, on fresh data: `before(server)` may fill it before it starts. */
export function serve({ flags = [], before } = {}) {
  const server = new Server(flags);
  test.beforeAll(async () => {
    await before?.(server);
    await server.start();
  });
  test.afterAll(async () => {
    await server.end();
  });
  return server;
}

// A page is wrong, whatever it shows, when it logs an error, throws, breaks its own content security policy or opens a dialog.
export const test = base.extend({
  /** `guard.allow(/pattern/)` names an error that this test causes on purpose. */
  guard: async ({}, use) => {
    const seen = [];
    const allowed = [];
    await use({
      allow: (pattern) => allowed.push(pattern),
      watch: (context) => {
        context.on('console', (message) => {
          if (message.type() === 'error') seen.push(`console: ${message.text()} (${message.location().url})`);
        });
        context.on('weberror', (error) => seen.push(`page: ${error.error().stack ?? error.error()}`));
        context.on('dialog', (dialog) => {
          seen.push(`dialog: ${dialog.message()}`);
          dialog.dismiss();
        });
      },
    });
    expect(seen.filter((line) => !allowed.some((pattern) => pattern.test(line))), 'errors that the pages reported').toEqual([]);
  },

  context: async ({ context, guard }, use) => {
    guard.watch(context);
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP ${event.violatedDirective} blocked ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`));
    });
    await use(context);
  },

  /** A second window of the same browser. */
  secondWindow: async ({ context }, use) => {
    const page = await context.newPage();
    await use(page);
  },
});

/** The browser logs each document that answers with an error status; a test that asks for one says which. */
export const answered = (status) => new RegExp(`Failed to load resource: the server responded with a status of ${status}`);

/** The server is away: the socket's attempts to reach it are logged by the browser itself. */
export const away = /WebSocket connection to .* failed|net::ERR_CONNECTION_REFUSED/;
