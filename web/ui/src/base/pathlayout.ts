// Rows and places of the job path map, and the neighbourhood that the focus view shows. Pure.
// Expects up to 20,000 items and links; x runs from 0 to 1 over the whole job, rows are fixed.
import type { Health, JobPath, PathItem, PathLink } from '../api';
import { hostOf, kindOf, nameOf, worse } from './entity';

export interface PathRow {
  name: string;
  items: PathItem[];
  x: Float64Array; // centre of each item
  w: Float64Array; // its width
}
export interface Line {
  link: PathLink;
  row0: number;
  i0: number;
  row1: number;
  i1: number;
}
export interface PathMap {
  rows: PathRow[];
  lines: Line[];
  at: Map<string, [number, number]>; // entity to row and index
}

// The optics of up-links stand between leaf and spine, those of servers under the leaf.
export const ROW_ORDER = ['core', 'spine', 'uplink', 'leaf', 'optic', 'nic', 'gpu', 'node', 'storage'];

function endHost(end: string): string {
  const k = kindOf(end);
  return k === 'port' || k === 'nic' ? hostOf(end) : nameOf(end);
}
// Entity of the box that a link's end is drawn at.
export function anchor(end: string): string {
  return kindOf(end) === 'port' ? `switch:${hostOf(end)}` : end;
}

export function layoutPath(p: JobPath): PathMap {
  const layer = (n: string) => p.layers.find((l) => l.name === n)?.items ?? [];
  const nodes = layer('node');
  const order = new Map<string, number>();
  nodes.forEach((n, i) => order.set(nameOf(n.entity), i));
  for (const g of [...layer('gpu'), ...layer('nic')]) {
    const h = hostOf(g.entity);
    if (!order.has(h)) order.set(h, order.size);
  }
  const hosts = Math.max(1, order.size);
  const nicOf = new Map<string, string>(); // port to nic
  for (const l of p.links) {
    if (kindOf(l.a) === 'nic') nicOf.set(nameOf(l.b), nameOf(l.a));
    else if (kindOf(l.b) === 'nic') nicOf.set(nameOf(l.a), nameOf(l.b));
  }
  const buckets: Record<string, PathItem[]> = { uplink: [], optic: [] };
  for (const l of p.layers) {
    if (l.name !== 'optic') {
      buckets[l.name] = l.items;
      continue;
    }
    for (const it of l.items) {
      const name = nameOf(it.entity);
      (order.has(hostOf(it.entity)) || nicOf.has(name) ? buckets.optic : buckets.uplink).push(it);
    }
  }
  const rows: PathRow[] = [];
  const at = new Map<string, [number, number]>();
  for (const name of ROW_ORDER) {
    const items = buckets[name] ?? [];
    if (!items.length) continue;
    const row: PathRow = { name, items, x: new Float64Array(items.length), w: new Float64Array(items.length) };
    if (['optic', 'nic', 'gpu', 'node'].includes(name)) {
      const of = (it: PathItem): string => {
        const h = hostOf(it.entity);
        if (order.has(h)) return h;
        return (nicOf.get(nameOf(it.entity)) ?? '').split('/')[0];
      };
      const share = new Map<string, number>();
      for (const it of items) share.set(of(it), (share.get(of(it)) ?? 0) + 1);
      const used = new Map<string, number>();
      items.forEach((it, i) => {
        const h = of(it);
        const n = share.get(h) ?? 1;
        const k = used.get(h) ?? 0;
        used.set(h, k + 1);
        const w = 0.94 / hosts / n;
        row.w[i] = w;
        row.x[i] = ((order.get(h) ?? 0) + 0.03) / hosts + (k + 0.5) * w;
      });
    } else {
      const w = 1 / items.length;
      items.forEach((_, i) => {
        row.x[i] = (i + 0.5) * w;
        row.w[i] = Math.min(w * 0.86, 0.03);
      });
    }
    items.forEach((it, i) => at.set(it.entity, [rows.length, i]));
    rows.push(row);
  }
  const lines: Line[] = [];
  for (const link of p.links) {
    const a = at.get(anchor(link.a));
    const b = at.get(anchor(link.b));
    if (!a || !b) continue;
    const [u, d] = a[0] <= b[0] ? [a, b] : [b, a];
    lines.push({ link, row0: u[0], i0: u[1], row1: d[0], i1: d[1] });
  }
  return { rows, lines, at };
}

