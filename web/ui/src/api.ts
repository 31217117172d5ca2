// The one place that knows the server's addresses and shapes. docs/UI-API.md states the same
// in prose with examples; a change here changes that file in the same commit.
// Every function takes an AbortSignal last, so that a newer request cancels the older one.

export type Text2 = { en: string; zh: string };
export type Health = 'ok' | 'minor' | 'major' | 'critical' | 'unknown';
export type Severity = 'info' | 'warning' | 'critical';
export type Verdict = 'pass' | 'warn' | 'fail' | 'unknown';
export type Role = 'viewer' | 'operator' | 'admin';
export type List<T> = { items: T[]; next: string | null; total?: number };
export type Kpi = { value: number | null; unit: string; previous?: number | null; health?: Health };

export interface Session {
  user: string;
  role: Role;
  tenant: string | null;
  auth: 'required' | 'none';
  build: string;
}

export type HealthCounts = Record<Health, number>;

export interface Overview {
  build: string;
  now: string;
  revision: number;
  retention_start: string | null;
  counts: Record<string, number>;
  health: Record<string, HealthCounts>;
  incidents: { open: number; acknowledged: number; critical: number; warning: number; info: number };
  jobs: { running: number; pending: number; suffering: number };
  suffering: Job[];
  agents: { online: number; late: number; lost: number };
  ingest: { samples_per_second: number; events_per_second: number; dropped: number };
  partial: { part: string; why: Text2 }[];
}

// Columns, one row a node, in the order in which the fleet map draws them.
export interface FleetTopology {
  revision: number;
  nodes: string[];
  gpus: number[];
  clusters: string[];
  racks: string[];
  pods: string[];
  models: string[];
  vendors: string[];
  cluster: number[];
  rack: number[];
  pod: number[];
  model: number[];
  vendor: number[];
}

// One character or number a GPU, node after node in the topology's order.
export interface Fleet {
  revision: number;
  at: string;
  measure: string;
  unit: string;
  states: string;
  node_states: string;
  values: (number | null)[] | null;
  jobs: string[];
  job: number[];
}

export interface Measure {
  name: string;
  kind: string;
  unit: string;
  title: Text2;
  better: 'high' | 'low' | 'none';
  range: [number, number] | null;
  fleet: boolean;
}

export interface Job {
  id: string;
  name: string;
  user: string;
  tenant: string;
  state: string;
  nodes: string;
  node_count: number;
  gpus_per_node: number;
  start: string | null;
  end: string | null;
  exit_code: number | null;
  labels: Record<string, string>;
  health: Health;
  score: number | null;
  incidents: string[];
  kpi: Record<string, Kpi>;
}

export interface PathItem {
  entity: string;
  health: Health;
  kpi: Record<string, Kpi>;
  issues: string[];
  role?: 'root' | 'victim' | 'related';
}
export interface PathLink { a: string; b: string; entity: string; health: Health; role?: 'root' | 'victim' | 'related' }
export interface Recovery {
  incident: string;
  title: Text2;
  entity: string | null;
  node: string | null;
  cause: string;
  class: string;
  dry_run: boolean;
  state: 'running' | 'done' | 'refused' | 'dry_run';
  total_seconds: number;
  steps: { step: string; title: Text2; time: string | null; seconds: number | null; text: string }[];
}

export interface JobPath {
  job: Job;
  health: Health;
  score: number | null;
  at: string;
  kpi: Record<string, Kpi>;
  layers: { name: string; items: PathItem[] }[];
  links: PathLink[];
  incidents: Incident[];
}

export interface Evidence {
  time: string;
  entity: string;
  signal: string;
  source: string;
  text: string;
  weight: number;
  value?: number | null;
  limit?: string | null;
  unit?: string | null;
  rule?: string | null;
  version?: string | null;
  log_id?: string | null;
}
export interface Hypothesis {
  cause: string;
  class: string;
  entity: string;
  confidence: number;
  summary: Text2;
  evidence: Evidence[];
  missing: { signal: string; why: Text2 }[];
  next_test: Text2 | null;
  actions: Text2[];
  why_not?: Text2 | null;
}
export interface Diagnosis {
  verdict: 'infrastructure' | 'user' | 'unknown';
  confidence: number;
  hypotheses: Hypothesis[];
  victims: string[];
  window: { start: string; end: string };
}
export interface HistoryRow { time: string; user: string | null; action: string; text: string | null }
export interface Incident extends Diagnosis {
  id: string;
  state: 'open' | 'acknowledged' | 'resolved';
  severity: Severity;
  entity: string;
  opened: string;
  updated: string;
  resolved: string | null;
  title: Text2;
  jobs: string[];
  events: string[];
  acknowledged_by: string | null;
  history: HistoryRow[];
  feedback: { time: string; user: string; correct: boolean; cause: string | null; entity: string | null; text: string | null }[];
}

