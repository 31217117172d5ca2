// Devices and clusters: search, add, import, edit, maintenance, retire; one page a device with its past.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import * as api from '../api';
import { can, entityHref, go, href, range, rangeKey, said, saidOf, setQuery, t, tx, useApp, word } from '../base/app';
import { badness, hostOf, kindOf, label, nameOf, severityHealth } from '../base/entity';
import { number } from '../base/format';
import { useLoad } from '../base/load';
import { formatTime, fromInput, iso, toInput } from '../base/time';
import { PromChart } from '../view/chart';
import { Answer, Btn, Dialog, Empty, Ent, Field, Form, Head, JobState, Kind, Mark, options, Pager, Panel, Pick, Props, QueryInput, QueryPick, SaveCsv, SeverityMark, Table, Tabs, Time, type Col } from '../view/parts';
import { LogView } from './logs';

export const KINDS = ['node', 'gpu', 'nic', 'switch', 'port', 'optic', 'link', 'storage', 'rack', 'pdu', 'cdu', 'nvswitch', 'dpu'];
const STATES = ['active', 'maintenance', 'retired'];
const HEALTH = ['critical', 'major', 'minor', 'unknown', 'ok'];
const TEXTS = ['vendor', 'model', 'serial', 'firmware', 'cluster', 'rack', 'parent', 'note'] as const;

function pairs(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const l of text.split('\n')) {
    const i = l.indexOf('=');
    if (i > 0) out[l.slice(0, i).trim()] = l.slice(i + 1).trim();
  }
  return out;
}
const unpairs = (m: Record<string, string>) => Object.keys(m).map((k) => `${k}=${m[k]}`).join('\n');

function Edit({ d, done }: { d: api.Device | null; done: (entity: string | null) => void }) {
  const [kind, setKind] = useState(d?.kind ?? 'node');
  const [name, setName] = useState(d?.name ?? '');
  const [state, setState] = useState<string>(d?.state ?? 'active');
  const [until, setUntil] = useState(d?.maintenance_until ? toInput(Date.parse(d.maintenance_until)) : '');
  const [f, setF] = useState<Record<string, string>>(Object.fromEntries(TEXTS.map((k) => [k, d?.[k] ?? ''])));
  const [attrs, setAttrs] = useState(unpairs(d?.attributes ?? {}));
  const entity = d?.entity ?? `${kind}:${name.trim()}`;
  return (
    <Dialog title={d ? t('devices.edit', { name: label(d.entity) }) : t('devices.add')} close={() => done(null)} wide>
      <Form text={t('do.save')} send={async () => {
        const b: api.DeviceEdit = { state: state as 'active', attributes: pairs(attrs), maintenance_until: state === 'maintenance' && until ? iso(fromInput(until) ?? Date.now()) : null };
        for (const k of TEXTS) if (f[k] !== (d?.[k] ?? '')) b[k] = f[k] || null;
        await api.devicePut(entity, b);
        done(entity);
      }}>
        <div class="grid2">
          {!d && <Pick name={t('col.kind')} value={kind} options={options('kind', KINDS)} on={setKind} />}
          {!d && <Field name={t('col.name')}><input required value={name} placeholder={kind === 'gpu' ? 'node00001/0' : 'node00001'} onInput={(e) => setName((e.target as HTMLInputElement).value)} /></Field>}
          <Pick name={t('col.state')} value={state} options={options('dvstate', STATES)} on={setState} />
          {state === 'maintenance' && <Field name={t('devices.until')}><input type="datetime-local" value={until} onInput={(e) => setUntil((e.target as HTMLInputElement).value)} /></Field>}
          {TEXTS.map((k) => <Field key={k} name={word('field', k)}><input value={f[k]} onInput={(e) => setF({ ...f, [k]: (e.target as HTMLInputElement).value })} /></Field>)}
        </div>
        <Field name={t('devices.attributes')} wide><textarea class="mono" rows={4} value={attrs} placeholder={'key=value'} onInput={(e) => setAttrs((e.target as HTMLTextAreaElement).value)} /></Field>
      </Form>
    </Dialog>
  );
}