export function problemsOf(m: PathMap): { entity: string; health: Health; row: number; i: number }[] {
  const out: { entity: string; health: Health; row: number; i: number }[] = [];
  m.rows.forEach((r, row) =>
    r.items.forEach((it, i) => {
      if (it.health !== 'ok' && it.health !== 'unknown') out.push({ entity: it.entity, health: it.health, row, i });
    }),
  );
  return out.sort((a, b) => m.rows[a.row].x[a.i] - m.rows[b.row].x[b.i] || a.row - b.row);
}

export interface Lane {
  nic: PathItem | null;
  gpu: PathItem | null;
  optics: PathItem[]; // host end, then switch end
  port: string; // of the leaf, '' where not cabled
  leaf: PathItem | null;
  link: PathLink | null;
}
export interface Focus {
  node: PathItem;
  lanes: Lane[];
  spines: PathItem[];
  ups: { leaf: string; spine: string; health: Health; role?: string }[];
  storage: { item: PathItem; link: PathLink }[];
}

export function focusOf(p: JobPath, node: string): Focus | null {
  const layer = (n: string) => p.layers.find((l) => l.name === n)?.items ?? [];
  const byEntity = new Map<string, PathItem>();
  for (const l of p.layers) for (const it of l.items) byEntity.set(it.entity, it);
  const self = byEntity.get(`node:${node}`);
  if (!self) return null;
  const mine = (it: PathItem) => hostOf(it.entity) === node;
  const gpus = layer('gpu').filter(mine);
  const nics = layer('nic').filter(mine);
  const wire = new Map<string, PathLink>();
  const storage: Focus['storage'] = [];
  const leafs = new Set<string>();
  for (const l of p.links) {
    for (const [x, y] of [[l.a, l.b], [l.b, l.a]]) {
      if (kindOf(x) === 'nic' && hostOf(x) === node) {
        wire.set(x, l);
        leafs.add(endHost(y));
      }
      if (x === `node:${node}` && kindOf(y) === 'storage') {
        const item = byEntity.get(y);
        if (item) storage.push({ item, link: l });
      }
    }
  }
  const lanes: Lane[] = [];
  for (let i = 0; i < Math.max(gpus.length, nics.length); i++) {
    const nic = nics[i] ?? null;
    const link = nic ? wire.get(nic.entity) ?? null : null;
    const far = link && nic ? (link.a === nic.entity ? link.b : link.a) : '';
    const optics = [nic ? byEntity.get(`optic:${nameOf(nic.entity)}`) : undefined, far ? byEntity.get(`optic:${nameOf(far)}`) : undefined];
    lanes.push({
      nic,
      gpu: gpus[i] ?? null,
      optics: optics.filter((o): o is PathItem => !!o),
      port: far ? nameOf(far).slice(endHost(far).length + 1) : '',
      leaf: far ? byEntity.get(`switch:${endHost(far)}`) ?? null : null,
      link,
    });
  }
  const ups = new Map<string, { leaf: string; spine: string; health: Health; role?: string }>();
  const spines = new Map<string, PathItem>();
  const spineSet = new Set(layer('spine').map((s) => nameOf(s.entity)));
  for (const l of p.links) {
    const [ha, hb] = [endHost(l.a), endHost(l.b)];
    const leaf = leafs.has(ha) && spineSet.has(hb) ? ha : leafs.has(hb) && spineSet.has(ha) ? hb : '';
    if (!leaf) continue;
    const spine = leaf === ha ? hb : ha;
    const item = byEntity.get(`switch:${spine}`);
    if (item) spines.set(spine, item);
    const key = `${leaf} ${spine}`;
    const had = ups.get(key);
    ups.set(key, { leaf, spine, health: had ? worse(had.health, l.health) : l.health, role: l.role ?? had?.role });
  }
  const inOrder = layer('spine').filter((s) => spines.has(nameOf(s.entity)));
  return { node: self, lanes, spines: inOrder, ups: [...ups.values()], storage };
}