export interface CheckItem {
  check: string;
  category: 'health' | 'consistency' | 'performance';
  entity: string;
  verdict: Verdict;
  observed: number | string | null;
  expected: string | null;
  reason: Text2 | null;
  actions: Text2[];
}
export type CheckScope = { job?: string; nodes?: string; cluster?: string };
export interface CheckSummary { check: string; category: string; title: Text2; pass: number; warn: number; fail: number; unknown: number }
export interface CheckReport {
  id: string;
  profile: string;
  scope: CheckScope;
  state: 'running' | 'done';
  progress: number;
  verdict: Verdict;
  started: string;
  duration_ms: number;
  user: string | null;
  counts: Record<Verdict, number>;
  exclude: string;
  summary: CheckSummary[];
  items: CheckItem[];
  previous: {
    id: string;
    started: string;
    counts: Record<Verdict, number>;
    new: { check: string; entity: string; verdict: Verdict }[];
    fixed: { check: string; entity: string; verdict: Verdict }[];
  } | null;
}
export interface CheckProfile {
  name: string;
  title: Text2;
  description: Text2;
  checks: { check: string; category: string; title: Text2; impact: 'none' | 'light' | 'disruptive' }[];
}
export interface CheckPlan {
  profile: string;
  targets: Record<string, number>;
  checks: number;
  duration_ms: number;
  impact: 'none' | 'light' | 'disruptive';
  impact_text: Text2;
}

export interface KbEntry {
  id: string;
  class: string;
  scope: string;
  role: 'root' | 'cascade' | 'confirmation';
  severity: Severity;
  title: Text2;
  description: Text2;
  actions: Text2[];
  signals: { type: 'log' | 'metric' | 'trap' | 'delta' | 'code'; text: string; source?: string; match?: string[]; reject?: string[] }[];
  clears: { after?: string; pattern?: string; event?: string } | null;
  causes: { symptom: string; path: string; probability: number; delay: string }[];
  caused_by: string[];
  advice: { by: string; source: string; version: string; says: Text2 }[];
  references: { title: string; url: string }[];
  origin: 'builtin' | 'site';
  file: string;
  yaml: string;
}
export interface LintProblem { line: number; column: number; severity: 'error' | 'warning'; message: string }

export interface Cluster {
  name: string;
  title: string;
  state: 'building' | 'active' | 'maintenance' | 'retired';
  size: { nodes: number; gpus: number };
  counts: Record<string, number>;
  health: Health;
  revision: number;
  updated: string;
  metadata: Record<string, string>;
}

export interface Device {
  entity: string;
  kind: string;
  name: string;
  state: 'active' | 'maintenance' | 'retired';
  origin: 'discovered' | 'topology' | 'manual' | 'import';
  health: Health;
  cluster: string | null;
  rack: string | null;
  parent: string | null;
  vendor: string | null;
  model: string | null;
  serial: string | null;
  firmware: string | null;
  note: string | null;
  maintenance_until: string | null;
  attributes: Record<string, string>;
  first_seen: string | null;
  last_seen: string | null;
  issues: string[];
}
export interface Chart { name: string; title: Text2; unit: string; expr: string; legend: string; group: string }
export interface DeviceDetail extends Device {
  relations: { type: string; entity: string; direction: 'out' | 'in'; health: Health; start: string | null; end: string | null }[];
  jobs: { id: string; name: string; state: string; start: string | null; end: string | null; health: Health }[];
  charts: Chart[];
  history: HistoryRow[];
}
export type DeviceEdit = Partial<Pick<Device, 'state' | 'cluster' | 'rack' | 'parent' | 'vendor' | 'model' | 'serial' | 'firmware' | 'note' | 'maintenance_until' | 'attributes'>>;
export interface ImportResult {
  dry_run: boolean;
  created: number;
  updated: number;
  unchanged: number;
  errors: { line: number; message: string }[];
  rows: { entity: string; action: 'create' | 'update' | 'none' }[];
}

export interface Cable {
  port: string;
  state: 'wrong' | 'missing' | 'unplanned' | 'unknown';
  link: string | null;
  planned: string | null;
  seen: string | null;
}
export interface CableDiff extends List<Cable> {
  counts: { switches: number; ports: number; same: number; wrong: number; missing: number; unplanned: number; unknown: number };
}