function Import({ close }: { close: (changed: boolean) => void }) {
  const [format, setFormat] = useState('csv');
  const [text, setText] = useState('');
  const [seen, setSeen] = useState<api.ImportResult | null>(null);
  const ready = seen && seen.dry_run && !seen.errors.length;
  return (
    <Dialog title={t('import.title')} close={() => close(!!seen && !seen.dry_run)} wide>
      <Form text={ready ? t('import.write', { n: seen.created + seen.updated }) : t('import.try')} send={async () => setSeen(await api.deviceImport(format as 'csv', text, !ready))}>
        <div class="row wrap">
          <Pick name={t('import.format')} value={format} options={[['csv', 'CSV'], ['yaml', 'YAML']]} on={(v) => { setFormat(v); setSeen(null); }} />
          <Field name={t('import.file')}><input type="file" accept=".csv,.yaml,.yml,.txt" onChange={(e) => {
            const file = (e.target as HTMLInputElement).files?.[0];
            if (!file) return;
            if (/\.ya?ml$/.test(file.name)) setFormat('yaml');
            void file.text().then((x) => { setText(x); setSeen(null); });
          }} /></Field>
        </div>
        <p class="dim">{format === 'csv' ? t('import.csv') : t('import.yaml')}</p>
        <Field name={t('import.text')} wide><textarea class="mono" rows={9} required spellcheck={false} value={text} placeholder={format === 'csv' ? 'entity,vendor,model,rack\nnode:node00300,nvidia,H100,r12' : 'version: 1\nnodes:\n  - {name: node00300, rack: r12}'} onInput={(e) => { setText((e.target as HTMLTextAreaElement).value); setSeen(null); }} /></Field>
        {seen && (
          <div class={seen.errors.length ? 'notice bad' : 'notice'} role="status">
            <b>{seen.dry_run ? t('import.would') : t('import.did')}</b> {t('import.counts', { c: seen.created, u: seen.updated, s: seen.unchanged, e: seen.errors.length })}
            <ul>{seen.errors.slice(0, 50).map((e, i) => <li key={i}>{t('import.line', { n: e.line })}: {e.message}</li>)}</ul>
          </div>
        )}
      </Form>
    </Dialog>
  );
}

export function Devices() {
  const { place: { q } } = useApp();
  const [ask, setAsk] = useState<'' | 'add' | 'import'>('');
  const got = useLoad((s) => api.devices({ q: q.q, kind: q.kind, state: q.state, health: q.health, rack: q.rack, vendor: q.vendor, origin: q.origin, cluster: q.cluster, limit: 100, cursor: q.cursor }, s),
    ['devices', q.q, q.kind, q.state, q.health, q.rack, q.vendor, q.origin, q.cluster, q.cursor], { every: 30, on: ['device'] });
  const cols: Col<api.Device>[] = [
    { k: 'health', name: t('col.health'), cell: (d) => <Mark h={d.health} />, sort: (d) => -badness(d.health), csv: (d) => d.health },
    { k: 'name', name: t('col.name'), cell: (d) => <a href={entityHref(d.entity)}><b>{label(d.entity)}</b></a>, sort: (d) => d.name, csv: (d) => d.entity, wide: true },
    { k: 'kind', name: t('col.kind'), cell: (d) => word('kind', d.kind), sort: (d) => d.kind },
    { k: 'state', name: t('col.state'), cell: (d) => <span class={`dvstate ${d.state}`}>{word('dvstate', d.state)}</span>, sort: (d) => d.state },
    { k: 'vendor', name: word('field', 'vendor'), cell: (d) => d.vendor ?? '–', sort: (d) => d.vendor },
    { k: 'model', name: word('field', 'model'), cell: (d) => d.model ?? '–', sort: (d) => d.model },
    { k: 'serial', name: word('field', 'serial'), cell: (d) => <span class="mono">{d.serial ?? '–'}</span>, sort: (d) => d.serial },
    { k: 'rack', name: word('field', 'rack'), cell: (d) => d.rack ?? '–', sort: (d) => d.rack },
    { k: 'origin', name: t('col.origin'), cell: (d) => word('origin', d.origin), sort: (d) => d.origin },
    { k: 'seen', name: t('col.seen'), cell: (d) => <Time v={d.last_seen} />, sort: (d) => d.last_seen },
  ];
  return (
    <>
      <Head title={word('page', 'devices')} sub={got.data?.total !== undefined && t('devices.total', { n: number(got.data.total) })}>
        <QueryInput k="q" name={t('devices.find')} />
        <QueryPick k="kind" name={t('col.kind')} options={options('kind', KINDS, 'filter.kinds')} />
        <QueryPick k="health" name={t('col.health')} options={[['', t('filter.healths')], ['critical,major,minor,unknown', t('filter.notok')], ...options('health', HEALTH)]} />
        <QueryPick k="state" name={t('col.state')} options={options('dvstate', STATES, 'filter.states')} />
        {can('operator') && <Btn on={() => setAsk('add')}>+ {t('devices.add')}</Btn>}
        {can('operator') && <Btn on={() => setAsk('import')}>{t('devices.import')}</Btn>}
        <SaveCsv name="devices" cols={cols} rows={got.data?.items ?? []} />
      </Head>
      <Panel>
        <Answer of={got} lines={10}>{(d) => <><Table name={word('page', 'devices')} cols={cols} rows={d.items} id={(x) => x.entity} cls={(x) => (badness(x.health) > 1 ? 'bad' : '')}
          empty={<Empty why={t('devices.nomatch')} what={t('devices.nomatch.what')} />} /><Pager next={d.next} /></>}</Answer>
      </Panel>
      {ask === 'add' && <Edit d={null} done={(e) => { setAsk(''); if (e) go(entityHref(e)); }} />}
      {ask === 'import' && <Import close={(changed) => { setAsk(''); if (changed) got.reload(); }} />}
    </>
  );
}

