// The frame round every page: menu, search, range, liveness, language, theme, help, keys.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from '../api';
import { app, entityHref, go, href, preset, range, set, setLang, setQuery, setTheme, setZone, t, tx, useApp, word, type Key } from '../base/app';
import { useLoad } from '../base/load';
import { formatPreset, formatSpan, formatTime, fromInput, iso, PRESETS, toInput, zoneName } from '../base/time';
import { Btn, Dialog, Field, Mark, Time } from './parts';

// 16-unit outlines, one path each.
const ICON: Record<string, string> = {
  overview: 'M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z',
  jobs: 'M3 13V9M8 13V3M13 13V6M3 5a1 1 0 1 1 0 .1M1 15h14',
  incidents: 'M8 1.5 15 14H1zM8 6v4M8 12v.5',
  checks: 'M2 4l1.5 1.5L6 3M2 11l1.5 1.5L6 10M9 4.5h5M9 11.5h5',
  fabric: 'M3 2h3v3H3zM10 2h3v3h-3zM3 11h3v3H3zM10 11h3v3h-3zM4.5 5v6M11.5 5v6M5.5 5l5 6M10.5 5l-5 6',
  devices: 'M2 3h12v4H2zM2 9h12v4H2zM4.5 5h.1M4.5 11h.1',
  clusters: 'M8 1 14 4.5v7L8 15 2 11.5v-7zM8 1v14M2 4.5l12 7M14 4.5l-12 7',
  analysis: 'M2 14V2M2 14h12M5 11V8M8 11V4M11 11V6',
  explorer: 'M2 12l4-5 3 3 5-7M2 14.5h12',
  logs: 'M2 3h12M2 6.5h9M2 10h12M2 13.5h7',
  reliability: 'M8 2a6 6 0 1 0 6 6M8 5v3l2.5 1.5M11 2.5l3 1-1 3',
  kb: 'M3 2h8a2 2 0 0 1 2 2v10H5a2 2 0 0 1-2-2zM3 12a2 2 0 0 1 2-2h8M6 5h4',
  alerts: 'M3 12h10l-1.2-2V7a3.8 3.8 0 0 0-7.6 0v3zM6.5 14h3',
  settings: 'M8 5.5A2.5 2.5 0 1 0 8 10.5 2.5 2.5 0 1 0 8 5.5M8 1v2M8 13v2M1 8h2M13 8h2M3 3l1.5 1.5M11.5 11.5 13 13M13 3l-1.5 1.5M4.5 11.5 3 13',
};
export const Icon = ({ k }: { k: string }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d={ICON[k] ?? ''} /></svg>
);
const MENU: [Key, string[]][] = [
  ['menu.watch', ['overview', 'jobs', 'incidents', 'alerts']],
  ['menu.find', ['analysis', 'fabric', 'logs', 'explorer', 'kb']],
  ['menu.work', ['checks', 'devices', 'clusters', 'reliability', 'settings']],
];
export const PAGES = MENU.flatMap((m) => m[1]);
const LETTER: Record<string, string> = { f: 'overview', j: 'jobs', i: 'incidents', c: 'checks', d: 'devices', l: 'logs', k: 'kb', a: 'analysis', e: 'explorer', r: 'reliability', s: 'settings', u: 'clusters', n: 'alerts', w: 'fabric' };

function Menu({ close }: { close: () => void }) {
  const { place } = useApp();
  // After the page's own questions.
  const [calm, setCalm] = useState(false);
  useEffect(() => {
    const id = setTimeout(() => setCalm(true), 1000);
    return () => clearTimeout(id);
  }, []);
  const o = useLoad((s) => api.overview(null, s), ['menu'], { every: 60, on: ['incident'], when: calm });
  const oldest = o.data?.retention_start ?? null;
  useEffect(() => set({ retention: oldest }), [oldest]);
  return (
    <nav class="menu" aria-label={t('menu.name')} onClick={close}>
      <a class="brand" href={href('overview')}><img src="/assets/icon.svg" alt="" width="22" height="22" /> <b>Myriascope</b></a>
      {MENU.map(([title, pages]) => (
        <div key={title} class="group">
          <h2>{t(title)}</h2>
          {pages.map((p) => (
            <a key={p} href={href(p)} aria-current={place.page === p ? 'page' : undefined} title={word('page', p)}>
              <Icon k={p} /> <span>{word('page', p)}</span>
              {p === 'incidents' && o.data && o.data.incidents.open > 0 && <em class={o.data.incidents.critical ? 'crit' : ''} aria-label={t('overview.open', { n: o.data.incidents.open })}>{o.data.incidents.open}</em>}
            </a>
          ))}
        </div>
      ))}
    </nav>
  );
}

