// The front page: is the cluster well, which job suffers, what is broken; the fleet map live or at any time of the past.
import { useEffect, useMemo, useState } from 'preact/hooks';
import * as api from '../api';
import { app, entityHref, href, range, rangeKey, said, saidOf, setQuery, t, tx, useApp, word } from '../base/app';
import { badness, HEALTHS, MARK, severityHealth } from '../base/entity';
import { GROUPS, groupFleet, worstOf, type GroupBy } from '../base/fleetlayout';
import { number, sureness, value } from '../base/format';
import { useLoad } from '../base/load';
import { formatSpan, formatTime, iso } from '../base/time';
import { FleetMap, FleetTable, Scale } from '../view/fleetmap';
import { Answer, Btn, Empty, Ent, Head, Mark, Panel, Pick, SeverityMark, Stat, Time } from '../view/parts';

function TimeBar({ at, marks }: { at: string; marks: api.Incident[] }) {
  const r = range();
  const now = at ? Date.parse(at) : r.end;
  const [drag, setDrag] = useState<number | null>(null);
  const pos = (ms: number) => Math.max(0, Math.min(100, ((ms - r.start) / (r.end - r.start)) * 100));
  const jump = (ms: number) => setQuery({ at: ms >= Date.now() - 15e3 ? null : iso(Math.max(r.start, Math.min(r.end, ms))) });
  const step = (r.end - r.start) / 60;
  return (
    <div class="timebar">
      <Btn small on={() => jump(now - step)} title={t('time.back')}>◀</Btn>
      <div class="track">
        <div class="ticks" aria-hidden="true">
          {marks.map((m) => <i key={m.id} class={`s-${severityHealth(m.severity)}`} style={{ left: `${pos(Date.parse(m.opened))}%` }} title={`${formatTime(m.opened)} ${saidOf(m.title, m.entity)}`}>{MARK[severityHealth(m.severity)]}</i>)}
        </div>
        <input type="range" min={r.start} max={r.end} step={1000} value={drag ?? now} aria-label={t('time.slider')} aria-valuetext={formatTime(drag ?? now, Date.now(), true)}
          onInput={(e) => setDrag(Number((e.target as HTMLInputElement).value))} onChange={(e) => { setDrag(null); jump(Number((e.target as HTMLInputElement).value)); }} />
        <div class="ends dim"><span>{formatTime(r.start)}</span><b>{drag !== null || at ? formatTime(drag ?? now, Date.now(), true) : t('time.now')}</b><span>{formatTime(r.end)}</span></div>
      </div>
      <Btn small on={() => jump(now + step)} disabled={!at} title={t('time.forward')}>▶</Btn>
    </div>
  );
}

function Counts({ o }: { o: api.Overview }) {
  const kinds = ['gpu', 'node', 'switch', 'nic', 'optic', 'link', 'storage'].filter((k) => o.counts[k] || o.health[k]);
  return (
    <div class="stats tight">
      <Stat name={t('overview.incidents')} h={o.incidents.critical ? 'critical' : o.incidents.warning ? 'major' : 'ok'} v={number(o.incidents.open + o.incidents.acknowledged)} to={href('incidents')}
        sub={<>{o.incidents.critical > 0 && <Mark h="critical" text={number(o.incidents.critical)} />} {o.incidents.warning > 0 && <Mark h="major" text={number(o.incidents.warning)} />} {o.incidents.acknowledged > 0 ? t('overview.acked', { n: o.incidents.acknowledged }) : o.incidents.open ? '' : t('overview.allok')}</>} />
      <Stat name={t('overview.jobs')} h={o.jobs.suffering ? 'major' : 'ok'} v={number(o.jobs.running)} to={href('jobs')} sub={<>{o.jobs.suffering > 0 ? <Mark h="major" text={t('overview.suffer', { n: number(o.jobs.suffering) })} /> : <Mark h="ok" text={t('overview.allok')} />} {o.jobs.pending > 0 && t('overview.pending', { n: number(o.jobs.pending) })}</>} />
      {kinds.map((k) => {
        const h = o.health[k];
        const bad = h ? HEALTHS.filter((x) => x !== 'ok' && h[x] > 0).sort((a, b) => badness(b) - badness(a)) : [];
        return (
          <Stat key={k} name={word('kinds', k)} v={number(o.counts[k] ?? 0)} h={bad.find((x) => x !== 'unknown') ?? (bad.length ? 'unknown' : 'ok')} to={href('devices', '', { kind: k, health: bad.length ? 'critical,major,minor,unknown' : null })}
            sub={bad.length ? bad.map((x) => <Mark key={x} h={x} text={number(h[x])} />) : <Mark h="ok" text={t('overview.allok')} />} />
        );
      })}
    </div>
  );
}

