// The network: cabling as it is against the plan, and what mirrors see of RoCE traffic.
import type { ComponentChildren } from 'preact';
import * as api from '../api';
import { entityHref, href, setQuery, t, useApp, word } from '../base/app';
import { label } from '../base/entity';
import { number, value } from '../base/format';
import { useLoad } from '../base/load';
import { Answer, Empty, Ent, Head, Mark, options, Panel, QueryInput, QueryPick, SaveCsv, Stat, Table, Tabs, Time, type Col } from '../view/parts';

const CABLE = ['wrong', 'missing', 'unplanned', 'unknown'] as const;
const BAD: Record<string, api.Health> = { wrong: 'major', missing: 'minor', unplanned: 'minor', unknown: 'unknown' };
const known = (e: string | null) => !!e && /^[a-z]+:/.test(e);

// Two cables that changed places: each has what the other lacks.
export function twins(items: api.Cable[]): Map<string, string> {
  const out = new Map<string, string>();
  const at = new Map(items.filter((c) => c.state === 'wrong').map((c) => [`${c.planned} ${c.seen}`, c.port]));
  for (const c of items) {
    const other = c.state === 'wrong' ? at.get(`${c.seen} ${c.planned}`) : undefined;
    if (other && other !== c.port) out.set(c.port, other);
  }
  return out;
}

function Top({ tab, sub, children }: { tab: string; sub: string; children?: ComponentChildren }) {
  return (
    <>
      <Head title={word('page', 'fabric')} sub={sub}>{children}</Head>
      <Tabs now={tab} tabs={[['cabling', t('fabric.cabling'), href('fabric')], ['packets', t('packets.title'), href('fabric', '', { tab: 'packets' })]]} />
    </>
  );
}

function Cabling() {
  const { place: { q } } = useApp();
  const got = useLoad((s) => api.topologyDiff({ state: q.state }, s), ['cabling', q.state], { every: 30, on: ['topology', 'incident'] });
  const find = (q.q ?? '').toLowerCase();
  const rows = (got.data?.items ?? []).filter((c) => !find || [c.port, c.planned, c.seen].some((x) => x?.toLowerCase().includes(find)));
  const pair = twins(got.data?.items ?? []);
  const end = (e: string | null) => (known(e) ? <Ent e={e as string} /> : e ? <span class="mono">{e}</span> : '–');
  const cols: Col<api.Cable>[] = [
    { k: 'state', name: t('col.state'), cell: (c) => <Mark h={BAD[c.state]} text={word('cable', c.state)} />, sort: (c) => CABLE.indexOf(c.state), csv: (c) => c.state },
    { k: 'port', name: word('kind', 'port'), cell: (c) => <a href={entityHref(c.port)}><b>{label(c.port)}</b></a>, sort: (c) => c.port },
    { k: 'planned', name: t('fabric.written'), cell: (c) => end(c.planned), sort: (c) => c.planned },
    { k: 'seen', name: t('fabric.found'), cell: (c) => end(c.seen), sort: (c) => c.seen },
    { k: 'do', name: t('fabric.do'), wide: true, cell: (c) => {
      const other = pair.get(c.port);
      return other ? <>{t('fabric.swapped')} <Ent e={other} /></> : word('recable', c.state);
    } },
  ];
  return (
    <>
      <Top tab="cabling" sub={t('fabric.what')}>
        <QueryInput k="q" name={t('fabric.find')} />
        <QueryPick k="state" name={t('col.state')} options={options('cable', CABLE, 'filter.states')} />
        <SaveCsv name="cabling" cols={cols} rows={rows} />
      </Top>
      <Answer of={got} lines={10}>{(d) => !d.counts.switches && !d.counts.ports ? (
        <Panel title={t('fabric.cabling')}><Empty why={t('fabric.nolldp')} what={t('fabric.nolldp.what')} /></Panel>
      ) : (
        <>
          <div class="stats">
            <Stat name={t('fabric.same')} v={number(d.counts.same)} sub={t('fabric.ofports', { n: number(d.counts.ports), s: number(d.counts.switches) })} h="ok" />
            {CABLE.map((k) => <Stat key={k} name={word('cable', k)} v={number(d.counts[k])} h={d.counts[k] ? BAD[k] : undefined} />)}
          </div>
          <Panel title={t('fabric.cabling')}>
            <Table name={t('fabric.cabling')} cols={cols} rows={rows} id={(c) => c.port} cls={(c) => (c.state === 'wrong' ? 'bad' : '')}
              empty={q.q || q.state ? <Empty why={t('fabric.nomatch')} what={<button type="button" class="btn" onClick={() => setQuery({ q: null, state: null })}>{t('fabric.all')}</button>} /> : <Empty why={t('fabric.asplanned')} what={t('fabric.asplanned.what', { n: number(d.counts.same) })} />} />
          </Panel>
        </>
      )}</Answer>
    </>
  );
}

const bad = (f: api.Flow) => f.packets_missing + f.retransmitted + f.nak_sequence + f.nak_other + f.rnr;

