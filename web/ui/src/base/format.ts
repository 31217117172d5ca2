// Numbers with units as operators write them. '–' stands for what is not known.

import { formatSpan } from './time';

export const NONE = '–';

function digits(v: number): number {
  const a = Math.abs(v);
  if (a === 0 || a >= 100) return 0;
  if (a >= 10) return 1;
  return 2;
}

export function number(v: number | null | undefined, max?: number): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return NONE;
  const a = Math.abs(v);
  if (a !== 0 && (a < 0.001 || a >= 1e15)) return v.toExponential(1).replace('e+', 'e');
  if (a !== 0 && a < 0.1 && max === undefined) return v.toLocaleString('en-US', { maximumSignificantDigits: 2 });
  const d = max ?? (Number.isInteger(v) ? 0 : digits(v) || (a < 1000 ? 1 : 0));
  return v.toLocaleString('en-US', { maximumFractionDigits: d });
}

function scaled(v: number, base: number, words: string[]): string {
  let i = 0;
  let x = v;
  while (Math.abs(x) >= base && i < words.length - 1) {
    x /= base;
    i++;
  }
  return `${number(x, Math.abs(x) >= 100 || i === 0 ? 0 : 1)} ${words[i]}`;
}

const SUFFIX: Record<string, string> = {
  celsius: ' °C', percent: ' %', watts: ' W', dbm: ' dBm', milliamperes: ' mA', volts: ' V', per_second: ' /s', count: '', lpm: ' L/min',
};

export function value(v: number | null | undefined, unit: string): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return NONE;
  switch (unit) {
    case 'ratio':
      return `${number(v * 100, Math.abs(v) < 0.1 ? 2 : 1)} %`;
    case 'bytes':
      return scaled(v, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
    case 'bytes_per_second':
      return scaled(v, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s', 'PB/s']);
    case 'bits_per_second':
      return scaled(v, 1000, ['b/s', 'kb/s', 'Mb/s', 'Gb/s', 'Tb/s', 'Pb/s']);
    case 'hertz':
      return scaled(v, 1000, ['Hz', 'kHz', 'MHz', 'GHz']);
    case 'watts':
      return Math.abs(v) >= 10000 ? scaled(v, 1000, ['W', 'kW', 'MW']) : `${number(v)} W`;
    case 'seconds':
      return Math.abs(v) >= 3600 ? formatSpan(v) : Math.abs(v) < 1e-3 && v !== 0 ? `${number(v * 1e6)} µs` : Math.abs(v) < 1 && v !== 0 ? `${number(v * 1e3)} ms` : `${number(v)} s`;
    default:
      return number(v) + (SUFFIX[unit] ?? (unit ? ` ${unit}` : ''));
  }
}

// Chinese sentences of the server come with half-width marks; after a Chinese character they are set full-width.
const WIDE: Record<string, string> = { ',': '，', ':': '：', ';': '；', '?': '？', '!': '！' };
export function zhMarks(s: string): string {
  return s
    .replace(/([\u3400-\u9fff”])([,:;?!])(?!\/)\s?/g, (_, c: string, m: string) => c + WIDE[m])
    .replace(/([,:;?!])\s?(?=[\u3400-\u9fff])/g, (m: string, c: string) => WIDE[c] ?? m)
    .replace(/([\u3400-\u9fff]) ?\(([^()]*)\)/g, '$1（$2）')
    .replace(/\(([^()]*[\u3400-\u9fff][^()]*)\)/g, '（$1）');
}

// +18 % against what was before; '' where that says nothing.
export function change(now: number | null | undefined, before: number | null | undefined): string {
  if (now === null || now === undefined || before === null || before === undefined || before === 0) return '';
  const p = ((now - before) / Math.abs(before)) * 100;
  if (!Number.isFinite(p) || Math.abs(p) < 0.5) return '±0 %';
  return `${p > 0 ? '+' : '−'}${Math.abs(p) >= 1000 ? '>999' : Math.round(Math.abs(p))} %`;
}

export function percent(ratio: number | null | undefined, places = 0): string {
  return ratio === null || ratio === undefined ? NONE : `${(ratio * 100).toFixed(places)}\u00a0%`;
}

// How sure a diagnosis is: never said to be certain, nor a rival to be impossible.
export function sureness(ratio: number): string {
  return ratio >= 0.995 ? '>99\u00a0%' : ratio < 0.005 ? '<1\u00a0%' : percent(ratio);
}

// A field that a spreadsheet would run as a formula gets a leading quote; BOM so that Chinese survives.
export function csvField(v: unknown): string {
  let s = v === null || v === undefined ? '' : String(v);
  if (/^[=+\-@\t\r]/.test(s) && !/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(s)) s = `'${s}`;
  return /[",\n\r]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s;
}
export function csv(rows: unknown[][]): string {
  return `\ufeff${rows.map((r) => r.map(csvField).join(',')).join('\r\n')}\r\n`;
}