export function IncidentCards({ list }: { list: api.Incident[] }) {
  if (!list.length) return <Empty why={t('overview.quiet')} />;
  return (
    <ul class="cards">
      {list.map((i) => (
        <li key={i.id} class={`card bad h-${severityHealth(i.severity)}`}>
          <SeverityMark s={i.severity} /> <a href={href('incidents', i.id)}><b>{said(i.title, i.entity)}</b></a>
          <div><span class="chip root"><Ent e={i.entity} /></span> {i.jobs.length > 0 && <span class="dim">{t('incident.jobs', { n: i.jobs.length })}</span>}</div>
          <div class="dim">{word('istate', i.state)} · <Time v={i.opened} /> · {formatSpan((Date.now() - Date.parse(i.opened)) / 1000)} · {t('diag.confidence')} {sureness(i.confidence)}</div>
        </li>
      ))}
    </ul>
  );
}

// What the first page shows is asked for while the application still starts; each answer is taken once.
const moment = () => app.place.q.at ?? (range().moving ? '' : iso(range().end));
const early = new Map<string, Promise<unknown>>();
if (app.place.page === 'overview') {
  const [at, name] = [moment(), app.place.q.measure ?? 'health'];
  early.set(`overview ${at}`, api.overview(at)).set(`topology ${at}`, api.fleetTopology(at)).set(`fleet ${name} ${at}`, api.fleet(name, at));
  for (const p of early.values()) p.catch(() => undefined);
  setTimeout(() => early.clear(), 10000);
}
function once<T>(key: string, ask: () => Promise<T>): Promise<T> {
  const p = early.get(key) as Promise<T> | undefined;
  early.delete(key);
  return p ?? ask();
}

