// Analysis without PromQL, the explorer with it, and reliability.
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { href, range, rangeKey, setQuery, t, tx, useApp, word } from '../base/app';
import { change, number, percent, value } from '../base/format';
import { useLoad } from '../base/load';
import { formatSpan, formatTime, iso, parseSpan, stepFor, toInput, fromInput } from '../base/time';
import { align, Plot, seriesNames } from '../view/chart';
import { Answer, Btn, Empty, Ent, Field, Form, Head, Mark, Meter, Panel, Pick, Props, SaveCsv, Stat, Table, Time, type Col } from '../view/parts';

const BY = ['job', 'model', 'rack', 'leaf', 'pod', 'vendor', 'tenant', 'node', 'time'];

// Minimum to maximum as a line, the middle half of it thick, the median as a notch; the period before below, thin.
function Span({ g, lo, hi }: { g: api.AnalysisGroup; lo: number; hi: number }) {
  const x = (v: number | null) => (v === null || hi === lo ? 0 : ((v - lo) / (hi - lo)) * 200);
  const p = g.previous;
  return (
    <svg class="span" viewBox="-2 0 204 18" width="204" height="18" aria-hidden="true">
      <line x1={x(g.min)} x2={x(g.max)} y1="7" y2="7" class="range" />
      <rect x={x(g.p50) - Math.abs(x(g.avg) - x(g.p50)) / 2} width={Math.max(1, x(g.p95) - x(g.p50))} y="4" height="6" class="box" />
      <line x1={x(g.p50)} x2={x(g.p50)} y1="1" y2="13" class="mid" />
      {p && p.p50 !== null && <><line x1={x(p.min)} x2={x(p.max)} y1="15" y2="15" class="before" /><line x1={x(p.p50)} x2={x(p.p50)} y1="12" y2="18" class="before" /></>}
    </svg>
  );
}

