// Jobs: the list, and one job's path, diagnosis and logs.
import { useEffect } from 'preact/hooks';
import * as api from '../api';
import { entityHref, href, range, rangeKey, said, set, setQuery, t, tx, useApp, word } from '../base/app';
import { badness, label, MARK } from '../base/entity';
import { number, value } from '../base/format';
import { useLoad } from '../base/load';
import { formatSpan, iso } from '../base/time';
import { FocusView } from '../view/focusview';
import { PathMap, PathTable } from '../view/pathmap';
import { Answer, Btn, Empty, Ent, Head, JobState, Kpis, Mark, options, Pager, Panel, QueryInput, QueryPick, SaveCsv, SeverityMark, Table, Tabs, Time, type Col } from '../view/parts';
import { DiagnosisView } from '../view/verdict';
import { LogView } from './logs';

export const JOB_STATES = ['running', 'pending', 'completed', 'failed', 'node_fail', 'timeout', 'cancelled'];
const lasted = (j: api.Job) => (j.start ? ((j.end ? Date.parse(j.end) : Date.now()) - Date.parse(j.start)) / 1000 : null);

export function Jobs() {
  const { place: { q } } = useApp();
  const got = useLoad((s) => api.jobs({ state: q.state, q: q.q, suffering: q.suffering, tenant: q.tenant, limit: 100, cursor: q.cursor }, s), ['jobs', q.state, q.q, q.suffering, q.tenant, q.cursor], { every: 30, on: ['job', 'incident'] });
  const cols: Col<api.Job>[] = [
    { k: 'health', name: t('col.health'), cell: (j) => <Mark h={j.health} />, sort: (j) => -badness(j.health), csv: (j) => j.health },
    { k: 'id', name: t('col.job'), cell: (j) => <a href={href('jobs', j.id)}><b>{j.id}</b></a>, sort: (j) => j.id },
    { k: 'name', name: t('col.name'), cell: (j) => j.name, sort: (j) => j.name, wide: true },
    { k: 'state', name: t('col.state'), cell: (j) => <JobState s={j.state} />, sort: (j) => j.state },
    { k: 'score', name: t('col.score'), cell: (j) => j.score ?? '–', sort: (j) => j.score, num: true },
    { k: 'step', name: word('kpi', 'step_seconds'), cell: (j) => (j.kpi.step_seconds ? value(j.kpi.step_seconds.value, j.kpi.step_seconds.unit) : '–'), sort: (j) => j.kpi.step_seconds?.value ?? null, num: true },
    { k: 'gpus', name: 'GPU', cell: (j) => number(j.node_count * j.gpus_per_node), sort: (j) => j.node_count * j.gpus_per_node, num: true },
    { k: 'user', name: t('col.user'), cell: (j) => `${j.user}${j.tenant ? ` · ${j.tenant}` : ''}`, sort: (j) => j.user },
    { k: 'start', name: t('col.start'), cell: (j) => <Time v={j.start} />, sort: (j) => j.start },
    { k: 'dur', name: t('col.duration'), cell: (j) => formatSpan(lasted(j)), sort: lasted, num: true },
    { k: 'inc', name: t('page.incidents'), cell: (j) => (j.incidents.length ? <a href={href('incidents', '', { job: j.id })}>{j.incidents.length}</a> : '–'), sort: (j) => j.incidents.length, num: true },
  ];
  return (
    <>
      <Head title={word('page', 'jobs')}>
        <QueryInput k="q" name={t('jobs.find')} />
        <QueryPick k="state" name={t('col.state')} options={options('jobstate', JOB_STATES, 'filter.states')} />
        <Btn pressed={!!q.suffering} on={() => setQuery({ suffering: q.suffering ? null : 1, cursor: null })}>{t('jobs.suffering')}</Btn>
        <a class="btn" href={href('diagnose')}>{t('jobs.paste')}</a>
        <SaveCsv name="jobs" cols={cols} rows={got.data?.items ?? []} />
      </Head>
      <Panel>
        <Answer of={got}>{(d) => <><Table name={word('page', 'jobs')} cols={cols} rows={d.items} id={(j) => j.id} cls={(j) => (badness(j.health) > 1 ? 'bad' : '')}
          empty={<Empty why={q.q || q.state || q.suffering ? t('jobs.nomatch') : t('jobs.none')} what={t('jobs.none.what')} />} /><Pager next={d.next} /></>}</Answer>
      </Panel>
    </>
  );
}

