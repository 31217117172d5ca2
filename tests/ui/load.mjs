// Loads a TypeScript module of the browser application into Node, through esbuild, without a browser.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
export const ui = join(here, '../../web/ui');
export const source = join(ui, 'src');
export const require = createRequire(pathToFileURL(join(process.env.MYRIASCOPE_UI_MODULES ?? ui, 'x.js')));
const { build } = require('esbuild');

export async function load(file) {
  const r = await build({ entryPoints: [join(source, file)], bundle: true, write: false, format: 'esm', target: 'es2020', logLevel: 'error' });
  return import(`data:text/javascript;base64,${Buffer.from(r.outputFiles[0].text).toString('base64')}`);
}
