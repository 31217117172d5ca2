// A time chart: uPlot on canvas, our own legend with values under the cursor, a table of the same data, drag to zoom.
// Expects at most 24 lines of 1,500 points.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { promQuery, promRange, type PromSample, type PromSeries } from '../api';
import { range, rangeKey, setQuery, t, useApp } from '../base/app';
import { value } from '../base/format';
import { useLoad } from '../base/load';
import { formatClock, formatDate, formatTime, iso, isUtc, stepFor } from '../base/time';
import { Answer, Btn, Empty, Panel } from './parts';

export interface Limit { name: string; at: number; alarm: boolean }
export interface Series { name: string; values: (number | null)[] }
const DASH = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
const MOST = 24;

// One common time axis; a gap longer than three steps is left open.
export function align(list: PromSeries[], start: number, end: number, step: number): { times: number[]; rows: (number | null)[][] } {
  const first = Math.floor(start / 1000 / step) * step;
  const n = Math.max(1, Math.floor((end / 1000 - first) / step) + 1);
  const times = Array.from({ length: n }, (_, i) => first + i * step);
  const rows = list.map((s) => {
    const row: (number | null)[] = new Array(n).fill(null);
    for (const [ts, v] of s.values) {
      const i = Math.round((ts - first) / step);
      const x = Number(v);
      if (i >= 0 && i < n && Number.isFinite(x)) row[i] = x;
    }
    return row;
  });
  return { times, rows };
}

export function seriesName(m: Record<string, string>, legend: string): string {
  if (legend && m[legend] !== undefined) return legend === 'gpu' ? `GPU ${m[legend]}` : legend === 'lane' ? t('legend.lane', { n: m[legend] }) : legend === 'priority' ? t('legend.priority', { n: m[legend] }) : m[legend];
  const rest = Object.keys(m).filter((k) => k !== '__name__');
  if (!rest.length) return m.__name__ ?? '';
  return `${m.__name__ ?? ''}{${rest.map((k) => `${k}="${m[k]}"`).join(', ')}}`;
}

// Names for series drawn together: the legend's label, else what tells them apart, else the chart's own title.
export function seriesNames(all: Record<string, string>[], legend: string, title: string): string[] {
  if (all.length === 1) return [title];
  const differs = [...new Set(all.flatMap((m) => Object.keys(m)))].filter((k) => new Set(all.map((m) => m[k])).size > 1);
  // The fewest of the labels that differ which still tell all apart, short ones first.
  const width = (k: string) => all.reduce((n, m) => n + (m[k]?.length ?? 0), 0);
  const use: string[] = [];
  let kinds = 1;
  for (const k of differs.sort((a, b) => width(a) - width(b))) {
    const n = new Set(all.map((m) => [...use, k].map((x) => m[x]).join('\n'))).size;
    if (n <= kinds) continue;
    use.push(k);
    kinds = n;
    if (n === all.length) break;
  }
  return all.map((m) => (legend && m[legend] !== undefined ? seriesName(m, legend) : use.map((k) => m[k] ?? '–').join(' · ') || title));
}

// Samples with a gap on both sides: a line cannot show them.
function isolated(v: ArrayLike<number | null | undefined>): number[] {
  const out: number[] = [];
  for (let i = 0; i < v.length; i++) if (v[i] != null && v[i - 1] == null && v[i + 1] == null) out.push(i);
  return out;
}
const present = (v: ArrayLike<number | null | undefined>): number => {
  let n = 0;
  for (let i = 0; i < v.length; i++) if (v[i] != null) n++;
  return n;
};

const NO_LIMITS: Limit[] = [];
// The limits worth a place on the axis: crossed, or no further off than the samples are spread.
function near(limits: Limit[], low: number, high: number): Limit[] {
  const room = Math.max(1.5 * (high - low), 1e-12);
  return limits.filter((l) => l.at >= low - room && l.at <= high + room);
}

const css = (n: string) => getComputedStyle(document.documentElement).getPropertyValue(n).trim();

