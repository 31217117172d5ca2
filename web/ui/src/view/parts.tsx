// Small parts that every page uses: marks, links, panels, tables, states, dialogs.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Health, Severity, Verdict } from '../api';
import { app, entityHref, href, set, setQuery, t, tx, useApp, word, type Key } from '../base/app';
import { kindOf, label, MARK, nameOf, severityHealth, verdictHealth } from '../base/entity';
import { change, csv, value } from '../base/format';
import type { Loaded } from '../base/load';
import { formatTime } from '../base/time';
import type { Kpi, Text2 } from '../api';

type Kids = { children?: ComponentChildren };

// Shape, colour and word together: colour alone never says it.
export function Mark({ h, bare, text }: { h: Health; bare?: boolean; text?: string }) {
  const w = text ?? word('health', h);
  return (
    <span class={`mark h-${h}`} title={bare ? w : undefined}>
      <span class={`sym s-${h}`} role={bare ? 'img' : undefined} aria-label={bare ? w : undefined} aria-hidden={bare ? undefined : true}>
        {h === 'unknown' ? '' : MARK[h]}
      </span>
      {!bare && <span>{w}</span>}
    </span>
  );
}
export const SeverityMark = ({ s, bare }: { s: Severity; bare?: boolean }) => <Mark h={severityHealth(s)} bare={bare} />;
export const VerdictMark = ({ v }: { v: Verdict }) => <Mark h={verdictHealth(v)} text={word('verdict', v)} />;

export function Ent({ e, text, q }: { e: string; text?: string; q?: Record<string, string> }) {
  useApp();
  if (!e) return <span>–</span>;
  if (kindOf(e) === 'rank' || kindOf(e) === 'tenant') return <span class="mono">{text ?? label(e)}</span>;
  return (
    <a class="ent" href={entityHref(e, q)} title={e}>
      {text ?? label(e)}
    </a>
  );
}
export const Kind = ({ e }: { e: string }) => <span class="kind">{word('kind', kindOf(e))}</span>;

export function Time({ v, seconds }: { v: string | number | null | undefined; seconds?: boolean }) {
  if (!v) return <span class="dim">–</span>;
  const iso = typeof v === 'number' ? new Date(v).toISOString() : v;
  return <time dateTime={iso} title={iso}>{formatTime(v, Date.now(), seconds)}</time>;
}

