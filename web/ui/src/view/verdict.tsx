// A diagnosis as a person reads it: verdict and confidence, evidence in time order, why not the others, what is missing, what to do, who merely suffers.
import { useState } from 'preact/hooks';
import type { Diagnosis, Evidence, Hypothesis } from '../api';
import { href, said, t, tx, useApp, word } from '../base/app';
import { kindOf, label, nameOf } from '../base/entity';
import { number, sureness, value } from '../base/format';
import { formatSpan, formatTime, iso } from '../base/time';
import { Btn, Empty, Ent, Kind, Meter, Panel, T2, Time } from './parts';

const ID = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$/; // of the knowledge base
const SLIGHT = 0.005; // rivals below this are folded
const around = (time: string) => ({ from: iso(Date.parse(time) - 300e3), to: iso(Date.parse(time) + 300e3) });

export function Ledger({ rows }: { rows: Evidence[] }) {
  const list = [...rows].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  if (!list.length) return <Empty why={t('diag.noevidence')} />;
  const first = Date.parse(list[0].time);
  const most = Math.max(1, ...list.map((e) => Math.abs(e.weight)));
  return (
    <ol class="ledger">
      {list.map((e, i) => (
        <li key={i} class={e.weight < 0 ? 'against' : ''}>
          <div class="when">
            <Time v={e.time} seconds />
            <span class="dim">{i ? `+${formatSpan((Date.parse(e.time) - first) / 1000)}` : t('diag.first')}</span>
          </div>
          <div class="what">
            <div class="line">
              {ID.test(e.signal) ? <a class="sig" href={href('kb', e.signal)}><b>{e.signal}</b></a> : <b>{e.signal}</b>} <Ent e={e.entity} q={around(e.time)} />
              {e.value !== null && e.value !== undefined && <span class="reading">{value(e.value, e.unit ?? '')}{e.limit && <span class="dim"> {t('diag.limit')} {e.limit}</span>}</span>}
            </div>
            <code>{e.text}</code>
            <div class="meta dim">
              <span>{e.source}</span>
              {e.rule && (e.rule.includes('.') ? <a href={href('kb', e.rule)}>{e.rule}</a> : <span>{e.rule}</span>)}
              {e.version && <span>{t('diag.version', { v: e.version })}</span>}
              <a href={href('logs', '', { entity: e.entity, ...around(e.time) })}>{t('diag.logs')}</a>
            </div>
          </div>
          <div class="weight" title={t('diag.weight')}>
            <Meter name={t('diag.weight')} v={Math.abs(e.weight) / most} h={e.weight < 0 ? 'unknown' : 'ok'} />
            <span>{e.weight > 0 ? '+' : ''}{number(e.weight, 1)}</span>
          </div>
        </li>
      ))}
    </ol>
  );
}

function Rival({ h, rank }: { h: Hypothesis; rank: number }) {
  const [open, setOpen] = useState(false);
  return (
    <li class="rival">
      <div class="line">
        <span class="rank">{rank}</span>
        <span class="grow"><b>{said(h.summary, h.entity)}</b> <span class="dim">{word('class', h.class)} · <a href={href('kb', h.cause)}>{h.cause}</a></span> <Ent e={h.entity} /></span>
        <Meter name={t('diag.confidence')} v={h.confidence} h="unknown" /> <span class="pct">{sureness(h.confidence)}</span>
        <Btn small pressed={open} on={() => setOpen(!open)}>{t('diag.evidence')} ({h.evidence.length})</Btn>
      </div>
      {h.why_not && <p><span class="dim">{t('diag.whynot')}</span> <T2 v={h.why_not} /></p>}
      {open && <Ledger rows={h.evidence} />}
      {open && h.missing.length > 0 && <Missing list={h.missing} />}
    </li>
  );
}
const Missing = ({ list }: { list: Hypothesis['missing'] }) => (
  <ul class="missing">{list.map((m, i) => <li key={i}><span class="sym s-unknown" aria-hidden="true" /> <b>{m.signal}</b> <span class="dim"><T2 v={m.why} /></span></li>)}</ul>
);

