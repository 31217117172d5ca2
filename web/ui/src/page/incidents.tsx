// Incidents: the list, and one incident with its evidence and what people did about it; a pasted log's diagnosis.
import { useState } from 'preact/hooks';
import * as api from '../api';
import { can, go, href, range, rangeKey, said, saidOf, t, tx, useApp, word } from '../base/app';
import { severityHealth } from '../base/entity';
import { sureness } from '../base/format';
import { useLoad } from '../base/load';
import { formatSpan, formatTime, iso } from '../base/time';
import { Answer, Btn, CopyBtn, Dialog, Empty, Ent, Field, Form, Head, options, Pager, Panel, QueryInput, QueryPick, SaveCsv, SeverityMark, Table, Time, type Col } from '../view/parts';
import { DiagnosisView } from '../view/verdict';

export const IState = ({ s }: { s: string }) => <span class={`istate i-${s}`}>{word('istate', s)}</span>;
const lasted = (i: api.Incident) => ((i.resolved ? Date.parse(i.resolved) : Date.now()) - Date.parse(i.opened)) / 1000;

export function Incidents() {
  const { place: { q } } = useApp();
  const all = q.state === 'all';
  const got = useLoad(
    (s) => api.incidents({ state: all ? '' : q.state ?? 'open,acknowledged', severity: q.severity, q: q.q, job: q.job, entity: q.entity, limit: 100, cursor: q.cursor, ...(all || q.state === 'resolved' ? { start: iso(range().start), end: iso(range().end) } : {}) }, s),
    ['incidents', q.state, q.severity, q.q, q.job, q.entity, q.cursor, rangeKey()], { every: 15, on: ['incident'] });
  const cols: Col<api.Incident>[] = [
    { k: 'sev', name: t('col.severity'), cell: (i) => <SeverityMark s={i.severity} />, sort: (i) => ['critical', 'warning', 'info'].indexOf(i.severity), csv: (i) => i.severity },
    { k: 'title', name: t('col.incident'), wide: true, cell: (i) => <><a href={href('incidents', i.id)}><b>{said(i.title, i.entity)}</b></a> <span class="dim id">{i.id}</span></>, sort: (i) => tx(i.title) },
    { k: 'entity', name: t('role.root'), cell: (i) => <Ent e={i.entity} />, sort: (i) => i.entity },
    { k: 'class', name: t('col.class'), cell: (i) => word('class', i.hypotheses[0]?.class), sort: (i) => i.hypotheses[0]?.class ?? '' },
    { k: 'conf', name: t('diag.confidence'), cell: (i) => sureness(i.confidence), sort: (i) => i.confidence, num: true },
    { k: 'jobs', name: t('page.jobs'), cell: (i) => i.jobs.length ? i.jobs.slice(0, 3).map((j) => <a key={j} class="spaced" href={href('jobs', j)}>{j}</a>) : '–', sort: (i) => i.jobs.length, csv: (i) => i.jobs.join(' ') },
    { k: 'state', name: t('col.state'), cell: (i) => <IState s={i.state} />, sort: (i) => i.state },
    { k: 'opened', name: t('col.opened'), cell: (i) => <Time v={i.opened} />, sort: (i) => i.opened },
    { k: 'dur', name: t('col.duration'), cell: (i) => formatSpan(lasted(i)), sort: lasted, num: true },
    { k: 'id', name: 'ID', cell: null, csv: (i) => i.id },
  ];
  return (
    <>
      <Head title={word('page', 'incidents')}>
        <QueryInput k="q" name={t('incidents.find')} />
        <QueryPick k="state" name={t('col.state')} none="open,acknowledged" options={[['open,acknowledged', t('incidents.unresolved')], ...options('istate', ['open', 'acknowledged', 'resolved']), ['all', t('filter.states')]]} />
        <QueryPick k="severity" name={t('col.severity')} options={options('severity', ['critical', 'warning', 'info'], 'filter.severities')} />
        <a class="btn" href={href('diagnose')}>{t('jobs.paste')}</a>
        <SaveCsv name="incidents" cols={cols} rows={got.data?.items ?? []} />
      </Head>
      <Panel>
        <Answer of={got}>{(d) => <><Table name={word('page', 'incidents')} cols={cols} rows={d.items} id={(i) => i.id} cls={(i) => `h-${severityHealth(i.severity)} ${i.state === 'resolved' ? '' : 'bad'}`}
          empty={<Empty why={!q.state && !q.q && !q.severity ? t('overview.quiet') : t('incidents.nomatch')} what={<a href={href('incidents', '', { state: 'all' })}>{t('incidents.seeall')}</a>} />} /><Pager next={d.next} /></>}</Answer>
      </Panel>
    </>
  );
}