export function Panel({ title, right, children, class: c, label: l }: Kids & { title?: ComponentChildren; right?: ComponentChildren; class?: string; label?: string }) {
  return (
    <section class={`panel ${c ?? ''}`} aria-label={l ?? (typeof title === 'string' ? title : undefined)}>
      {(title || right) && (
        <header>
          {title && <h2>{title}</h2>}
          {right && <div class="right">{right}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

export function Head({ title, sub, children, mark }: Kids & { title: ComponentChildren; sub?: ComponentChildren; mark?: ComponentChildren }) {
  const name = typeof title === 'string' ? title : '';
  useEffect(() => {
    if (name) document.title = `${name} · Myriascope`;
  }, [name]);
  return (
    <div class="head">
      <div class="titles">
        <h1>
          {mark} {title}
        </h1>
        {sub && <div class="sub">{sub}</div>}
      </div>
      {children && <div class="acts">{children}</div>}
    </div>
  );
}

type BtnProps = Kids & { on?: () => void; kind?: 'main' | 'danger' | 'plain'; disabled?: boolean; title?: string; pressed?: boolean; small?: boolean };
export function Btn({ on, kind, disabled, title, pressed, small, children }: BtnProps) {
  return (
    <button type="button" class={`btn ${kind ?? ''} ${small ? 'small' : ''}`} onClick={on} disabled={disabled} title={title} aria-pressed={pressed} aria-label={title}>
      {children}
    </button>
  );
}

// Links that look like buttons where they go somewhere.
export const LinkBtn = ({ to, children, kind }: Kids & { to: string; kind?: 'main' }) => <a class={`btn ${kind ?? ''}`} href={to}>{children}</a>;

export function Field({ name, children, wide }: Kids & { name: string; wide?: boolean }) {
  return (
    <label class={`field ${wide ? 'wide' : ''}`}>
      <span>{name}</span>
      {children}
    </label>
  );
}
export function Pick({ name, value: v, options, on, bare }: { name: string; value: string; options: [string, string][]; on: (v: string) => void; bare?: boolean }) {
  const sel = (
    <select value={v} aria-label={bare ? name : undefined} onChange={(e) => on((e.target as HTMLSelectElement).value)}>
      {options.map(([k, w]) => (
        <option key={k} value={k} selected={k === v}>
          {w}
        </option>
      ))}
    </select>
  );
  return bare ? sel : <Field name={name}>{sel}</Field>;
}
// A text filter held in the address; written there when typing rests.
export function QueryInput({ k, name, wide }: { k: string; name: string; wide?: boolean }) {
  const { place } = useApp();
  const [v, setV] = useState(place.q[k] ?? '');
  useEffect(() => setV(place.q[k] ?? ''), [place.q[k]]);
  useEffect(() => {
    if (v === (app.place.q[k] ?? '')) return;
    const id = setTimeout(() => setQuery({ [k]: v, cursor: null }, true), 250);
    return () => clearTimeout(id);
  }, [v]);
  return <input type="search" class={wide ? 'wide' : ''} value={v} placeholder={name} aria-label={name} onInput={(e) => setV((e.target as HTMLInputElement).value)} />;
}
export function QueryPick({ k, name, options, none }: { k: string; name: string; options: [string, string][]; none?: string }) {
  const { place } = useApp();
  return <Pick bare name={name} value={place.q[k] ?? (none ?? '')} options={options} on={(v) => setQuery({ [k]: v === (none ?? '') ? null : v, cursor: null })} />;
}

export function Tabs({ tabs, now }: { tabs: [string, string, string][]; now: string }) {
  return (
    <nav class="tabs" aria-label={t('a11y.tabs')}>
      {tabs.map(([k, text, to]) => (
        <a key={k} href={to} aria-current={k === now ? 'page' : undefined}>
          {text}
        </a>
      ))}
    </nav>
  );
}

export function Skeleton({ lines = 5 }: { lines?: number }) {
  const [show, setShow] = useState(false);
  useEffect(() => {
    const id = setTimeout(() => setShow(true), 200);
    return () => clearTimeout(id);
  }, []);
  if (!show) return <div class="skeleton quiet" aria-busy="true" />;
  return (
    <div class="skeleton" role="status" aria-label={t('state.loading')}>
      {Array.from({ length: lines }, (_, i) => (
        <i key={i} class={`w${i % 4}`} />
      ))}
    </div>
  );
}
export function Empty({ why, what }: { why: string; what?: ComponentChildren }) {
  return (
    <div class="empty">
      <p>{why}</p>
      {what && <p class="dim">{what}</p>}
    </div>
  );
}
// Puts text on the clipboard; where the browser has none (plain HTTP), through a selection.
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const a = document.createElement('textarea');
  a.value = text;
  a.className = 'sr';
  (document.querySelector('dialog[open]') ?? document.body).append(a);
  a.select();
  document.execCommand('copy');
  a.remove();
}
export function CopyBtn({ text, small, children }: Kids & { text: () => string; small?: boolean }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const id = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(id);
  }, [done]);
  return <Btn small={small} on={() => void copyText(text()).then(() => setDone(true))}><span role="status">{done ? `✓ ${t('do.copied')}` : children ?? t('do.copy')}</span></Btn>;
}
export function errorText(e: { status: number; message: string; code: string }): string {
  if (e.status === 0 && e.code === 'unreachable') return t('error.unreachable');
  if (e.status === 403) return t('error.forbidden');
  if (e.status === 404) return t('error.absent');
  return e.message || `${t('error.failed')} (${e.status})`;
}

// Nothing has this name: say so, and where to look.
function Absent({ reload }: { reload: () => void }) {
  const { place } = useApp();
  const name = place.id ? label(place.id) : '';
  useEffect(() => {
    document.title = `${t('error.title')} · Myriascope`;
  }, []);
  return (
    <Panel>
      <Empty why={name ? t('error.named', { name }) : t('error.absent')} what={
        <span class="row wrap center">
          {name && <span>{t('error.absent.what')}</span>}
          <a class="btn" href={href(place.page)}>{word('page', place.page)}</a>
          {name && <a class="btn" href={href('logs', '', { q: nameOf(place.id) })}>{t('palette.logs', { q: nameOf(place.id) })}</a>}
          <Btn on={reload}>{t('do.retry')}</Btn>
        </span>
      } />
    </Panel>
  );
}

// The four states of an answer: not yet, failed, old, here. Old data stays, marked stale.
export function Answer<T>({ of, children, lines }: { of: Loaded<T>; children: (data: T) => ComponentChildren; lines?: number }) {
  const { data, error } = of;
  if (error?.status === 404 && !data) return <Absent reload={of.reload} />;
  return (
    <>
      {error && (
        <div class="error" role="alert">
          <span>
            {errorText(error)}
            {data && ` · ${t('state.stale', { time: formatTime(of.time, Date.now(), true) })}`}
          </span>
          <Btn on={of.reload} small>{t('do.retry')}</Btn>
        </div>
      )}
      {data ? <div class={`answer ${error ? 'stale' : ''}`}>{children(data)}</div> : error ? null : <Skeleton lines={lines} />}
    </>
  );
}

export interface Col<T> {
  k: string;
  name: string;
  cell: ((row: T) => ComponentChildren) | null; // null: in the file only
  num?: boolean;
  sort?: (row: T) => string | number | null;
  csv?: (row: T) => unknown;
  wide?: boolean;
}
// Rows hold still under the pointer; on a narrow screen each row becomes a card. The order is in the address.
export function Table<T>({ cols: all, rows, id, name, empty, sortKey = 'sort', cls }: {
  cols: Col<T>[]; rows: T[]; id: (row: T) => string; name: string; empty?: ComponentChildren; sortKey?: string; cls?: (row: T) => string;
}) {
  const { place } = useApp();
  const cols = all.filter((c): c is Col<T> & { cell: (row: T) => ComponentChildren } => c.cell !== null);
  useEffect(() => () => set({ hold: false }), []);
  const raw = place.q[sortKey] ?? '';
  const down = raw.startsWith('-');
  const by = cols.find((c) => c.k === (down ? raw.slice(1) : raw) && c.sort);
  let list = rows;
  if (by?.sort) {
    const f = by.sort;
    list = [...rows].sort((a, b) => {
      const x = f(a);
      const y = f(b);
      if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
      const d = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true });
      return down ? -d : d;
    });
  }
  if (!rows.length) return <>{empty ?? <Empty why={t('state.empty')} />}</>;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={name} onPointerEnter={(e) => e.pointerType === 'mouse' && set({ hold: true })} onPointerLeave={() => app.hold && set({ hold: false })}>
      <table>
        <caption class="sr">{name}</caption>
        <thead>
          <tr>
            {cols.map((c) => (
              <th key={c.k} scope="col" class={c.num ? 'num' : ''} aria-sort={by === c ? (down ? 'descending' : 'ascending') : undefined}>
                {c.sort ? (
                  <button type="button" onClick={() => setQuery({ [sortKey]: by === c && !down ? `-${c.k}` : c.k }, true)}>
                    {c.name}
                    <span aria-hidden="true">{by === c ? (down ? ' ↓' : ' ↑') : ''}</span>
                  </button>
                ) : (
                  c.name
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {list.map((r) => (
            <tr key={id(r)} class={cls?.(r)}>
              {cols.map((c) => {
                const v = c.cell(r);
                return (
                  <td key={c.k} class={`${c.num ? 'num' : ''} ${c.wide ? 'wide' : ''} ${v === '–' || v === '' || v === null ? 'none' : ''}`} data-name={c.name}>
                    {v}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
export function SaveCsv<T>({ name, cols, rows }: { name: string; cols: Col<T>[]; rows: T[] }) {
  const out = cols.filter((c) => c.csv || c.sort);
  return (
    <Btn on={() => save(`${name}.csv`, 'text/csv;charset=utf-8', csv([out.map((c) => c.name), ...rows.map((r) => out.map((c) => (c.csv ?? c.sort)!(r)))]))} disabled={!rows.length}>
      {t('do.csv')}
    </Btn>
  );
}

export function Pager({ next }: { next: string | null }) {
  const { place } = useApp();
  if (!next && !place.q.cursor) return null;
  return (
    <div class="pager">
      {place.q.cursor && <Btn on={() => history.back()}>{t('do.previous')}</Btn>}
      {next && <Btn on={() => setQuery({ cursor: next })}>{t('do.next')}</Btn>}
    </div>
  );
}

export function Dialog({ title, children, close, wide }: Kids & { title: string; close: () => void; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = ref.current;
    const back = document.activeElement as HTMLElement | null;
    d?.showModal();
    return () => {
      d?.close();
      back?.focus?.();
    };
  }, []);
  return (
    <dialog ref={ref} class={wide ? 'wide' : ''} aria-label={title} onCancel={(e) => { e.preventDefault(); close(); }} onClick={(e) => e.target === ref.current && close()}>
      <div class="box">
        <header>
          <h2>{title}</h2>
          <Btn on={close} title={t('do.close')} kind="plain">✕</Btn>
        </header>
        {children}
      </div>
    </dialog>
  );
}

// A form that says what went wrong beside its button, and cannot be sent twice.
export function Form({ send, children, text, done, kind }: Kids & { send: () => Promise<unknown>; text: string; done?: () => void; kind?: 'main' | 'danger' }) {
  const [busy, setBusy] = useState(false);
  const [bad, setBad] = useState('');
  const submit = async (e: Event) => {
    e.preventDefault();
    if (busy) return;
    setBusy(true);
    setBad('');
    try {
      await send();
      done?.();
    } catch (x) {
      setBad(errorText(x as { status: number; message: string; code: string }));
    }
    setBusy(false);
  };
  return (
    <form onSubmit={submit} class="form">
      {children}
      <div class="send">
        <button type="submit" class={`btn ${kind ?? 'main'}`} disabled={busy}>
          {busy ? t('state.sending') : text}
        </button>
        {bad && <span class="bad" role="alert">{bad}</span>}
      </div>
    </form>
  );
}

export function Meter({ v, h, name }: { v: number; h?: Health; name: string }) {
  return (
    <span class={`meter h-${h ?? 'ok'}`} role="img" aria-label={`${name}: ${Math.round(v * 100)} %`}>
      <i style={{ width: `${Math.max(0, Math.min(1, v)) * 100}%` }} />
    </span>
  );
}

export function Stat({ name, v, sub, h, to }: { name: string; v: ComponentChildren; sub?: ComponentChildren; h?: Health; to?: string }) {
  const body = (
    <>
      <span class="name">{name}</span>
      <span class="v">{v}</span>
      {sub && <span class="sub">{sub}</span>}
    </>
  );
  return to ? <a class={`stat h-${h ?? 'none'}`} href={to}>{body}</a> : <div class={`stat h-${h ?? 'none'}`}>{body}</div>;
}
export function Kpis({ of }: { of: Record<string, Kpi> }) {
  const keys = Object.keys(of);
  if (!keys.length) return null;
  return (
    <div class="stats">
      {keys.map((k) => {
        const x = of[k];
        const d = change(x.value, x.previous);
        return (
          <Stat key={k} name={word('kpi', k)} h={x.health} v={value(x.value, x.unit)}
            sub={<>{x.health && <Mark h={x.health} />} {d && <span title={t('kpi.before')}>{d}</span>}</>} />
        );
      })}
    </div>
  );
}

export function Props({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="props">
      {rows.map(([k, v]) => (
        <div key={k}>
          <dt>{k}</dt>
          <dd>{v === null || v === undefined || v === '' ? '–' : v}</dd>
        </div>
      ))}
    </dl>
  );
}

export const T2 = ({ v }: { v: Text2 | null | undefined }) => <>{tx(v)}</>;
export const options = (list: string, words: readonly string[], all?: Key): [string, string][] => [
  ...(all ? ([['', t(all)]] as [string, string][]) : []),
  ...words.map((w) => [w, word(list, w)] as [string, string]),
];

const stateMark: Record<string, string> = { running: '▶', pending: '◌', completed: '✓', failed: '✕', node_fail: '✕', timeout: '✕', cancelled: '–' };
export const JobState = ({ s }: { s: string }) => <span class={`jstate j-${s}`}><span aria-hidden="true">{stateMark[s] ?? ''}</span> {word('jobstate', s)}</span>;