export function Overview() {
  const { place, live, lang } = useApp();
  const q = place.q;
  const at = moment();
  const by = (GROUPS.includes(q.group as GroupBy) ? q.group : 'pod') as GroupBy;
  const name = q.measure ?? 'health';
  const every = at || !live ? undefined : 15;
  const o = useLoad((s) => once(`overview ${at}`, () => api.overview(at, s)), ['overview', at], { every, on: ['incident', 'job'] });
  const measures = useLoad((s) => api.measures(s), ['measures']);
  const topo = useLoad((s) => once(`topology ${at}`, () => api.fleetTopology(at, s)), ['topology', at], { on: ['topology'] });
  const fleet = useLoad((s) => once(`fleet ${name} ${at}`, () => api.fleet(name, at, s)), ['fleet', name, at], { every, on: ['device', 'topology'] });
  const inc = useLoad((s) => api.incidents({ state: at ? '' : 'open,acknowledged', end: at, limit: 50 }, s), ['incidents', at], { every, on: ['incident'] });
  const past = useLoad((s) => api.incidents({ start: iso(range().start), end: iso(range().end), limit: 100 }, s), ['marks', rangeKey()], { on: ['incident'] });
  const choice = measures.data?.items.filter((m) => m.fleet) ?? [];
  const measure = choice.find((m) => m.name === name) ?? null;
  const T = topo.data;
  const agents = o.data ? o.data.agents.online + o.data.agents.late + o.data.agents.lost : 0;
  const F = fleet.data;
  const [height, setHeight] = useState(Math.max(360, innerHeight - 360));
  useEffect(() => {
    const f = () => setHeight(Math.max(360, innerHeight - (q.kiosk ? 260 : 360)));
    addEventListener('resize', f);
    return () => removeEventListener('resize', f);
  }, []);
  const groups = useMemo(() => (T ? groupFleet(T, F, by, q.only ?? '') : []), [T, by === 'job' ? F : null, by, q.only]);
  const worst = useMemo(() => (T && F ? worstOf(T, F, measure?.better ?? 'none', groups, 20) : []), [T, F, groups, measure]);
  const title = (key: string) => key || (by === 'job' ? t('fleet.nojob') : t('fleet.nogroup'));
  const unresolved = (inc.data?.items ?? []).filter((i) => !i.resolved || (at && Date.parse(i.resolved) > Date.parse(at)));
  // A wall turns through what the map can show.
  useEffect(() => {
    if (!q.kiosk || !choice.length) return;
    const all = ['health', ...choice.map((m) => m.name)];
    const id = setTimeout(() => setQuery({ measure: all[(all.indexOf(name) + 1) % all.length] }, true), 20000);
    return () => clearTimeout(id);
  }, [q.kiosk, name, choice.length]);
  return (
    <>
      <Head title={word('page', 'overview')}>
        {!q.kiosk && <a class="btn" href={href('overview', '', { kiosk: 1 })}>{t('overview.kiosk')}</a>}
      </Head>
      <Answer of={o} lines={3}>{(d) => (
        <>
          {d.partial.map((p) => <div key={p.part} class="notice" role="status"><Mark h="unknown" text={t('state.partial')} /> {p.part}: {tx(p.why)}</div>)}
          <Counts o={d} />
        </>
      )}</Answer>
      <div class="cols fleet">
        <Panel
          title={<>{measure ? tx(measure.title) : t('fleet.title')} {T && <span class="dim thin">{t('fleet.count', { n: number(T.gpus.reduce((a, b) => a + b, 0)) })}</span>}{q.only && <> · {title(q.only)} <Btn small on={() => setQuery({ only: null })}>{t('fleet.all')}</Btn></>}</>}
          label={t('fleet.title')}
          right={
            <>
              <Pick bare name={t('fleet.colour')} value={name} options={[['health', t('measure.health')], ...choice.map((m) => [m.name, m.title[lang]] as [string, string])]} on={(v) => setQuery({ measure: v === 'health' ? null : v })} />
              <Pick bare name={t('fleet.group')} value={by} options={GROUPS.map((g) => [g, t('fleet.by', { what: word('group', g) })])} on={(v) => setQuery({ group: v === 'pod' ? null : v, only: null })} />
              <Btn pressed={q.view === 'table'} on={() => setQuery({ view: q.view === 'table' ? null : 'table' })}>{q.view === 'table' ? t('do.map') : t('do.table')}</Btn>
            </>
          }
        >
          <Answer of={topo} lines={8}>{(T2) => (
            <Answer of={{ ...fleet, data: F }} lines={8}>{(F2) => (
              T2.nodes.length === 0 ? <Empty why={t('fleet.none')} what={t('fleet.none.what')} /> : groups.length === 0 ? <Empty why={t('fleet.nomatch')} what={<Btn on={() => setQuery({ only: null })}>{t('fleet.all')}</Btn>} /> : (
                <>
                  <div class="keys">
                    {F2.values ? <><Scale fleet={F2} measure={measure} /><span class="mark"><i class="sw b-unknown" /> {t('health.none')}</span></>
                      : HEALTHS.map((h) => <span key={h} class="mark"><i class={`sw b-${h}`} aria-hidden="true" />{h !== 'unknown' && <span class={`sym s-${h}`} aria-hidden="true">{MARK[h]}</span>} {h === 'unknown' ? t('health.none') : word('health', h)}</span>)}
                    <span class="dim hint">{t('fleet.hint')}</span>
                  </div>
                  {q.view === 'table' ? <FleetTable topo={T2} fleet={F2} groups={groups} title={title} />
                    : <FleetMap topo={T2} fleet={F2} groups={groups} measure={measure} height={height} title={title} zoomTo={(k) => setQuery({ only: q.only ? null : k })} />}
                </>
              ))}</Answer>
          )}</Answer>
          <TimeBar at={q.at ?? ''} marks={past.data?.items ?? []} />
        </Panel>
        <div class="aside">
          <Panel title={`${t('overview.openlist')} (${unresolved.length})`} right={<a href={href('incidents')}>{t('do.all')}</a>}>
            <Answer of={inc} lines={4}>{() => <IncidentCards list={unresolved.slice(0, 5)} />}</Answer>
          </Panel>
          {o.data && o.data.suffering.length > 0 && (
            <Panel title={t('overview.suffering')} right={<a href={href('jobs', '', { suffering: 1 })}>{t('do.all')}</a>}>
              <ul class="list">
                {o.data.suffering.slice(0, 6).map((j) => (
                  <li key={j.id}><Mark h={j.health} bare /> <a class="grow cut" href={href('jobs', j.id)}>{j.id} {j.name}</a> <span class="dim">{number(j.node_count * j.gpus_per_node)} GPU</span> <b>{j.score ?? '–'}</b></li>
                ))}
              </ul>
            </Panel>
          )}
          <Panel title={t('fleet.worst')}>
            {worst.length && T ? (
              <ul class="list">
                {worst.map((w) => (
                  <li key={w.index}><Mark h={w.health} bare /> <a class="grow" href={entityHref(`gpu:${T.nodes[w.node]}/${w.gpu}`)}>{T.nodes[w.node]} / GPU {w.gpu}</a> <span>{F?.values ? value(w.value, F.unit) : word('health', w.health)}</span></li>
                ))}
              </ul>
            ) : <Empty why={t('fleet.noworst')} />}
          </Panel>
          {o.data && (
            <Panel title={t('overview.intake')} right={<a href={href('settings', 'sources')}>{t('overview.sources')}</a>}>
              <ul class="list">
                <li><span class="grow">{t('overview.agents')}</span> {agents ? <Mark h={o.data.agents.lost ? 'major' : o.data.agents.late ? 'minor' : 'ok'} text={`${number(o.data.agents.online)} / ${number(agents)}`} /> : <span class="dim">{t('overview.noagents')}</span>}</li>
                <li><span class="grow">{t('overview.samples')}</span> {number(o.data.ingest.samples_per_second, 0)} /s</li>
                <li><span class="grow">{t('overview.events')}</span> {number(o.data.ingest.events_per_second, 1)} /s</li>
                <li><span class="grow">{t('overview.dropped')}</span> <Mark h={o.data.ingest.dropped ? 'minor' : 'ok'} text={number(o.data.ingest.dropped)} /></li>
              </ul>

            </Panel>
          )}
        </div>
      </div>
    </>
  );
}
