// Walks every page of a running server in both languages at 1280 and 390 pixels, light and dark, as a person would see it.
// Fails on a console error, a broken content policy, a failed request, a page wider than the screen, or an accessibility violation.
//   MYRIASCOPE_URL       the server, such as http://127.0.0.1:8686
//   MYRIASCOPE_SIGNIN    a one-time link (or its code); or
//   MYRIASCOPE_TOKEN     a token; neither where the server wants no sign-in
//   MYRIASCOPE_ARTEFACTS folder for screenshots, default ./artefacts
//   MYRIASCOPE_LANGS, MYRIASCOPE_WIDTHS, MYRIASCOPE_THEMES, MYRIASCOPE_PAGES  comma lists that narrow the walk
//   CHROMIUM             default /usr/bin/chromium
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(pathToFileURL(process.env.MYRIASCOPE_UI_MODULES ? join(process.env.MYRIASCOPE_UI_MODULES, 'x.js') : join(here, '../../web/ui/x.js')));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const base = (process.env.MYRIASCOPE_URL ?? '').replace(/\/$/, '');
if (!base) {
  console.error('walk: MYRIASCOPE_URL is not set');
  process.exit(2);
}
const list = (name, all) => (process.env[name] ? process.env[name].split(',') : all);
const out = process.env.MYRIASCOPE_ARTEFACTS ?? join(process.cwd(), 'artefacts');
mkdirSync(out, { recursive: true });

