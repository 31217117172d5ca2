// overview_load: cold loads of the overview in headless Chromium against a running server; prints each and the median.
// MYRIASCOPE_URL names the server (auth: none), MYRIASCOPE_GPUS the count that the page must show, MYRIASCOPE_UI_MODULES the
// folder whose node_modules hold playwright-core. Cold: a new browser context, so no cache and no open connection.
import { createRequire } from 'node:module';

const modules = process.env.MYRIASCOPE_UI_MODULES ?? new URL('../../build/web/ui/', import.meta.url).pathname;
const { chromium } = createRequire(modules.endsWith('/') ? modules : modules + '/')('playwright-core');
const url = process.env.MYRIASCOPE_URL ?? 'http://127.0.0.1:8686';
const gpus = Number(process.env.MYRIASCOPE_GPUS ?? 18432).toLocaleString('en-US');
const runs = Number(process.env.MYRIASCOPE_RUNS ?? 5);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
const took = [];
for (let i = 0; i < runs; i++) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-US' });
  const page = await context.newPage();
  await page.goto(url + '/', { waitUntil: 'commit' });
  await page.waitForFunction(want => document.querySelector('canvas') && document.body.innerText.includes(want), gpus, { polling: 'raf', timeout: 60000 });
  took.push(await page.evaluate(() => performance.now()));
  await context.close();
}
await browser.close();
const sorted = [...took].sort((a, b) => a - b);
console.log(`overview of ${gpus} GPUs, cold: ${took.map(t => t.toFixed(0)).join(' ')} ms; median ${sorted[runs >> 1].toFixed(0)} ms`);
