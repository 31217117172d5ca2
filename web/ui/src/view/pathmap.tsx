// The job path: fixed rows on canvas, zoomed in x only. Healthy links almost transparent, problem links last, thick and dashed by severity.
// Expects 10,000 items and links. Where items are thinner than three pixels, neighbours share a cell that shows the worst of them.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Health, JobPath, PathItem } from '../api';
import { entityHref, go, href, setQuery, t, useApp, word } from '../base/app';
import { badness, hostOf, kindOf, label, MARK, worse } from '../base/entity';
import { value } from '../base/format';
import { layoutPath, problemsOf, type PathMap as Map_ } from '../base/pathlayout';
import { Btn } from './parts';

const css = (n: string) => getComputedStyle(document.documentElement).getPropertyValue(n).trim();
const LEFT = 92;
const RIGHT = 12;
const DASH: Record<Health, number[]> = { ok: [], minor: [2, 3], major: [7, 4], critical: [], unknown: [1, 5] };
// Height of the band above each row.
const ABOVE: Record<string, number> = { core: 26, spine: 96, uplink: 62, leaf: 62, optic: 104, nic: 34, gpu: 34, node: 34, storage: 84 };

function rowYs(m: Map_): number[] {
  let y = 0;
  return m.rows.map((r, i) => (y += i === 0 ? 34 : ABOVE[r.name] ?? 60));
}

export function kpiText(it: PathItem): string {
  return Object.keys(it.kpi).slice(0, 3).map((k) => `${word('kpi', k)} ${value(it.kpi[k].value, it.kpi[k].unit)}`).join(' · ');
}

