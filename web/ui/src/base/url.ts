// The address bar is the state: page, object, range, filters, sort, group and focus.
// Pure parsing here; base/router.ts listens and changes.

export interface Place {
  page: string;
  id: string;
  tab: string;
  q: Record<string, string>;
}

// Pages whose object is an entity keep its slashes: everything after the page is the object.
const WHOLE = new Set(['devices']);

function unescape(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}

export function parsePlace(path: string, search: string): Place {
  const parts = path.split('/').filter((p) => p !== '');
  const page = parts.length ? parts[0] : 'overview';
  const q: Record<string, string> = {};
  for (const [k, v] of new URLSearchParams(search)) q[k] = v;
  if (WHOLE.has(page)) return { page, id: unescape(parts.slice(1).join('/')), tab: '', q };
  return { page, id: unescape(parts[1] ?? ''), tab: unescape(parts[2] ?? ''), q };
}

export function escapeObject(id: string): string {
  return encodeURIComponent(id).replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%40/g, '@');
}

export type Query = Record<string, string | number | null | undefined>;

export function formatPlace(page: string, id = '', tab = '', q: Query = {}): string {
  let path = page === 'overview' ? '/' : `/${page}`;
  if (id) path += `/${WHOLE.has(page) ? escapeObject(id) : encodeURIComponent(id)}`;
  if (tab) path += `/${encodeURIComponent(tab)}`;
  const s = new URLSearchParams();
  for (const k of Object.keys(q).sort()) {
    const v = q[k];
    if (v !== null && v !== undefined && v !== '') s.set(k, String(v));
  }
  const text = s.toString().replace(/%3A/g, ':').replace(/%2F/g, '/').replace(/%2C/g, ',');
  return text ? `${path}?${text}` : path;
}

// What a link to another page takes along: the time range, and the wall's mode.
export function carried(q: Record<string, string>): Query {
  const out: Query = {};
  for (const k of ['from', 'to', 'at', 'kiosk']) if (q[k]) out[k] = q[k];
  return out;
}
