// Where each accelerator of the fleet map lies. Expects up to 20,000 accelerators on 2,500 hosts; pure, and cheap enough for every resize.
// A host is a column of its accelerators; hosts of one group lie side by side and wrap; groups flow left to right.
import type { Fleet, FleetTopology, Health } from '../api';

export type GroupBy = 'pod' | 'rack' | 'job' | 'model' | 'vendor' | 'cluster';
export const GROUPS: GroupBy[] = ['pod', 'rack', 'job', 'model', 'vendor', 'cluster'];
export const STATE: Health[] = ['ok', 'minor', 'major', 'critical', 'unknown'];

export interface Group {
  key: string;
  nodes: number[];
}
export interface Block extends Group {
  x: number;
  y: number;
  w: number;
  h: number;
  columns: number;
  rows: number; // accelerators in the tallest host
}
export interface Layout {
  cell: number;
  width: number;
  height: number;
  blocks: Block[];
}

// First accelerator of each node in `states` and `values`; one entry more than nodes.
export function offsets(gpus: number[]): number[] {
  const out = new Array<number>(gpus.length + 1);
  let n = 0;
  for (let i = 0; i < gpus.length; i++) {
    out[i] = n;
    n += gpus[i];
  }
  out[gpus.length] = n;
  return out;
}

export function groupFleet(t: FleetTopology, f: Fleet | null, by: GroupBy, only = ''): Group[] {
  const map = new Map<string, number[]>();
  for (let i = 0; i < t.nodes.length; i++) {
    if (!t.gpus[i]) continue;
    let key = '';
    if (by === 'job') {
      const j = f && f.job[i] >= 0 ? f.jobs[f.job[i]] : '';
      key = j ?? '';
    } else {
      const names = t[`${by}s` as 'pods'];
      const k = t[by][i];
      key = k >= 0 ? names[k] : '';
    }
    if (only && key !== only) continue;
    const list = map.get(key);
    if (list) list.push(i);
    else map.set(key, [i]);
  }
  const out = [...map].map(([key, nodes]) => ({ key, nodes }));
  out.sort((a, b) => (a.key === '' ? 1 : b.key === '' ? -1 : a.key.localeCompare(b.key, 'en', { numeric: true })));
  return out;
}

const TITLE = 16;
const GAP = 12;

function flow(groups: Group[], gpus: number[], width: number, cell: number, across: number): Layout {
  const blocks: Block[] = [];
  // So many blocks of the largest groups stand side by side.
  const widest = Math.max(1, Math.floor((width - GAP * (across - 1)) / across / cell));
  let x = 0;
  let y = 0;
  let line = 0;
  for (const g of groups) {
    let rows = 1;
    for (const n of g.nodes) if (gpus[n] > rows) rows = gpus[n];
    const lines = Math.ceil(g.nodes.length / Math.min(widest, g.nodes.length));
    const columns = Math.ceil(g.nodes.length / lines);
    const w = Math.max(columns * cell, 58);
    const h = TITLE + lines * (rows * cell + 4) - 4;
    if (x > 0 && x + w > width) {
      x = 0;
      y += line + GAP;
      line = 0;
    }
    blocks.push({ ...g, x, y, w, h, columns, rows });
    x += w + GAP;
    if (h > line) line = h;
  }
  return { cell, width, height: y + line, blocks };
}

// The largest cell of 5 to 24 pixels with which everything is no higher than `height`; 5 where nothing fits.
export function layoutFleet(groups: Group[], gpus: number[], width: number, height: number): Layout {
  let best: Layout | null = null;
  for (let cell = 5; cell <= 24; cell++) {
    let low: Layout | null = null;
    for (let across = 1; across <= 10; across++) {
      const l = flow(groups, gpus, width, cell, across);
      if (!low || l.height < low.height) low = l;
    }
    if (best && low && low.height > height) break;
    best = low;
  }
  return best as Layout;
}

export const BLOCK_TITLE = TITLE;

export function cellAt(l: Layout, b: Block, i: number, gpu: number): { x: number; y: number } {
  const col = i % b.columns;
  const line = Math.floor(i / b.columns);
  return { x: b.x + col * l.cell, y: b.y + TITLE + line * (b.rows * l.cell + 4) + gpu * l.cell };
}

// What lies under a point: block, index in the block's nodes, accelerator; null between cells.
export function hit(l: Layout, gpus: number[], x: number, y: number): { block: Block; i: number; gpu: number } | null {
  for (const b of l.blocks) {
    if (x < b.x || y < b.y || x >= b.x + b.w || y >= b.y + b.h) continue;
    const dy = y - b.y - TITLE;
    if (dy < 0) return null;
    const pitch = b.rows * l.cell + 4;
    const line = Math.floor(dy / pitch);
    const gpu = Math.floor((dy - line * pitch) / l.cell);
    const col = Math.floor((x - b.x) / l.cell);
    const i = line * b.columns + col;
    if (col >= b.columns || i >= b.nodes.length || gpu >= gpus[b.nodes[i]]) return null;
    return { block: b, i, gpu };
  }
  return null;
}

export interface Worst {
  node: number;
  gpu: number;
  index: number;
  health: Health;
  value: number | null;
}

// Worst accelerators first: by state, then by value in the direction that is bad.
export function worstOf(t: FleetTopology, f: Fleet, better: 'high' | 'low' | 'none', groups: Group[], count: number): Worst[] {
  const rank = [0, 2, 3, 4, 1];
  const off = offsets(t.gpus);
  const list: Worst[] = [];
  for (const g of groups) {
    for (const n of g.nodes) {
      for (let k = 0; k < t.gpus[n]; k++) {
        const index = off[n] + k;
        const s = Number(f.states[index] ?? 4);
        const value = f.values ? f.values[index] ?? null : null;
        if (!f.values && s === 0) continue;
        if (f.values && value === null) continue;
        list.push({ node: n, gpu: k, index, health: STATE[s] ?? 'unknown', value });
      }
    }
  }
  const sign = better === 'high' ? 1 : -1;
  list.sort((a, b) => {
    if (f.values) {
      const d = ((a.value ?? 0) - (b.value ?? 0)) * sign;
      if (d) return d;
    }
    return rank[STATE.indexOf(b.health)] - rank[STATE.indexOf(a.health)] || a.index - b.index;
  });
  return list.slice(0, count);
}