function Events({ entity }: { entity: string }) {
  const got = useLoad((s) => api.events({ entity, start: iso(range().start), end: iso(range().end), limit: 200 }, s), [entity, rangeKey()], { every: 30, on: ['incident'] });
  const cols: Col<api.EventRow>[] = [
    { k: 'time', name: t('col.time'), cell: (e) => <Time v={e.time} seconds />, sort: (e) => e.time },
    { k: 'sev', name: t('col.severity'), cell: (e) => <SeverityMark s={e.severity} />, sort: (e) => -badness(severityHealth(e.severity)) },
    { k: 'code', name: t('col.code'), cell: (e) => <a href={href('kb', e.code)}>{e.code}</a>, sort: (e) => e.code },
    { k: 'obj', name: t('col.object'), cell: (e) => <Ent e={e.entity} /> },
    { k: 'text', name: t('col.text'), wide: true, cell: (e) => <>{e.title && <b>{tx(e.title)} </b>}<code>{e.text}</code></> },
    { k: 'inc', name: t('col.incident'), cell: (e) => (e.incident ? <a href={href('incidents', e.incident)}>{e.incident}</a> : '–') },
    { k: 'end', name: t('col.cleared'), cell: (e) => (e.cleared ? <Time v={e.cleared} seconds /> : '–') },
  ];
  return <Panel><Answer of={got}>{(d) => <Table name={t('dev.events')} cols={cols} rows={d.items} id={(e) => e.id} empty={<Empty why={t('dev.noevents', { from: formatTime(range().start), to: formatTime(range().end) })} />} />}</Answer></Panel>;
}

// A server has some eighty charts: its own are open, those of its parts a click away, and not asked for before.
function Charts({ d }: { d: api.DeviceDetail }) {
  const { place: { q } } = useApp();
  const groups = [...new Set(d.charts.map((c) => c.group))].sort((a, b) => Number(b === d.kind) - Number(a === d.kind));
  const open = q.open === undefined ? groups.slice(0, 1) : q.open.split(',');
  const draw = (g: string) => <div class="charts">{d.charts.filter((c) => c.group === g).map((c) => <PromChart key={c.name} expr={c.expr} legend={c.legend} unit={c.unit} title={tx(c.title)} height={170} />)}</div>;
  if (!groups.length) return <Panel><Empty why={t('dev.nocharts')} what={t('dev.nocharts.what')} /></Panel>;
  if (groups.length === 1) return draw(groups[0]);
  return (
    <div>
      {groups.map((g) => {
        const on = open.includes(g);
        return (
          <section key={g} class="fold">
            <h2><button type="button" class="fold" aria-expanded={on} onClick={() => setQuery({ open: (on ? open.filter((x) => x !== g) : [...open, g]).join(',') || 'none' })}>
              <span aria-hidden="true">{on ? '▾' : '▸'}</span> {word('kind', g)} <span class="dim">{d.charts.filter((c) => c.group === g).length}</span>
            </button></h2>
            {on && draw(g)}
          </section>
        );
      })}
    </div>
  );
}