function Report({ m }: { m: api.Mirror }) {
  const r = m.report;
  const who = (a: string) => {
    const x = m.addresses[a];
    return x ? <><Ent e={x.entity} /> {x.job && <a href={href('jobs', x.job)}>{t('packets.rank', { job: x.job, rank: x.rank ?? '–' })}</a>}</> : <span class="mono">{a}</span>;
  };
  const cols: Col<api.Flow>[] = [
    { k: 'from', name: t('packets.from'), cell: (f) => who(f.from), sort: (f) => f.from },
    { k: 'to', name: t('packets.to'), cell: (f) => who(f.to), sort: (f) => f.to },
    { k: 'qp', name: 'QP', cell: (f) => <span class="mono">{`0x${f.qp.toString(16)}`}</span>, sort: (f) => f.qp },
    { k: 'bytes', name: t('packets.bytes'), cell: (f) => <>{value(f.bytes, 'bytes')} {f.elephant && <span class="chip">{t('packets.elephant')}</span>}</>, sort: (f) => f.bytes, num: true },
    { k: 'missing', name: t('packets.missing'), cell: (f) => number(f.packets_missing), sort: (f) => f.packets_missing, num: true },
    { k: 'again', name: t('packets.again'), cell: (f) => number(f.retransmitted), sort: (f) => f.retransmitted, num: true },
    { k: 'nak', name: 'NAK', cell: (f) => number(f.nak_sequence + f.nak_other), sort: (f) => f.nak_sequence + f.nak_other, num: true },
    { k: 'rnr', name: 'RNR', cell: (f) => number(f.rnr), sort: (f) => f.rnr, num: true },
    { k: 'cnp', name: 'CNP', cell: (f) => number(f.cnp), sort: (f) => f.cnp, num: true },
    { k: 'ce', name: 'CE', cell: (f) => number(f.ce), sort: (f) => f.ce, num: true },
    { k: 'ack', name: t('packets.ack'), cell: (f) => (f.answers ? `${number(f.answers.p99_us)} µs` : '–'), sort: (f) => f.answers?.p99_us ?? null, num: true },
  ];
  const lost = r.flows.reduce((n, f) => n + f.packets_missing, 0);
  return (
    <>
      <div class="stats">
        <Stat name={t('packets.frames')} v={number(r.frames)} sub={<><Time v={m.start} seconds /> – <Time v={m.end} seconds /></>} />
        <Stat name={t('packets.missing')} v={number(lost)} h={lost ? 'minor' : 'ok'} />
        <Stat name="CNP" v={number(r.cnp)} sub={`CE ${number(r.ce)}`} />
        <Stat name={t('packets.pauses')} v={number(r.pfc + r.pause)} h={r.storm ? 'major' : undefined} sub={r.storm ? t('packets.storm', { who: r.storm.system ?? r.storm.mac }) : undefined} />
        <Stat name={t('packets.ack')} v={r.answers ? `${number(r.answers.p99_us)} µs` : '–'} />
      </div>
      <Panel title={t('packets.flows', { n: number(r.flow_count), name: m.name })}>
        <Table name={t('packets.flows', { n: number(r.flow_count), name: m.name })} cols={cols} rows={r.flows.slice(0, 50)} id={(f) => `${f.from} ${f.to} ${f.qp}`} cls={(f) => (bad(f) ? 'bad' : '')} empty={<Empty why={t('packets.noflows')} />} />
      </Panel>
      {r.collisions.length > 0 && <Panel title={t('packets.shared')}><ul class="list">{r.collisions.map((c, i) => <li key={i}><span class="grow">{c.path !== undefined ? t('packets.session', { n: c.path }) : <>{who(c.from ?? '')} → {who(c.to ?? '')} UDP {c.source_port}</>}</span> <b>×{c.flows}</b> {value(c.bytes, 'bytes')}</li>)}</ul></Panel>}
      {r.pausing_ports.length > 0 && <Panel title={t('packets.pauses')}><ul class="list">{r.pausing_ports.map((p) => <li key={p.mac}><span class="grow mono">{p.mac}</span> PFC {number(p.pfc)} <span class="dim">{p.priorities.map((x) => t('packets.held', { p: x.priority, s: x.paused_seconds.toFixed(3) })).join(' ')}</span></li>)}</ul></Panel>}
      {r.neighbours.length > 0 && <Panel title="LLDP / DCBX"><ul class="list">{r.neighbours.slice(0, 24).map((n) => <li key={n.mac}><span class="grow">{n.system} {n.port}</span> <span class="dim">{n.pfc_priorities ? `PFC ${n.pfc_priorities.join(' ')}` : ''}</span></li>)}</ul>{r.neighbours.length > 24 && <p class="dim">{t('do.more', { n: r.neighbours.length - 24 })}</p>}</Panel>}
    </>
  );
}

function Packets() {
  const got = useLoad((s) => api.packets(s), ['packets'], { every: 15 });
  return (
    <>
      <Top tab="packets" sub={t('packets.what')} />
      <Answer of={got} lines={10}>{(d) => (d.items.length ? d.items.map((m) => <Report key={m.name} m={m} />) : <Panel><Empty why={t('packets.none')} what={t('packets.none.what')} /></Panel>)}</Answer>
    </>
  );
}

export function Fabric() {
  const { place: { q } } = useApp();
  return q.tab === 'packets' ? <Packets /> : <Cabling />;
}