function RangePicker() {
  const { place, jobLife, utc, retention } = useApp();
  const [open, setOpen] = useState(false);
  const r = range();
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [moving, setMoving] = useState(false);
  const show = () => {
    setFrom(toInput(r.start));
    setTo(toInput(r.end));
    setMoving(r.moving);
    setOpen(true);
  };
  const text = r.text === 'job' ? t('range.job') : r.text ? t('range.last', { n: formatPreset(r.text) }) : `${formatTime(r.start)} → ${r.moving ? t('range.now') : formatTime(r.end)}`;
  const late = retention && r.start < Date.parse(retention) - 60e3 ? t('range.beyond', { time: formatTime(retention) }) : '';
  const choose = (q: { from: string | null; to: string | null }) => {
    setQuery({ ...q, at: null });
    setOpen(false);
  };
  const f = fromInput(from);
  const e = fromInput(to);
  const bad = f === null || (!moving && (e === null || e <= f));
  return (
    <>
      <button type="button" class="btn range" onClick={show} title={t('range.title')}>
        <span aria-hidden="true">◷ </span>{text} {late && <span class="since" title={late}>{t('range.since', { time: formatTime(retention) })}</span>} <span class="dim zone">{zoneName(r.end)}</span>
      </button>
      {open && (
        <Dialog title={t('range.title')} close={() => setOpen(false)}>
          <div class="row wrap">
            {PRESETS.map((p) => <Btn key={p} pressed={r.text === p} on={() => choose({ from: p === preset() ? null : `now-${p}`, to: null })}>{formatPreset(p)}</Btn>)}
            {jobLife && <Btn pressed={place.q.from === 'job'} on={() => choose({ from: 'job', to: null })}>{t('range.job')}</Btn>}
          </div>
          <div class="row wrap">
            <Field name={t('range.from')}><input type="datetime-local" step="1" value={from} onInput={(x) => setFrom((x.target as HTMLInputElement).value)} /></Field>
            <Field name={t('range.to')}><input type="datetime-local" step="1" value={to} disabled={moving} onInput={(x) => setTo((x.target as HTMLInputElement).value)} /></Field>
          </div>
          <label class="tick"><input type="checkbox" checked={moving} onChange={(x) => setMoving((x.target as HTMLInputElement).checked)} /> {t('range.moving')}</label>
          <label class="tick"><input type="checkbox" checked={utc} onChange={(x) => setZone((x.target as HTMLInputElement).checked)} /> {t('range.utc', { zone: zoneName() })}</label>
          {bad && <p class="bad" role="alert">{t('range.bad')}</p>}
          {late && <p class="notice">{late}</p>}
          <div class="send"><Btn kind="main" disabled={bad} on={() => choose({ from: iso(f as number), to: moving ? null : iso(e as number) })}>{t('do.apply')}</Btn></div>
        </Dialog>
      )}
    </>
  );
}

function Live() {
  const { live, hold, stream, updated, place } = useApp();
  const [, tick] = useState(0);
  useEffect(() => {
    const id = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(id);
  }, []);
  const past = !!place.q.at || !range().moving;
  const age = updated ? t('live.updated', { age: formatSpan(Math.max(0, Math.floor((Date.now() - updated) / 1000))) }) : '';
  const how = past ? t('live.past') : !live ? t('live.paused') : hold ? t('live.hold') : stream === 'lost' ? t('live.lost') : t('live.on');
  return (
    <button type="button" class={`btn live ${past ? 'past' : !live || hold ? 'paused' : stream === 'lost' ? 'lost' : 'on'}`} aria-pressed={live}
      onClick={() => (past ? setQuery({ at: null, from: null, to: null }) : set({ live: !live }))} title={past ? t('live.back') : live ? t('live.pause') : t('live.resume')}>
      <i aria-hidden="true" /> <span>{how}</span> {!past && <span class="dim age">{age}</span>}
    </button>
  );
}

