// Both dictionaries have the same keys, the same placeholders, and every key that the code names.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { load, source } from './load.mjs';

const { en } = await load('words/en.ts');
const { zh } = await load('words/zh.ts');
const files = readdirSync(source, { recursive: true }).map(String).filter((f) => /\.tsx?$/.test(f) && !f.startsWith('words'));
const code = files.map((f) => readFileSync(join(source, f), 'utf8')).join('\n');

test('english_and_chinese_have_the_same_keys', () => {
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
});

test('no_word_is_empty', () => {
  for (const d of [en, zh]) for (const k of Object.keys(d)) assert.ok(d[k].trim(), k);
});

test('placeholders_are_the_same_in_both', () => {
  const names = (s) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort().join();
  for (const k of Object.keys(en)) assert.equal(names(zh[k]), names(en[k]), k);
});

test('every_key_named_in_the_code_exists', () => {
  for (const m of code.matchAll(/\bt\('([^']+)'/g)) assert.ok(m[1] in en, m[1]);
});

test('every_word_is_used', () => {
  const lists = new Set([...code.matchAll(/(?:word|options)\(\s*'(\w+)'/g)].map((m) => m[1]));
  const unused = Object.keys(en).filter((k) => !code.includes(`'${k}'`) && !lists.has(k.split('.')[0]));
  assert.deepEqual(unused, []);
});

test('chinese_sentences_are_chinese', () => {
  const same = Object.keys(en).filter((k) => zh[k] === en[k] && /[a-z]{4,} [a-z]{2,}/.test(en[k]));
  assert.deepEqual(same, []);
});
