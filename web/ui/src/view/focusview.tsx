// One server and what it hangs on: storage, server, accelerators, NIC ports, optical modules, leaf ports, spines. SVG with real links.
import type { Health, JobPath, PathItem } from '../api';
import { entityHref, setQuery, t, useApp, word } from '../base/app';
import { label, MARK, nameOf, shortLabel } from '../base/entity';
import { value } from '../base/format';
import { focusOf } from '../base/pathlayout';
import { Btn, Empty } from './parts';

const LANE = 118;
const LEFT = 84;

function two(it: PathItem): string {
  return Object.keys(it.kpi).slice(0, 2).map((k) => value(it.kpi[k].value, it.kpi[k].unit)).join(' · ');
}
function cut(s: string, w: number): string {
  const n = Math.floor(w / 6.6);
  return s.length > n ? `${s.slice(0, n - 1)}…` : s;
}

function Box({ it, x, y, w, h = 40, text, sub }: { it: PathItem; x: number; y: number; w: number; h?: number; text: string; sub?: string }) {
  const bad = it.health !== 'ok';
  return (
    <a href={entityHref(it.entity)} class={`fbox b-${it.health} role-${it.role ?? 'none'}`}>
      <title>{`${label(it.entity)}: ${word('health', it.health)}${it.role ? `, ${word('role', it.role)}` : ''}`}</title>
      {it.role === 'root' && <rect x={x - 4} y={y - 4} width={w + 8} height={h + 8} rx="8" class="halo" />}
      <rect x={x} y={y} width={w} height={h} rx="5" class="body" />
      <text x={x + w / 2} y={y + (sub ? 16 : h / 2 + 4)} text-anchor="middle">
        {bad && it.health !== 'unknown' ? <tspan class={`s-${it.health}`}>{`${MARK[it.health]} `}</tspan> : null}
        {cut(text, w - (bad ? 14 : 4))}
      </text>
      {sub && <text x={x + w / 2} y={y + 31} text-anchor="middle" class="sub">{cut(sub, w + 8)}</text>}
      {it.role && it.role !== 'related' && <text x={x + w - 4} y={y + h + 12} text-anchor="end" class={`tag ${it.role}`}>{word('role', it.role)}</text>}
    </a>
  );
}

const line = (h: Health, role?: string) => `fline l-${h} role-${role ?? 'none'}`;