function Palette({ close, help }: { close: () => void; help: () => void }) {
  const [q, setQ] = useState('');
  const [late, setLate] = useState('');
  const [at, setAt] = useState(0);
  useEffect(() => {
    const id = setTimeout(() => setLate(q.trim()), 120);
    return () => clearTimeout(id);
  }, [q]);
  const got = useLoad((s) => api.search(late, s), ['palette', late], { when: late !== '' });
  const where = (h: api.SearchHit) => (h.type === 'device' ? entityHref(h.id) : href(h.type === 'job' ? 'jobs' : h.type === 'kb' ? 'kb' : 'incidents', h.id));
  const pages = PAGES.filter((p) => !q || word('page', p).toLowerCase().includes(q.toLowerCase()) || p.includes(q.toLowerCase())).map((p) => ({ key: p, to: href(p), text: word('page', p), kind: t('menu.page'), h: null as api.Health | null }));
  const found = late ? (got.data?.items ?? []).map((h) => ({ key: `${h.type} ${h.id}`, to: where(h), text: tx(h.title) || h.id, kind: h.type === 'device' ? word('kind', h.id.split(':')[0]) : word('hit', h.type), h: h.health })) : [];
  // What one does, found by its words.
  const act = (key: string, text: string, run: () => void) => ({ key, to: '', text, kind: t('menu.do'), h: null as api.Health | null, run });
  const acts = [
    act('theme', app.theme === 'dark' ? t('theme.tolight') : t('theme.todark'), () => setTheme(app.theme === 'dark' ? 'light' : 'dark')),
    act('lang', app.lang === 'en' ? '切换为中文' : 'Switch to English', () => setLang(app.lang === 'en' ? 'zh' : 'en')),
    act('live', app.live ? t('live.pause') : t('live.resume'), () => set({ live: !app.live })),
    act('wall', t('overview.kiosk'), () => go(href('overview', '', { kiosk: 1 }))),
    act('diagnose', t('diagnose.title'), () => go(href('diagnose'))),
    ...PRESETS.map((p) => act(`range ${p}`, t('range.last', { n: formatPreset(p) }), () => setQuery({ from: p === preset() ? null : `now-${p}`, to: null, at: null }))),
    act('help', t('help.title'), help),
  ].filter((a) => q && `${a.text} ${a.key}`.toLowerCase().includes(q.toLowerCase()));
  const kb = (r: { key: string }) => r.key.startsWith('kb ');
  const rows: { key: string; to: string; text: string; kind: string; h: api.Health | null; run?: () => void }[] = [...found.filter((r) => !kb(r)), ...pages, ...acts, ...found.filter(kb), ...(q ? [{ key: 'logs', to: href('logs', '', { q }), text: t('palette.logs', { q }), kind: word('page', 'logs'), h: null }] : [])];
  const sel = Math.min(at, rows.length - 1);
  const open = (r: { to: string; run?: () => void }) => {
    close();
    if (r.run) r.run();
    else go(r.to);
  };
  return (
    <Dialog title={t('palette.title')} close={close}>
      <input type="search" class="big" autofocus value={q} placeholder={t('palette.hint')} aria-label={t('palette.title')} {...({ role: "combobox" } as object)} aria-expanded="true" aria-controls="hits" aria-activedescendant={rows[sel] ? `hit${sel}` : undefined}
        onInput={(e) => { setQ((e.target as HTMLInputElement).value); setAt(0); }}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown') setAt(Math.min(sel + 1, rows.length - 1));
          else if (e.key === 'ArrowUp') setAt(Math.max(sel - 1, 0));
          else if (e.key === 'Enter' && rows[sel]) open(rows[sel]);
          else if (e.key === 'Escape') close();
          else return;
          e.preventDefault();
        }} />
      <ul id="hits" role="listbox" class="hits" aria-label={t('palette.title')}>
        {rows.map((r, i) => (
          <li key={r.key} id={`hit${i}`} role="option" aria-selected={i === sel} onClick={() => open(r)} onPointerMove={() => setAt(i)}>
            {r.h ? <Mark h={r.h} bare /> : <span class="sym" />}
            <span class="text">{r.text}</span>
            <span class="kind">{r.kind}</span>
          </li>
        ))}
      </ul>
      {late && !found.length && !got.busy && <p class="dim">{t('palette.none', { q: late })}</p>}
    </Dialog>
  );
}

function Help({ close }: { close: () => void }) {
  const keys: [string, string][] = [
    ['/', t('help.search')], ['?', t('help.help')], ['g f', word('page', 'overview')], ['g j', word('page', 'jobs')], ['g i', word('page', 'incidents')], ['g c', word('page', 'checks')], ['g d', word('page', 'devices')],
    ['g a', word('page', 'analysis')], ['g l', word('page', 'logs')], ['g k', word('page', 'kb')], ['n  N', t('help.next')], ['← ↑ → ↓', t('help.arrows')], ['+  −  0', t('help.zoom')], ['Enter', t('help.enter')], ['Esc', t('help.esc')], ['p', t('help.pause')], ['t', t('help.theme')],
  ];
  return (
    <Dialog title={t('help.title')} close={close}>
      <dl class="keylist">{keys.map(([k, v]) => <div key={k}><dt><kbd>{k}</kbd></dt><dd>{v}</dd></div>)}</dl>
      <h3>{t('help.marks')}</h3>
      <p class="row wrap">{(['ok', 'minor', 'major', 'critical', 'unknown'] as api.Health[]).map((h) => <Mark key={h} h={h} />)}</p>
      <p class="dim">{t('help.colours')}</p>
    </Dialog>
  );
}

