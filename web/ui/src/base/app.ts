// What the whole application shares: place, language, theme, session, liveness. Small subscribed values, one hook to read them.
import { useEffect, useReducer } from 'preact/hooks';
import type { Session, Text2 } from '../api';
import type { en } from '../words/en';
import { withoutEntity, label } from './entity';
import { zhMarks } from './format';
import { parseRange, setSpanWords, setUtc, type Range } from './time';
import { carried, formatPlace, parsePlace, type Place, type Query } from './url';

export type Key = keyof typeof en;
export type Lang = 'en' | 'zh';

interface State {
  place: Place;
  lang: Lang;
  theme: 'light' | 'dark';
  utc: boolean;
  session: Session | null;
  live: boolean; // the person's wish
  hold: boolean; // the pointer rests on rows
  hidden: boolean; // the tab is hidden
  stream: 'off' | 'on' | 'lost';
  updated: number; // last good answer to a live question, ms
  staleBuild: boolean;
  retention: string | null; // the oldest data kept
  jobLife: [number, number | null] | null; // span of the job on this page, for the range preset
}

function stored(k: string): string {
  try {
    return localStorage.getItem(`myriascope.${k}`) ?? '';
  } catch {
    return '';
  }
}
function keep(k: string, v: string): void {
  try {
    localStorage.setItem(`myriascope.${k}`, v);
  } catch {
    // Private windows may refuse; the choice then lasts for this page.
  }
}

function firstLang(place: Place): Lang {
  const want = place.q.lang || stored('lang') || navigator.language;
  return want.startsWith('zh') ? 'zh' : 'en';
}
function firstTheme(place: Place): 'light' | 'dark' {
  const want = place.q.theme || stored('theme');
  if (want === 'light' || want === 'dark') return want;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

const place0 = parsePlace(location.pathname, location.search);
export const app: State = {
  place: place0,
  lang: firstLang(place0),
  theme: firstTheme(place0),
  utc: stored('utc') === '1',
  session: null,
  live: true,
  hold: false,
  hidden: document.hidden,
  stream: 'off',
  updated: 0,
  staleBuild: false,
  retention: null,
  jobLife: null,
};
setUtc(app.utc);

const listeners = new Set<() => void>();
let changes = 0;
export function set(part: Partial<State>): void {
  Object.assign(app, part);
  changes++;
  if (part.lang || part.theme) paintRoot();
  for (const f of [...listeners]) f();
}
export function subscribe(f: () => void): () => void {
  listeners.add(f);
  return () => listeners.delete(f);
}
// Redraws the caller on every change of the shared state, one between its first drawing and its listening included.
export function useApp(): State {
  const [, bump] = useReducer((n: number) => n + 1, 0);
  const seen = changes;
  useEffect(() => {
    const off = subscribe(() => bump(0));
    if (changes !== seen) bump(0);
    return off;
  }, []);
  return app;
}

export function paintRoot(): void {
  const r = document.documentElement;
  r.lang = app.lang === 'zh' ? 'zh-CN' : 'en';
  r.dataset.theme = app.theme;
  if (app.place.q.kiosk) r.dataset.kiosk = '1';
  else delete r.dataset.kiosk;
}

export function setLang(lang: Lang): void {
  keep('lang', lang);
  void loadWords(lang).then(() => set({ lang }));
}
export function setTheme(theme: 'light' | 'dark'): void {
  keep('theme', theme);
  set({ theme });
}
export function setZone(utc: boolean): void {
  keep('utc', utc ? '1' : '');
  setUtc(utc);
  set({ utc });
}

// Words: one language is loaded, the other when it is asked for.
let dictionary: Record<string, string> = {};
const dictionaries: Partial<Record<Lang, Record<string, string>>> = {};
export async function loadWords(lang: Lang): Promise<void> {
  dictionaries[lang] ??= lang === 'zh' ? (await import('../words/zh')).zh : (await import('../words/en')).en;
  dictionary = dictionaries[lang] ?? {};
  setSpanWords(lang === 'zh');
}
export function t(key: Key, v?: Record<string, string | number>): string {
  const s = dictionary[key] ?? key;
  return v ? s.replace(/\{(\w+)\}/g, (_, k: string) => String(v[k] ?? '')) : s;
}
// A word from a closed list such as health or state; what the list lacks is shown as it is.
export function word(list: string, w: string | null | undefined): string {
  if (!w) return '–';
  return dictionary[`${list}.${w}`] ?? w;
}
export function tx(text: Text2 | null | undefined): string {
  const s = text ? text[app.lang] || text.en || text.zh : '';
  return app.lang === 'zh' ? zhMarks(s) : s;
}
// What is said of an entity: alone where the entity stands beside it, else led by its name.
export function said(text: Text2 | null | undefined, entity: string): string {
  return withoutEntity(tx(text), entity);
}
export function saidOf(text: Text2 | null | undefined, entity: string): string {
  const s = tx(text);
  const rest = withoutEntity(s, entity);
  return rest === s ? s : `${label(entity)}${app.lang === 'zh' ? '：' : ': '}${rest}`;
}

// Place
export function go(url: string, replace = false): void {
  if (replace) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  const before = `${app.place.page}/${app.place.id}`;
  const place = parsePlace(location.pathname, location.search);
  const moved = before !== `${place.page}/${place.id}`;
  set(moved ? { place, jobLife: null, hold: false } : { place });
  paintRoot();
  if (moved) window.scrollTo(0, 0);
}
export function start(): void {
  paintRoot();
  addEventListener('popstate', () => {
    set({ place: parsePlace(location.pathname, location.search), hold: false });
    paintRoot();
  });
  document.addEventListener('visibilitychange', () => set({ hidden: document.hidden }));
  document.addEventListener('click', (e) => {
    const a = (e.target as Element | null)?.closest?.('a');
    if (!a || e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    if (a.target || a.hasAttribute('download') || a.origin !== location.origin || /^\/(api|assets|prometheus)\//.test(a.pathname)) return;
    e.preventDefault();
    go(a.pathname + a.search);
  });
}
// A link that keeps the range.
export function href(page: string, id = '', q: Query = {}, tab = ''): string {
  return formatPlace(page, id, tab, { ...carried(app.place.q), ...q });
}
export function entityHref(entity: string, q: Query = {}): string {
  const i = entity.indexOf(':');
  return entity.slice(0, i) === 'job' ? href('jobs', entity.slice(i + 1), q) : href('devices', entity, q);
}
export function setQuery(q: Query, replace = false): void {
  const p = app.place;
  go(formatPlace(p.page, p.id, p.tab, { ...p.q, ...q }), replace);
}
// What a page shows before anyone chooses.
export function preset(): string {
  return { devices: '6h', explorer: '1h', reliability: '7d' }[app.place.page] ?? '24h';
}
export function range(): Range {
  const q = app.place.q;
  if (q.from === 'job' && app.jobLife) {
    return { start: app.jobLife[0], end: app.jobLife[1] ?? Date.now(), moving: app.jobLife[1] === null, text: 'job' };
  }
  return parseRange(q.from === 'job' ? undefined : q.from, q.to, Date.now(), preset());
}
// Changes whenever a moving range has moved on far enough to matter.
export function rangeKey(): string {
  const q = app.place.q;
  return `${q.from ?? preset()}|${q.to ?? ''}|${app.jobLife?.join() ?? ''}`;
}
export function can(role: 'operator' | 'admin'): boolean {
  const r = app.session?.role;
  return !app.place.q.kiosk && (r === 'admin' || (role === 'operator' && r === 'operator'));
}
export function paused(): boolean {
  return !app.live || app.hold || app.hidden;
}
