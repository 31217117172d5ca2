// The knowledge base: search, one entry with its provenance, and a site's own entries, linted as one types.
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { can, go, href, t, tx, useApp, word } from '../base/app';
import { number, percent } from '../base/format';
import { useLoad } from '../base/load';
import { Answer, Btn, Dialog, Empty, errorText, Field, Form, Head, options, Pager, Panel, QueryInput, QueryPick, SeverityMark, T2 } from '../view/parts';

export const CLASSES = ['gpu', 'gpu-memory', 'nvlink', 'pcie', 'nic', 'optic', 'switch', 'congestion', 'fabric-config', 'storage', 'host-memory', 'host-cpu', 'host-os', 'software-version', 'power', 'cooling', 'clock', 'environment', 'user-code', 'user-oom', 'user-data', 'framework', 'scheduler', 'telemetry', 'unknown'];

export function Kb() {
  const { place: { q } } = useApp();
  const got = useLoad((s) => api.kb({ q: q.q, class: q.class, origin: q.origin, limit: 50, cursor: q.cursor }, s), ['kb', q.q, q.class, q.origin, q.cursor]);
  return (
    <>
      <Head title={word('page', 'kb')} sub={got.data?.total !== undefined && t('kb.total', { n: number(got.data.total) })}>
        <QueryInput k="q" name={t('kb.find')} />
        <QueryPick k="class" name={t('col.class')} options={options('class', CLASSES, 'filter.classes')} />
        <QueryPick k="origin" name={t('col.origin')} options={options('kborigin', ['builtin', 'site'], 'filter.origins')} />
        {can('operator') && <a class="btn" href={href('kb', 'new')}>+ {t('kb.new')}</a>}
      </Head>
      <Answer of={got} lines={10}>{(d) => d.items.length ? (
        <>
          <ul class="results">
            {d.items.map((e) => (
              <li key={e.id} class="panel">
                <div class="line"><SeverityMark s={e.severity} bare /> <a class="grow" href={href('kb', e.id)}><b>{tx(e.title)}</b></a> <code>{e.id}</code></div>
                <p>{tx(e.description).slice(0, 240)}{tx(e.description).length > 240 && '…'}</p>
                <p class="dim"><span class="chip">{word('class', e.class)}</span> {word('kind', e.scope)} · {word('kbrole', e.role)} · {word('kborigin', e.origin)}{e.advice.length > 0 && ` · ${[...new Set(e.advice.map((a) => a.by))].join(', ')}`}</p>
              </li>
            ))}
          </ul>
          <Pager next={d.next} />
        </>
      ) : <Panel><Empty why={t('kb.none')} what={t('kb.none.what')} /></Panel>}</Answer>
    </>
  );
}

const EMPTY = `- id: site.my-fault
  class: unknown
  scope: node
  role: root
  severity: warning
  title:
    en: What it is
    zh: 故障名称
  description:
    en: What one sees, and why
    zh: 现象与原因
  actions:
    - en: What to do
      zh: 处理办法
  signals:
    - log:
        pattern: 'my driver: error (?<code>\\d+)'
        match:
          - 'kernel: my driver: error 17'
        reject:
          - 'kernel: my driver: ready'
`;

