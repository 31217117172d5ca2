// Ranges: `from` and `to` are `now`, `now-24h`, an RFC 3339 time or Unix seconds. Milliseconds inside.

export interface Range {
  start: number;
  end: number;
  moving: boolean; // its end is now
  text: string; // the preset, or '' where the start is fixed
}

export const PRESETS = ['15m', '1h', '6h', '24h', '7d', '30d'];
const UNIT: Record<string, number> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

export function parseSpan(text: string): number | null {
  const m = /^(\d+)([smhdw])$/.exec(text);
  return m ? Number(m[1]) * UNIT[m[2]] : null;
}

export function parseTime(text: string, now: number): number | null {
  if (text === 'now') return now;
  const m = /^now-(.+)$/.exec(text);
  if (m) {
    const span = parseSpan(m[1]);
    return span === null ? null : now - span;
  }
  if (/^\d{9,11}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const t = Date.parse(text);
  return Number.isNaN(t) ? null : t;
}

// A bad or backward range falls back to the last 24 hours, so that a broken link still shows something.
export function parseRange(from: string | undefined, to: string | undefined, now: number, preset = '24h'): Range {
  const f = from || `now-${preset}`;
  const t = to || 'now';
  let start = parseTime(f, now);
  let end = parseTime(t, now);
  if (start === null || end === null || end <= start) {
    start = now - (parseSpan(preset) ?? 864e5);
    end = now;
    return { start, end, moving: true, text: preset };
  }
  const m = /^now-(.+)$/.exec(f);
  return { start, end, moving: t === 'now', text: m && t === 'now' ? m[1] : '' };
}

// Step in seconds that gives about `points` samples, rounded to what people expect on an axis.
export function stepFor(start: number, end: number, points: number): number {
  const want = (end - start) / 1000 / Math.max(points, 1);
  for (const s of [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]) if (s >= want) return s;
  return 86400;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

let utc = false;
export function setUtc(on: boolean): void {
  utc = on;
}
export function isUtc(): boolean {
  return utc;
}

export function zoneName(ms = Date.now()): string {
  if (utc) return 'UTC';
  const o = -new Date(ms).getTimezoneOffset();
  if (o === 0) return 'UTC';
  const a = Math.abs(o);
  const minutes = a % 60 ? `:${String(a % 60).padStart(2, '0')}` : '';
  return `UTC${o < 0 ? '-' : '+'}${Math.floor(a / 60)}${minutes}`;
}

const two = (n: number) => String(n).padStart(2, '0');
function fields(ms: number): [number, number, number, number, number, number] {
  const d = new Date(ms);
  return utc
    ? [d.getUTCFullYear(), d.getUTCMonth() + 1, d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()]
    : [d.getFullYear(), d.getMonth() + 1, d.getDate(), d.getHours(), d.getMinutes(), d.getSeconds()];
}

export function formatClock(ms: number, seconds = true): string {
  const f = fields(ms);
  return `${two(f[3])}:${two(f[4])}${seconds ? `:${two(f[5])}` : ''}`;
}
export function formatDate(ms: number): string {
  const f = fields(ms);
  return `${f[0]}-${two(f[1])}-${two(f[2])}`;
}
// Today's times are a clock only; others have their date.
export function formatTime(value: string | number | null | undefined, now = Date.now(), seconds = false): string {
  if (value === null || value === undefined || value === '') return '–';
  const ms = typeof value === 'number' ? value : Date.parse(value);
  if (Number.isNaN(ms)) return String(value);
  const day = formatDate(ms);
  return day === formatDate(now) ? formatClock(ms, seconds) : `${day.slice(0, 4) === formatDate(now).slice(0, 4) ? day.slice(5) : day} ${formatClock(ms, seconds)}`;
}
// For <input type=datetime-local>, in the zone that is shown.
export function toInput(ms: number): string {
  return `${formatDate(ms)}T${formatClock(ms)}`;
}
export function fromInput(text: string): number | null {
  const t = Date.parse(utc ? `${text}Z` : text);
  return Number.isNaN(t) ? null : t;
}

// The words of spans: 1m 35s, or 1 分 35 秒.
const LATIN = { d: 'd', h: 'h', m: 'm', s: 's', sec: ' s', ms: ' ms' };
let spans = LATIN;
export function setSpanWords(zh: boolean): void {
  spans = zh ? { d: ' 天', h: ' 小时', m: ' 分', s: ' 秒', sec: ' 秒', ms: ' 毫秒' } : LATIN;
}
// A preset such as 24h in the language's words.
export function formatPreset(text: string): string {
  const m = /^(\d+)([mhd])$/.exec(text);
  return m ? `${m[1]}${m[2] === 'm' && spans !== LATIN ? ' 分钟' : spans[m[2] as 'm']}` : text;
}

// 95 -> "1m 35s", two places at most. Seconds in.
export function formatSpan(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  const s = Math.abs(seconds);
  if (s > 0 && s < 1) return `${Math.round(s * 1000)}${spans.ms}`;
  if (s < 60) return `${s < 10 ? Math.round(s * 10) / 10 : Math.round(s)}${spans.sec}`;
  const d = Math.floor(s / 86400);
  const h = Math.floor((s % 86400) / 3600);
  const m = Math.floor((s % 3600) / 60);
  if (d) return h ? `${d}${spans.d} ${h}${spans.h}` : `${d}${spans.d}`;
  if (h) return m ? `${h}${spans.h} ${m}${spans.m}` : `${h}${spans.h}`;
  const r = Math.floor(s % 60);
  return r ? `${m}${spans.m} ${r}${spans.s}` : `${m}${spans.m}`;
}