export function DevicePage() {
  const { place: { id, q } } = useApp();
  const [edit, setEdit] = useState(false);
  const [retire, setRetire] = useState(false);
  const got = useLoad((s) => api.device(id, s), [id], { every: 30, on: ['device'] });
  const inc = useLoad((s) => api.incidents({ entity: id, limit: 20 }, s), [id], { on: ['incident'] });
  const tab = q.tab ?? 'charts';
  const at = (k: string) => href('devices', id, { tab: k === 'charts' ? null : k });
  const host = hostOf(id);
  return (
    <Answer of={got} lines={10}>{(d) => {
      const open = (inc.data?.items ?? []).filter((i) => i.state !== 'resolved');
      const kids = d.relations.filter((r) => !r.end);
      const types = [...new Set(kids.map((r) => `${r.direction} ${r.type}`))];
      const job = d.jobs.find((j) => j.state === 'running');
      return (
        <>
          <Head title={label(d.entity)} mark={<Mark h={d.health} bare />} sub={<>
            <span class="crumbs">{d.cluster && <a href={href('clusters')}>{d.cluster}</a>}{d.rack && <a href={href('devices', '', { rack: d.rack })}>{d.rack}</a>}{d.kind !== 'node' && d.kind !== 'switch' && host && <Ent e={`${['switch', 'port', 'optic'].includes(d.kind) && d.parent && kindOf(d.parent) !== 'node' ? 'switch' : 'node'}:${host}`} />}</span>
            <Kind e={d.entity} /> <Mark h={d.health} /> <span class={`dvstate ${d.state}`}>{word('dvstate', d.state)}</span>
            {job && <span>{t('word.job')} <a href={href('jobs', job.id)}>{job.id} {job.name}</a></span>}
          </>}>
            <a class="btn" href={href('logs', '', { entity: d.entity })}>{t('diag.logs')}</a>
            {d.kind === 'node' && <a class="btn" href={href('checks', '', { nodes: nameOf(d.entity) })}>{t('dev.check')}</a>}
            {can('operator') && <Btn on={() => setEdit(true)}>{t('do.edit')}</Btn>}
            {can('operator') && d.state !== 'retired' && (d.state === 'maintenance'
              ? <Btn on={() => void api.devicePut(id, { state: 'active', maintenance_until: null }).then(got.reload)}>{t('dev.active')}</Btn>
              : <Btn on={() => void api.devicePut(id, { state: 'maintenance' }).then(got.reload)}>{t('dev.maintain')}</Btn>)}
            {can('operator') && d.state !== 'retired' && <Btn kind="danger" on={() => setRetire(true)}>{t('dev.retire')}</Btn>}
          </Head>
          {open.map((i) => <div key={i.id} class={`notice ${i.entity === d.entity ? 'bad' : 'quiet'}`}><SeverityMark s={i.severity} /> <a href={href('incidents', i.id)}><b>{i.entity === d.entity ? said(i.title, i.entity) : saidOf(i.title, i.entity)}</b></a> {i.entity === d.entity ? <span class="chip root">{t('role.root')}</span> : i.victims.includes(d.entity) ? <span class="chip victim">{t('role.victim')}</span> : <span class="chip related">{t('role.related')}</span>} <Time v={i.opened} /></div>)}
          {d.state === 'maintenance' && <div class="notice">{t('dev.inmaint')} {d.maintenance_until && <>{t('devices.until')} <Time v={d.maintenance_until} /></>}</div>}
          <Tabs now={tab} tabs={[['charts', t('dev.charts'), at('charts')], ['events', t('dev.events'), at('events')], ['logs', word('page', 'logs'), at('logs')], ['links', t('dev.links', { n: kids.length }), at('links')], ['past', t('dev.past'), at('past')]]} />
          {tab === 'charts' && (
            <div class="cols wide">
              <Charts d={d} />
              <div class="aside">
                <Panel title={t('dev.facts')}>
                  <Props rows={[...TEXTS.filter((k) => d[k]).map((k) => [word('field', k), k === 'parent' ? <Ent e={d.parent ?? ''} /> : d[k]] as [string, ComponentChildren]), [t('col.origin'), word('origin', d.origin)], [t('col.first'), <Time v={d.first_seen} />], [t('col.seen'), <Time v={d.last_seen} />], ...Object.keys(d.attributes).map((k) => [k, d.attributes[k]] as [string, string])]} />
                </Panel>
                <Panel title={t('dev.around')}>
                  {types.map((ty) => {
                    const list = kids.filter((r) => `${r.direction} ${r.type}` === ty);
                    return <div key={ty}><h3>{word('relation', ty.replace(' ', '_'))} <span class="dim">{list.length}</span></h3><ul class="list">{[...list].sort((a, b) => badness(b.health) - badness(a.health) || a.entity.localeCompare(b.entity, 'en', { numeric: true })).slice(0, 16).map((r) => <li key={r.entity}><Mark h={r.health} bare /> <span class="grow"><Ent e={r.entity} /></span> <Kind e={r.entity} /></li>)}</ul>{list.length > 16 && <a href={at('links')}>{t('do.more', { n: list.length - 16 })}</a>}</div>;
                  })}
                  {!types.length && <p class="dim">{t('dev.alone')}</p>}
                </Panel>
              </div>
            </div>
          )}
          {tab === 'events' && <Events entity={id} />}
          {tab === 'logs' && <LogView fixed={{ entity: id }} />}
          {tab === 'links' && (
            <Panel><Table name={t('dev.around')} rows={d.relations} id={(r) => `${r.type}${r.direction}${r.entity}${r.start}`} cols={[
              { k: 'h', name: t('col.health'), cell: (r) => <Mark h={r.health} />, sort: (r) => -badness(r.health) },
              { k: 'type', name: t('col.relation'), cell: (r) => word('relation', `${r.direction}_${r.type}`), sort: (r) => r.type },
              { k: 'e', name: t('col.object'), cell: (r) => <Ent e={r.entity} />, sort: (r) => r.entity },
              { k: 'k', name: t('col.kind'), cell: (r) => <Kind e={r.entity} /> },
              { k: 's', name: t('range.from'), cell: (r) => <Time v={r.start} />, sort: (r) => r.start },
              { k: 'x', name: t('range.to'), cell: (r) => (r.end ? <Time v={r.end} /> : t('range.now')), sort: (r) => r.end },
            ]} /></Panel>
          )}
          {tab === 'past' && (
            <div class="cols">
              <div>
                <Panel title={word('page', 'incidents')}>{inc.data?.items.length ? <ul class="list">{inc.data.items.map((i) => <li key={i.id}><SeverityMark s={i.severity} bare /> <a class="grow" href={href('incidents', i.id)}>{i.entity === d.entity ? said(i.title, i.entity) : saidOf(i.title, i.entity)}</a> <span>{word('istate', i.state)}</span> <Time v={i.opened} /></li>)}</ul> : <p class="dim">{t('dev.noincidents')}</p>}</Panel>
                <Panel title={word('page', 'jobs')}>{d.jobs.length ? <ul class="list">{d.jobs.map((j) => <li key={j.id}><Mark h={j.health} bare /> <a class="grow" href={href('jobs', j.id)}>{j.id} {j.name}</a> <JobState s={j.state} /> <Time v={j.start} /></li>)}</ul> : <p class="dim">{t('dev.nojobs')}</p>}</Panel>
              </div>
              <Panel title={t('incident.history')}><ol class="history">{d.history.map((h, k) => <li key={k}><Time v={h.time} seconds /> <b>{word('action', h.action)}</b> {h.user} {h.text && <span class="say">{h.text}</span>}</li>)}</ol></Panel>
            </div>
          )}
          {edit && <Edit d={d} done={(e) => { setEdit(false); if (e) got.reload(); }} />}
          {retire && <Dialog title={t('dev.retire')} close={() => setRetire(false)}><Form kind="danger" text={t('dev.retire')} done={() => { setRetire(false); got.reload(); }} send={() => api.deviceRetire(id)}><p>{t('dev.retire.what', { name: label(id) })}</p></Form></Dialog>}
        </>
      );
    }}</Answer>
  );
}

