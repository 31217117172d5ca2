// Health checks: what to check and what that costs said first, then run; the report with its outliers, against the last run, as a file.
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { app, can, go, href, setQuery, t, tx, useApp, word } from '../base/app';
import { verdictHealth, badness } from '../base/entity';
import { number, value } from '../base/format';
import { useLoad } from '../base/load';
import { formatSpan } from '../base/time';
import { Answer, Btn, CopyBtn, Empty, Ent, Field, Form, Head, Mark, Meter, Pager, Panel, Pick, Stat, T2, Table, Time, VerdictMark, errorText, type Col } from '../view/parts';

const VERDICTS: api.Verdict[] = ['fail', 'warn', 'unknown', 'pass'];
export const scopeText = (s: api.CheckScope) => (s.job ? `${t('word.job')} ${s.job}` : s.nodes ? s.nodes : s.cluster ? `${t('kind.cluster')} ${s.cluster}` : t('checks.everything'));

function Counts({ c, small }: { c: Record<api.Verdict, number>; small?: boolean }) {
  if (small) return <span class="row">{VERDICTS.filter((v) => c[v] || v === 'pass').map((v) => <span key={v} class="count"><Mark h={verdictHealth(v)} text={word('verdict', v)} bare /> {number(c[v])}</span>)}</span>;
  return <div class="stats">{VERDICTS.map((v) => <Stat key={v} name={word('verdict', v)} h={c[v] ? verdictHealth(v) : undefined} v={number(c[v])} />)}</div>;
}