export interface Answers { count: number; mean_us: number; p50_us: number; p99_us: number; max_us: number }
export interface Flow {
  from: string;
  to: string;
  qp: number;
  packets: number;
  bytes: number;
  psn_gaps: number;
  packets_missing: number;
  retransmitted: number;
  rnr: number;
  nak_sequence: number;
  nak_other: number;
  cnp: number;
  ce: number;
  elephant: boolean;
  answers: Answers | null;
}
export interface Mirror {
  name: string;
  start: string;
  end: string;
  addresses: Record<string, { entity: string; job?: string; rank?: number }>;
  report: {
    frames: number;
    bytes: number;
    seconds: number;
    roce: number;
    cnp: number;
    ce: number;
    pfc: number;
    pause: number;
    answers: Answers | null;
    flow_count: number;
    flows: Flow[];
    pausing_ports: { mac: string; pfc: number; pause: number; priorities: { priority: number; paused_seconds: number }[] }[];
    storm: { mac: string; system: string | null; port: string | null; since: string } | null;
    collisions: { flows: number; bytes: number; path?: number; from?: string; to?: string; source_port?: number }[];
    neighbours: { mac: string; system: string; port: string; dcbx: string | null; pfc_priorities: number[] | null }[];
  };
}

export interface LogLine {
  id: string;
  time: string;
  entity: string;
  source: string;
  severity: string;
  job: string | null;
  rank: number | null;
  code: string | null;
  text: string;
}
export interface EventRow {
  id: string;
  time: string;
  entity: string;
  code: string;
  severity: Severity;
  source: string;
  title: Text2 | null;
  text: string;
  incident: string | null;
  cleared: string | null;
}

export interface AnalysisGroup {
  key: string;
  entity: string | null;
  count: number;
  avg: number | null;
  min: number | null;
  p50: number | null;
  p95: number | null;
  max: number | null;
  outlier: boolean;
  previous: { count: number; avg: number | null; min: number | null; p50: number | null; p95: number | null; max: number | null } | null;
}
export interface Analysis {
  measure: string;
  unit: string;
  by: string;
  start: string;
  end: string;
  groups: AnalysisGroup[];
  outliers: { entity: string; group: string; value: number; expected: number; deviations: number }[];
  coverage: number;
}

export interface Receiver { name: string; kind: string; target: string; state: 'ok' | 'failing' | 'idle'; pending: number; last_success: string | null; last_error: string | null; last_error_time: string | null }
export interface Delivery { id: string; incident: string; title: Text2; receiver: string; revision: number; state: 'pending' | 'delivered' | 'failed' | 'silenced'; attempts: number; created: string; delivered: string | null; next_attempt: string | null; error: string | null }
export interface Matcher { name: string; value: string; regex: boolean; equal: boolean }
export interface Silence { id: string; matchers: Matcher[]; start: string; end: string; user: string; comment: string; state: 'pending' | 'active' | 'expired' }

export interface Reliability {
  start: string;
  end: string;
  gpu_hours: number;
  effective_ratio: number | null;
  mtbf_seconds: number | null;
  mttr_seconds: number | null;
  interruptions: number;
  lost_gpu_hours: number;
  by_reason: { reason: string; title: Text2; count: number; lost_gpu_hours: number }[];
  by_job: { job: string; name: string; effective_ratio: number | null; gpu_hours: number; lost_gpu_hours: number; interruptions: number }[];
  timeline: { time: string; effective_ratio: number | null; interruptions: number }[];
  breaker: { state: 'closed' | 'open'; used: number; limit: number; window_seconds: number; nodes: number; share_limit: number; dry_run: boolean };
  hooks: { time: string; action: string; entity: string; incident: string | null; dry_run: boolean; result: 'done' | 'failed' | 'refused'; text: string }[];
}

export interface User { name: string; role: Role; tenant: string | null; disabled: boolean; last_seen: string | null }
export interface Token { id: string; name: string; role: Role | 'agent'; tenant: string | null; created: string; expires: string | null; last_used: string | null }
export interface Agent { node: string; version: string; state: 'online' | 'late' | 'lost'; last_seen: string; lag_ms: number; spooled: number; dropped: number; cpu_percent: number | null; memory_bytes: number | null; problems: string[] }
export interface Source { kind: string; name: string; state: 'ok' | 'failing' | 'idle'; rate: number | null; accepted: number; refused: number; last_seen: string | null; error: string | null }

