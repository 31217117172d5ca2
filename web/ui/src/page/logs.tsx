// Logs: full-text search over the range, and a live tail. Log text is never translated or changed.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from '../api';
import { app, entityHref, href, range, rangeKey, set, setQuery, t, useApp, word } from '../base/app';
import { label } from '../base/entity';
import { useLoad } from '../base/load';
import { formatTime, iso } from '../base/time';
import { Answer, Btn, Empty, errorText, Head, Panel, QueryInput, QueryPick, SaveCsv, Time, type Col } from '../view/parts';

const bad = (s: string) => (['emerg', 'alert', 'crit'].includes(s) ? 'critical' : s === 'err' ? 'major' : s === 'warning' ? 'minor' : 'none');
const MOST = 1000;

function Lines({ rows }: { rows: api.LogLine[] }) {
  return (
    <div class="scroll logs" tabIndex={0} role="group" aria-label={word('page', 'logs')} onPointerEnter={(e) => e.pointerType === 'mouse' && set({ hold: true })} onPointerLeave={() => app.hold && set({ hold: false })}>
      <table>
        <caption class="sr">{word('page', 'logs')}</caption>
        <thead class="sr"><tr><th scope="col">{t('col.time')}</th><th scope="col">{t('col.object')}</th><th scope="col">{t('col.severity')}</th><th scope="col">{t('col.text')}</th></tr></thead>
        <tbody>
          {rows.map((l) => (
            <tr key={l.id} class={`sev-${bad(l.severity)}`}>
              <td><Time v={l.time} seconds /></td>
              <td><a href={entityHref(l.entity)}>{label(l.entity)}</a></td>
              <td><span class={`sev ${bad(l.severity)}`}>{l.severity || l.source}</span></td>
              <td class="text">{l.text}{l.code && <> <a class="chip" href={href('kb', l.code)}>{l.code}</a></>}{l.rank !== null && <span class="dim"> rank {l.rank}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function LogView({ fixed }: { fixed?: Record<string, string> }) {
  const { place: { q } } = useApp();
  const [tail, setTail] = useState(false);
  const [rows, setRows] = useState<api.LogLine[]>([]);
  const [fail, setFail] = useState('');
  const [more, setMore] = useState<api.LogLine[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const filter = { query: q.q, node: q.node, entity: q.entity, source: q.source, severity: q.severity, job: q.job, ...fixed };
  const key = JSON.stringify(filter);
  const got = useLoad((s) => {
    const r = range();
    return api.logs({ ...filter, start: iso(r.start), end: iso(r.end), limit: 200 }, s);
  }, ['logs', key, rangeKey()], { when: !tail });
  useEffect(() => {
    setMore([]);
    setNext(got.data?.next ?? null);
  }, [got.data]);
  const newest = useRef(Date.now() - 30e3);
  useEffect(() => {
    if (!tail) return;
    let on = true;
    newest.current = Date.now() - 60e3;
    setRows([]);
    const beat = async () => {
      if (!on || app.hold || app.hidden) return;
      try {
        const d = await api.logs({ ...filter, start: iso(newest.current), order: 'asc', limit: 500 });
        if (!on) return;
        setFail('');
        for (const l of d.items) newest.current = Math.max(newest.current, Date.parse(l.time));
        setRows((old) => {
          const ids = new Set(old.map((l) => l.id));
          return [...d.items.filter((l) => !ids.has(l.id)).reverse(), ...old].slice(0, MOST);
        });
      } catch (e) {
        setFail(errorText(e as api.ApiError));
      }
    };
    void beat();
    const id = setInterval(beat, 2000);
    return () => {
      on = false;
      clearInterval(id);
    };
  }, [tail, key]);
  const list = tail ? rows : [...(got.data?.items ?? []), ...more];
  const cols: Col<api.LogLine>[] = ['time', 'entity', 'source', 'severity', 'job', 'text'].map((k) => ({ k, name: k, cell: () => null, csv: (l: api.LogLine) => l[k as 'text'] }));
  const older = async () => {
    const r = range();
    const d = await api.logs({ ...filter, start: iso(r.start), end: iso(r.end), limit: 200, cursor: next });
    setMore((m) => [...m, ...d.items]);
    setNext(d.next);
  };
  return (
    <>
      <div class="filters">
        <QueryInput k="q" name={t('logs.find')} wide />
        <QueryPick k="source" name={t('col.source')} options={[['', t('filter.sources')], ...['kernel', 'syslog', 'job', 'switch'].map((s) => [s, word('logsource', s)] as [string, string])]} />
        <QueryPick k="severity" name={t('col.severity')} options={[['', t('filter.severities')], ['emerg,alert,crit', word('sev', 'crit')], ['emerg,alert,crit,err', word('sev', 'err')], ['emerg,alert,crit,err,warning', word('sev', 'warning')]]} />
        {q.entity && <Btn on={() => setQuery({ entity: null })}>{q.entity} ✕</Btn>}
        {q.job && !fixed?.job && <Btn on={() => setQuery({ job: null })}>{t('word.job')} {q.job} ✕</Btn>}
        <Btn kind={tail ? 'main' : undefined} pressed={tail} on={() => setTail(!tail)}>{tail ? t('logs.stop') : t('logs.tail')}</Btn>
        <SaveCsv name="logs" cols={cols} rows={list} />
      </div>
      <Panel>
        {tail ? (
          <>
            {fail && <div class="error" role="alert">{fail}</div>}
            <p class="dim" role="status">{t('logs.tailing', { n: rows.length })}</p>
            <Lines rows={rows} />
          </>
        ) : (
          <Answer of={got} lines={10}>{() => list.length ? (
            <>
              <Lines rows={list} />
              {next && <div class="pager"><Btn on={() => void older()}>{t('logs.older')}</Btn></div>}
            </>
          ) : <Empty why={t('logs.none', { from: formatTime(range().start), to: formatTime(range().end) })} what={t('logs.none.what')} />}</Answer>
        )}
      </Panel>
    </>
  );
}

export function Logs() {
  return (
    <>
      <Head title={word('page', 'logs')} sub={t('logs.syntax')} />
      <LogView />
    </>
  );
}
