// Starts the application: who am I, then the page the address names.
import './app.css';
import 'uplot/dist/uPlot.min.css';
import { Component, render, type ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as api from './api';
import { app, go, href, loadWords, set, start, t, useApp } from './base/app';
import { startStream } from './base/load';
import { Overview } from './page/overview';
import { Frame } from './view/chrome';
import { Btn, Empty, errorText, Panel, Skeleton } from './view/parts';

// The pages that are loaded when they are first opened import these from here (see build.mjs).
export * from 'preact/hooks';
export * from 'preact/jsx-runtime';
export * from './api';
export * from './base/app';
export * from './base/entity';
export * from './base/format';
export * from './base/load';
export * from './base/time';
export * from './view/parts';

type View = () => ComponentChildren;
const jobs = () => import('./page/jobs');
const incidents = () => import('./page/incidents');
const checks = () => import('./page/checks');
const devices = () => import('./page/devices');
const analysis = () => import('./page/analysis');
const kb = () => import('./page/kb');
const admin = () => import('./page/admin');
const logs = () => import('./page/logs');
const fabric = () => import('./page/fabric');

const loaded = new Map<string, View>();
function Later({ name, load }: { name: string; load: () => Promise<View> }) {
  const [, bump] = useState(0);
  const [bad, setBad] = useState('');
  useEffect(() => {
    if (loaded.has(name)) return;
    let on = true;
    load().then((v) => { loaded.set(name, v); if (on) bump((n) => n + 1); }, (e) => on && setBad(String(e)));
    return () => { on = false; };
  }, [name]);
  const V = loaded.get(name);
  if (bad) return <Panel><Empty why={t('error.unreachable')} what={<Btn on={() => location.reload()}>{t('do.reload')}</Btn>} /></Panel>;
  return V ? <V key={app.place.page + app.place.id} /> : <Skeleton lines={8} />;
}
const later = (name: string, load: () => Promise<View>) => <Later key={name} name={name} load={load} />;

// A page that throws says so and leaves the frame usable.
class Guard extends Component<{ children: ComponentChildren }, { bad: string }> {
  state = { bad: '' };
  componentDidCatch(e: unknown): void {
    console.error(e);
    this.setState({ bad: String((e as Error).message ?? e) });
  }
  render() {
    if (!this.state.bad) return this.props.children;
    return <Panel><Empty why={t('error.page')} what={<><code>{this.state.bad}</code> <Btn on={() => location.reload()}>{t('do.reload')}</Btn></>} /></Panel>;
  }
}

function Page() {
  const { place } = useApp();
  const { page, id } = place;
  switch (page) {
    case 'overview': return <Overview />;
    case 'jobs': return id ? later('job', async () => (await jobs()).JobPage) : later('jobs', async () => (await jobs()).Jobs);
    case 'incidents': return id ? later('incident', async () => (await incidents()).IncidentPage) : later('incidents', async () => (await incidents()).Incidents);
    case 'diagnose': return later('diagnose', async () => (await incidents()).Diagnose);
    case 'checks': return id ? later('check', async () => (await checks()).CheckPage) : later('checks', async () => (await checks()).Checks);
    case 'devices': return id ? later('device', async () => (await devices()).DevicePage) : later('devices', async () => (await devices()).Devices);
    case 'clusters': return later('clusters', async () => (await devices()).Clusters);
    case 'analysis': return later('analysis', async () => (await analysis()).Analysis);
    case 'explorer': return later('explorer', async () => (await analysis()).Explorer);
    case 'reliability': return later('reliability', async () => (await analysis()).Reliability);
    case 'fabric': return later('fabric', async () => (await fabric()).Fabric);
    case 'logs': return later('logs', async () => (await logs()).Logs);
    case 'kb': return id === 'new' ? later('kbedit', async () => (await kb()).KbEdit) : id ? later('kbentry', async () => (await kb()).KbPage) : later('kb', async () => (await kb()).Kb);
    case 'alerts': return later('alerts', async () => (await admin()).Alerts);
    case 'settings': return later('settings', async () => (await admin()).Settings);
    default: return <Panel><Empty why={t('error.nopage')} what={<a href={href('overview')}>{t('page.overview')}</a>} /></Panel>;
  }
}

// Asked at once, while the words are on their way.
const early = app.place.page === 'signin' ? null : api.session();
early?.catch(() => undefined);

function App() {
  const { place, session, lang } = useApp();
  const [bad, setBad] = useState('');
  const ask = (first?: Promise<api.Session>) => {
    setBad('');
    (first ?? api.session()).then((s) => set({ session: s }), (e) => {
      if (e.status === 401) leave();
      else setBad(errorText(e));
    });
  };
  useEffect(() => {
    if (app.place.page !== 'signin') ask(early ?? undefined);
  }, []);
  if (place.page === 'signin') return <Later key={lang} name="signin" load={async () => (await admin()).SignIn} />;
  if (bad) return <main class="signin"><div class="error" role="alert"><span>{bad}</span><Btn on={() => ask()}>{t('do.retry')}</Btn></div></main>;
  if (!session) return <Skeleton lines={8} />;
  return <Frame><Guard key={place.page + place.id}><Page /></Guard></Frame>;
}

function leave(): void {
  if (app.place.page === 'signin') return;
  set({ session: null });
  go(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`, true);
}

start();
api.setUnauthorized(leave);
startStream();
void loadWords(app.lang).then(() => render(<App />, document.getElementById('app') as HTMLElement));
