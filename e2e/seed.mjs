import { execFileSync } from 'node:child_process';
import { expect } from '@playwright/test';
import { program } from './server.mjs';

/** Fills a running server with a few orders in every state, one of them held, and answers what pages.mjs asks for. */
export async function seed(server, { customerId = 'Ada Lovelace', reference = 'PO-1001', sku = 'LAMP-1', name = 'Desk lamp',
  reason = 'The customer changed their mind' } = {}) {
  const items = [
    { sku, name, quantity: 2, price: '12.50' },
    { sku: 'DESK-3', name: 'Oak desk', quantity: 1, price: '349.00' },
  ];
  const main = await server.order({ customerId, reference, items });
  const added = await server.add(main.id, 1, { sku, name, quantity: 1, price: '3.00' });
  const confirmed = await server.confirm(main.id, added.version);

  const cancelled = await server.order({ customerId, reference: 'PO-1002', items });
  await server.cancel(cancelled.id, 1, reason);
  await server.order({ customerId: 'Grace Hopper', reference: 'PO-1003', currency: 'JPY', items: [{ sku: 'CUP-1', name: 'Tea cup', quantity: 12, price: '1480' }] });

  const held = await server.order({ customerId: 'Grace Hopper', reference: 'PO-1004' });
  poison(server, held.id);
  await expect.poll(async () => (await server.ask('GET', '/projections')).body.projections.every((p) => p.holds.length > 0),
    { timeout: 30_000, message: 'the poisoned order is held' }).toBe(true);

  const { body } = await server.ask('GET', `/orders/${main.id}`);
  const correlationId = body.events[0].metadata.correlationId;
  await server.settled(main.id);
  return { id: main.id, held: held.id, cancelled: cancelled.id, customerId, reference, correlationId, version: confirmed.version };
}

/** Writes an event that nobody can apply straight into the database, as a broken program would. */
export function poison(server, id) {
  execFileSync(program('poison'), [server.data, id], { stdio: 'inherit' });
}