export function Analysis() {
  const { place: { q }, lang } = useApp();
  const list = useLoad((s) => api.measures(s), ['measures']);
  const measure = q.measure ?? list.data?.items[0]?.name ?? '';
  const by = BY.includes(q.by) ? q.by : 'rack';
  const m = list.data?.items.find((x) => x.name === measure);
  const start2 = () => {
    const r = range();
    if (!q.compare) return '';
    if (q.compare === 'before') return iso(r.start - (r.end - r.start));
    const back = parseSpan(q.compare);
    return back ? iso(r.start - back) : q.compare;
  };
  const got = useLoad((s) => {
    const r = range();
    return api.analysis({ measure, by, start: iso(r.start), end: iso(r.end), compare_start: start2(), filter: q.filter }, s);
  }, [`${measure} ${by}`, rangeKey(), q.compare, q.filter], { when: !!measure });
  const A = got.data;
  const two = !!q.compare;
  const cols = (lo: number, hi: number, unit: string): Col<api.AnalysisGroup>[] => [
    { k: 'key', name: word('group', by).replace(/^./, (c) => c.toUpperCase()), cell: (g) => (by === 'time' ? <Time v={g.key} /> : g.entity ? <Ent e={g.entity} text={g.key} /> : g.key || '–'), sort: (g) => g.key },
    { k: 'out', name: t('analysis.outlier'), cell: (g) => (g.outlier ? <Mark h="major" text={t('analysis.outlier')} /> : ''), sort: (g) => (g.outlier ? 0 : 1) },
    { k: 'n', name: t('analysis.count'), cell: (g) => number(g.count), sort: (g) => g.count, num: true },
    { k: 'span', name: t('analysis.spread'), cell: (g) => <Span g={g} lo={lo} hi={hi} /> },
    ...(['avg', 'p50', 'p95', 'min', 'max'] as const).map((k): Col<api.AnalysisGroup> => ({ k, name: word('stat', k), cell: (g) => value(g[k], unit), sort: (g) => g[k], num: true })),
    ...(two ? [
      { k: 'before', name: t('analysis.before'), cell: (g: api.AnalysisGroup) => value(g.previous?.avg, unit), sort: (g: api.AnalysisGroup) => g.previous?.avg ?? null, num: true },
      { k: 'delta', name: t('analysis.change'), cell: (g: api.AnalysisGroup) => <b>{change(g.avg, g.previous?.avg) || '–'}</b>, sort: (g: api.AnalysisGroup) => (g.avg !== null && g.previous?.avg ? g.avg / g.previous.avg : null), num: true },
    ] : []),
  ];
  return (
    <>
      <Head title={word('page', 'analysis')} sub={t('analysis.what')}>
        {A && <SaveCsv name={`analysis-${measure}-${by}`} cols={cols(0, 1, A.unit)} rows={A.groups} />}
      </Head>
      <div class="filters">
        <Pick name={t('analysis.measure')} value={measure} options={(list.data?.items ?? []).map((x) => [x.name, `${x.title[lang]} (${word('kind', x.kind)})`])} on={(v) => setQuery({ measure: v })} />
        <Pick name={t('analysis.by')} value={by} options={BY.map((b) => [b, word('group', b)])} on={(v) => setQuery({ by: v })} />
        <Pick name={t('analysis.compare')} value={q.compare ?? ''} options={[['', t('analysis.nocompare')], ['before', t('analysis.c.before')], ['24h', t('analysis.c.day')], ['7d', t('analysis.c.week')], ...(q.compare && !['before', '24h', '7d'].includes(q.compare) ? [[q.compare, formatTime(q.compare)] as [string, string]] : [])]} on={(v) => setQuery({ compare: v })} />
        <Field name={t('analysis.c.own')}><input type="datetime-local" value={q.compare && !Number.isNaN(Date.parse(q.compare)) ? toInput(Date.parse(q.compare)) : ''} onChange={(e) => { const v = fromInput((e.target as HTMLInputElement).value); if (v !== null) setQuery({ compare: iso(v) }); }} /></Field>
        <Field name={t('analysis.filter')}><input value={q.filter ?? ''} placeholder="job:4711" onChange={(e) => setQuery({ filter: (e.target as HTMLInputElement).value.trim() })} /></Field>
      </div>
      <Answer of={list}>{(l) => l.items.length ? <Answer of={got} lines={10}>{(a) => {
        const all = a.groups.flatMap((g) => [g.min, g.max, g.previous?.min ?? null, g.previous?.max ?? null]).filter((v): v is number => v !== null);
        const lo = Math.min(...all, Infinity);
        const hi = Math.max(...all, -Infinity);
        if (!a.groups.length) return <Panel><Empty why={t('analysis.none')} what={t('analysis.none.what')} /></Panel>;
        const c = cols(lo, hi, a.unit);
        const times = a.groups.map((g) => Date.parse(g.key) / 1000);
        return (
          <>
            {a.coverage < 0.99 && <div class="notice"><Mark h="unknown" text={t('state.partial')} /> {t('analysis.coverage', { p: percent(a.coverage, 1) })}</div>}
            {by === 'time' && <Panel title={m ? tx(m.title) : measure}><Plot name={m ? tx(m.title) : measure} times={times} unit={a.unit} series={[
              ...(['avg', 'p95', 'min', 'max'] as const).map((k) => ({ name: word('stat', k), values: a.groups.map((g) => g[k]) })),
              ...(two ? [{ name: `${word('stat', 'avg')} · ${t('analysis.before')}`, values: a.groups.map((g) => g.previous?.avg ?? null) }] : []),
            ]} /></Panel>}
            <div class="cols report">
              <Panel title={`${m ? tx(m.title) : measure} · ${word('group', by)}`}><Table name={t('analysis.measure')} cols={c} rows={a.groups} id={(g) => g.key} cls={(g) => (g.outlier ? 'bad' : '')} /></Panel>
              <Panel title={`${t('analysis.outliers')} (${a.outliers.length})`}>
                {a.outliers.length ? <ul class="list">{a.outliers.slice(0, q.outliers ? 1000 : 15).map((o) => <li key={o.entity}><Mark h={Math.abs(o.deviations) > 6 ? 'major' : 'minor'} bare /> <span class="grow"><Ent e={o.entity} /> <span class="dim">{o.group}</span></span> <b>{value(o.value, a.unit)}</b> <span class="dim">{t('analysis.expected', { v: value(o.expected, a.unit), n: Math.abs(o.deviations) > 99 ? '>99' : number(Math.abs(o.deviations), 1) })}</span></li>)}</ul> : <Empty why={t('analysis.nooutliers')} />}
                {a.outliers.length > 15 && !q.outliers && <Btn small on={() => setQuery({ outliers: 'all' }, true)}>{t('do.more', { n: a.outliers.length - 15 })}</Btn>}
              </Panel>
            </div>
          </>
        );
      }}</Answer> : <Empty why={t('analysis.nomeasures')} />}</Answer>
    </>
  );
}