export interface SearchHit { type: 'device' | 'job' | 'incident' | 'kb'; id: string; title: Text2; health: Health | null }

export type PromSeries = { metric: Record<string, string>; values: [number, string][] };
export type PromSample = { metric: Record<string, string>; value: [number, string] };
export interface RuleGroup {
  name: string;
  file: string;
  rules: { type: 'alerting' | 'recording'; name: string; query: string; health: string; state?: string; lastError?: string; duration?: number; labels?: Record<string, string>; annotations?: Record<string, string> }[];
}

export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly detail: unknown = null) {
    super(message);
  }
}

export type Params = Record<string, string | number | boolean | null | undefined>;

export function query(params: Params): string {
  const parts: string[] = [];
  for (const k of Object.keys(params)) {
    const v = params[k];
    if (v === undefined || v === null || v === '' || v === false) continue;
    parts.push(`${encodeURIComponent(k)}=${encodeURIComponent(v === true ? '1' : String(v))}`);
  }
  return parts.length ? `?${parts.join('&')}` : '';
}

// An entity in a path keeps its slashes and colon; all else that is reserved is escaped.
export function entityPath(entity: string): string {
  return encodeURIComponent(entity).replace(/%2F/g, '/').replace(/%3A/g, ':');
}

const V1 = '/api/v1';
const PROM = '/prometheus/api/v1';

let onUnauthorized: (() => void) | null = null;
export function setUnauthorized(f: () => void): void {
  onUnauthorized = f;
}

async function send(method: string, url: string, body?: unknown, type = 'application/json', signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-Requested-With'] = 'myriascope';
  if (body !== undefined) headers['Content-Type'] = type;
  let r: Response;
  try {
    r = await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      credentials: 'same-origin',
      signal,
    });
  } catch (e) {
    if ((e as Error).name === 'AbortError') throw e;
    throw new ApiError(0, 'unreachable', '');
  }
  if (r.ok) return r;
  let code = `http-${r.status}`;
  let message = r.statusText;
  let detail: unknown = null;
  try {
    const j = await r.json();
    detail = j;
    if (j.error && typeof j.error === 'object') {
      code = j.error.code;
      message = j.error.message;
    } else if (typeof j.error === 'string') {
      code = j.errorType ?? code;
      message = j.error;
    }
  } catch {
    // A body that is not ours leaves the status line as the message.
  }
  if (r.status === 401 && onUnauthorized && !url.endsWith('/session')) onUnauthorized();
  throw new ApiError(r.status, code, message, detail);
}

async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  return (await send('GET', url, undefined, undefined, signal)).json();
}

async function change<T>(method: string, url: string, body?: unknown, type?: string): Promise<T> {
  const r = await send(method, url, body, type);
  return r.status === 204 ? (undefined as T) : r.json();
}

// Session
export const session = (s?: AbortSignal) => get<Session>(`${V1}/session`, s);
export const signIn = (b: { code: string } | { token: string } | { user: string; password: string }) => change<Session>('POST', `${V1}/session`, b);
export const signOut = () => change<void>('DELETE', `${V1}/session`);

// Overview and fleet
export const overview = (at?: string | null, s?: AbortSignal) => get<Overview>(`${V1}/overview${query({ at })}`, s);
let topologyTag = '';
let topologyKey = '';
let topologyKept: FleetTopology | null = null;
// The topology is large and rarely changes: kept here by its ETag, asked for with If-None-Match.
export async function fleetTopology(at?: string | null, s?: AbortSignal): Promise<FleetTopology> {
  const url = `${V1}/fleet/topology${query({ at })}`;
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (topologyKept && topologyKey === url && topologyTag) headers['If-None-Match'] = topologyTag;
  let r: Response;
  try {
    r = await fetch(url, { headers, credentials: 'same-origin', signal: s });
  } catch (e) {
    if ((e as Error).name === 'AbortError') throw e;
    throw new ApiError(0, 'unreachable', '');
  }
  if (r.status === 304 && topologyKept) return topologyKept;
  if (r.status === 401 && onUnauthorized) onUnauthorized();
  if (!r.ok) throw new ApiError(r.status, `http-${r.status}`, r.statusText);
  topologyKept = (await r.json()) as FleetTopology;
  topologyTag = r.headers.get('ETag') ?? '';
  topologyKey = url;
  return topologyKept;
}
export const fleet = (measure: string, at?: string | null, s?: AbortSignal) => get<Fleet>(`${V1}/fleet${query({ measure, at })}`, s);
export const measures = (s?: AbortSignal) => get<List<Measure>>(`${V1}/measures`, s);