export function PathMap({ path }: { path: JobPath }) {
  const { theme, lang } = useApp();
  const box = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [view, setView] = useState<[number, number]>([0, 1]);
  const [cur, setCur] = useState<[number, number] | null>(null);
  const [say, setSay] = useState('');
  const drag = useRef<{ x: number; view: [number, number]; moved: boolean } | null>(null);
  const map = useMemo(() => layoutPath(path), [path]);
  const ys = useMemo(() => rowYs(map), [map]);
  const height = (ys[ys.length - 1] ?? 60) + 30;
  const wide = Math.max(10, width - LEFT - RIGHT);
  const px = (x: number) => LEFT + ((x - view[0]) / (view[1] - view[0])) * wide;
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const ro = new ResizeObserver(() => setWidth(Math.floor(el.clientWidth)));
    ro.observe(el);
    setWidth(Math.floor(el.clientWidth));
    return () => ro.disconnect();
  }, []);
  const zoom = (f: number, at = 0.5) => {
    const [a, b] = view;
    const w = Math.min(1, Math.max(0.004, (b - a) * f));
    const c = a + (b - a) * at;
    const x = Math.max(0, Math.min(1 - w, c - w * at));
    setView([x, x + w]);
  };

  useEffect(() => {
    const cv = base.current;
    if (!cv || width < 50) return;
    const dpr = Math.min(devicePixelRatio || 1, 2);
    cv.width = width * dpr;
    cv.height = height * dpr;
    const c = cv.getContext('2d');
    if (!c) return;
    c.scale(dpr, dpr);
    const ink = css('--ink');
    const dim = css('--dim');
    const colour: Record<Health, string> = { ok: css('--ok'), minor: css('--minor'), major: css('--major'), critical: css('--critical'), unknown: css('--none') };
    c.save();
    c.beginPath();
    c.rect(LEFT - 6, 0, wide + 12, height);
    c.clip();
    // Links: the healthy in one stroke, then what is wrong, worst last.
    const half = (r: number) => (['leaf', 'spine', 'core', 'storage'].includes(map.rows[r].name) ? 8 : 7);
    c.globalAlpha = 0.08;
    c.strokeStyle = colour.ok;
    c.lineWidth = 1;
    c.beginPath();
    for (const l of map.lines) {
      if (l.link.health !== 'ok' && l.link.health !== 'unknown') continue;
      const x0 = px(map.rows[l.row0].x[l.i0]);
      const x1 = px(map.rows[l.row1].x[l.i1]);
      if ((x0 < LEFT && x1 < LEFT) || (x0 > width && x1 > width)) continue;
      c.moveTo(x0, ys[l.row0] + half(l.row0));
      c.lineTo(x1, ys[l.row1] - half(l.row1));
    }
    c.stroke();
    c.globalAlpha = 1;
    const marks: [number, number, Health, boolean, boolean][] = [];
    const bad = map.lines.filter((l) => l.link.health !== 'ok' && l.link.health !== 'unknown').sort((a, b) => badness(a.link.health) - badness(b.link.health));
    for (const l of bad) {
      const h = l.link.health;
      const x0 = px(map.rows[l.row0].x[l.i0]);
      const x1 = px(map.rows[l.row1].x[l.i1]);
      const y0 = ys[l.row0] + half(l.row0);
      const y1 = ys[l.row1] - half(l.row1);
      c.beginPath();
      c.setLineDash(l.link.role === 'victim' ? [3, 4] : DASH[h]);
      if (l.link.role === 'root') {
        c.strokeStyle = ink;
        c.lineWidth = 5;
        c.moveTo(x0, y0);
        c.lineTo(x1, y1);
        c.stroke();
        c.beginPath();
      }
      c.strokeStyle = colour[h];
      c.lineWidth = l.link.role === 'root' ? 3.2 : l.link.role === 'victim' ? 1.4 : 2.2;
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
      c.stroke();
      if (h !== 'minor') marks.push([(x0 + x1) / 2, (y0 + y1) / 2, h, false, l.link.role === 'victim']);
    }
    c.setLineDash([]);
    // Cells
    const tail: (() => void)[] = [];
    map.rows.forEach((r, ri) => {
      const y = ys[ri];
      const hh = half(ri);
      let k = 0;
      while (k < r.items.length) {
        const left = px(r.x[k] - r.w[k] / 2);
        let right = px(r.x[k] + r.w[k] / 2);
        let h = r.items[k].health;
        let e = k + 1;
        // Cells thinner than three pixels are drawn together.
        while (right - left < 3 && e < r.items.length && px(r.x[e] - r.w[e] / 2) - left < 3) {
          right = px(r.x[e] + r.w[e] / 2);
          h = worse(h, r.items[e].health);
          e++;
        }
        const first = k;
        k = e;
        if (right < LEFT || left > width) continue;
        const w = Math.max(2, right - left - (right - left > 5 ? 1.2 : 0.5));
        let role: string | undefined;
        for (let i = first; i < e; i++) {
          const q = r.items[i].role;
          if (q === 'root' || !role) role = q ?? role;
        }
        if (h === 'unknown') {
          c.fillStyle = css('--none-bg');
          c.fillRect(left, y - hh, w, hh * 2);
          c.strokeStyle = css('--hatch');
          c.lineWidth = 1;
          c.beginPath();
          for (let x = left; x < left + w; x += 4) {
            c.moveTo(x, y + hh);
            c.lineTo(Math.min(x + 5, left + w), y - hh);
          }
          c.stroke();
        } else {
          c.globalAlpha = role === 'victim' ? 0.55 : 1;
          c.fillStyle = colour[h];
          c.fillRect(left, y - hh, w, hh * 2);
          c.globalAlpha = 1;
        }
        if (role === 'root') {
          tail.push(() => {
            c.strokeStyle = ink;
            c.lineWidth = 2.5;
            c.strokeRect(left - 3, y - hh - 3, w + 6, hh * 2 + 6);
          });
        } else if (role === 'victim') {
          c.setLineDash([3, 2]);
          c.strokeStyle = ink;
          c.lineWidth = 1;
          c.strokeRect(left - 0.5, y - hh - 0.5, w + 1, hh * 2 + 1);
          c.setLineDash([]);
        } else if (role === 'related') {
          c.fillStyle = ink;
          c.fillRect(left + w / 2 - 1, y + hh + 2, 2, 2);
        }
        if (h === 'major' || h === 'critical') marks.push([left + w / 2, y - hh - 8, h, role === 'root', role === 'victim']);
      }
      // Names where there is room for them
      const span = px(r.x[0] + 1 / r.items.length) - px(r.x[0]);
      if (['spine', 'core', 'storage', 'leaf', 'node'].includes(r.name) && span > 66) {
        c.fillStyle = dim;
        c.font = `11px ${css('--font')}`;
        c.textAlign = 'center';
        r.items.forEach((it, i) => c.fillText(label(it.entity), px(r.x[i]), y + hh + 13));
      }
    });
    for (const f of tail) f();
    marks.sort((a, b) => badness(a[2]) - badness(b[2]) || Number(a[3]) - Number(b[3]));
    c.textAlign = 'center';
    c.textBaseline = 'middle';
    let lastX = -99;
    for (const [x, y, h, root, victim] of marks) {
      if (victim && Math.abs(x - lastX) < 9) continue;
      lastX = x;
      c.font = `${root ? 17 : 13}px ${css('--font')}`;
      c.lineWidth = 3;
      c.strokeStyle = css('--panel');
      c.strokeText(MARK[h], x, y);
      c.fillStyle = victim ? dim : colour[h];
      c.fillText(MARK[h], x, y);
      if (root) {
        c.font = `700 11px ${css('--font')}`;
        const text = t('role.root');
        const half = c.measureText(text).width / 2;
        const at = Math.max(LEFT + half, Math.min(x, width - half - 2));
        c.strokeText(text, at, y - 15);
        c.fillStyle = ink;
        c.fillText(text, at, y - 15);
      }
    }
    c.restore();
    c.textBaseline = 'middle';
    c.textAlign = 'left';
    map.rows.forEach((r, ri) => {
      c.fillStyle = ink;
      c.font = `600 12px ${css('--font')}`;
      c.fillText(word('layer', r.name), 2, ys[ri] - 5);
      c.fillStyle = dim;
      c.font = `11px ${css('--font')}`;
      c.fillText(r.items.length.toLocaleString('en-US'), 2, ys[ri] + 9);
    });
  }, [map, width, view, theme, lang]);

  useEffect(() => {
    const cv = over.current;
    const tp = tip.current;
    if (!cv || !tp) return;
    const dpr = Math.min(devicePixelRatio || 1, 2);
    cv.width = width * dpr;
    cv.height = height * dpr;
    tp.hidden = !cur;
    const c = cv.getContext('2d');
    if (!c || !cur || !map.rows[cur[0]]?.items[cur[1]]) return;
    c.scale(dpr, dpr);
    const r = map.rows[cur[0]];
    const x = px(r.x[cur[1]]);
    const y = ys[cur[0]];
    // The links of what is under the cursor
    c.strokeStyle = css('--ink');
    c.lineWidth = 1;
    c.globalAlpha = 0.6;
    c.beginPath();
    for (const l of map.lines) {
      if ((l.row0 === cur[0] && l.i0 === cur[1]) || (l.row1 === cur[0] && l.i1 === cur[1])) {
        c.moveTo(px(map.rows[l.row0].x[l.i0]), ys[l.row0] + 8);
        c.lineTo(px(map.rows[l.row1].x[l.i1]), ys[l.row1] - 8);
      }
    }
    c.stroke();
    c.globalAlpha = 1;
    const w = Math.max(4, px(r.x[cur[1]] + r.w[cur[1]] / 2) - px(r.x[cur[1]] - r.w[cur[1]] / 2));
    c.lineWidth = 2.5;
    c.strokeRect(x - w / 2 - 2, y - 11, w + 4, 22);
    tp.style.transform = `translate(${Math.max(0, Math.min(x + 12, width - tp.offsetWidth - 4))}px, ${y + 150 > height ? y - tp.offsetHeight - 16 : y + 16}px)`;
    const it = r.items[cur[1]];
    const id = setTimeout(() => setSay(`${word('layer', r.name)} ${label(it.entity)}, ${word('health', it.health)}${it.role ? `, ${word('role', it.role)}` : ''}, ${kpiText(it)}`), 150);
    return () => clearTimeout(id);
  }, [cur, map, width, view, theme]);

  const find = (x: number, y: number): [number, number] | null => {
    let ri = -1;
    ys.forEach((ry, i) => {
      if (Math.abs(ry - y) <= 13) ri = i;
    });
    if (ri < 0) return null;
    const r = map.rows[ri];
    let best = -1;
    let dist = 8;
    for (let i = 0; i < r.items.length; i++) {
      const d = Math.abs(px(r.x[i]) - x);
      const within = d <= (r.w[i] / (view[1] - view[0])) * wide / 2;
      const bonus = badness(r.items[i].health) > 1 ? 3 : 0;
      if ((within ? 0 : d) - bonus < dist) {
        dist = (within ? 0 : d) - bonus;
        best = i;
      }
    }
    return best < 0 ? null : [ri, best];
  };
  const open = (at: [number, number] | null) => {
    if (!at) return;
    const it = map.rows[at[0]].items[at[1]];
    const host = ['node', 'gpu', 'nic', 'optic'].includes(kindOf(it.entity)) ? hostOf(it.entity) : '';
    if (host && map.at.has(`node:${host}`)) setQuery({ focus: host });
    else go(entityHref(it.entity));
  };
  const local = (e: PointerEvent | MouseEvent | WheelEvent): [number, number] => {
    const r = (over.current as HTMLCanvasElement).getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  };
  const down = (e: PointerEvent) => {
    drag.current = { x: local(e)[0], view, moved: false };
  };
  const move = (e: PointerEvent) => {
    const [x, y] = local(e);
    const d = drag.current;
    if (d && e.buttons) {
      if (Math.abs(x - d.x) > 4) d.moved = true;
      if (d.moved) {
        const w = d.view[1] - d.view[0];
        const a = Math.max(0, Math.min(1 - w, d.view[0] - ((x - d.x) / wide) * w));
        setView([a, a + w]);
        return;
      }
    }
    setCur(find(x, y));
  };
  useEffect(() => {
    const cv = over.current;
    if (!cv) return;
    const wheel = (e: WheelEvent) => {
      if (!e.ctrlKey && !e.shiftKey) return;
      e.preventDefault();
      zoom(e.deltaY > 0 || e.deltaX > 0 ? 1.25 : 0.8, Math.max(0, Math.min(1, (local(e)[0] - LEFT) / wide)));
    };
    cv.addEventListener('wheel', wheel, { passive: false });
    return () => cv.removeEventListener('wheel', wheel);
  });
  const show = (at: [number, number]) => {
    setCur(at);
    const x = map.rows[at[0]].x[at[1]];
    const w = view[1] - view[0];
    if (x < view[0] || x > view[1]) {
      const a = Math.max(0, Math.min(1 - w, x - w / 2));
      setView([a, a + w]);
    }
  };
  const keys = (e: KeyboardEvent) => {
    const mid = cur ? Math.max(0, Math.min(1, (map.rows[cur[0]].x[cur[1]] - view[0]) / (view[1] - view[0]))) : 0.5;
    if (e.key === '+' || e.key === '=') return zoom(0.7, mid);
    if (e.key === '-') return zoom(1.4, mid);
    if (e.key === '0') return setView([0, 1]);
    if (e.key === 'Enter') return open(cur);
    if (e.key === 'Escape') return setCur(null);
    if (e.key === 'n' || e.key === 'N') {
      const list = problemsOf(map);
      if (!list.length) return;
      e.preventDefault();
      e.stopPropagation();
      const k = cur ? list.findIndex((p) => p.row === cur[0] && p.i === cur[1]) : -1;
      const next = list[(k + (e.key === 'n' ? 1 : -1) + list.length * 2) % list.length];
      return show([next.row, next.i]);
    }
    if (!e.key.startsWith('Arrow')) return;
    e.preventDefault();
    if (!cur) return show([0, 0]);
    let [r, i] = cur;
    if (e.key === 'ArrowRight') i = Math.min(i + 1, map.rows[r].items.length - 1);
    if (e.key === 'ArrowLeft') i = Math.max(0, i - 1);
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      const x = map.rows[r].x[i];
      r = Math.max(0, Math.min(map.rows.length - 1, r + (e.key === 'ArrowDown' ? 1 : -1)));
      let best = 0;
      map.rows[r].x.forEach((v, k) => {
        if (Math.abs(v - x) < Math.abs(map.rows[r].x[best] - x)) best = k;
      });
      i = best;
    }
    show([r, i]);
  };
  const it = cur ? map.rows[cur[0]]?.items[cur[1]] : null;
  return (
    <>
      <div class="maptools">
        <span class="keys">
          {(['ok', 'minor', 'major', 'critical', 'unknown'] as Health[]).map((h) => (
            <span key={h} class="mark"><i class={`sw b-${h}`} aria-hidden="true" />{h !== 'unknown' && <span class={`sym s-${h}`} aria-hidden="true">{MARK[h]}</span>} {word('health', h)}</span>
          ))}
          <span class="mark"><i class="sw role-root" aria-hidden="true" /> {t('role.root')}</span>
          <span class="mark"><i class="sw role-victim" aria-hidden="true" /> {t('role.victim')}</span>
          <span class="mark"><i class="sw role-related" aria-hidden="true" /> {t('role.related')}</span>
        </span>
        <span class="right">
          <Btn small on={() => zoom(0.6)} title={t('do.zoomin')}>+</Btn>
          <Btn small on={() => zoom(1.6)} title={t('do.zoomout')}>−</Btn>
          <Btn small on={() => setView([0, 1])} disabled={view[0] === 0 && view[1] === 1}>{t('do.fit')}</Btn>
        </span>
      </div>
      <div ref={box} class="map">
        <canvas ref={base} style={{ width: `${width}px`, height: `${height}px` }} aria-hidden="true" />
        <canvas ref={over} class="over" style={{ width: `${width}px`, height: `${height}px` }} tabIndex={0} role="application" aria-label={t('path.name', { job: path.job.id })}
          onPointerDown={down} onPointerMove={move} onPointerLeave={() => setCur(null)}
          onClick={(e) => { if (!drag.current?.moved) open(find(...local(e))); drag.current = null; }} onKeyDown={keys} />
        <div ref={tip} class="tip" hidden>
          {it && (
            <>
              <b>{label(it.entity)}</b>
              <span class={`h-${it.health}`}>{MARK[it.health]} {word('health', it.health)}{it.role ? ` · ${word('role', it.role)}` : ''}</span>
              {Object.keys(it.kpi).slice(0, 4).map((k) => <span key={k} class="dim">{word('kpi', k)} <b>{value(it.kpi[k].value, it.kpi[k].unit)}</b></span>)}
            </>
          )}
        </div>
        <div class="sr" role="status" aria-live="polite">{say}</div>
      </div>
      <p class="hint">{t('path.hint')}</p>
    </>
  );
}

// The same as a table: what is wrong first, the first 400 of each layer.
export function PathTable({ path }: { path: JobPath }) {
  useApp();
  const rows = path.layers.flatMap((l) => l.items.map((it) => ({ layer: l.name, it }))).sort((a, b) => badness(b.it.health) - badness(a.it.health)).slice(0, 400);
  return (
    <div class="scroll tall" tabIndex={0} role="group" aria-label={t('path.table')}>
      <table class="dense">
        <caption class="sr">{t('path.table')}</caption>
        <thead><tr><th scope="col">{t('col.layer')}</th><th scope="col">{t('col.object')}</th><th scope="col">{t('col.health')}</th><th scope="col">{t('col.role')}</th><th scope="col">{t('col.values')}</th></tr></thead>
        <tbody>
          {rows.map(({ layer, it }) => (
            <tr key={it.entity}>
              <td>{word('layer', layer)}</td>
              <td><a href={href('devices', it.entity)}>{label(it.entity)}</a></td>
              <td class={`h-${it.health}`}>{MARK[it.health]} {word('health', it.health)}</td>
              <td>{it.role ? word('role', it.role) : '–'}</td>
              <td>{kpiText(it)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
