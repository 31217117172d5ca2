// What is shipped: within its budget, without inline code, without hosts of others, with fixed names.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { ui } from './load.mjs';

const dist = process.env.MYRIASCOPE_UI_DIST ?? join(ui, 'dist');
const read = (f) => readFileSync(join(dist, f), 'utf8');
const packed = (f) => gzipSync(readFileSync(join(dist, f)), { level: 9 }).length;
const skip = existsSync(join(dist, 'index.html')) ? false : 'not built: npm run build';

test('the_first_page_is_below_60_kB', { skip }, () => {
  const bytes = packed('assets/app.js') + packed('assets/app.css') + Math.max(packed('assets/en.js'), packed('assets/zh.js'));
  assert.ok(bytes < 60000, `${bytes}`);
});

test('the_page_holds_no_inline_script_or_style', { skip }, () => {
  const html = read('index.html');
  assert.ok(!/<style|style=|\son\w+=/i.test(html));
  for (const m of html.matchAll(/<script([^>]*)>([^<]*)/g)) assert.ok(/src="\/assets\//.test(m[1]) && m[2] === '');
});

test('nothing_evaluates_text_or_sets_markup', { skip }, () => {
  for (const f of readdirSync(join(dist, 'assets')).filter((n) => n.endsWith('.js'))) assert.ok(!/\beval\(|new Function\(/.test(read(`assets/${f}`)), f);
});

test('assets_have_fixed_names', { skip }, () => {
  const names = readdirSync(join(dist, 'assets'));
  for (const n of ['app.js', 'app.css', 'icon.svg', 'licenses.txt']) assert.ok(names.includes(n), n);
  assert.deepEqual(names.filter((n) => /[-.][0-9A-Z]{8}\./.test(n)), []);
});

test('versions_are_exact_and_no_registry_is_named', () => {
  const p = JSON.parse(readFileSync(join(ui, 'package.json'), 'utf8'));
  for (const v of Object.values({ ...p.dependencies, ...p.devDependencies })) assert.match(v, /^\d+\.\d+\.\d+$/);
  assert.ok(!/"resolved"|https?:\/\/[^"]*registry/.test(readFileSync(join(ui, 'package-lock.json'), 'utf8')));
});

test('what_the_server_names_with_a_page_is_there', { skip }, () => {
  const rows = [...readFileSync(join(ui, '../ui.c'), 'utf8').matchAll(/\{"\/(\w+)", \{([^}]*)\}\}/g)];
  assert.ok(rows.length > 10);
  for (const [, page, files] of rows) for (const f of files.match(/\w+/g)) assert.ok(existsSync(join(dist, 'assets', `${f}.js`)), `${page}: ${f}`);
});