// Jobs
export const jobs = (p: Params, s?: AbortSignal) => get<List<Job>>(`${V1}/jobs${query(p)}`, s);
export const job = (id: string, s?: AbortSignal) => get<Job>(`${V1}/jobs/${encodeURIComponent(id)}`, s);
export const jobPath = (id: string, at?: string | null, s?: AbortSignal) => get<JobPath>(`${V1}/jobs/${encodeURIComponent(id)}/path${query({ at })}`, s);
export const jobRecovery = (id: string, s?: AbortSignal) => get<List<Recovery>>(`${V1}/jobs/${encodeURIComponent(id)}/recovery`, s);
export const jobDiagnosis = (id: string, s?: AbortSignal) => get<Diagnosis>(`${V1}/jobs/${encodeURIComponent(id)}/diagnosis`, s);
export const diagnoseText = (text: string) => change<Diagnosis>('POST', `${V1}/diagnose`, text, 'text/plain; charset=utf-8');

// Incidents
export const incidents = (p: Params, s?: AbortSignal) => get<List<Incident>>(`${V1}/incidents${query(p)}`, s);
export const incident = (id: string, s?: AbortSignal) => get<Incident>(`${V1}/incidents/${encodeURIComponent(id)}`, s);
export const incidentDo = (id: string, what: 'acknowledge' | 'resolve' | 'comment', text: string) =>
  change<Incident>('POST', `${V1}/incidents/${encodeURIComponent(id)}/${what}`, { text });
export const incidentFeedback = (id: string, b: { correct: boolean; cause?: string; entity?: string; text?: string }) =>
  change<Incident>('POST', `${V1}/incidents/${encodeURIComponent(id)}/feedback`, b);

// Checks
export const checkProfiles = (s?: AbortSignal) => get<List<CheckProfile>>(`${V1}/checks/profiles`, s);
export const checkPlan = (profile: string, scope: CheckScope) => change<CheckPlan>('POST', `${V1}/checks/plan`, { profile, scope });
export const checkRun = (profile: string, scope: CheckScope, all = false, active = false) => change<CheckReport | { id: string }>('POST', `${V1}/checks`, { profile, scope, ...(all && { items: 'all' }), ...(active && { active }) });
export const checks = (p: Params, s?: AbortSignal) => get<List<CheckReport>>(`${V1}/checks${query({ ...p, items: 0 })}`, s);
export const check = (id: string, problems: boolean, s?: AbortSignal) => get<CheckReport>(`${V1}/checks/${encodeURIComponent(id)}${query({ problems })}`, s);
export const checkFile = (id: string, format: 'csv' | 'json' | 'html' | 'junit', lang: string) =>
  `${V1}/checks/${encodeURIComponent(id)}${query({ format, lang, download: 1 })}`;

// Knowledge base
export const kb = (p: Params, s?: AbortSignal) => get<List<KbEntry>>(`${V1}/kb${query(p)}`, s);
export const kbEntry = (id: string, s?: AbortSignal) => get<KbEntry>(`${V1}/kb/${encodeURIComponent(id)}`, s);
export const kbDraft = (incident: string) => change<{ id: string; yaml: string }>('POST', `${V1}/kb/draft`, { incident });
export const kbLint = (yaml: string) => change<{ ok: boolean; problems: LintProblem[] }>('POST', `${V1}/kb/lint`, yaml, 'application/yaml');
export const kbSave = (id: string, yaml: string) => change<KbEntry>('PUT', `${V1}/kb/${encodeURIComponent(id)}`, yaml, 'application/yaml');
export const kbRemove = (id: string) => change<void>('DELETE', `${V1}/kb/${encodeURIComponent(id)}`);

// Clusters and devices
export const clusters = (s?: AbortSignal) => get<List<Cluster>>(`${V1}/clusters`, s);
export const clusterPut = (name: string, b: { name?: string; title?: string; state?: string; size?: { nodes: number; gpus: number }; metadata?: Record<string, string> }) =>
  change<Cluster>('PUT', `${V1}/clusters/${encodeURIComponent(name)}`, b);
