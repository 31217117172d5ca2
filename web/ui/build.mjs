// Bundles the browser application into dist/: index.html and assets/ with fixed names.
// app.js holds the frame, the overview and what all pages share; each other page, the chart, the diagnosis and each language
// is a file of its own that is loaded when first needed and imports what it shares from app.js.
// Fails where the first page, or any later file, is larger than its budget. `--map` adds source maps.
import { build } from 'esbuild';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const BUDGET = 60_000; // bytes that the first page needs: app.js, app.css and one language, gzip -9
const LATER = 30_000; // bytes of any file that is loaded when needed; the chart library is the largest
const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const LEAVES = ['page/jobs', 'page/incidents', 'page/checks', 'page/devices', 'page/analysis', 'page/kb', 'page/admin', 'page/logs', 'page/fabric', 'view/chart', 'view/verdict', 'words/en', 'words/zh'];
const leafOf = (file) => LEAVES.find((l) => [`${l}.ts`, `${l}.tsx`].some((f) => file === join(here, 'src', f)));
const options = {
  absWorkingDir: here,
  outdir: 'dist/assets',
  bundle: true,
  minify: true,
  metafile: true,
  sourcemap: process.argv.includes('--map') ? 'linked' : false,
  format: 'esm',
  target: 'es2020',
  charset: 'utf8',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  logLevel: 'warning',
};

// Imports of a leaf become its file beside the importer; `core` holds the files that app.js already has.
const outside = (core) => ({
  name: 'outside',
  setup(b) {
    b.onResolve({ filter: /^[./]|^preact/ }, async (a) => {
      if (a.pluginData === 'asked' || a.kind === 'entry-point') return undefined;
      const r = await b.resolve(a.path, { kind: a.kind, importer: a.importer, resolveDir: a.resolveDir, pluginData: 'asked' });
      const leaf = leafOf(r.path);
      if (leaf) return { path: `./${basename(leaf)}.js`, external: true };
      if (core.has(r.path)) return { path: './app.js', external: true };
      return undefined;
    });
  },
});

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, 'assets'), { recursive: true });
cpSync(join(here, 'index.html'), join(dist, 'index.html'));
cpSync(join(here, 'icon.svg'), join(dist, 'assets', 'icon.svg'));
const licenses = ['preact', 'uplot']
  .map((p) => `${p}\n\n${readFileSync(join(here, 'node_modules', p, 'LICENSE'), 'utf8').trim()}\n`)
  .join('\n----\n\n');
writeFileSync(join(dist, 'assets', 'licenses.txt'), licenses);

const main = await build({ ...options, entryPoints: { app: 'src/main.tsx' }, plugins: [outside(new Set())] });
const core = new Set(Object.keys(main.metafile.inputs).filter((f) => /\.m?[jt]sx?$/.test(f)).map((f) => resolve(here, f)));
for (const leaf of LEAVES) {
  await build({ ...options, entryPoints: { [basename(leaf)]: `src/${leaf}${leaf.startsWith('words') ? '.ts' : '.tsx'}` }, plugins: [outside(core)] });
}

const size = (f) => gzipSync(readFileSync(join(dist, 'assets', f)), { level: 9 }).length;
const first = size('app.js') + size('app.css') + Math.max(size('en.js'), size('zh.js'));
const later = LEAVES.map((l) => `${basename(l)}.js`).filter((f) => size(f) > LATER);
console.log(`web/ui: first page ${first} bytes gzipped, budget ${BUDGET}`);
if (later.length) console.log(`web/ui: larger than ${LATER}: ${later.join(', ')}`);
if (first > BUDGET || later.length) process.exit(1);
