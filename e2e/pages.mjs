// Every page there is, by name. Accessibility, weight, injection and pictures go through this list: a new page is added here.

/** The pages of an installation without orders. */
export const empty = [
  { name: 'overview', path: '/' },
  { name: 'orders', path: '/orders' },
  { name: 'new-order', path: '/orders/new' },
  { name: 'customers', path: '/customers' },
  { name: 'products', path: '/products' },
  { name: 'activity', path: '/activity' },
  { name: 'events', path: '/events' },
  { name: 'projections', path: '/projections' },
  { name: 'history', path: '/history' },
  { name: 'history-hours', path: '/history?step=hour' },
  { name: 'record', path: '/audit' },
];

/** The same and all the others, of an order with several events, for a customer who has several orders. */
export const full = ({ id, held, customerId, reference, correlationId, version }) => [
  ...empty,
  { name: 'orders-search', path: `/orders?q=${encodeURIComponent(reference)}` },
  { name: 'orders-none', path: '/orders?q=nothing-is-called-this' },
  { name: 'orders-filtered', path: '/orders?status=created&status=confirmed&sort=-total' },
  { name: 'duplicate', path: `/orders/new?copy=${id}` },
  { name: 'order', path: `/orders/${id}` },
  { name: 'order-receipt', path: `/orders/${id}?after=${id}@${version}` },
  { name: 'order-at', path: `/orders/${id}?at=1` },
  { name: 'order-held', path: `/orders/${held}` },
  { name: 'order-events', path: `/orders/${id}/events` },
  { name: 'event', path: `/orders/${id}/events/1` },
  { name: 'event-held', path: `/orders/${held}/events/2` },
  { name: 'events-of-a-type', path: '/events?type=OrderCreated' },
  { name: 'correlation', path: `/events/correlation/${correlationId}` },
  { name: 'customer', path: `/customers/${encodeURIComponent(customerId)}` },
  { name: 'projection', path: '/projections/order_list' },
  { name: 'projection-history', path: '/projections/order_list/history?span=24h' },
  { name: 'projection-customers', path: '/projections/customer_order_summary' },
];

/** Pages that say no, with the status they say it with. */
export const failing = [
  { name: 'no-page', path: '/nowhere', status: 404 },
  { name: 'no-order', path: '/orders/00000000-0000-4000-8000-000000000000', status: 404 },
  { name: 'no-customer', path: '/customers/Nobody', status: 404 },
  { name: 'no-projection', path: '/projections/nothing', status: 404 },
  { name: 'bad-cursor', path: '/orders?cursor=not-ours', status: 400 },
  { name: 'bad-status', path: '/orders?status=lost', status: 400 },
  { name: 'bad-history-step', path: '/history?step=day', status: 400 },
  { name: 'bad-events-cursor', path: '/events?before=not-ours', status: 400 },
];
