// Alerts (receivers, deliveries, silences, rules), settings (users, tokens, agents, sources), and the sign-in page.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from '../api';
import { app, can, go, href, set, setLang, setQuery, t, tx, useApp, word } from '../base/app';
import { number, percent, value } from '../base/format';
import { useLoad } from '../base/load';
import { formatSpan, iso } from '../base/time';
import { Answer, Btn, CopyBtn, Dialog, Empty, Ent, errorText, Field, Form, Head, Mark, options, Pager, Panel, Pick, QueryInput, QueryPick, Table, Tabs, Time } from '../view/parts';

const val = (e: Event) => (e.target as HTMLInputElement).value;

function Receivers() {
  const got = useLoad((s) => api.receivers(s), ['receivers'], { every: 20, on: ['alert'] });
  const [said, setSaid] = useState<Record<string, string>>({});
  return <Panel><Answer of={got}>{(d) => <Table name={t('alerts.receivers')} rows={d.items} id={(r) => r.name} cls={(r) => (r.state === 'failing' ? 'bad' : '')} empty={<Empty why={t('alerts.noreceivers')} what={t('alerts.noreceivers.what')} />} cols={[
    { k: 'state', name: t('col.state'), cell: (r) => <Mark h={r.state === 'failing' ? 'critical' : r.state === 'ok' ? 'ok' : 'unknown'} text={word('rstate', r.state)} />, sort: (r) => r.state },
    { k: 'name', name: t('col.name'), cell: (r) => <b>{r.name}</b>, sort: (r) => r.name },
    { k: 'kind', name: t('col.kind'), cell: (r) => word('receiver', r.kind), sort: (r) => r.kind },
    { k: 'target', name: t('alerts.target'), cell: (r) => <span class="mono">{r.target}</span>, wide: true },
    { k: 'pending', name: t('alerts.pending'), cell: (r) => number(r.pending), num: true, sort: (r) => r.pending },
    { k: 'last', name: t('alerts.lastok'), cell: (r) => <Time v={r.last_success} seconds /> },
    { k: 'err', name: t('alerts.lasterr'), cell: (r) => (r.last_error ? <>{r.last_error} <Time v={r.last_error_time} seconds /></> : '–') },
    { k: 'test', name: t('alerts.test'), cell: (r) => can('operator') ? <><Btn small on={() => { setSaid({ ...said, [r.name]: '…' }); api.receiverTest(r.name).then((x) => setSaid({ ...said, [r.name]: `${x.ok ? '✓' : '✕'} ${x.message}` }), (e) => setSaid({ ...said, [r.name]: `✕ ${errorText(e)}` })); }}>{t('alerts.test')}</Btn> <span role="status">{said[r.name]}</span></> : null },
  ]} />}</Answer></Panel>;
}

function Deliveries() {
  const { place: { q } } = useApp();
  const got = useLoad((s) => api.deliveries({ state: q.state, limit: 100, cursor: q.cursor }, s), ['deliveries', q.state, q.cursor], { every: 15, on: ['alert'] });
  return (
    <>
      <div class="filters"><QueryPick k="state" name={t('col.state')} options={options('dstate', ['pending', 'delivered', 'failed', 'silenced'], 'filter.states')} /></div>
      <Panel><Answer of={got}>{(d) => <><Table name={t('alerts.deliveries')} rows={d.items} id={(x) => x.id} cls={(x) => (x.state === 'failed' ? 'bad' : '')} empty={<Empty why={t('alerts.nodeliveries')} />} cols={[
        { k: 'state', name: t('col.state'), cell: (x) => <Mark h={x.state === 'failed' ? 'critical' : x.state === 'delivered' ? 'ok' : x.state === 'pending' ? 'minor' : 'unknown'} text={word('dstate', x.state)} />, sort: (x) => x.state },
        { k: 'created', name: t('col.time'), cell: (x) => <Time v={x.created} seconds />, sort: (x) => x.created },
        { k: 'inc', name: t('col.incident'), wide: true, cell: (x) => <a href={href('incidents', x.incident)}>{tx(x.title) || x.incident}</a> },
        { k: 'rec', name: t('alerts.receiver'), cell: (x) => x.receiver, sort: (x) => x.receiver },
        { k: 'rev', name: t('alerts.revision'), cell: (x) => x.revision, num: true },
        { k: 'tries', name: t('alerts.attempts'), cell: (x) => x.attempts, num: true, sort: (x) => x.attempts },
        { k: 'took', name: t('alerts.took'), cell: (x) => (x.delivered ? formatSpan((Date.parse(x.delivered) - Date.parse(x.created)) / 1000) : x.next_attempt ? <>{t('alerts.next')} <Time v={x.next_attempt} seconds /></> : '–') },
        { k: 'err', name: t('alerts.lasterr'), cell: (x) => x.error ?? '–' },
      ]} /><Pager next={d.next} /></>}</Answer></Panel>
    </>
  );
}