export function Explorer() {
  const { place: { q } } = useApp();
  const [text, setText] = useState(q.expr ?? '');
  useEffect(() => setText(q.expr ?? ''), [q.expr]);
  const names = useLoad((s) => api.promNames(s), ['names']);
  const expr = q.expr ?? '';
  const r = range();
  const step = stepFor(r.start, r.end, 500);
  const chart = useLoad(async (s) => {
    const now = range();
    const list = await api.promRange(expr, now.start / 1000, now.end / 1000, step, s);
    return { list, ...align(list, now.start, now.end, step) };
  }, [expr, rangeKey(), step], { when: !!expr, every: r.moving ? Math.max(15, step) : undefined });
  const table = useLoad((s) => api.promQuery(expr, range().moving ? null : range().end / 1000, s), [expr, rangeKey()], { when: !!expr });
  const rows = (Array.isArray(table.data?.result) ? table.data.result : []).filter((x) => x && typeof x === 'object' && 'metric' in x);
  const named = [...new Set(rows.flatMap((x) => Object.keys(x.metric)))];
  // Labels that all rows share stand once above the table.
  const shared = rows.length > 1 ? named.filter((l) => rows.every((x) => x.metric[l] === rows[0].metric[l])) : [];
  const labels = named.filter((l) => !shared.includes(l)).slice(0, 9);
  const scalar = table.data && !rows.length && Array.isArray(table.data.result) ? String((table.data.result as unknown[])[1] ?? '') : '';
  return (
    <>
      <Head title={word('page', 'explorer')} sub={t('explorer.what')} />
      <Panel>
        <Form text={t('explorer.run')} send={async () => setQuery({ expr: text.trim() })}>
          <Field name="PromQL" wide><textarea class="mono" rows={2} required spellcheck={false} value={text} placeholder="avg by (Hostname) (DCGM_FI_DEV_GPU_TEMP)"
            onInput={(e) => setText((e.target as HTMLTextAreaElement).value)} onKeyDown={(e) => { if (e.key === 'Enter' && !e.shiftKey) { e.preventDefault(); setQuery({ expr: text.trim() }); } }} /></Field>
          <Field name={t('explorer.names')}><input list="names" placeholder={t('explorer.pick')} onChange={(e) => { const el = e.target as HTMLInputElement; setText((x) => (x ? `${x} ${el.value}` : el.value)); el.value = ''; }} /></Field>
          <datalist id="names">{(names.data ?? []).slice(0, 2000).map((n) => <option key={n} value={n} />)}</datalist>
        </Form>
      </Panel>
      {expr ? (
        <>
          <Panel title={t('explorer.chart')} right={<span class="dim">{t('explorer.step', { n: formatSpan(step) })}</span>}>
            <Answer of={chart} lines={8}>{(d) => <Plot name={expr} times={d.times} unit="" height={300} series={seriesNames(d.list.map((s) => s.metric), '', expr).map((name, i) => ({ name, values: d.rows[i] }))} />}</Answer>
          </Panel>
          <Panel title={t('explorer.table')}>
            <Answer of={table}>{() => rows.length ? <>{shared.length > 0 && <p class="shared">{shared.map((l) => <code key={l} class="chip">{l}="{rows[0].metric[l]}"</code>)}</p>}<Table name={t('explorer.table')} rows={rows.slice(0, 200)} id={(x) => JSON.stringify(x.metric)} cols={[
              ...labels.map((l): Col<api.PromSample> => ({ k: l, name: l, cell: (x) => <span class="mono">{x.metric[l] ?? ''}</span>, sort: (x) => x.metric[l] ?? null })),
              { k: 'value', name: t('col.value'), num: true, cell: (x) => <b>{number(Number(x.value[1]))}</b>, sort: (x) => Number(x.value[1]) },
            ]} />{rows.length > 200 && <p class="dim">{t('explorer.first', { n: 200, all: number(rows.length) })}</p>}</> : scalar ? <p class="mono">{scalar}</p> : <Empty why={t('chart.empty')} />}</Answer>
          </Panel>
        </>
      ) : (
        <Panel title={t('explorer.examples')}>
          <ul class="list">{[['explorer.e1', 'topk(10, DCGM_FI_DEV_GPU_TEMP)'], ['explorer.e2', 'sum by (instance) (rate(ifInErrors[5m])) > 0'], ['explorer.e3', 'min by (node, port) (optic_rx_power_dbm)'], ['explorer.e4', 'count(up == 0)']].map(([k, e]) => <li key={k}><a class="grow" href={href('explorer', '', { expr: e })}><code>{e}</code></a> <span class="dim">{t(k as 'explorer.e1')}</span></li>)}</ul>
        </Panel>
      )}
    </>
  );
}