export function FocusView({ path, node }: { path: JobPath; node: string }) {
  useApp();
  const f = focusOf(path, node);
  if (!f) return <Empty why={t('path.nofocus', { node })} what={<Btn on={() => setQuery({ focus: null })}>{t('path.all')}</Btn>} />;
  const n = Math.max(f.lanes.length, 4);
  const W = LEFT + n * LANE + 8;
  const width = n * LANE - 10;
  const laneX = (i: number) => LEFT + (i + (n - f.lanes.length) / 2) * LANE;
  const opt = Math.max(...f.lanes.map((l) => l.optics.length), 0);
  const leafs = new Map<string, number[]>();
  f.lanes.forEach((l, i) => l.leaf && leafs.set(nameOf(l.leaf.entity), [...(leafs.get(nameOf(l.leaf.entity)) ?? []), i]));
  const shownSpines = f.spines.length > 32 ? [...f.spines.filter((s) => s.health !== 'ok' || s.role), ...f.spines.filter((s) => s.health === 'ok' && !s.role)].slice(0, 32) : f.spines;
  const spineX = new Map(shownSpines.map((s, i) => [nameOf(s.entity), LEFT + ((i + 0.5) * width) / shownSpines.length]));
  let y = 8;
  const Y: Record<string, number> = {};
  const row = (k: string, h: number) => {
    Y[k] = y;
    y += h;
  };
  if (shownSpines.length) row('spine', 124);
  row('leaf', 66);
  // The switch's module above, the server's below.
  if (opt > 1) row('optic1', 60);
  if (opt > 0) row('optic0', 60);
  row('nic', 60);
  row('gpu', 60);
  row('node', 74);
  if (f.storage.length) row('storage', 60);
  const sw = Math.min(100, width / Math.max(1, shownSpines.length) - 4);
  const name = (k: string, text: string) => Y[k] !== undefined && <text x="2" y={Y[k] + 24} class="row">{text}</text>;
  return (
    <div class="scroll focusview" tabIndex={0} role="group" aria-label={t('path.focus', { node })}>
      <svg viewBox={`0 0 ${W} ${y}`} role="group" aria-label={t('path.focus', { node })}>
        {name('spine', word('layer', 'spine'))}
        {name('leaf', word('layer', 'leaf'))}
        {name('optic1', t('layer.opticleaf'))}
        {name('optic0', t('layer.opticnic'))}
        {name('nic', word('layer', 'nic'))}
        {name('gpu', word('layer', 'gpu'))}
        {name('node', word('layer', 'node'))}
        {name('storage', word('layer', 'storage'))}
        {f.ups.map((u) => {
          const lanes = leafs.get(u.leaf);
          const x2 = spineX.get(u.spine);
          if (!lanes || x2 === undefined) return null;
          const x1 = (laneX(lanes[0]) + laneX(lanes[lanes.length - 1]) + LANE - 10) / 2;
          return <line key={`${u.leaf} ${u.spine}`} x1={x1} y1={Y.leaf} x2={x2} y2={Y.spine + 40} class={`${line(u.health, u.role)} up`} />;
        })}
        {f.lanes.map((l, i) => {
          const x = laneX(i) + (LANE - 10) / 2;
          const h = l.link?.health ?? 'unknown';
          return (
            <g key={i}>
              {l.leaf && l.nic && <line x1={x} y1={Y.leaf + 40} x2={x} y2={Y.nic} class={line(h, l.link?.role)} />}
              {l.gpu && l.nic && <line x1={x} y1={Y.nic + 40} x2={x} y2={Y.gpu} class={line('ok')} />}
              {l.gpu && <line x1={x} y1={Y.gpu + 40} x2={x} y2={Y.node} class={line('ok')} />}
            </g>
          );
        })}
        {f.storage.map((s, i) => (
          <line key={s.item.entity} x1={LEFT + ((i + 0.5) * width) / f.storage.length} y1={Y.node + 48} x2={LEFT + ((i + 0.5) * width) / f.storage.length} y2={Y.storage} class={line(s.link.health, s.link.role)} />
        ))}
        {shownSpines.map((s) => <Box key={s.entity} it={s} x={(spineX.get(nameOf(s.entity)) ?? 0) - sw / 2} y={Y.spine} w={sw} text={nameOf(s.entity).length * 6.6 + 6 > sw ? nameOf(s.entity).replace(/^.*?(\d+)$/, '$1') : nameOf(s.entity)} />)}
        {[...leafs].map(([leaf, lanes]) => {
          const item = f.lanes[lanes[0]].leaf as PathItem;
          const x0 = laneX(lanes[0]);
          const w = laneX(lanes[lanes.length - 1]) + LANE - 10 - x0;
          return <Box key={leaf} it={item} x={x0} y={Y.leaf} w={w} text={leaf} sub={lanes.length === 1 ? f.lanes[lanes[0]].port : t('path.ports', { n: lanes.length })} />;
        })}
        {f.lanes.map((l, i) => (
          <g key={`b${i}`}>
            {l.optics.map((o, k) => <Box key={o.entity} it={o} x={laneX(i)} y={l.optics.length > 1 && k === 1 ? Y.optic1 : Y.optic0} w={LANE - 10} text={two(o).split(' · ')[0] || shortLabel(o.entity)} sub={two(o).split(' · ')[1] ?? ''} />)}
            {l.nic && <Box it={l.nic} x={laneX(i)} y={Y.nic} w={LANE - 10} text={shortLabel(l.nic.entity)} sub={two(l.nic)} />}
            {l.gpu && <Box it={l.gpu} x={laneX(i)} y={Y.gpu} w={LANE - 10} text={shortLabel(l.gpu.entity)} sub={two(l.gpu)} />}
          </g>
        ))}
        <Box it={f.node} x={LEFT} y={Y.node} w={width} h={48} text={node} sub={two(f.node)} />
        {f.storage.map((s, i) => <Box key={s.item.entity} it={s.item} x={LEFT + (i * width) / f.storage.length} y={Y.storage} w={width / f.storage.length - 8} text={nameOf(s.item.entity)} sub={two(s.item)} />)}
      </svg>
    </div>
  );
}