function ClusterEdit({ c, done }: { c: api.Cluster | null; done: (changed: boolean) => void }) {
  const [name, setName] = useState(c?.name ?? '');
  const [title, setTitle] = useState(c?.title ?? '');
  const [state, setState] = useState<string>(c?.state ?? 'building');
  const [nodes, setNodes] = useState(String(c?.size.nodes ?? 0));
  const [gpus, setGpus] = useState(String(c?.size.gpus ?? 0));
  const [meta, setMeta] = useState(unpairs(c?.metadata ?? {}));
  const on = (f: (v: string) => void) => (e: Event) => f((e.target as HTMLInputElement).value);
  return (
    <Form text={t('do.save')} done={() => done(true)} send={() => api.clusterPut(c?.name ?? name, { ...(name !== c?.name ? { name } : {}), title, state, size: { nodes: Number(nodes), gpus: Number(gpus) }, metadata: pairs(meta) })}>
      <div class="grid2">
        <Field name={t('col.name')}><input required pattern="[A-Za-z0-9._\-]+" value={name} onInput={on(setName)} /></Field>
        <Field name={t('cluster.title')}><input value={title} onInput={on(setTitle)} /></Field>
        <Pick name={t('col.state')} value={state} options={options('cstate', ['building', 'active', 'maintenance', 'retired'])} on={setState} />
        <Field name={t('cluster.nodes')}><input type="number" min="0" value={nodes} onInput={on(setNodes)} /></Field>
        <Field name={t('cluster.gpus')}><input type="number" min="0" value={gpus} onInput={on(setGpus)} /></Field>
      </div>
      <Field name={t('cluster.meta')} wide><textarea class="mono" rows={4} value={meta} placeholder="site=lab 2" onInput={on(setMeta)} /></Field>
    </Form>
  );
}

