// The fleet map: every accelerator one cell on canvas, the cursor on a second canvas, the same data as a table.
// Drawn once a change of data, theme or size: colours are sorted so that 18,000 cells take about 25 fill styles.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Fleet, FleetTopology, Measure } from '../api';
import { entityHref, go, href, t, useApp, word } from '../base/app';
import { value } from '../base/format';
import { BLOCK_TITLE, cellAt, hit, layoutFleet, offsets, STATE, type Block, type Group } from '../base/fleetlayout';
import { MARK } from '../base/entity';

const css = (n: string) => getComputedStyle(document.documentElement).getPropertyValue(n).trim();
export const STEPS = 24;

function mix(a: string, b: string, f: number): string {
  const p = (s: string, i: number) => parseInt(s.slice(1 + i * 2, 3 + i * 2), 16);
  return `#${[0, 1, 2].map((i) => Math.round(p(a, i) + (p(b, i) - p(a, i)) * f).toString(16).padStart(2, '0')).join('')}`;
}
// From good to bad where a measure has a bad side (blue, yellow, orange, red), else from faint to strong.
export function ramp(better: 'high' | 'low' | 'none'): string[] {
  const stops = better === 'none' ? [css('--seq0'), css('--seq1'), css('--seq2')] : ['ok', 'ok2', 'minor', 'major', 'critical'].map((k) => css(`--${k}`));
  if (better === 'high') stops.reverse();
  return Array.from({ length: STEPS }, (_, i) => {
    const f = (i / (STEPS - 1)) * (stops.length - 1);
    const k = Math.min(stops.length - 2, Math.floor(f));
    return mix(stops[k], stops[k + 1], f - k);
  });
}
export function spanOf(f: Fleet, m: Measure | null): [number, number] {
  if (m?.range) return m.range;
  let lo = Infinity;
  let hi = -Infinity;
  for (const v of f.values ?? []) {
    if (v === null) continue;
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  return lo > hi ? [0, 1] : lo === hi ? [lo, lo + 1] : [lo, hi];
}

function hatch(c: CanvasRenderingContext2D): CanvasPattern | string {
  const p = document.createElement('canvas');
  p.width = p.height = 4;
  const g = p.getContext('2d');
  if (!g) return css('--none');
  g.fillStyle = css('--none-bg');
  g.fillRect(0, 0, 4, 4);
  g.strokeStyle = css('--hatch');
  g.lineWidth = 1.2;
  for (const d of [-4, 0, 4]) {
    g.beginPath();
    g.moveTo(d, 4);
    g.lineTo(d + 4, 0);
    g.stroke();
  }
  return c.createPattern(p, 'repeat') ?? css('--none');
}

export function FleetMap({ topo, fleet, groups, measure, height, title, zoomTo }: {
  topo: FleetTopology; fleet: Fleet; groups: Group[]; measure: Measure | null; height: number; title: (key: string) => string; zoomTo: (key: string) => void;
}) {
  const { theme, lang } = useApp();
  const box = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const top = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [cur, setCur] = useState<{ block: number; i: number; gpu: number } | null>(null);
  const [say, setSay] = useState('');
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const ro = new ResizeObserver(() => setWidth(Math.floor(el.clientWidth)));
    ro.observe(el);
    setWidth(Math.floor(el.clientWidth));
    return () => ro.disconnect();
  }, []);
  const off = useMemo(() => offsets(topo.gpus), [topo]);
  const lay = useMemo(() => (width > 40 ? layoutFleet(groups, topo.gpus, width, height) : null), [groups, topo, width, height]);
  const worstOfBlock = useMemo(() => groups.map((g) => {
    const n = [0, 0, 0, 0, 0];
    for (const k of g.nodes) for (let j = off[k]; j < off[k + 1]; j++) n[Number(fleet.states[j] ?? 4)]++;
    return n;
  }), [groups, fleet, off]);

  useEffect(() => {
    const cv = base.current;
    if (!cv || !lay) return;
    const dpr = Math.min(devicePixelRatio || 1, 2);
    cv.width = width * dpr;
    cv.height = Math.max(40, lay.height) * dpr;
    const c = cv.getContext('2d');
    if (!c) return;
    c.scale(dpr, dpr);
    c.clearRect(0, 0, width, lay.height);
    const byValue = !!fleet.values;
    const colours = byValue ? ramp(measure?.better ?? 'none') : STATE.slice(0, 4).map((s) => css(`--${s}`));
    const [lo, hi] = byValue ? spanOf(fleet, measure) : [0, 1];
    const bins: number[][] = Array.from({ length: colours.length + 1 }, () => []);
    const rings: [number, number, number][] = [];
    const pad = lay.cell > 8 ? 1.5 : 1;
    for (const b of lay.blocks) {
      for (let i = 0; i < b.nodes.length; i++) {
        const n = b.nodes[i];
        for (let g = 0; g < topo.gpus[n]; g++) {
          const { x, y } = cellAt(lay, b, i, g);
          const k = off[n] + g;
          const st = Number(fleet.states[k] ?? 4);
          let bin: number;
          if (byValue) {
            const v = fleet.values?.[k] ?? null;
            bin = v === null ? colours.length : Math.max(0, Math.min(STEPS - 1, Math.round(((v - lo) / (hi - lo)) * (STEPS - 1))));
          } else bin = st > 3 ? colours.length : st;
          bins[bin].push(x, y);
          if (st === 3 || (st === 2 && !byValue)) rings.push([x, y, st]);
        }
      }
    }
    const pattern = hatch(c);
    bins.forEach((xy, i) => {
      c.fillStyle = i === colours.length ? pattern : colours[i];
      for (let j = 0; j < xy.length; j += 2) c.fillRect(xy[j], xy[j + 1], lay.cell - pad, lay.cell - pad);
    });
    // What is wrong stands out by size and outline, not by colour alone.
    for (const [x, y, st] of rings) {
      const grow = st === 3 ? 2 : 1;
      c.fillStyle = css(st === 3 ? '--critical' : '--major');
      if (!byValue) c.fillRect(x - grow, y - grow, lay.cell - pad + 2 * grow, lay.cell - pad + 2 * grow);
      c.strokeStyle = css('--ink');
      c.lineWidth = st === 3 ? 1.4 : 0.7;
      c.strokeRect(x - grow, y - grow, lay.cell - pad + 2 * grow, lay.cell - pad + 2 * grow);
    }
    c.font = `600 12px ${css('--font')}`;
    c.textBaseline = 'alphabetic';
    lay.blocks.forEach((b, bi) => {
      const n = worstOfBlock[bi];
      const bad = [3, 2, 1].filter((s) => n[s]).slice(0, b.w > 150 ? 3 : 1).map((s) => `${MARK[STATE[s]]}${n[s]}`).join(' ');
      c.fillStyle = css('--ink');
      let text = title(b.key);
      const room = b.w - (bad ? c.measureText(bad).width + 8 : 0);
      if (c.measureText(text).width > room) {
        while (text.length > 1 && c.measureText(`${text}…`).width > room) text = text.slice(0, -1);
        text += '…';
      }
      c.fillText(text, b.x, b.y + 12);
      if (bad) {
        c.fillStyle = css(n[3] ? '--critical-text' : n[2] ? '--major-text' : '--minor-text');
        c.fillText(bad, b.x + c.measureText(text).width + 8, b.y + 12);
      }
    });
  }, [lay, fleet, measure, theme, lang, width]);

  const describe = (b: Block, i: number, gpu: number) => {
    const n = b.nodes[i];
    const k = off[n] + gpu;
    const st = STATE[Number(fleet.states[k] ?? 4)] ?? 'unknown';
    const job = fleet.job[n] >= 0 ? fleet.jobs[fleet.job[n]] : '';
    const rack = topo.rack[n] >= 0 ? topo.racks[topo.rack[n]] : '';
    const pod = topo.pod[n] >= 0 ? topo.pods[topo.pod[n]] : '';
    return { n, k, st, job, rack, pod, name: `${topo.nodes[n]} / GPU ${gpu}`, v: fleet.values ? value(fleet.values[k], fleet.unit) : '' };
  };
  useEffect(() => {
    const cv = top.current;
    const tp = tip.current;
    if (!cv || !lay || !tp) return;
    const dpr = Math.min(devicePixelRatio || 1, 2);
    cv.width = width * dpr;
    cv.height = Math.max(40, lay.height) * dpr;
    const c = cv.getContext('2d');
    tp.hidden = !cur;
    if (!c || !cur || !lay.blocks[cur.block]) return;
    c.scale(dpr, dpr);
    const b = lay.blocks[cur.block];
    if (cur.i >= b.nodes.length) return;
    const d = describe(b, cur.i, cur.gpu);
    const { x, y } = cellAt(lay, b, cur.i, cur.gpu);
    const h0 = cellAt(lay, b, cur.i, 0);
    c.strokeStyle = css('--ink');
    c.lineWidth = 1;
    c.strokeRect(h0.x - 1.5, h0.y - 1.5, lay.cell + 2, topo.gpus[d.n] * lay.cell + 2);
    c.lineWidth = 2.5;
    c.strokeRect(x - 2, y - 2, lay.cell + 3, lay.cell + 3);
    const tx0 = Math.min(x + 14, width - tp.offsetWidth - 4);
    tp.style.transform = `translate(${Math.max(0, tx0)}px, ${y > lay.height - 90 && y > 100 ? y - tp.offsetHeight - 10 : y + lay.cell + 8}px)`;
  }, [cur, lay, width, theme, fleet]);
  useEffect(() => {
    if (!cur || !lay?.blocks[cur.block]) return;
    const d = describe(lay.blocks[cur.block], cur.i, cur.gpu);
    const id = setTimeout(() => setSay([d.name, word('health', d.st), d.v, d.rack, d.job && `${t('word.job')} ${d.job}`].filter(Boolean).join(', ')), 150);
    return () => clearTimeout(id);
  }, [cur]);

  const move = (e: PointerEvent) => {
    if (!lay || !top.current) return;
    const r = top.current.getBoundingClientRect();
    const f = hit(lay, topo.gpus, e.clientX - r.left, e.clientY - r.top);
    setCur(f ? { block: lay.blocks.indexOf(f.block), i: f.i, gpu: f.gpu } : null);
  };
  const open = () => {
    if (!cur || !lay) return;
    go(entityHref(`gpu:${topo.nodes[lay.blocks[cur.block].nodes[cur.i]]}/${cur.gpu}`));
  };
  const click = (e: MouseEvent) => {
    if (!lay || !top.current) return;
    const r = top.current.getBoundingClientRect();
    const x = e.clientX - r.left;
    const y = e.clientY - r.top;
    const b = lay.blocks.find((k) => x >= k.x && x < k.x + k.w && y >= k.y && y < k.y + BLOCK_TITLE);
    if (b) zoomTo(b.key);
    else if (hit(lay, topo.gpus, x, y)) open();
  };
  const keys = (e: KeyboardEvent) => {
    if (!lay || !lay.blocks.length) return;
    const c = cur ?? { block: 0, i: 0, gpu: 0 };
    const b = lay.blocks[Math.min(c.block, lay.blocks.length - 1)];
    let { block, i, gpu } = c;
    if (e.key === 'Enter') return open();
    if (e.key === 'Escape') return setCur(null);
    if (e.key === 'n' || e.key === 'N') {
      const list: { block: number; i: number; gpu: number }[] = [];
      let here = -1;
      lay.blocks.forEach((bb, bi) => bb.nodes.forEach((n, ni) => {
        for (let g = 0; g < topo.gpus[n]; g++) {
          const s = fleet.states[off[n] + g];
          if (s !== '0' && s !== '4') {
            if (cur && (bi < cur.block || (bi === cur.block && (ni < cur.i || (ni === cur.i && g <= cur.gpu))))) here = list.length;
            list.push({ block: bi, i: ni, gpu: g });
          }
        }
      }));
      if (!list.length) return;
      e.preventDefault();
      e.stopPropagation();
      const at = cur && here >= 0 && list[here].block === cur.block && list[here].i === cur.i && list[here].gpu === cur.gpu;
      const k = e.key === 'n' ? here + 1 : at ? here - 1 : here;
      return setCur(list[(k + list.length) % list.length]);
    }
    if (e.key === 'ArrowRight') i++;
    else if (e.key === 'ArrowLeft') i--;
    else if (e.key === 'ArrowDown') gpu++;
    else if (e.key === 'ArrowUp') gpu--;
    else return;
    e.preventDefault();
    if (!cur) return setCur(c);
    if (gpu >= topo.gpus[b.nodes[i]] || gpu < 0) {
      const step = gpu < 0 ? -b.columns : b.columns;
      const to = i + step;
      if (to >= 0 && to < b.nodes.length) {
        i = to;
        gpu = step < 0 ? topo.gpus[b.nodes[to]] - 1 : 0;
      } else {
        block += step < 0 ? -1 : 1;
        i = 0;
        gpu = 0;
      }
    } else if (i >= b.nodes.length) {
      block++;
      i = 0;
    } else if (i < 0) {
      block--;
      i = block >= 0 ? lay.blocks[block].nodes.length - 1 : 0;
    }
    if (block < 0 || block >= lay.blocks.length) return;
    setCur({ block, i, gpu });
  };
  const d = cur && lay?.blocks[cur.block] && cur.i < lay.blocks[cur.block].nodes.length ? describe(lay.blocks[cur.block], cur.i, cur.gpu) : null;
  const total = topo.gpus.reduce((a, b) => a + b, 0);
  return (
    <div ref={box} class="map">
      <canvas ref={base} style={{ width: `${width}px`, height: `${lay?.height ?? height}px` }} aria-hidden="true" />
      <canvas ref={top} class="over" style={{ width: `${width}px`, height: `${lay?.height ?? height}px` }} tabIndex={0} role="application"
        aria-label={t('fleet.name', { n: total })} onPointerMove={move} onPointerLeave={() => setCur(null)} onClick={click} onKeyDown={keys} />
      <div ref={tip} class="tip" hidden>
        {d && (
          <>
            <b>{d.name}</b>
            <span class={`h-${d.st}`}>{MARK[d.st]} {word('health', d.st)} {d.v && <b>{d.v}</b>}</span>
            <span class="dim">{[d.pod, d.rack, topo.model[d.n] >= 0 ? topo.models[topo.model[d.n]] : ''].filter(Boolean).join(' · ')}</span>
            {d.job && <span>{t('word.job')} {d.job}</span>}
          </>
        )}
      </div>
      <div class="sr" role="status" aria-live="polite">{say}</div>
    </div>
  );
}