const MATCH = ['entity', 'node', 'rack', 'cluster', 'job', 'tenant', 'class', 'cause', 'severity'];
function Silences() {
  const { place: { q } } = useApp();
  const got = useLoad((s) => api.silences(s), ['silences'], { every: 30 });
  const [open, setOpen] = useState(!!q.entity);
  const [name, setName] = useState('entity');
  const [v, setV] = useState(q.entity ?? '');
  const [regex, setRegex] = useState(false);
  const [hours, setHours] = useState('2');
  const [comment, setComment] = useState('');
  const rank = { active: 0, pending: 1, expired: 2 };
  return (
    <>
      {can('operator') && <div class="filters"><Btn kind="main" on={() => setOpen(true)}>+ {t('alerts.silence')}</Btn></div>}
      <Panel><Answer of={got}>{(d) => <Table name={t('alerts.silences')} rows={[...d.items].sort((a, b) => rank[a.state] - rank[b.state] || b.end.localeCompare(a.end))} id={(x) => x.id} empty={<Empty why={t('alerts.nosilences')} what={t('alerts.nosilences.what')} />} cols={[
        { k: 'state', name: t('col.state'), cell: (x) => <span class={`sstate ${x.state}`}>{word('sstate', x.state)}</span> },
        { k: 'm', name: t('alerts.matchers'), wide: true, cell: (x) => x.matchers.map((m, i) => <code key={i} class="chip">{m.name}{m.equal ? '=' : '!='}{m.regex ? '~' : ''}{m.value}</code>) },
        { k: 'from', name: t('range.from'), cell: (x) => <Time v={x.start} /> },
        { k: 'to', name: t('range.to'), cell: (x) => <Time v={x.end} /> },
        { k: 'user', name: t('col.user'), cell: (x) => x.user },
        { k: 'c', name: t('col.comment'), cell: (x) => x.comment },
        { k: 'do', name: t('alerts.end'), cell: (x) => (x.state !== 'expired' && can('operator') ? <Btn small on={() => void api.silenceEnd(x.id).then(got.reload)}>{t('alerts.expire')}</Btn> : null) },
      ]} />}</Answer></Panel>
      {open && (
        <Dialog title={t('alerts.silence')} close={() => setOpen(false)}>
          <Form text={t('alerts.silence')} done={() => { setOpen(false); got.reload(); }} send={() => api.silenceAdd({ matchers: [{ name, value: v, regex, equal: true }], start: iso(Date.now()), end: iso(Date.now() + Number(hours) * 36e5), comment })}>
            <div class="grid2">
              <Pick name={t('alerts.match')} value={name} options={MATCH.map((m) => [m, m])} on={setName} />
              <Field name={t('col.value')}><input required value={v} onInput={(e) => setV(val(e))} placeholder="node:node00001" /></Field>
              <Pick name={t('alerts.for')} value={hours} options={[['0.5', '30 min'], ['2', '2 h'], ['8', '8 h'], ['24', '24 h'], ['168', '7 d']]} on={setHours} />
              <Field name={t('col.comment')}><input required value={comment} onInput={(e) => setComment(val(e))} /></Field>
            </div>
            <label class="tick"><input type="checkbox" checked={regex} onChange={(e) => setRegex((e.target as HTMLInputElement).checked)} /> {t('alerts.regex')}</label>
          </Form>
        </Dialog>
      )}
    </>
  );
}