function Feedback({ i, put, close }: { i: api.Incident; put: (i: api.Incident) => void; close: () => void }) {
  const [cause, setCause] = useState('');
  const [entity, setEntity] = useState('');
  const [text, setText] = useState('');
  return (
    <Dialog title={t('feedback.wrong')} close={close}>
      <Form text={t('do.send')} done={close} send={async () => put(await api.incidentFeedback(i.id, { correct: false, cause: cause || undefined, entity: entity || undefined, text: text || undefined }))}>
        <p class="dim">{t('feedback.what')}</p>
        <Field name={t('feedback.cause')}><input list="causes" value={cause} onInput={(e) => setCause((e.target as HTMLInputElement).value)} placeholder="optic.rx-power-low" /></Field>
        <datalist id="causes">{i.hypotheses.map((h) => <option key={h.cause} value={h.cause} />)}</datalist>
        <Field name={t('feedback.entity')}><input value={entity} onInput={(e) => setEntity((e.target as HTMLInputElement).value)} placeholder="gpu:node00001/3" /></Field>
        <Field name={t('col.comment')} wide><textarea rows={3} value={text} onInput={(e) => setText((e.target as HTMLTextAreaElement).value)} /></Field>
      </Form>
    </Dialog>
  );
}

function Ask({ i, what, put, close }: { i: api.Incident; what: 'acknowledge' | 'resolve'; put: (i: api.Incident) => void; close: () => void }) {
  const [text, setText] = useState('');
  return (
    <Dialog title={word('do', what)} close={close}>
      <Form text={word('do', what)} done={close} send={async () => put(await api.incidentDo(i.id, what, text))}>
        <p class="dim">{what === 'acknowledge' ? t('incident.ack.what') : t('incident.resolve.what')}</p>
        <Field name={t('col.comment')} wide><textarea rows={3} value={text} onInput={(e) => setText((e.target as HTMLTextAreaElement).value)} /></Field>
      </Form>
    </Dialog>
  );
}

// The incident as plain text, for a ticket or a chat.
function summary(i: api.Incident): string {
  const h = i.hypotheses[0];
  const lines = [`[${word('severity', i.severity)}] ${saidOf(i.title, i.entity)} (${i.id})`, `${t('role.root')}: ${i.entity} · ${h?.cause ?? '–'} · ${t('diag.confidence')} ${sureness(i.confidence)}`,
    `${t('col.opened')} ${i.opened}${i.resolved ? `, ${t('incident.ended')} ${i.resolved}` : ''}`];
  if (i.jobs.length) lines.push(`${t('page.jobs')}: ${i.jobs.join(', ')}`);
  if (h?.evidence.length) lines.push('', t('diag.evidence'), ...[...h.evidence].sort((a, b) => a.time.localeCompare(b.time)).slice(0, 12).map((e) => `- ${e.time} ${e.entity} ${e.signal}: ${e.text}`));
  if (h?.actions.length) lines.push('', t('diag.actions'), ...h.actions.map((a, k) => `${k + 1}. ${tx(a)}`));
  lines.push('', location.origin + href('incidents', i.id, { kiosk: null }));
  return lines.join('\n');
}