export function Checks() {
  const { place: { q }, lang } = useApp();
  const profiles = useLoad((s) => api.checkProfiles(s), ['profiles']);
  const clusters = useLoad((s) => api.clusters(s), ['clusters']);
  const past = useLoad((s) => api.checks({ limit: 50, cursor: q.cursor }, s), ['checks', q.cursor], { every: 30 });
  const [kind, setKind] = useState<'cluster' | 'nodes' | 'job'>(q.job ? 'job' : q.nodes ? 'nodes' : 'cluster');
  const [what, setWhat] = useState(q.job ?? q.nodes ?? q.cluster ?? '');
  const [plan, setPlan] = useState<api.CheckPlan | null>(null);
  const [bad, setBad] = useState('');
  const [active, setActive] = useState(false);
  const profile = q.profile ?? (kind === 'cluster' ? 'full' : 'prejob');
  const target = what || (kind === 'cluster' ? clusters.data?.items[0]?.name ?? '' : '');
  const scope: api.CheckScope = target ? { [kind]: target } : {};
  const chosen = profiles.data?.items.find((p) => p.name === profile);
  useEffect(() => {
    setPlan(null);
    setBad('');
    if (!target) return;
    let on = true;
    const id = setTimeout(() => api.checkPlan(profile, scope).then((p) => on && setPlan(p), (e) => on && setBad(errorText(e))), 350);
    return () => {
      on = false;
      clearTimeout(id);
    };
  }, [profile, kind, target]);
  const cols: Col<api.CheckReport>[] = [
    { k: 'verdict', name: t('col.verdict'), cell: (r) => (r.state === 'running' ? t('checks.running') : <VerdictMark v={r.verdict} />), sort: (r) => -badness(verdictHealth(r.verdict)) },
    { k: 'started', name: t('col.start'), cell: (r) => <a href={href('checks', r.id)}><Time v={r.started} seconds /></a>, sort: (r) => r.started },
    { k: 'profile', name: t('checks.profile'), cell: (r) => profiles.data?.items.find((p) => p.name === r.profile)?.title[lang] ?? r.profile, sort: (r) => r.profile },
    { k: 'scope', name: t('checks.scope'), cell: (r) => scopeText(r.scope), sort: (r) => scopeText(r.scope), wide: true },
    { k: 'counts', name: t('checks.counts'), cell: (r) => <Counts c={r.counts} small /> },
    { k: 'exclude', name: t('checks.exclude'), cell: (r) => <span class="mono">{r.exclude || '–'}</span> },
    { k: 'dur', name: t('col.duration'), cell: (r) => formatSpan(r.duration_ms / 1000), sort: (r) => r.duration_ms, num: true },
  ];
  return (
    <>
      <Head title={word('page', 'checks')} sub={t('checks.what')} />
      <div class="cols">
        <Panel title={t('checks.new')}>
          <Answer of={profiles}>{(p) => (
            <Form text={t('checks.run')} send={async () => {
              if (!can('operator')) throw new api.ApiError(403, 'forbidden', '');
              if (!target) throw new api.ApiError(400, 'scope', t('checks.noscope'));
              const r = await api.checkRun(profile, scope, false, active);
              go(href('checks', r.id, { profile: null }));
            }}>
              <div class="row wrap">
                <Pick name={t('checks.profile')} value={profile} options={p.items.map((x) => [x.name, tx(x.title)])} on={(v) => setQuery({ profile: v }, true)} />
                <Pick name={t('checks.scope')} value={kind} options={[['cluster', t('kind.cluster')], ['nodes', t('checks.nodes')], ['job', t('word.job')]]} on={(v) => { setKind(v as 'job'); setWhat(''); }} />
                {kind === 'cluster' ? <Pick name={t('kind.cluster')} value={target} options={(clusters.data?.items ?? []).map((c) => [c.name, c.title || c.name])} on={setWhat} />
                  : <Field name={kind === 'job' ? t('checks.jobid') : t('checks.hostlist')} wide><input value={what} required placeholder={kind === 'job' ? '4711' : 'node[00001-00128]'} onInput={(e) => setWhat((e.target as HTMLInputElement).value.trim())} /></Field>}
              </div>
              {chosen && <p class="dim">{tx(chosen.description)}</p>}
              <label class="line"><input type="checkbox" checked={active} onChange={(e) => setActive((e.target as HTMLInputElement).checked)} /> {t('checks.active')}</label>
              {bad && <p class="bad" role="alert">{bad}</p>}
              <div class="plan">{plan && (
                <div class={`impact im-${plan.impact}`} role="status">
                  <b>{t('checks.impact')} {word('impact', plan.impact)}</b> <span>{tx(plan.impact_text)}</span>
                  <span class="dim">{t('checks.plan', { checks: plan.checks, time: formatSpan(plan.duration_ms / 1000) })} {Object.keys(plan.targets).map((k) => `${number(plan.targets[k])} ${word('kinds', k)}`).join(', ')}</span>
                </div>
              )}</div>
            </Form>
          )}</Answer>
        </Panel>
        <Panel title={t('checks.holds')}>
          {chosen ? (
            <div class="scroll short" tabIndex={0} role="group" aria-label={t('checks.holds')}>
              {['health', 'consistency', 'performance'].map((c) => {
                const list = chosen.checks.filter((x) => x.category === c);
                return list.length ? <div key={c}><h3>{word('category', c)} <span class="dim">{list.length}</span></h3><ul class="list">{list.map((x) => <li key={x.check}><span class="grow">{tx(x.title)}</span> <span class="dim">{x.impact === 'none' ? '' : word('impact', x.impact)}</span></li>)}</ul></div> : null;
              })}
            </div>
          ) : <Empty why={t('state.empty')} />}
        </Panel>
      </div>
      <Panel title={t('checks.past')}><Answer of={past}>{(d) => <><Table name={t('checks.past')} cols={cols} rows={d.items} id={(r) => r.id} cls={(r) => (r.verdict === 'fail' ? 'bad' : '')} empty={<Empty why={t('checks.nopast')} />} /><Pager next={d.next} /></>}</Answer></Panel>
    </>
  );
}

