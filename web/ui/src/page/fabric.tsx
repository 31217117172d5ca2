// The network: cabling as it is against the plan.
import * as api from '../api';
import { entityHref, setQuery, t, useApp, word } from '../base/app';
import { label } from '../base/entity';
import { number } from '../base/format';
import { useLoad } from '../base/load';
import { Answer, Empty, Ent, Head, Mark, options, Panel, QueryInput, QueryPick, SaveCsv, Stat, Table, type Col } from '../view/parts';

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

export function Fabric() {
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
      <Head title={word('page', 'fabric')} sub={t('fabric.what')}>
        <QueryInput k="q" name={t('fabric.find')} />
        <QueryPick k="state" name={t('col.state')} options={options('cable', CABLE, 'filter.states')} />
        <SaveCsv name="cabling" cols={cols} rows={rows} />
      </Head>
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