// One row a host: the table with the same data.
export function FleetTable({ topo, fleet, groups, title }: { topo: FleetTopology; fleet: Fleet; groups: Group[]; title: (key: string) => string }) {
  useApp();
  const off = offsets(topo.gpus);
  const [more, setMore] = useState(100);
  const rows: [string, number][] = [];
  for (const g of groups) for (const n of g.nodes) rows.push([g.key, n]);
  const widest = Math.max(1, ...topo.gpus);
  return (
    <div class="scroll tall" tabIndex={0} role="group" aria-label={t('fleet.table')}>
      <table class="dense">
        <caption class="sr">{t('fleet.table')}</caption>
        <thead>
          <tr><th scope="col">{t('col.group')}</th><th scope="col">{t('kind.node')}</th>{Array.from({ length: widest }, (_, i) => <th key={i} scope="col" class="num">GPU {i}</th>)}</tr>
        </thead>
        <tbody>
          {rows.slice(0, more).map(([key, n]) => (
            <tr key={n}>
              <td>{title(key)}</td>
              <td><a href={href('devices', `node:${topo.nodes[n]}`)}>{topo.nodes[n]}</a></td>
              {Array.from({ length: topo.gpus[n] }, (_, g) => {
                const st = STATE[Number(fleet.states[off[n] + g] ?? 4)] ?? 'unknown';
                return <td key={g} class={`num h-${st}`}>{fleet.values ? value(fleet.values[off[n] + g], fleet.unit) : ''} {st === 'ok' ? (fleet.values ? '' : MARK.ok) : `${MARK[st]} ${word('health', st)}`}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > more && <button type="button" class="btn" onClick={() => setMore(more + 200)}>{t('do.more', { n: rows.length - more })}</button>}
    </div>
  );
}

export function Scale({ fleet, measure }: { fleet: Fleet; measure: Measure | null }) {
  const { theme } = useApp();
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const cv = ref.current;
    const c = cv?.getContext('2d');
    if (!cv || !c) return;
    cv.width = STEPS * 5;
    cv.height = 10;
    ramp(measure?.better ?? 'none').forEach((k, i) => {
      c.fillStyle = k;
      c.fillRect(i * 5, 0, 5, 10);
    });
  }, [theme, measure, fleet.measure]);
  const [lo, hi] = spanOf(fleet, measure);
  return (
    <span class="scale">
      {value(lo, fleet.unit)} <canvas ref={ref} aria-hidden="true" /> {value(hi, fleet.unit)}
    </span>
  );
}