// Problems by check, the worst first: what is wrong and what to do said once, then where.
const MOST = 30;
function Groups({ rows, summary }: { rows: api.CheckItem[]; summary: api.CheckSummary[] }) {
  const [open, setOpen] = useState('');
  const by = new Map<string, api.CheckItem[]>();
  for (const i of rows) by.set(`${i.verdict} ${i.check}`, [...(by.get(`${i.verdict} ${i.check}`) ?? []), i]);
  const list = [...by].sort((a, b) => badness(verdictHealth(b[1][0].verdict)) - badness(verdictHealth(a[1][0].verdict)) || b[1].length - a[1].length);
  return (
    <>
      {list.map(([k, all]) => {
        const i = all[0];
        const reasons = new Set(all.map((x) => tx(x.reason)));
        const limits = new Set(all.map((x) => x.expected ?? ''));
        const shown = open === k ? all : all.slice(0, MOST);
        return (
          <section key={k} class={`found v-${i.verdict}`}>
            <h3 class="line"><VerdictMark v={i.verdict} /> <span>{tx(summary.find((s) => s.check === i.check)?.title) || i.check}</span> <span class="dim">{number(all.length)}</span></h3>
            {reasons.size === 1 && tx(i.reason) && <p>{tx(i.reason)}{limits.size === 1 && i.expected && <span class="dim"> · {t('col.expected')} <span class="mono">{i.expected}</span></span>}</p>}
            {i.actions.map((a, n) => <p key={n} class="dim">→ <T2 v={a} /></p>)}
            <ul class="objects">
              {shown.map((x) => (
                <li key={x.entity}>
                  <Ent e={x.entity} />
                  {x.observed !== null && <b>{typeof x.observed === 'number' ? value(x.observed, '') : x.observed}</b>}
                  {limits.size > 1 && x.expected && <span class="dim mono">{x.expected}</span>}
                  {reasons.size > 1 && <span class="dim">{tx(x.reason)}</span>}
                </li>
              ))}
            </ul>
            {all.length > shown.length && <Btn small on={() => setOpen(k)}>{t('do.more', { n: number(all.length - shown.length) })}</Btn>}
          </section>
        );
      })}
    </>
  );
}