function Rules() {
  const got = useLoad((s) => api.promRules(s), ['rules'], { every: 30 });
  return <Answer of={got}>{(groups) => groups.length ? <>{groups.map((g) => (
    <Panel key={g.file + g.name} title={g.name} right={<span class="dim mono">{g.file}</span>}>
      <Table name={g.name} rows={g.rules} id={(r) => r.name + r.query} cols={[
        { k: 's', name: t('col.state'), cell: (r) => <Mark h={r.health === 'err' ? 'critical' : r.state === 'firing' ? 'major' : r.state === 'pending' ? 'minor' : r.health === 'unknown' ? 'unknown' : 'ok'} text={r.health === 'err' ? r.lastError || 'err' : r.state ? word('rule', r.state) : word('rule', 'recording')} /> },
        { k: 'n', name: t('col.name'), cell: (r) => <b>{r.name}</b> },
        { k: 'q', name: 'PromQL', wide: true, cell: (r) => <a href={href('explorer', '', { expr: r.query })}><code>{r.query}</code></a> },
        { k: 'd', name: t('alerts.for'), cell: (r) => (r.duration ? formatSpan(r.duration) : '–') },
      ]} />
    </Panel>
  ))}</> : <Panel><Empty why={t('alerts.norules')} what={t('alerts.norules.what')} /></Panel>}</Answer>;
}

export function Alerts() {
  const { place: { id } } = useApp();
  const tab = ['deliveries', 'silences', 'rules'].includes(id) ? id : 'receivers';
  return (
    <>
      <Head title={word('page', 'alerts')} />
      <Tabs now={tab} tabs={['receivers', 'deliveries', 'silences', 'rules'].map((k) => [k, word('alerts', k), href('alerts', k === 'receivers' ? '' : k)])} />
      {tab === 'receivers' && <Receivers />}
      {tab === 'deliveries' && <Deliveries />}
      {tab === 'silences' && <Silences />}
      {tab === 'rules' && <Rules />}
    </>
  );
}

const ROLES = ['viewer', 'operator', 'admin'];
function Users() {
  const got = useLoad((s) => api.users(s), ['users']);
  const [edit, setEdit] = useState<api.User | null>(null);
  const [fresh, setFresh] = useState(false);
  const [pass, setPass] = useState('');
  const start = (u: api.User, isNew: boolean) => { setEdit(u); setFresh(isNew); setPass(''); };
  return (
    <>
      <div class="filters"><Btn kind="main" on={() => start({ name: '', role: 'viewer', tenant: null, disabled: false, last_seen: null }, true)}>+ {t('users.add')}</Btn></div>
      <Panel><Answer of={got}>{(d) => <Table name={t('settings.users')} rows={d.items} id={(u) => u.name} empty={<Empty why={t('users.none')} what={app.session?.auth === 'none' ? t('users.noauth') : t('users.none.what')} />} cols={[
        { k: 'name', name: t('col.name'), cell: (u) => <b>{u.name}</b>, sort: (u) => u.name },
        { k: 'role', name: t('col.role'), cell: (u) => word('userrole', u.role), sort: (u) => u.role },
        { k: 'tenant', name: t('col.tenant'), cell: (u) => u.tenant ?? t('users.alltenants'), sort: (u) => u.tenant },
        { k: 'on', name: t('col.state'), cell: (u) => (u.disabled ? t('users.disabled') : t('users.enabled')) },
        { k: 'seen', name: t('col.seen'), cell: (u) => <Time v={u.last_seen} /> },
        { k: 'do', name: t('do.edit'), cell: (u) => <Btn small on={() => start(u, false)}>{t('do.edit')}</Btn> },
      ]} />}</Answer></Panel>
      {edit && (
        <Dialog title={fresh ? t('users.add') : edit.name} close={() => setEdit(null)}>
          <Form text={t('do.save')} done={() => { setEdit(null); got.reload(); }} send={() => api.userPut(edit.name, { role: edit.role, tenant: edit.tenant || null, disabled: edit.disabled, ...(pass ? { password: pass } : {}) })}>
            <div class="grid2">
              {fresh && <Field name={t('col.name')}><input required value={edit.name} autocomplete="off" onInput={(e) => setEdit({ ...edit, name: val(e) })} /></Field>}
              <Pick name={t('col.role')} value={edit.role} options={options('userrole', ROLES)} on={(v) => setEdit({ ...edit, role: v as api.Role })} />
              <Field name={t('col.tenant')}><input value={edit.tenant ?? ''} placeholder={t('users.alltenants')} onInput={(e) => setEdit({ ...edit, tenant: val(e) })} /></Field>
              <Field name={t('signin.password')}><input type="password" autocomplete="new-password" required={fresh} value={pass} onInput={(e) => setPass(val(e))} /></Field>
            </div>
            <label class="tick"><input type="checkbox" checked={edit.disabled} onChange={(e) => setEdit({ ...edit, disabled: (e.target as HTMLInputElement).checked })} /> {t('users.disable')}</label>
          </Form>
          {!fresh && <Form kind="danger" text={t('do.remove')} done={() => { setEdit(null); got.reload(); }} send={() => api.userRemove(edit.name)} />}
        </Dialog>
      )}
    </>
  );
}