export const devices = (p: Params, s?: AbortSignal) => get<List<Device>>(`${V1}/devices${query(p)}`, s);
export const device = (entity: string, s?: AbortSignal) => get<DeviceDetail>(`${V1}/devices/${entityPath(entity)}`, s);
export const devicePut = (entity: string, b: DeviceEdit) => change<Device>('PUT', `${V1}/devices/${entityPath(entity)}`, b);
export const deviceRetire = (entity: string) => change<void>('DELETE', `${V1}/devices/${entityPath(entity)}`);
export const deviceImport = (format: 'csv' | 'yaml', text: string, dry_run: boolean) =>
  change<ImportResult>('POST', `${V1}/devices/import${query({ dry_run })}`, text, format === 'csv' ? 'text/csv; charset=utf-8' : 'application/yaml');

// The network
export const topologyDiff = (p: Params, s?: AbortSignal) => get<CableDiff>(`${V1}/topology/diff${query(p)}`, s);

export const packets = (s?: AbortSignal) => get<List<Mirror>>(`${V1}/packets`, s);

// Logs, events, analysis, search
export const logs = (p: Params, s?: AbortSignal) => get<List<LogLine>>(`${V1}/logs${query(p)}`, s);
export const events = (p: Params, s?: AbortSignal) => get<List<EventRow>>(`${V1}/events${query(p)}`, s);
export const analysis = (p: Params, s?: AbortSignal) => get<Analysis>(`${V1}/analysis${query(p)}`, s);
export const search = (q: string, s?: AbortSignal) => get<List<SearchHit>>(`${V1}/search${query({ q, limit: 12 })}`, s);

// Alerts
export const receivers = (s?: AbortSignal) => get<List<Receiver>>(`${V1}/alerts/receivers`, s);
export const receiverTest = (name: string) => change<{ ok: boolean; message: string }>('POST', `${V1}/alerts/receivers/${encodeURIComponent(name)}/test`);
export const deliveries = (p: Params, s?: AbortSignal) => get<List<Delivery>>(`${V1}/alerts/deliveries${query(p)}`, s);
export const silences = (s?: AbortSignal) => get<List<Silence>>(`${V1}/alerts/silences`, s);
export const silenceAdd = (b: { matchers: Matcher[]; start: string; end: string; comment: string }) => change<Silence>('POST', `${V1}/alerts/silences`, b);
export const silenceEnd = (id: string) => change<void>('DELETE', `${V1}/alerts/silences/${encodeURIComponent(id)}`);

// Reliability and administration
export const reliability = (p: Params, s?: AbortSignal) => get<Reliability>(`${V1}/reliability${query(p)}`, s);
export const users = (s?: AbortSignal) => get<List<User>>(`${V1}/users`, s);
export const userPut = (name: string, b: { role: Role; tenant: string | null; disabled: boolean; password?: string }) => change<User>('PUT', `${V1}/users/${encodeURIComponent(name)}`, b);
export const userRemove = (name: string) => change<void>('DELETE', `${V1}/users/${encodeURIComponent(name)}`);
export const tokens = (s?: AbortSignal) => get<List<Token>>(`${V1}/tokens`, s);
export const tokenAdd = (b: { name: string; role: string; tenant: string | null; expires: string | null }) => change<Token & { token: string }>('POST', `${V1}/tokens`, b);
export const tokenRemove = (id: string) => change<void>('DELETE', `${V1}/tokens/${encodeURIComponent(id)}`);
export const agents = (p: Params, s?: AbortSignal) => get<List<Agent>>(`${V1}/agents${query(p)}`, s);
export const sources = (s?: AbortSignal) => get<List<Source>>(`${V1}/sources`, s);

// Prometheus API, as Prometheus 2 answers
export async function promRange(expr: string, start: number, end: number, step: number, s?: AbortSignal): Promise<PromSeries[]> {
  const r = await get<{ data: { result: PromSeries[] } }>(`${PROM}/query_range${query({ query: expr, start, end, step })}`, s);
  return r.data.result;
}
export async function promQuery(expr: string, time: number | null, s?: AbortSignal): Promise<{ resultType: string; result: PromSample[] }> {
  const r = await get<{ data: { resultType: string; result: PromSample[] } }>(`${PROM}/query${query({ query: expr, time })}`, s);
  return r.data;
}
export async function promNames(s?: AbortSignal): Promise<string[]> {
  return (await get<{ data: string[] }>(`${PROM}/label/__name__/values`, s)).data;
}
export async function promRules(s?: AbortSignal): Promise<RuleGroup[]> {
  return (await get<{ data: { groups: RuleGroup[] } }>(`${PROM}/rules`, s)).data.groups;
}

export const streamUrl = `${V1}/stream`;
