import { test, expect, serve, away } from './test.mjs';
import { addItem, connection, live, orderBody, orderRow, stamp } from './person.mjs';

const server = serve();

// Marks the document, and counts what the window asks the server for and is told by it from now on.
async function watch(page, frames) {
  await live(page);
  await page.evaluate(() => { window.sameDocument = true; });
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  frames.length = 0;
  return {
    requests,
    check: async () => {
      expect(requests, 'requests after the load').toEqual([]);
      expect(await page.evaluate(() => window.sameDocument), 'the document is the same').toBe(true);
      expect(frames.length, 'it was told by a frame').toBeGreaterThan(0);
    },
  };
}

function framesOf(page) {
  const frames = [];
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => frames.push(String(payload))));
  return frames;
}

test('a second window on an order follows by frames alone', async ({ page, secondWindow }) => {
  const order = await server.order();
  const frames = framesOf(secondWindow);
  await page.goto(`${server.url}/orders/${order.id}`);
  await secondWindow.goto(`${server.url}/orders/${order.id}`);
  const watched = await watch(secondWindow, frames);

  await addItem(page, { sku: 'MUG-7', name: 'Enamel mug', quantity: 3, price: '7.25' });
  await expect(orderBody(secondWindow)).toHaveAttribute('data-version', '2');
  await expect(orderBody(secondWindow)).toContainText('MUG-7');
  await expect(stamp(orderBody(secondWindow))).toHaveAttribute('data-state', 'current');
  // Its untouched forms moved on with it: the next command from here is no conflict.
  await expect(secondWindow.locator('form input[name="expectedVersion"]').first()).toHaveValue('2');
  await watched.check();
});

test('a second window on the list follows by frames, and counts new orders without moving anything', async ({ secondWindow }) => {
  const order = await server.order();
  const frames = framesOf(secondWindow);
  await secondWindow.goto(server.url + '/orders');
  const watched = await watch(secondWindow, frames);
  const before = await secondWindow.locator('[data-live="order_list"]').count();

  await server.confirm(order.id, 1);
  await expect(orderRow(secondWindow, order.id)).toContainText('confirmed');
  await expect(orderRow(secondWindow, order.id)).toHaveAttribute('data-version', '2');
  await expect(stamp(orderRow(secondWindow, order.id))).toHaveAttribute('data-state', 'current');

  const fresh = await server.order({ reference: 'NEW-1' });
  await expect(secondWindow.locator('[data-new]')).toContainText('1 new');
  expect(await secondWindow.locator('[data-live="order_list"]').count()).toBe(before);
  await watched.check();

  await secondWindow.locator('[data-new]').click();
  await expect(orderRow(secondWindow, fresh.id)).toBeVisible();
});

test('a window whose socket is cut says unknown, and current again when it is back', async ({ page, guard }) => {
  guard.allow(away);
  const order = await server.order();
  const sockets = [];
  let cut = false;
  await page.routeWebSocket(/\/live$/, (socket) => {
    if (cut) {
      socket.close();
      return;
    }
    socket.connectToServer();
    sockets.push(socket);
  });
  await page.goto(server.url + '/orders');
  await live(page);
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'current');

  cut = true;
  for (const socket of sockets) await socket.close();
  await expect(connection(page)).not.toHaveAttribute('data-state', 'live');
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'unknown');
  await expect(page.locator('[data-list-stamp]').first()).toHaveAttribute('data-state', 'unknown');

  // What happens meanwhile is not guessed; it is there once there is an answer.
  await server.confirm(order.id, 1);
  await expect(orderRow(page, order.id)).toHaveAttribute('data-version', '1');
  cut = false;
  await live(page);
  await expect(orderRow(page, order.id)).toHaveAttribute('data-version', '2');
  await expect(stamp(orderRow(page, order.id))).toHaveAttribute('data-state', 'current');
});