export function Clusters() {
  const { place: { q } } = useApp();
  const got = useLoad((s) => api.clusters(s), ['clusters'], { every: 30, on: ['topology'] });
  const end = (changed: boolean) => {
    setQuery({ edit: null }, true);
    if (changed) got.reload();
  };
  return (
    <>
      <Head title={word('page', 'clusters')}>{can('operator') && <Btn on={() => setQuery({ edit: '+' }, true)}>+ {t('cluster.add')}</Btn>}</Head>
      {q.edit === '+' && <Panel title={t('cluster.add')} right={<Btn small on={() => end(false)}>{t('do.cancel')}</Btn>}><ClusterEdit c={null} done={end} /></Panel>}
      <Answer of={got}>{(d) => d.items.length ? (
        <div class="tiles">
          {d.items.map((c) => (
            <Panel key={c.name} title={<><Mark h={c.health} bare /> {c.title || c.name}</>} right={can('operator') && (q.edit === c.name ? <Btn small on={() => end(false)}>{t('do.cancel')}</Btn> : <Btn small on={() => setQuery({ edit: c.name }, true)}>{t('do.edit')}</Btn>)}>
              {q.edit === c.name ? <ClusterEdit c={c} done={end} /> : (
                <>
                  <p><span class="mono">{c.name}</span> · <span class={`dvstate ${c.state}`}>{word('cstate', c.state)}</span> · <Mark h={c.health} /></p>
                  <div class="stats tight">{['node', 'gpu', 'switch', 'nic', 'optic', 'storage'].filter((k) => c.counts[k]).map((k) => {
                    const want = k === 'node' ? c.size.nodes : k === 'gpu' ? c.size.gpus : 0;
                    return <div key={k} class="stat h-none"><span class="name">{word('kinds', k)}</span><span class="v">{number(c.counts[k])}</span>{want > 0 && <span class="sub">{t('cluster.of', { n: number(want) })}</span>}</div>;
                  })}</div>
                  <Props rows={[...Object.keys(c.metadata).map((k) => [k, c.metadata[k]] as [string, string]), [t('cluster.revision'), String(c.revision)], [t('col.updated'), <Time v={c.updated} />]]} />
                  <p class="row wrap"><a class="btn" href={href('devices', '', { cluster: c.name })}>{word('page', 'devices')}</a><a class="btn" href={href('checks', '', { cluster: c.name })}>{word('page', 'checks')}</a></p>
                </>
              )}
            </Panel>
          ))}
        </div>
      ) : <Panel><Empty why={t('cluster.none')} what={t('cluster.none.what')} /></Panel>}</Answer>
    </>
  );
}