function Tokens() {
  const got = useLoad((s) => api.tokens(s), ['tokens']);
  const [open, setOpen] = useState(false);
  const [name, setName] = useState('');
  const [role, setRole] = useState('viewer');
  const [life, setLife] = useState('720');
  const [secret, setSecret] = useState('');
  return (
    <>
      <div class="filters"><Btn kind="main" on={() => { setOpen(true); setSecret(''); }}>+ {t('tokens.add')}</Btn></div>
      <Panel><Answer of={got}>{(d) => <Table name={t('settings.tokens')} rows={d.items} id={(x) => x.id} empty={<Empty why={t('tokens.none')} />} cols={[
        { k: 'name', name: t('col.name'), cell: (x) => <b>{x.name}</b>, sort: (x) => x.name },
        { k: 'role', name: t('col.role'), cell: (x) => word('userrole', x.role), sort: (x) => x.role },
        { k: 'tenant', name: t('col.tenant'), cell: (x) => x.tenant ?? t('users.alltenants') },
        { k: 'made', name: t('col.created'), cell: (x) => <Time v={x.created} />, sort: (x) => x.created },
        { k: 'exp', name: t('tokens.expires'), cell: (x) => (x.expires ? <Time v={x.expires} /> : t('tokens.never')), sort: (x) => x.expires },
        { k: 'used', name: t('tokens.used'), cell: (x) => <Time v={x.last_used} />, sort: (x) => x.last_used },
        { k: 'do', name: t('do.remove'), cell: (x) => <Btn small kind="danger" on={() => void api.tokenRemove(x.id).then(got.reload)}>{t('tokens.revoke')}</Btn> },
      ]} />}</Answer></Panel>
      {open && (
        <Dialog title={t('tokens.add')} close={() => { setOpen(false); setSecret(''); }}>
          {secret ? <><p>{t('tokens.once')}</p><pre class="code" tabIndex={0}>{secret}</pre><CopyBtn text={() => secret} /></> : (
            <Form text={t('tokens.add')} send={async () => {
              const r = await api.tokenAdd({ name, role, tenant: null, expires: life ? iso(Date.now() + Number(life) * 36e5) : null });
              setSecret(r.token);
              got.reload();
            }}>
              <div class="grid2">
                <Field name={t('col.name')}><input required value={name} onInput={(e) => setName(val(e))} /></Field>
                <Pick name={t('col.role')} value={role} options={options('userrole', [...ROLES, 'agent'])} on={setRole} />
                <Pick name={t('tokens.expires')} value={life} options={[['1', '1 h'], ['24', '24 h'], ['720', '30 d'], ['8760', '365 d'], ['', t('tokens.never')]]} on={setLife} />
              </div>
            </Form>
          )}
        </Dialog>
      )}
    </>
  );
}

