import { gzipSync } from 'node:zlib';
import { test, expect, serve, answered } from './test.mjs';
import { failing, full } from './pages.mjs';
import { seed } from './seed.mjs';

const limit = 60 * 1024;

const server = serve();
let facts;

test.beforeAll(async () => {
  facts = await seed(server);
});

test('no page loads more than 60 KB of script and style, gzip, and none of it stands in the HTML', async ({ browser, guard }) => {
  guard.allow(answered(404));
  guard.allow(answered(400));
  for (const { name, path } of [...full(facts), ...failing]) {
    const context = await browser.newContext(); // nothing cached
    guard.watch(context);
    const page = await context.newPage();
    const assets = [];
    page.on('response', (response) => {
      if (['script', 'stylesheet'].includes(response.request().resourceType())) assets.push(response);
    });
    await page.goto(server.url + path, { waitUntil: 'load' });
    let sum = 0;
    for (const response of assets) sum += gzipSync(await response.body()).length;
    expect(assets.length, `${name} loads assets`).toBeGreaterThan(0);
    expect(sum, name).toBeLessThanOrEqual(limit);
    expect(await page.locator('style, script:not([src]), [style], [onclick], [onload], [onerror]').count(), `${name}: inline script or style`).toBe(0);
    await context.close();
  }
});