function Issues({ p }: { p: api.JobPath }) {
  const list = [...p.incidents].sort((a, b) => Number(!!a.resolved) - Number(!!b.resolved) || b.opened.localeCompare(a.opened));
  if (!list.length) return <Empty why={t('path.noissues')} />;
  return (
    <ul class="cards">
      {list.map((i) => (
        <li key={i.id} class={`card ${i.resolved ? '' : 'bad'} h-${i.severity === 'critical' ? 'critical' : i.severity === 'warning' ? 'major' : 'minor'}`}>
          <SeverityMark s={i.severity} /> <a href={href('incidents', i.id)}><b>{said(i.title, i.entity)}</b></a>
          <div><span class="chip root"><Ent e={i.entity} /></span></div>
          <div class="dim">{word('istate', i.state)} · <Time v={i.opened} /></div>
        </li>
      ))}
    </ul>
  );
}

const SHOWN = ['node', 'gpu', 'nic', 'optic', 'leaf', 'spine', 'core', 'storage'];

const RECOVERED = { running: 'major', done: 'ok', refused: 'critical', dry_run: 'minor' } as const;

// One fault: its links, from the first evidence to the first step again.
function Chain({ c }: { c: api.Recovery }) {
  return (
    <Panel title={<><a href={href('incidents', c.incident)}>{c.incident}</a> {tx(c.title)}</>} right={<Mark h={RECOVERED[c.state]} text={word('recovery', c.state)} />}>
      <Table name={t('jobs.tab.recovery')} rows={c.steps} id={(x) => x.step} cols={[
        { k: 'step', name: t('rec.link'), cell: (x) => tx(x.title) },
        { k: 'since', name: t('rec.since'), cell: (x) => (x.seconds === null ? '–' : `+${formatSpan(x.seconds)}`), num: true },
        { k: 'time', name: t('col.time'), cell: (x) => (x.time ? <Time v={x.time} seconds /> : '–') },
        { k: 'text', name: t('col.text'), cell: (x) => <span class="mono">{x.text}</span> },
      ]} />
    </Panel>
  );
}