export function Reliability() {
  useApp();
  const got = useLoad((s) => {
    const r = range();
    return api.reliability({ start: iso(r.start), end: iso(r.end) }, s);
  }, ['reliability', rangeKey()], { every: 60 });
  return (
    <>
      <Head title={word('page', 'reliability')} sub={t('rel.what')}><Btn on={() => print()}>{t('do.print')}</Btn></Head>
      <Answer of={got} lines={8}>{(r) => {
        const most = Math.max(1, ...r.by_reason.map((x) => x.lost_gpu_hours));
        return (
          <>
            <div class="stats">
              <Stat name={t('rel.effective')} v={percent(r.effective_ratio, 1)} sub={t('rel.effective.what')} />
              <Stat name="MTBF" v={formatSpan(r.mtbf_seconds)} sub={t('rel.mtbf')} />
              <Stat name="MTTR" v={formatSpan(r.mttr_seconds)} sub={t('rel.mttr')} />
              <Stat name={t('rel.interruptions')} v={number(r.interruptions)} />
              <Stat name={t('rel.lost')} v={number(r.lost_gpu_hours)} sub={t('rel.of', { n: number(r.gpu_hours) })} />
            </div>
            <div class="cols">
              <div>
                <Panel title={t('rel.timeline')}><Plot name={t('rel.effective')} unit="ratio" times={r.timeline.map((x) => Date.parse(x.time) / 1000)} series={[{ name: t('rel.effective'), values: r.timeline.map((x) => x.effective_ratio) }]} /></Panel>
                <Panel title={t('rel.byjob')}><Table name={t('rel.byjob')} rows={r.by_job} id={(x) => x.job} cols={[
                  { k: 'job', name: t('col.job'), cell: (x) => <a href={href('jobs', x.job)}><b>{x.job}</b></a>, sort: (x) => x.job },
                  { k: 'name', name: t('col.name'), cell: (x) => x.name, sort: (x) => x.name },
                  { k: 'eff', name: t('rel.effective'), cell: (x) => percent(x.effective_ratio, 1), sort: (x) => x.effective_ratio, num: true },
                  { k: 'lost', name: t('rel.lost'), cell: (x) => number(x.lost_gpu_hours), sort: (x) => x.lost_gpu_hours, num: true },
                  { k: 'gpuh', name: t('rel.gpuhours'), cell: (x) => number(x.gpu_hours), sort: (x) => x.gpu_hours, num: true },
                  { k: 'n', name: t('rel.interruptions'), cell: (x) => number(x.interruptions), sort: (x) => x.interruptions, num: true },
                ]} empty={<Empty why={t('rel.nojobs')} />} /></Panel>
              </div>
              <div>
                <Panel title={t('rel.byreason')}>{r.by_reason.length ? <ul class="bars">{r.by_reason.map((x) => <li key={x.reason}><span class="line"><span class="grow">{tx(x.title)}</span> <b>{number(x.lost_gpu_hours)} {t('rel.gpuh')}</b> <span class="dim">×{x.count}</span></span><Meter name={tx(x.title)} v={x.lost_gpu_hours / most} h="major" /></li>)}</ul> : <Empty why={t('rel.noloss')} />}</Panel>
                <Panel title={t('rel.hooks')}>
                  {r.breaker.limit > 0 ? <Props rows={[[t('rel.breaker'), <Mark h={r.breaker.state === 'open' ? 'major' : 'ok'} text={word('breaker', r.breaker.state)} />], [t('rel.used'), `${r.breaker.used} / ${r.breaker.limit} · ${formatSpan(r.breaker.window_seconds)}`], [t('rel.mode'), r.breaker.dry_run ? t('rel.dry') : t('rel.real')]]} /> : <p class="dim">{t('rel.unset')}</p>}
                  <ul class="list">{r.hooks.slice(0, 20).map((h, i) => <li key={i}><Time v={h.time} seconds /> <b>{h.action}</b> <span class="grow"><Ent e={h.entity} /></span> {h.dry_run && <span class="chip">{t('rel.dry')}</span>} <span>{word('hook', h.result)}</span> {h.incident && <a href={href('incidents', h.incident)}>{h.incident}</a>}</li>)}</ul>
                  {!r.hooks.length && r.breaker.limit > 0 && <p class="dim">{t('rel.nohooks')}</p>}
                </Panel>
              </div>
            </div>
          </>
        );
      }}</Answer>
    </>
  );
}