// n and N without a map under the focus: step through links marked as problems on the page.
function nextProblem(back: boolean): void {
  const list = [...document.querySelectorAll<HTMLElement>('main tr.bad a, main .card.bad a')].filter((a, i, all) => all.findIndex((b) => b.closest('tr,.card') === a.closest('tr,.card')) === i);
  if (!list.length) return;
  const i = list.indexOf(document.activeElement as HTMLElement);
  list[(i + (back ? -1 : 1) + list.length) % list.length].focus();
}

export function Frame({ children }: { children: ComponentChildren }) {
  const { place, theme, lang, session, staleBuild } = useApp();
  const [open, setOpen] = useState<'' | 'search' | 'help' | 'menu'>('');
  const g = useRef(0);
  useEffect(() => {
    const f = (e: KeyboardEvent) => {
      const el = e.target as HTMLElement;
      if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) || document.querySelector('dialog[open]')) return;
      const now = Date.now();
      if (now - g.current < 1200 && LETTER[e.key]) {
        g.current = 0;
        e.preventDefault();
        return go(href(LETTER[e.key]));
      }
      if (e.key === 'g') g.current = now;
      else if (e.key === '/') {
        e.preventDefault();
        setOpen('search');
      } else if (e.key === '?') setOpen('help');
      else if (e.key === 'n' || e.key === 'N') nextProblem(e.key === 'N');
      else if (e.key === 'p') set({ live: !app.live });
      else if (e.key === 't') setTheme(app.theme === 'dark' ? 'light' : 'dark');
      else if (e.key === 'Escape' && app.place.q.focus) setQuery({ focus: null });
      else if (e.key === 'Escape' && app.place.q.kiosk) setQuery({ kiosk: null });
    };
    addEventListener('keydown', f);
    return () => removeEventListener('keydown', f);
  }, []);
  const kiosk = !!place.q.kiosk;
  const close = () => setOpen('');
  return (
    <div class={`frame ${open === 'menu' ? 'menuopen' : ''}`}>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>{t('a11y.skip')}</a>
      {!kiosk && <Menu close={close} />}
      {!kiosk && open === 'menu' && <div class="veil" onClick={close} />}
      <div class="side">
        <header class="top">
          {!kiosk && <button type="button" class="btn plain burger" aria-label={t('menu.name')} aria-expanded={open === 'menu'} onClick={() => setOpen(open === 'menu' ? '' : 'menu')}>☰</button>}
          {!kiosk && <button type="button" class="find" onClick={() => setOpen('search')}><span class="text">{t('palette.hint')}</span><kbd>/</kbd></button>}
          {kiosk && <b class="wall">Myriascope</b>}
          <span class="grow" />
          <RangePicker />
          <Live />
          {!kiosk && (
            <>
              <button type="button" class="btn plain" onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')} title={theme === 'dark' ? t('theme.light') : t('theme.dark')} aria-label={theme === 'dark' ? t('theme.light') : t('theme.dark')}>{theme === 'dark' ? '☀' : '☾'}</button>
              <button type="button" class="btn plain" onClick={() => setLang(lang === 'en' ? 'zh' : 'en')} lang={lang === 'en' ? 'zh-CN' : 'en'}>{lang === 'en' ? '中文' : 'EN'}</button>
              <button type="button" class="btn plain help" onClick={() => setOpen('help')} aria-label={t('help.title')} title={t('help.title')}>?</button>
              {session && session.auth !== 'none' && <button type="button" class="btn plain who" title={t('do.signout')} onClick={() => api.signOut().then(() => location.assign('/signin'), () => location.assign('/signin'))}>{session.user} ⎋</button>}
            </>
          )}
        </header>
        {staleBuild && <div class="notice" role="status">{t('state.newbuild')} <Btn small on={() => location.reload()}>{t('do.reload')}</Btn></div>}
        {place.q.at && <div class="notice past" role="status">{t('live.at')} <b><Time v={place.q.at} seconds /></b> <Btn small on={() => setQuery({ at: null })}>{t('live.back')}</Btn></div>}
        <main id="main" tabIndex={-1}>{children}</main>
      </div>
      {open === 'search' && <Palette close={close} help={() => setOpen('help')} />}
      {open === 'help' && <Help close={close} />}
    </div>
  );
}