export function CheckPage() {
  const { place: { id, q }, lang } = useApp();
  const only = q.all !== '1';
  const got = useLoad((s) => api.check(id, only, s), [id, only]);
  const running = got.data?.state === 'running';
  useEffect(() => {
    if (!running) return;
    const i = setInterval(got.reload, 1000);
    return () => clearInterval(i);
  }, [running]);
  const cols: Col<api.CheckItem>[] = [
    { k: 'verdict', name: t('col.verdict'), cell: (i) => <VerdictMark v={i.verdict} />, sort: (i) => -badness(verdictHealth(i.verdict)), csv: (i) => i.verdict },
    { k: 'entity', name: t('col.object'), cell: (i) => <Ent e={i.entity} />, sort: (i) => i.entity },
    { k: 'check', name: t('col.check'), cell: (i) => got.data?.summary.find((s) => s.check === i.check)?.title[lang] ?? i.check, sort: (i) => i.check },
    { k: 'obs', name: t('col.observed'), cell: (i) => <b>{typeof i.observed === 'number' ? value(i.observed, '') : i.observed ?? '–'}</b>, num: true, csv: (i) => i.observed },
    { k: 'exp', name: t('col.expected'), cell: (i) => i.expected ?? '–', csv: (i) => i.expected },
    { k: 'why', name: t('col.reason'), wide: true, cell: (i) => <><T2 v={i.reason} />{i.actions.map((a, k) => <div key={k} class="dim">→ <T2 v={a} /></div>)}</>, csv: (i) => tx(i.reason) },
  ];
  return (
    <Answer of={got} lines={8}>{(r) => {
      const rows = r.items.filter((i) => (!only || i.verdict !== 'pass') && (!q.check || i.check === q.check));
      return (
        <>
          <Head title={`${t('checks.report')} ${r.id}`} mark={<VerdictMark v={r.verdict} />} sub={<><b>{r.profile}</b> <span>{scopeText(r.scope)}</span> <Time v={r.started} seconds /> <span>{formatSpan(r.duration_ms / 1000)}</span> {r.user && <span>{r.user}</span>}</>}>
            <span class="noprint row wrap">
              <a class="btn" href={api.checkFile(r.id, 'csv', lang)} download>CSV</a>
              <a class="btn" href={api.checkFile(r.id, 'json', lang)} download>JSON</a>
              <a class="btn" href={api.checkFile(r.id, 'html', lang)} download>HTML</a>
              <Btn on={() => print()}>{t('do.print')}</Btn>
              {can('operator') && <Btn kind="main" on={() => void api.checkRun(r.profile, r.scope).then((x) => go(href('checks', x.id)))}>{t('checks.again')}</Btn>}
            </span>
          </Head>
          {r.state === 'running' && <div class="notice" role="status">{t('checks.running')} <Meter name={t('checks.running')} v={r.progress} /> {Math.round(r.progress * 100)} %</div>}
          <Counts c={r.counts} />
          {r.exclude && <div class="notice bad"><b>{t('checks.exclude')}</b> <code>{r.exclude}</code> <CopyBtn small text={() => r.exclude} /></div>}
          <Panel title={t('checks.last')}>
            {r.previous ? (
              <>
                <p>{t('checks.against')} <a href={href('checks', r.previous.id)}><Time v={r.previous.started} seconds /></a>: {VERDICTS.map((v) => {
                  const d = r.counts[v] - r.previous!.counts[v];
                  return <span key={v} class="count"><VerdictMark v={v} /> {d > 0 ? `+${d}` : d === 0 ? '±0' : d}</span>;
                })}</p>
                <div class="row wrap top">
                  <div><h3>{t('checks.newbad')} ({r.previous.new.length})</h3><ul class="list">{r.previous.new.slice(0, 20).map((x, k) => <li key={k}><VerdictMark v={x.verdict} /> <Ent e={x.entity} /> <span class="dim">{x.check}</span></li>)}</ul></div>
                  <div><h3>{t('checks.fixed')} ({r.previous.fixed.length})</h3><ul class="list">{r.previous.fixed.slice(0, 20).map((x, k) => <li key={k}><VerdictMark v="pass" /> <Ent e={x.entity} /> <span class="dim">{x.check}</span></li>)}</ul></div>
                </div>
              </>
            ) : <p class="dim">{t('checks.nolast')}</p>}
          </Panel>
          <div class="cols report">
            <Panel title={only ? t('checks.problems', { n: rows.length }) : t('checks.items', { n: rows.length })} right={<>
              {q.check && <Btn small on={() => setQuery({ check: null })}>{q.check} ✕</Btn>}
              {!only && r.counts.pass > 0 && can('operator') && !r.items.some((i) => i.verdict === 'pass') && <Btn small on={() => void api.checkRun(r.profile, r.scope, true).then((x) => go(href('checks', x.id, { all: 1 })))}>{t('checks.withpassed', { n: r.counts.pass })}</Btn>}
              <label class="tick"><input type="checkbox" checked={only} onChange={(e) => setQuery({ all: (e.target as HTMLInputElement).checked ? null : 1 })} /> {t('checks.only')}</label>
            </>}>
              {only && !q.check && rows.length ? <Groups rows={rows} summary={r.summary} /> : <Table name={t('checks.report')} cols={cols} rows={rows.slice(0, 1000)} id={(i) => `${i.check} ${i.entity}`} cls={(i) => (i.verdict === 'fail' ? 'bad' : '')} empty={<Empty why={r.state === 'running' ? t('checks.running') : t('checks.allpass')} />} />}
            </Panel>
            <Panel title={t('checks.summary')}>
              <ul class="list">
                {[...r.summary].sort((a, b) => b.fail - a.fail || b.warn - a.warn || b.unknown - a.unknown).map((s) => {
                  const v: api.Verdict = s.fail ? 'fail' : s.warn ? 'warn' : s.unknown && !s.pass ? 'unknown' : 'pass';
                  return <li key={s.check}><VerdictMark v={v} /> <a class="grow" href={href('checks', id, { ...app.place.q, check: s.check })}>{tx(s.title)}</a> <span class="dim">{number(s.pass)} / {number(s.pass + s.warn + s.fail + s.unknown)}</span></li>;
                })}
              </ul>
            </Panel>
          </div>
        </>
      );
    }}</Answer>
  );
}