function Agents() {
  const { place: { q } } = useApp();
  const got = useLoad((s) => api.agents({ q: q.q, state: q.state, limit: 200, cursor: q.cursor }, s), ['agents', q.q, q.state, q.cursor], { every: 15 });
  return (
    <>
      <div class="filters"><QueryInput k="q" name={t('agents.find')} /><QueryPick k="state" name={t('col.state')} options={options('agent', ['online', 'late', 'lost'], 'filter.states')} /></div>
      <Panel><Answer of={got}>{(d) => <><Table name={t('settings.agents')} rows={d.items} id={(a) => a.node} cls={(a) => (a.state === 'lost' ? 'bad' : '')} empty={<Empty why={t('agents.none')} what={t('agents.none.what')} />} cols={[
        { k: 'state', name: t('col.state'), cell: (a) => <Mark h={a.state === 'lost' ? 'major' : a.state === 'late' ? 'minor' : 'ok'} text={word('agent', a.state)} />, sort: (a) => ['lost', 'late', 'online'].indexOf(a.state) },
        { k: 'node', name: t('kind.node'), cell: (a) => <Ent e={`node:${a.node}`} />, sort: (a) => a.node },
        { k: 'v', name: t('agents.version'), cell: (a) => a.version, sort: (a) => a.version },
        { k: 'seen', name: t('col.seen'), cell: (a) => <Time v={a.last_seen} seconds />, sort: (a) => a.last_seen },
        { k: 'lag', name: t('agents.lag'), cell: (a) => formatSpan(a.lag_ms / 1000), sort: (a) => a.lag_ms, num: true },
        { k: 'spool', name: t('agents.spooled'), cell: (a) => number(a.spooled), sort: (a) => a.spooled, num: true },
        { k: 'drop', name: t('agents.dropped'), cell: (a) => number(a.dropped), sort: (a) => a.dropped, num: true },
        { k: 'cpu', name: 'CPU', cell: (a) => (a.cpu_percent === null ? '–' : percent(a.cpu_percent / 100, 2)), sort: (a) => a.cpu_percent, num: true },
        { k: 'mem', name: t('agents.memory'), cell: (a) => value(a.memory_bytes, 'bytes'), sort: (a) => a.memory_bytes, num: true },
        { k: 'bad', name: t('agents.problems'), cell: (a) => a.problems.join('; ') || '–', wide: true },
      ]} /><Pager next={d.next} /></>}</Answer></Panel>
    </>
  );
}

// The rate that a source does not tell is that between two looks at what it took in.
function Sources() {
  const before = useRef<{ time: number; accepted: Record<string, number>; rate: Record<string, number> }>({ time: 0, accepted: {}, rate: {} });
  const got = useLoad(async (s) => {
    const d = await api.sources(s);
    const { time, accepted } = before.current;
    const now = performance.now();
    const key = (x: api.Source) => `${x.kind} ${x.name}`;
    const rate = Object.fromEntries(d.items.filter((x) => time && x.accepted >= (accepted[key(x)] ?? Infinity)).map((x) => [key(x), ((x.accepted - accepted[key(x)]) / (now - time)) * 1e3]));
    before.current = { time: now, accepted: Object.fromEntries(d.items.map((x) => [key(x), x.accepted])), rate };
    return { ...d, items: d.items.map((x) => ({ ...x, rate: x.rate ?? rate[key(x)] ?? null })) };
  }, ['sources'], { every: 10 });
  return <Panel><Answer of={got}>{(d) => <Table name={t('settings.sources')} rows={d.items} id={(s) => s.kind + s.name} cls={(s) => (s.state === 'failing' ? 'bad' : '')} empty={<Empty why={t('sources.none')} />} cols={[
    { k: 'state', name: t('col.state'), cell: (s) => <Mark h={s.state === 'failing' ? 'major' : s.state === 'ok' ? 'ok' : 'unknown'} text={word('rstate', s.state)} />, sort: (s) => s.state },
    { k: 'kind', name: t('col.kind'), cell: (s) => s.kind, sort: (s) => s.kind },
    { k: 'name', name: t('col.name'), cell: (s) => <b>{s.name}</b>, sort: (s) => s.name },
    { k: 'rate', name: t('sources.rate'), cell: (s) => (s.rate === null ? '–' : `${number(s.rate)} /s`), sort: (s) => s.rate, num: true },
    { k: 'acc', name: t('sources.accepted'), cell: (s) => number(s.accepted), sort: (s) => s.accepted, num: true },
    { k: 'ref', name: t('sources.refused'), cell: (s) => number(s.refused), sort: (s) => s.refused, num: true },
    { k: 'seen', name: t('col.seen'), cell: (s) => <Time v={s.last_seen} seconds />, sort: (s) => s.last_seen },
    { k: 'err', name: t('alerts.lasterr'), cell: (s) => s.error ?? '–', wide: true },
  ]} />}</Answer></Panel>;
}