export function Plot({ times, series, unit, height = 190, zoom = true, name, limits = NO_LIMITS }: {
  times: number[]; series: Series[]; unit: string; height?: number; zoom?: boolean; name: string; limits?: Limit[];
}) {
  const { theme, lang, utc } = useApp();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const [off, setOff] = useState<Record<string, boolean>>({});
  const [table, setTable] = useState(false);
  const shown = series.slice(0, MOST);
  const shape = shown.map((s) => s.name).join('\n');
  const data = useMemo(() => [times, ...shown.map((s) => s.values)] as uPlot.AlignedData, [times, series]);
  useEffect(() => {
    const el = box.current;
    if (!el || table) return;
    const ink = css('--dim');
    const grid = { stroke: css('--grid'), width: 1 };
    const days = times.length > 1 && times[times.length - 1] - times[0] > 2 * 86400;
    const u = new uPlot(
      {
        width: el.clientWidth || 300,
        height,
        legend: { show: false },
        cursor: { sync: { key: 'charts' }, drag: { x: zoom, y: false, setScale: false }, points: { size: 5 } },
        tzDate: (ts) => (isUtc() ? uPlot.tzDate(new Date(ts * 1e3), 'UTC') : new Date(ts * 1e3)),
        scales: { x: { time: true }, y: { range: (_u, a0, b0) => {
          const close = a0 === null ? [] : near(limits, a0, b0).map((l) => l.at);
          const a = a0 === null ? a0 : Math.min(a0, ...close);
          const b = a0 === null ? b0 : Math.max(b0, ...close);
          return a === null ? [0, 1] : a === b ? [Math.min(0, a), b === 0 ? 1 : b * 1.2] : uPlot.rangeNum(Math.min(a, a > 0 && a < b * 0.5 ? 0 : a), b, 0.1, true);
        } } },
        axes: [
          { stroke: ink, grid, ticks: grid, space: days ? 96 : 64, size: 34, values: (_u, v, _a, _s, by) => v.map((x) => (by >= 86400 ? formatDate(x * 1e3).slice(5) : days ? `${formatDate(x * 1e3).slice(5)} ${formatClock(x * 1e3, false)}` : formatClock(x * 1e3, by < 60))) },
          { stroke: ink, grid, ticks: grid, size: (_u, v) => Math.max(44, ...(v ?? []).map((x) => 18 + 7.4 * x.length)), values: (_u, v) => v.map((x) => value(x, unit)) },
        ],
        series: [{}, ...shown.map((s, i) => ({ label: s.name, stroke: css(`--c${i % 8}`), width: 1.5, dash: DASH[Math.floor(i / 8) % 4], points: { size: 4, show: (u: uPlot, k: number) => present(u.data[k]) < 8, filter: (u: uPlot, k: number, all: boolean) => (all ? null : isolated(u.data[k])) }, show: !off[s.name] }))],
        hooks: {
          draw: [
            (v) => {
              const { min, max } = v.scales.y;
              if (min == null || max == null) return;
              const c = v.ctx;
              c.save();
              c.lineWidth = 1.5 * devicePixelRatio;
              c.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
              for (const l of limits) {
                if (l.at < min || l.at > max) continue;
                const y = v.valToPos(l.at, 'y', true);
                c.strokeStyle = css(l.alarm ? '--critical' : '--major');
                c.beginPath();
                c.moveTo(v.bbox.left, y);
                c.lineTo(v.bbox.left + v.bbox.width, y);
                c.stroke();
              }
              c.restore();
            },
          ],
          setCursor: [(v) => setAt(v.cursor.idx ?? null)],
          setSelect: [
            (v) => {
              if (v.select.width < 6 || !zoom) return;
              setQuery({ from: iso(v.posToVal(v.select.left, 'x') * 1e3), to: iso(v.posToVal(v.select.left + v.select.width, 'x') * 1e3) });
            },
          ],
        },
      },
      data,
      el,
    );
    plot.current = u;
    const ro = new ResizeObserver(() => el.clientWidth && Math.abs(el.clientWidth - u.width) > 1 && u.setSize({ width: el.clientWidth, height }));
    ro.observe(el);
    return () => {
      ro.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [shape, theme, lang, utc, unit, table, height, zoom, JSON.stringify(limits)]);
  useEffect(() => {
    if (plot.current && plot.current.series.length === data.length) plot.current.setData(data);
  }, [data]);
  const last = (s: Series) => {
    for (let i = s.values.length - 1; i >= 0; i--) if (s.values[i] !== null) return s.values[i];
    return null;
  };
  if (!shown.length) return <Empty why={t('chart.empty')} />;
  return (
    <div class="chart">
      {table ? (
        <div class="scroll tall" tabIndex={0} role="group" aria-label={name}>
          <table>
            <thead><tr><th scope="col">{t('col.time')}</th>{shown.map((s) => <th key={s.name} scope="col" class="num">{s.name}</th>)}</tr></thead>
            <tbody>
              {times.map((ts, i) => (i % Math.ceil(times.length / 120) ? null : (
                <tr key={ts}><td>{formatTime(ts * 1e3)}</td>{shown.map((s) => <td key={s.name} class="num">{value(s.values[i], unit)}</td>)}</tr>
              )))}
            </tbody>
          </table>
        </div>
      ) : (
        <div ref={box} class="plot" role="img" aria-label={`${name}: ${shown.map((s) => `${s.name} ${value(last(s), unit)}`).join('; ').slice(0, 400)}`} />
      )}
      <div class="legend">
        <span class={at === null ? 'when dim' : 'when'}>{times.length > 0 && formatTime((times[at ?? times.length - 1] ?? times[times.length - 1]) * 1e3, Date.now(), true)}</span>
        {shown.map((s, i) => (
          <button key={s.name} type="button" class={off[s.name] ? 'off' : ''} aria-pressed={!off[s.name]} onClick={() => {
            const next = { ...off, [s.name]: !off[s.name] };
            setOff(next);
            plot.current?.setSeries(i + 1, { show: !next[s.name] });
          }}>
            <i class={`key k${i % 8} d${Math.floor(i / 8) % 4}`} aria-hidden="true" />
            {s.name} <b>{value(at !== null ? s.values[at] : last(s), unit)}</b>
          </button>
        ))}
        {limits.map((l) => <span key={l.name} class="row dim"><i class={`lim ${l.alarm ? 'alarm' : ''}`} aria-hidden="true" /> {l.name} {value(l.at, unit)}</span>)}
        {series.length > MOST && <span class="dim">{t('chart.more', { n: series.length - MOST })}</span>}
        <button type="button" class="link" onClick={() => setTable(!table)}>{table ? t('do.chart') : t('do.table')}</button>
      </div>
    </div>
  );
}

// A module's own limits of what is drawn, as it reports them beside its readings.
async function limitsOf(expr: string, s: AbortSignal): Promise<Limit[]> {
  const m = /^(optic_\w+)\{([^}]*)\}$/.exec(expr);
  if (!m) return NO_LIMITS;
  const got = await promQuery(`{__name__=~"${m[1]}_(low|high)_(alarm|warning)",${m[2]}}`, null, s).catch(() => null);
  const rows = (Array.isArray(got?.result) ? got.result : []) as PromSample[];
  return rows.map((x) => {
    const word = x.metric.__name__.slice(m[1].length + 1);
    return { name: LIMIT[word]?.() ?? word, at: Number(x.value[1]), alarm: word.endsWith('alarm') };
  }).sort((a, b) => a.at - b.at);
}
const LIMIT: Record<string, () => string> = {
  low_alarm: () => t('limit.low_alarm'), low_warning: () => t('limit.low_warning'), high_warning: () => t('limit.high_warning'), high_alarm: () => t('limit.high_alarm'),
};

// A chart that asks for its own data over the range in the address.
export function PromChart({ expr, legend, unit, title, height }: { expr: string; legend: string; unit: string; title: string; height?: number }) {
  const { live } = useApp();
  const r = range();
  const step = stepFor(r.start, r.end, 360);
  const got = useLoad(
    async (s) => {
      const now = range();
      const [list, limits] = await Promise.all([promRange(expr, now.start / 1000, now.end / 1000, step, s), limitsOf(expr, s)]);
      return { list, limits, ...align(list, now.start, now.end, step) };
    },
    [expr, rangeKey(), step],
    { every: r.moving && live ? Math.max(15, step) : undefined },
  );
  return (
    <Panel title={title} right={got.error && <Btn small on={got.reload}>{t('do.retry')}</Btn>}>
      <Answer of={got} lines={4}>
        {(d) => {
          const names = seriesNames(d.list.map((s) => s.metric), legend, title);
          return <Plot name={title} times={d.times} unit={unit} height={height} limits={d.limits} series={d.rows.map((values, i) => ({ name: names[i], values }))} />;
        }}
      </Answer>
    </Panel>
  );
}