let passed = 0;
let failed = 0;
function report(name, problems) {
  if (problems.length) {
    failed++;
    console.log(`not ok - ${name}`);
    for (const p of problems) console.log(`    ${p}`);
  } else {
    passed++;
    console.log(`ok - ${name}`);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

async function context(width, lang, theme) {
  const c = await browser.newContext({ viewport: { width, height: width < 600 ? 844 : 860 }, locale: lang === 'zh' ? 'zh-CN' : 'en-US', colorScheme: theme, serviceWorkers: 'block' });
  await c.addInitScript(([l, t]) => {
    localStorage.setItem('myriascope.lang', l);
    localStorage.setItem('myriascope.theme', t);
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  }, [lang, theme]);
  return c;
}

let cookies = [];
async function signIn() {
  const c = await context(1280, 'en', 'light');
  const page = await c.newPage();
  const link = process.env.MYRIASCOPE_SIGNIN;
  const problems = [];
  await page.goto(`${base}/`);
  await page.waitForSelector('.frame, .signin', { timeout: 20000 });
  if (await page.$('.signin')) {
    await page.screenshot({ path: join(out, 'signin.png') });
    if (link) await page.goto(link.includes('/') ? link : `${base}/signin?code=${encodeURIComponent(link)}`);
    else if (process.env.MYRIASCOPE_TOKEN) {
      await page.click('.signin button[aria-pressed="false"]');
      await page.fill('.signin input[type="password"]', process.env.MYRIASCOPE_TOKEN);
      await page.click('.signin button[type="submit"]');
    }
    await page.waitForSelector('.frame', { timeout: 20000 }).catch(() => problems.push('sign-in led nowhere'));
  }
  cookies = await c.cookies();
  await c.close();
  report('signs in', problems);
}

// Objects to open: taken from the server itself, so that each page of one thing is walked where such a thing exists.
async function pages() {
  const c = await context(1280, 'en', 'light');
  await c.addCookies(cookies);
  const page = await c.newPage();
  await page.goto(`${base}/`);
  const first = async (path, f) => {
    const d = await page.evaluate(async (p) => (await fetch(p, { headers: { Accept: 'application/json' } })).json(), `/api/v1/${path}`).catch(() => null);
    const it = d?.items?.[0];
    return it ? f(it) : null;
  };
  const found = [
    ['overview', '/'], ['overview-table', '/?view=table'], ['overview-rack', '/?group=rack'], ['kiosk', '/?kiosk=1'], ['jobs', '/jobs'], ['incidents', '/incidents?state=all'], ['diagnose', '/diagnose'], ['checks', '/checks'],
    ['devices', '/devices'], ['clusters', '/clusters'], ['analysis', '/analysis?by=rack&compare=24h'], ['analysis-time', '/analysis?by=time'], ['explorer', '/explorer?expr=up'], ['fabric', '/fabric'], ['packets', '/fabric?tab=packets'], ['logs', '/logs'], ['kb', '/kb'], ['kb-new', '/kb/new'],
    ['alerts', '/alerts'], ['deliveries', '/alerts/deliveries'], ['silences', '/alerts/silences'], ['rules', '/alerts/rules'], ['reliability', '/reliability'],
    ['agents', '/settings'], ['sources', '/settings/sources'], ['users', '/settings/users'], ['tokens', '/settings/tokens'],
  ];
  const add = (name, path) => path && found.push([name, path]);
  const measure = await first('measures', (m) => m.name);
  if (measure) add('overview-measure', `/?measure=${encodeURIComponent(measure)}`);
  const job = await first('jobs?state=running&limit=1', (j) => j.id) ?? await first('jobs?limit=1', (j) => j.id);
  if (job) {
    add('job', `/jobs/${encodeURIComponent(job)}`);
    add('job-table', `/jobs/${encodeURIComponent(job)}?view=table`);
    add('job-diagnosis', `/jobs/${encodeURIComponent(job)}/diagnosis`);
    add('job-logs', `/jobs/${encodeURIComponent(job)}/logs`);
    const node = await page.evaluate(async (j) => {
      const p = await (await fetch(`/api/v1/jobs/${encodeURIComponent(j)}/path`)).json();
      const n = p.layers.find((l) => l.name === 'node')?.items ?? [];
      return (n.find((x) => x.role) ?? n[0])?.entity.slice(5) ?? null;
    }, job).catch(() => null);
    if (node) add('job-focus', `/jobs/${encodeURIComponent(job)}?focus=${encodeURIComponent(node)}`);
  }
  add('incident', await first('incidents?limit=1', (i) => `/incidents/${encodeURIComponent(i.id)}`));
  add('check', await first('checks?items=0&limit=1', (k) => `/checks/${encodeURIComponent(k.id)}`));
  add('kb-entry', await first('kb?limit=1', (e) => `/kb/${encodeURIComponent(e.id)}`));
  const device = await first('devices?kind=node&limit=1', (d) => `/devices/${d.entity.replace(/[^A-Za-z0-9:/._-]/g, encodeURIComponent)}`);
  add('device', device);
  if (device) for (const t of ['events', 'logs', 'links', 'past']) add(`device-${t}`, `${device}?tab=${t}`);
  await c.close();
  const only = list('MYRIASCOPE_PAGES', null);
  return only ? found.filter(([n]) => only.includes(n)) : found;
}

async function walk(width, lang, theme, all) {
  const c = await context(width, lang, theme);
  await c.addCookies(cookies);
  const page = await c.newPage();
  let problems = [];
  page.on('console', (m) => m.type() === 'error' && problems.push(`console: ${m.text()}`));
  page.on('pageerror', (e) => problems.push(`script: ${e.message}`));
  page.on('response', (r) => r.status() >= 400 && problems.push(`${r.status()} ${r.request().method()} ${r.url().slice(base.length)}`));
  page.on('requestfailed', (r) => !/ERR_ABORTED/.test(r.failure()?.errorText ?? '') && problems.push(`failed: ${r.url().slice(base.length)} ${r.failure()?.errorText}`));
  for (const [name, path] of all) {
    problems = [];
    const at = `${name}-${lang}-${width}-${theme}`;
    try {
      await page.goto(base + path, { waitUntil: 'load' });
      await page.waitForSelector('main', { timeout: 15000 });
      // Settled: nothing says that it loads, for half a second running.
      await page.waitForFunction(() => {
        const busy = document.querySelector('.skeleton, [aria-busy="true"]');
        window.calm = busy ? 0 : (window.calm ?? 0) + 1;
        return window.calm > 4;
      }, null, { timeout: 15000, polling: 100 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 1) problems.push(`wider than the screen by ${wide} px`);
      const bad = await page.evaluate(() => [...document.querySelectorAll('main .error')].map((e) => e.textContent));
      for (const b of bad) problems.push(`page says: ${b}`);
      await page.screenshot({ path: join(out, `${at}.png`), fullPage: name !== 'kiosk' && width > 600 });
      for (const v of await page.evaluate(() => window.violations)) problems.push(`policy: ${v}`);
      // The policy forbids inline scripts, so axe is run through the debugger and is not part of the page.
      await page.evaluate(axe);
      const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'] })).violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`).join(' | ')}`));
      for (const f of found) problems.push(`axe: ${f}`);
    } catch (e) {
      problems.push(String(e.message).split('\n')[0]);
    }
    report(at, problems);
  }
  await c.close();
}

// What a person does with the keyboard on the first pages.
async function keys() {
  const c = await context(1280, 'en', 'light');
  await c.addCookies(cookies);
  const page = await c.newPage();
  const problems = [];
  const want = async (what, f) => {
    try {
      if (!(await f())) problems.push(what);
    } catch (e) {
      problems.push(`${what}: ${String(e.message).split('\n')[0]}`);
    }
  };
  const path = () => new URL(page.url()).pathname;
  await page.goto(`${base}/`);
  await page.waitForSelector('.menu');
  await want('g j opens jobs', async () => { await page.keyboard.press('g'); await page.keyboard.press('j'); await page.waitForFunction(() => location.pathname === '/jobs'); return true; });
  await want('Back returns', async () => { await page.goBack(); await page.waitForFunction(() => location.pathname === '/'); return path() === '/'; });
  await want('/ opens search, Escape closes it', async () => { await page.keyboard.press('/'); await page.waitForSelector('dialog input[type="search"]'); await page.keyboard.press('Escape'); await page.waitForSelector('dialog', { state: 'detached' }); return true; });
  await want('? opens help', async () => { await page.keyboard.press('?'); await page.waitForSelector('dialog .keylist'); await page.keyboard.press('Escape'); await page.waitForSelector('dialog', { state: 'detached' }); return true; });
  await want('language changes without a reload', async () => {
    await page.evaluate(() => { window.same = true; });
    await page.click('.top button[lang="zh-CN"]');
    await page.waitForFunction(() => document.documentElement.lang === 'zh-CN' && /总览/.test(document.querySelector('.menu').textContent));
    return page.evaluate(() => window.same === true);
  });
  report('keyboard, back and language', problems);
  await c.close();
}

// What a person does at three in the morning: commands by name, a wrong link, a copied summary, a closer look at a chart.
async function acts() {
  const c = await context(1280, 'en', 'light');
  await c.addCookies(cookies);
  const page = await c.newPage();
  const problems = [];
  const want = async (what, f) => {
    try {
      if (!(await f())) problems.push(what);
    } catch (e) {
      problems.push(`${what}: ${String(e.message).split('\n')[0]}`);
    }
  };
  await page.goto(`${base}/`);
  await page.waitForSelector('.menu');
  await want('a command of the palette changes the theme', async () => {
    await page.keyboard.press('/');
    await page.fill('dialog input[type="search"]', 'switch to dark');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
    return true;
  });
  await want('a job that is not there says where to look', async () => {
    await page.goto(`${base}/jobs/no-such-job`);
    await page.waitForSelector('.empty a[href^="/logs"]');
    return page.$('.empty a[href^="/jobs"]');
  });
  await want('an incident opens from the list, says its cause once, and is copied as text', async () => {
    await page.goto(`${base}/incidents?state=all`);
    await page.click('main tbody tr a b');
    await page.waitForSelector('.verdict .say');
    const said = await page.textContent('.verdict .say');
    if (/^\w+:/.test(said)) throw new Error(`it begins with the entity: ${said}`);
    await page.click('.acts .btn:has-text("Copy summary")');
    await page.waitForSelector('.acts .btn:has-text("Copied")');
    return true;
  });
  await want('a drag in a chart zooms, Back returns', async () => {
    await page.goto(`${base}/explorer?expr=up&from=now-15m`);
    const box = await (await page.waitForSelector('.u-over')).boundingBox();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.8, box.y + 40, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(() => /to=20/.test(location.search));
    await page.goBack();
    await page.waitForFunction(() => /from=now-15m/.test(location.search));
    return true;
  });
  report('commands, wrong links, copies and zoom', problems);
  await c.close();
}

try {
  await signIn();
  const all = await pages();
  for (const width of list('MYRIASCOPE_WIDTHS', ['1280', '390'])) {
    for (const lang of list('MYRIASCOPE_LANGS', ['en', 'zh'])) {
      for (const theme of list('MYRIASCOPE_THEMES', [lang === 'zh' ? 'dark' : 'light'])) await walk(Number(width), lang, theme, all);
    }
  }
  await keys();
  await acts();
} catch (e) {
  report('the walk', [String(e.stack ?? e)]);
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