export function Settings() {
  const { place: { id }, session } = useApp();
  const admin = session?.role === 'admin';
  const tabs = ['agents', 'sources', ...(admin ? ['users', 'tokens'] : [])];
  const tab = tabs.includes(id) ? id : 'agents';
  return (
    <>
      <Head title={word('page', 'settings')} sub={session && <><span>{t('settings.you', { user: session.user, role: word('userrole', session.role) })}</span> <span class="mono">{session.build}</span> <a href="/assets/licenses.txt" target="_blank">{t('settings.licenses')}</a></>} />
      <Tabs now={tab} tabs={tabs.map((k) => [k, word('settings', k), href('settings', k === 'agents' ? '' : k)])} />
      {tab === 'agents' && <Agents />}
      {tab === 'sources' && <Sources />}
      {tab === 'users' && <Users />}
      {tab === 'tokens' && <Tokens />}
    </>
  );
}

export function SignIn() {
  const { place: { q }, lang } = useApp();
  const [how, setHow] = useState<'user' | 'token'>('user');
  const [user, setUser] = useState('');
  const [pass, setPass] = useState('');
  const [token, setToken] = useState('');
  const [bad, setBad] = useState('');
  const enter = (s: api.Session) => {
    set({ session: s });
    const next = q.next && /^\/(?!\/)/.test(q.next) ? q.next : '/';
    go(next, true);
  };
  useEffect(() => {
    document.title = `${t('signin.title')} · Myriascope`;
    if (!q.code) return;
    setQuery({ code: null }, true);
    api.signIn({ code: q.code }).then(enter, (e) => setBad(e.status === 401 ? t('signin.code') : errorText(e)));
  }, []);
  const send = async () => {
    setBad('');
    try {
      enter(await api.signIn(how === 'token' ? { token: token.trim() } : { user, password: pass }));
    } catch (e) {
      const x = e as api.ApiError;
      throw x.status === 401 ? new api.ApiError(401, 'wrong', t('signin.wrong')) : x;
    }
  };
  return (
    <main class="signin" id="main">
      <section class="panel">
        <h1><img src="/assets/icon.svg" alt="" width="30" height="30" /> Myriascope</h1>
        <p class="dim">{t('signin.what')}</p>
        {bad && <div class="error" role="alert">{bad}</div>}
        <div class="row"><Btn pressed={how === 'user'} on={() => setHow('user')}>{t('signin.byuser')}</Btn><Btn pressed={how === 'token'} on={() => setHow('token')}>{t('signin.bytoken')}</Btn></div>
        <Form text={t('signin.go')} send={send}>
          {how === 'user' ? (
            <>
              <Field name={t('col.user')} wide><input required autocomplete="username" value={user} onInput={(e) => setUser(val(e))} /></Field>
              <Field name={t('signin.password')} wide><input type="password" required autocomplete="current-password" value={pass} onInput={(e) => setPass(val(e))} /></Field>
            </>
          ) : <Field name={t('signin.token')} wide><input type="password" required autocomplete="off" value={token} onInput={(e) => setToken(val(e))} /></Field>}
        </Form>
        <p class="dim">{t('signin.hint')}</p>
        <p><button type="button" class="link" onClick={() => setLang(lang === 'en' ? 'zh' : 'en')} lang={lang === 'en' ? 'zh-CN' : 'en'}>{lang === 'en' ? '中文' : 'English'}</button></p>
      </section>
    </main>
  );
}