export function KbEdit() {
  const { place: { q } } = useApp();
  const [text, setText] = useState('');
  const [lint, setLint] = useState<{ ok: boolean; problems: api.LintProblem[] } | null>(null);
  const [bad, setBad] = useState('');
  useEffect(() => {
    if (q.incident) api.kbDraft(q.incident).then((d) => setText(d.yaml), (e) => setBad(errorText(e)));
    else if (q.edit) api.kbEntry(q.edit).then((e) => setText(e.yaml), (e) => setBad(errorText(e)));
    else setText(EMPTY);
  }, [q.incident, q.edit]);
  useEffect(() => {
    if (!text) return;
    let on = true;
    const id = setTimeout(() => api.kbLint(text).then((r) => on && (setLint(r), setBad('')), (e) => on && setBad(errorText(e))), 500);
    return () => {
      on = false;
      clearTimeout(id);
    };
  }, [text]);
  const id = /^- id:\s*['"]?([\w.-]+)/m.exec(text)?.[1] ?? '';
  const lines = text.split('\n');
  return (
    <>
      <Head title={t('kb.edit')} sub={q.incident ? <>{t('kb.from')} <a href={href('incidents', q.incident)}>{q.incident}</a></> : t('kb.edit.what')} />
      <div class="cols">
        <Panel title={id || '?'}>
          <Form text={t('kb.save')} send={async () => {
            const e = await api.kbSave(id, text);
            go(href('kb', e.id));
          }}>
            <Field name="YAML" wide><textarea class="mono code" rows={Math.max(24, Math.min(50, lines.length + 2))} spellcheck={false} value={text} onInput={(e) => setText((e.target as HTMLTextAreaElement).value)} /></Field>
          </Form>
        </Panel>
        <Panel title={t('kb.lint')}>
          {bad && <p class="bad" role="alert">{bad}</p>}
          {lint && (
            <div role="status">
              <p>{lint.ok ? <span class="mark h-ok"><span class="sym s-ok" aria-hidden="true">●</span> {t('kb.ok')}</span> : <span class="mark h-major"><span class="sym s-major" aria-hidden="true">▲</span> {t('kb.notok', { n: lint.problems.length })}</span>}</p>
              <ul class="problems">{lint.problems.map((p, i) => <li key={i}><b>{p.line}:{p.column}</b> {word('lint', p.severity)} {p.message}<code>{lines[p.line - 1]}</code></li>)}</ul>
            </div>
          )}
        </Panel>
      </div>
    </>
  );
}

export function KbPage() {
  const { place: { id } } = useApp();
  const got = useLoad((s) => api.kbEntry(id, s), [id]);
  const [gone, setGone] = useState(false);
  return (
    <Answer of={got} lines={8}>{(e) => (
      <>
        <Head title={tx(e.title)} mark={<SeverityMark s={e.severity} bare />} sub={<><code>{e.id}</code> <span class="chip">{word('class', e.class)}</span> <span>{word('kind', e.scope)}</span> <span>{word('kbrole', e.role)}</span> <span>{word('kborigin', e.origin)} · {e.file}</span></>}>
          <a class="btn" href={href('incidents', '', { state: 'all', q: e.id })}>{t('kb.incidents')}</a>
          <a class="btn" href={href('logs', '', { q: e.id })}>{t('diag.logs')}</a>
          {can('operator') && <a class="btn" href={href('kb', 'new', { edit: e.id })}>{e.origin === 'site' ? t('do.edit') : t('kb.override')}</a>}
          {can('operator') && e.origin === 'site' && <Btn kind="danger" on={() => setGone(true)}>{t('do.remove')}</Btn>}
        </Head>
        {e.origin === 'site' && <div class="notice quiet" role="note">{t('kb.restart')} <code>systemctl restart myriascoped</code></div>}
        <div class="cols">
          <div>
            <Panel title={t('kb.what')}><p class="prose"><T2 v={e.description} /></p></Panel>
            <Panel title={t('diag.actions')} class="todo"><ol>{e.actions.map((a, i) => <li key={i}><T2 v={a} /></li>)}</ol></Panel>
            <Panel title={t('kb.advice')}>
              {e.advice.length ? e.advice.map((a, i) => <blockquote key={i}><p><T2 v={a.says} /></p><footer class="dim">{a.by} · {a.source} · {a.version}</footer></blockquote>) : <p class="dim">{t('kb.noadvice')}</p>}
              {e.references.length > 0 && <ul>{e.references.map((r) => <li key={r.url}><a href={r.url} target="_blank" rel="noreferrer noopener">{r.title}</a></li>)}</ul>}
            </Panel>
          </div>
          <div>
            <Panel title={t('kb.signals')}>
              {e.signals.map((s, i) => (
                <div key={i} class="signal">
                  <span class="chip">{word('signal', s.type)}</span> {s.source && <span class="dim">{s.source}</span>}
                  <code class="block">{s.text}</code>
                  {s.match?.map((m, k) => <code key={k} class="block ex">✓ {m}</code>)}
                  {s.reject?.map((m, k) => <code key={k} class="block ex no">✕ {m}</code>)}
                </div>
              ))}
              {e.clears && <p><b>{t('kb.clears')}</b> {e.clears.after && t('kb.after', { n: e.clears.after })} {e.clears.pattern && <code>{e.clears.pattern}</code>} {e.clears.event && <a href={href('kb', e.clears.event)}>{e.clears.event}</a>}</p>}
            </Panel>
            <Panel title={t('kb.causes')}>{e.causes.length ? <ul class="list">{e.causes.map((c) => <li key={c.symptom + c.path}><a class="grow" href={href('kb', c.symptom)}>{c.symptom}</a> <span class="dim mono">{c.path}</span> <b>{percent(c.probability)}</b> <span class="dim">{c.delay}</span></li>)}</ul> : <p class="dim">{t('kb.nocauses')}</p>}</Panel>
            <Panel title={t('kb.causedby')}>{e.caused_by.length ? <p>{e.caused_by.map((c) => <a key={c} class="chip" href={href('kb', c)}>{c}</a>)}</p> : <p class="dim">{t('kb.nocausedby')}</p>}</Panel>
            <Panel title="YAML"><pre class="code" tabIndex={0}>{e.yaml}</pre></Panel>
          </div>
        </div>
        {gone && <Dialog title={t('do.remove')} close={() => setGone(false)}><Form kind="danger" text={t('do.remove')} send={async () => { await api.kbRemove(e.id); go(href('kb')); }}><p>{e.id}</p></Form></Dialog>}
      </>
    )}</Answer>
  );
}