// Victims by kind; more than a dozen of a kind are folded.
export function Victims({ list }: { list: string[] }) {
  const [open, setOpen] = useState(false);
  const kinds = new Map<string, string[]>();
  for (const v of list) kinds.set(kindOf(v), [...(kinds.get(kindOf(v)) ?? []), v]);
  if (!list.length) return <p class="dim">{t('diag.novictims')}</p>;
  return (
    <div class="victims">
      {[...kinds].map(([k, all]) => (
        <div key={k}>
          <h3>{word('kind', k)} <span class="dim">{all.length}</span></h3>
          <p>{(open ? all : all.slice(0, 12)).map((v) => <span key={v} class="chip victim"><Ent e={v} /></span>)}
            {!open && all.length > 12 && <Btn small on={() => setOpen(true)}>{t('do.more', { n: all.length - 12 })}</Btn>}</p>
        </div>
      ))}
    </div>
  );
}

export function DiagnosisView({ d }: { d: Diagnosis }) {
  useApp();
  const [slight, setSlight] = useState(false);
  const top = d.hypotheses[0];
  const others = d.hypotheses.slice(1).sort((a, b) => b.confidence - a.confidence);
  const rivals = slight ? others : others.filter((h, i) => i === 0 || h.confidence >= SLIGHT);
  if (!top) return <Panel><Empty why={t('diag.nothing')} what={t('diag.nothing.what')} /></Panel>;
  const sure = d.confidence;
  return (
    <div class="diag">
      <section class={`panel verdict v-${d.verdict}`} aria-label={t('diag.verdict')}>
        <div class="big">
          <span class="tag">{word('diagverdict', d.verdict)}</span>
          <p class="say">{said(top.summary, top.entity)}</p>
          <p>
            <span class={`chip ${d.verdict === 'unknown' ? 'related' : 'root'}`}>{d.verdict === 'unknown' ? t('diag.suspect') : t('role.root')} <Kind e={top.entity} /> <Ent e={top.entity} /></span>{' '}
            <span class="chip">{word('class', top.class)}</span> <a class="chip" href={href('kb', top.cause)}>{top.cause}</a>
          </p>
          <p class="dim">{t('diag.window')} <Time v={d.window.start} seconds /> → <Time v={d.window.end} seconds /> ({formatSpan((Date.parse(d.window.end) - Date.parse(d.window.start)) / 1000)})</p>
        </div>
        <div class="sure">
          <span class="n">{sureness(sure)}</span>
          <Meter name={t('diag.confidence')} v={sure} h={sure >= 0.5 ? 'ok' : 'unknown'} />
          <span class="dim">{t('diag.confidence')} · {sure >= 0.9 ? t('sure.high') : sure >= 0.7 ? t('sure.good') : sure >= 0.5 ? t('sure.low') : t('sure.none')}</span>
        </div>
      </section>
      <div class="cols">
        <div>
          <Panel title={`${t('diag.evidence')} (${top.evidence.length})`}><Ledger rows={top.evidence} /></Panel>
          {top.missing.length > 0 && <Panel title={t('diag.missing')}><Missing list={top.missing} /></Panel>}
          <Panel title={t('diag.rivals')}>
            {rivals.length ? <ol class="rivals" start={2}>{rivals.map((h, i) => <Rival key={i} h={h} rank={i + 2} />)}</ol> : <p class="dim">{t('diag.norivals')}</p>}
            {others.length > rivals.length && <p><Btn small on={() => setSlight(true)}>{t('diag.slight', { n: others.length - rivals.length })}</Btn></p>}
          </Panel>
        </div>
        <div>
          <Panel title={t('diag.actions')} class="todo">
            {top.actions.length ? <ol>{top.actions.map((a, i) => <li key={i}><T2 v={a} /></li>)}</ol> : <p class="dim">{t('diag.noactions')}</p>}
            {top.next_test && <p class="test"><b>{t('diag.test')}</b> {tx(top.next_test)}</p>}
          </Panel>
          <Panel title={`${t('diag.victims')} (${d.victims.length})`}><p class="dim">{t('diag.victims.what')}</p><Victims list={d.victims} /></Panel>
        </div>
      </div>
    </div>
  );
}

export const shortTitle = (e: string) => `${word('kind', kindOf(e))} ${label(e) || nameOf(e)}`;
export const spanOfIncident = (opened: string, resolved: string | null) => `${formatTime(opened)} · ${formatSpan(((resolved ? Date.parse(resolved) : Date.now()) - Date.parse(opened)) / 1000)}`;