export function JobPage() {
  const { place } = useApp();
  const { id, q } = place;
  const tab = ['diagnosis', 'recovery', 'logs'].includes(place.tab) ? place.tab : 'path';
  const at = q.at ?? (range().moving || q.from === 'job' ? '' : iso(range().end));
  const path = useLoad((s) => api.jobPath(id, at, s), [id, at], { every: at ? undefined : 15, on: ['job', 'incident', 'device'], when: tab === 'path' });
  const jobOnly = useLoad((s) => api.job(id, s), [id], { every: 30, on: ['job'] });
  const diag = useLoad((s) => api.jobDiagnosis(id, s), [id], { when: tab === 'diagnosis', on: ['incident'] });
  const back = useLoad((s) => api.jobRecovery(id, s), [id], { every: 10, when: tab === 'recovery', on: ['incident', 'job'] });
  const j = jobOnly.data ?? path.data?.job ?? null;
  const life = j?.start ? `${j.start} ${j.end ?? ''}` : '';
  useEffect(() => {
    if (j?.start) set({ jobLife: [Date.parse(j.start), j.end ? Date.parse(j.end) : null] });
    return () => set({ jobLife: null });
  }, [life]);
  const P = path.data;
  const bad = P ? P.layers.flatMap((l) => l.items.map((i) => i.health)).filter((h) => badness(h) > 1).length : 0;
  return (
    <>
      <Head title={`${t('word.job')} ${id}`} mark={j && <Mark h={j.health} bare />} sub={j && (
        <>
          <b>{j.name}</b> <JobState s={j.state} /> <span>{j.user}{j.tenant && ` · ${j.tenant}`}</span> <span class="mono">{j.nodes}</span>
          <span><Time v={j.start} /> → {j.end ? <Time v={j.end} /> : t('range.now')} ({formatSpan(lasted(j))})</span>
          {j.exit_code !== null && <span>{t('jobs.exit', { n: j.exit_code })}</span>}
        </>
      )}>
        {j && <div class={`score h-${j.health}`}><b>{j.score ?? '–'}</b><span>{t('path.score')}</span></div>}
      </Head>
      <Tabs now={tab} tabs={[['path', t('jobs.tab.path'), href('jobs', id)], ['diagnosis', t('jobs.tab.diagnosis'), href('jobs', id, {}, 'diagnosis')], ['recovery', t('jobs.tab.recovery'), href('jobs', id, {}, 'recovery')], ['logs', t('jobs.tab.logs'), href('jobs', id, {}, 'logs')]]} />
      {tab === 'path' && (
        <Answer of={path} lines={10}>{(p) => (
          <>
            <Kpis of={p.kpi} />
            <div class={q.focus ? 'cols one' : 'cols wide'}>
              <Panel label={t('path.name', { job: id })}
                title={q.focus ? <>{t('path.focus', { node: q.focus })} <Btn small on={() => setQuery({ focus: null })}>← {t('path.all')}</Btn></> : <span class="countline">{SHOWN.map((k) => p.layers.find((l) => l.name === k)).filter((l) => l && l.items.length).map((l) => <span key={l!.name}>{word('layer', l!.name)} <b>{number(l!.items.length)}</b></span>)}<span>{word('kinds', 'link')} <b>{number(p.links.length)}</b></span></span>}
                right={!q.focus && <Btn small pressed={q.view === 'table'} on={() => setQuery({ view: q.view === 'table' ? null : 'table' })}>{q.view === 'table' ? t('do.map') : t('do.table')}</Btn>}>
                {q.focus ? <FocusView path={p} node={q.focus} /> : q.view === 'table' ? <PathTable path={p} /> : p.layers.length ? <PathMap path={p} /> : <Empty why={t('path.none')} what={t('path.none.what')} />}
              </Panel>
              <div class="aside">
                <Panel title={`${t('path.issues')} (${p.incidents.length})`}><Issues p={p} /></Panel>
                <Panel title={t('path.badhops', { n: bad })}>
                  <ul class="list">
                    {p.layers.flatMap((l) => l.items).filter((i) => badness(i.health) > 1 || i.role === 'root').sort((a, b) => Number(b.role === 'root') - Number(a.role === 'root') || badness(b.health) - badness(a.health)).slice(0, 14).map((i) => (
                      <li key={i.entity}><Mark h={i.health} bare /> <a class="grow cut" href={entityHref(i.entity)} title={i.entity}>{label(i.entity)}</a> {i.role && <span class={`chip ${i.role}`}>{word('role', i.role)}</span>}</li>
                    ))}
                  </ul>
                  {!bad && <p class="dim">{MARK.ok} {t('overview.allok')}</p>}
                </Panel>
              </div>
            </div>
          </>
        )}</Answer>
      )}
      {tab === 'diagnosis' && <Answer of={diag} lines={8}>{(d) => <DiagnosisView d={d} />}</Answer>}
      {tab === 'recovery' && <Answer of={back} lines={6}>{(r) => r.items.length ? <>{r.items.map((c) => <Chain key={c.incident} c={c} />)}</> : <Empty why={t('rec.none')} what={t('rec.none.what')} />}</Answer>}
      {tab === 'logs' && <LogView fixed={{ job: id }} key={rangeKey()} />}
    </>
  );
}