export function IncidentPage() {
  const { place: { id } } = useApp();
  const got = useLoad((s) => api.incident(id, s), [id], { every: 15, on: ['incident'] });
  const out = useLoad((s) => api.deliveries({ incident: id, limit: 20 }, s), [id], { on: ['alert'] });
  const [ask, setAsk] = useState<'' | 'acknowledge' | 'resolve' | 'wrong'>('');
  const [note, setNote] = useState('');
  const close = () => setAsk('');
  return (
    <Answer of={got} lines={10}>{(i) => {
      const mine = i.feedback[i.feedback.length - 1];
      return (
        <>
          <Head title={saidOf(i.title, i.entity)} mark={<SeverityMark s={i.severity} />} sub={<>
            <IState s={i.state} /> <span class="mono">{i.id}</span>
            <span>{t('col.opened')} <Time v={i.opened} seconds /></span>
            <span>{i.resolved ? <>{t('incident.ended')} <Time v={i.resolved} seconds /></> : t('incident.ongoing')} ({formatSpan(lasted(i))})</span>
            {i.acknowledged_by && <span>{t('incident.by', { user: i.acknowledged_by })}</span>}
            {i.jobs.length > 0 && <span>{t('page.jobs')} {i.jobs.map((j) => <a key={j} class="spaced" href={href('jobs', j)}>{j}</a>)}</span>}
          </>}>
            {can('operator') && i.state === 'open' && <Btn kind="main" on={() => setAsk('acknowledge')}>{t('do.acknowledge')}</Btn>}
            {can('operator') && i.state !== 'resolved' && <Btn on={() => setAsk('resolve')}>{t('do.resolve')}</Btn>}
            {can('operator') && i.state !== 'resolved' && <a class="btn" href={href('alerts', 'silences', { entity: i.entity })}>{t('incident.silence')}</a>}
            <CopyBtn text={() => summary(i)}>{t('incident.copy')}</CopyBtn>
            <Btn on={() => print()}>{t('do.print')}</Btn>
            {can('operator') && <Btn on={() => go(href('kb', 'new', { incident: i.id }))}>{t('incident.kb')}</Btn>}
          </Head>
          <DiagnosisView d={i} />
          <div class="cols">
            <Panel title={t('incident.history')}>
              <ol class="history">
                {[...i.history].reverse().map((h, k) => <li key={k}><Time v={h.time} seconds /> <b>{word('action', h.action)}</b> {h.user && <span>{h.user}</span>} {h.text && <span class="say">{h.text}</span>}</li>)}
              </ol>
              {can('operator') && (
                <Form text={t('do.comment')} send={async () => { if (note.trim()) { got.put(await api.incidentDo(i.id, 'comment', note.trim())); setNote(''); } }}>
                  <Field name={t('col.comment')} wide><textarea rows={2} value={note} onInput={(e) => setNote((e.target as HTMLTextAreaElement).value)} /></Field>
                </Form>
              )}
            </Panel>
            <div>
              <Panel title={t('feedback.title')} class="noprint">
                {mine ? <p>{mine.correct ? `✓ ${t('feedback.isright')}` : `✕ ${t('feedback.iswrong')}`} · {mine.user} <Time v={mine.time} /> {mine.cause && <a href={href('kb', mine.cause)}>{mine.cause}</a>} {mine.entity && <Ent e={mine.entity} />} {mine.text}</p> : <p class="dim">{t('feedback.ask')}</p>}
                {can('operator') && <div class="row"><Btn on={() => void api.incidentFeedback(i.id, { correct: true }).then(got.put)}>✓ {t('feedback.right')}</Btn><Btn on={() => setAsk('wrong')}>✕ {t('feedback.wrong')}</Btn></div>}
              </Panel>
              <Panel title={t('incident.pages')}>
                {out.data && out.data.items.length ? <ul class="list">{out.data.items.map((d) => <li key={d.id}><span class="grow">{d.receiver}</span> <span>{word('dstate', d.state)}</span> <Time v={d.delivered ?? d.created} seconds /></li>)}</ul> : <p class="dim">{t('incident.nopages')}</p>}
              </Panel>
            </div>
          </div>
          <p class="printonly dim">{location.origin + href('incidents', i.id)} · {new Date().toISOString()}</p>
          {(ask === 'acknowledge' || ask === 'resolve') && <Ask i={i} what={ask} put={got.put} close={close} />}
          {ask === 'wrong' && <Feedback i={i} put={got.put} close={close} />}
        </>
      );
    }}</Answer>
  );
}

// A log pasted here is explained and not kept.
export function Diagnose() {
  useApp();
  const [text, setText] = useState('');
  const [d, setD] = useState<api.Diagnosis | null>(null);
  return (
    <>
      <Head title={t('diagnose.title')} sub={t('diagnose.what')} />
      <Panel>
        <Form text={t('diagnose.go')} send={async () => setD(await api.diagnoseText(text))}>
          <Field name={t('diagnose.text')} wide><textarea class="mono" rows={d ? 6 : 14} value={text} required spellcheck={false} onInput={(e) => setText((e.target as HTMLTextAreaElement).value)} /></Field>
          <input type="file" aria-label={t('diagnose.file')} onChange={(e) => void (e.target as HTMLInputElement).files?.[0]?.text().then((x) => setText(x.slice(-4_000_000)))} />
        </Form>
      </Panel>
      {d && <DiagnosisView d={d} />}
      {d && <p class="dim">{formatTime(Date.now(), Date.now(), true)}</p>}
    </>
  );
}
