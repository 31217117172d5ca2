// Asking the server: one hook that cancels the older request, keeps old data when a newer answer fails,
// asks again on a beat while live, and at once when the stream says that something of interest changed.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, streamUrl } from '../api';
import { app, paused, set, subscribe } from './app';

export interface Loaded<T> {
  data: T | null;
  error: ApiError | null;
  busy: boolean;
  time: number;
  reload: () => void;
  put: (data: T) => void;
}
export interface LoadOptions {
  every?: number; // seconds between questions while live
  on?: string[]; // stream events that call for a new question
  when?: boolean; // false: do not ask
}

const topics = new Map<string, Set<() => void>>();

export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, deps: unknown[], o: LoadOptions = {}): Loaded<T> {
  const [s, setS] = useState<{ data: T | null; error: ApiError | null; busy: boolean; time: number }>({
    data: null, error: null, busy: true, time: 0,
  });
  const key = JSON.stringify(deps);
  const abort = useRef<AbortController | null>(null);
  const live = useRef({ ask, when: o.when !== false });
  live.current = { ask, when: o.when !== false };
  const run = useCallback((fresh: boolean) => {
    if (!live.current.when) return;
    abort.current?.abort();
    const c = new AbortController();
    abort.current = c;
    setS((x) => ({ ...x, busy: true, data: fresh ? null : x.data }));
    live.current.ask(c.signal).then(
      (data) => {
        if (c.signal.aborted) return;
        const now = Date.now();
        setS({ data, error: null, busy: false, time: now });
        set({ updated: now });
      },
      (e) => {
        if (c.signal.aborted || (e as Error).name === 'AbortError') return;
        const error = e instanceof ApiError ? e : new ApiError(0, 'internal', String((e as Error).message ?? e));
        setS((x) => ({ ...x, error, busy: false }));
      },
    );
  }, []);
  const before = useRef<string | null>(null);
  useEffect(() => {
    // Another object (the first dependency) drops the old answer; another range or filter keeps it until the new one is here.
    const object = JSON.stringify(deps[0] ?? '');
    run(before.current !== null && before.current !== object);
    before.current = object;
    return () => abort.current?.abort();
  }, [key, o.when]);
  useEffect(() => {
    if (!o.every) return;
    const id = setInterval(() => {
      if (!paused()) run(false);
    }, o.every * 1000);
    return () => clearInterval(id);
  }, [o.every, key]);
  const on = (o.on ?? []).join();
  useEffect(() => {
    if (!on) return;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const f = () => {
      if (timer || paused()) return;
      timer = setTimeout(() => {
        timer = null;
        run(false);
      }, 700);
    };
    for (const n of on.split(',')) {
      if (!topics.has(n)) topics.set(n, new Set());
      topics.get(n)!.add(f);
    }
    return () => {
      if (timer) clearTimeout(timer);
      for (const n of on.split(',')) topics.get(n)?.delete(f);
    };
  }, [on, key]);
  return { data: s.data, error: s.error, busy: s.busy, time: s.time, reload: () => run(false), put: (data) => setS((x) => ({ ...x, data })) };
}

// The stream runs while someone is signed in, wants it live and can see it.
let source: EventSource | null = null;
let away = false; // the stream was closed by us: what happened since is not known
function fire(name: string): void {
  for (const f of topics.get(name) ?? []) f();
}
function tend(): void {
  const want = !!app.session && app.live && !app.hidden;
  if (want && !source) {
    const es = new EventSource(streamUrl);
    source = es;
    es.onopen = () => {
      set({ stream: 'on' });
      if (away) [...topics.keys()].forEach(fire);
      away = false;
    };
    es.onerror = () => {
      if (app.stream !== 'lost') set({ stream: 'lost' });
      if (es.readyState === EventSource.CLOSED && source === es) {
        source = null;
        setTimeout(tend, 10000);
      }
    };
    es.addEventListener('hello', (e) => {
      try {
        const build = JSON.parse((e as MessageEvent<string>).data).build as string;
        if (app.session && build && build !== app.session.build) {
          if (app.place.q.kiosk) location.reload();
          else set({ staleBuild: true });
        }
      } catch {
        // A hello that cannot be read says nothing about the build.
      }
    });
    for (const n of ['incident', 'job', 'device', 'alert', 'topology']) es.addEventListener(n, () => fire(n));
    es.addEventListener('reset', () => [...topics.keys()].forEach(fire));
  } else if (!want && source) {
    source.close();
    source = null;
    away = true;
    set({ stream: 'off' });
  }
}
export function startStream(): void {
  subscribe(tend);
  tend();
}
