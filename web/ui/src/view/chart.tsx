// A time chart: uPlot on canvas, our own legend with values under the cursor, a table of the same data, drag to zoom.
// Expects at most 24 lines of 1,500 points.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { promRange, type PromSeries } from '../api';
import { range, rangeKey, setQuery, t, useApp } from '../base/app';
import { value } from '../base/format';
import { useLoad } from '../base/load';
import { formatClock, formatDate, formatTime, iso, isUtc, stepFor } from '../base/time';
import { Answer, Btn, Empty, Panel } from './parts';

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
  if (legend && m[legend] !== undefined) return legend === 'gpu' ? `GPU ${m[legend]}` : m[legend];
  const rest = Object.keys(m).filter((k) => k !== '__name__');
  if (!rest.length) return m.__name__ ?? '';
  return `${m.__name__ ?? ''}{${rest.map((k) => `${k}="${m[k]}"`).join(', ')}}`;
}

// Names for series drawn together: the legend's label, else what tells them apart, else the chart's own title.
export function seriesNames(all: Record<string, string>[], legend: string, title: string): string[] {
  const differs = [...new Set(all.flatMap((m) => Object.keys(m)))].filter((k) => new Set(all.map((m) => m[k])).size > 1);
  return all.map((m) => (legend && m[legend] !== undefined ? seriesName(m, legend) : differs.map((k) => m[k] ?? '–').join(' · ') || title));
}

const css = (n: string) => getComputedStyle(document.documentElement).getPropertyValue(n).trim();

export function Plot({ times, series, unit, height = 190, zoom = true, name }: {
  times: number[]; series: Series[]; unit: string; height?: number; zoom?: boolean; name: string;
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
        scales: { x: { time: true }, y: { range: (_u, a, b) => (a === null ? [0, 1] : a === b ? [Math.min(0, a), b === 0 ? 1 : b * 1.2] : uPlot.rangeNum(Math.min(a, a > 0 && a < b * 0.5 ? 0 : a), b, 0.1, true)) } },
        axes: [
          { stroke: ink, grid, ticks: grid, space: 70, size: 34, values: (_u, v) => v.map((x) => (days ? `${formatDate(x * 1e3).slice(5)} ${formatClock(x * 1e3, false)}` : formatClock(x * 1e3, false))) },
          { stroke: ink, grid, ticks: grid, size: 72, values: (_u, v) => v.map((x) => value(x, unit)) },
        ],
        series: [{}, ...shown.map((s, i) => ({ label: s.name, stroke: css(`--c${i % 8}`), width: 1.5, dash: DASH[Math.floor(i / 8) % 4], points: { show: false }, show: !off[s.name] }))],
        hooks: {
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
  }, [shape, theme, lang, utc, unit, table, height, zoom]);
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
        {at !== null && times[at] !== undefined && <span class="when">{formatTime(times[at] * 1e3, Date.now(), true)}</span>}
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
        {series.length > MOST && <span class="dim">{t('chart.more', { n: series.length - MOST })}</span>}
        <button type="button" class="link" onClick={() => setTable(!table)}>{table ? t('do.chart') : t('do.table')}</button>
      </div>
    </div>
  );
}

// A chart that asks for its own data over the range in the address.
export function PromChart({ expr, legend, unit, title, height }: { expr: string; legend: string; unit: string; title: string; height?: number }) {
  const { live } = useApp();
  const r = range();
  const step = stepFor(r.start, r.end, 360);
  const got = useLoad(
    async (s) => {
      const now = range();
      const list = await promRange(expr, now.start / 1000, now.end / 1000, step, s);
      return { list, ...align(list, now.start, now.end, step) };
    },
    [expr, rangeKey(), step],
    { every: r.moving && live ? Math.max(15, step) : undefined },
  );
  return (
    <Panel title={title} right={got.error && <Btn small on={got.reload}>{t('do.retry')}</Btn>}>
      <Answer of={got} lines={4}>
        {(d) => {
          const names = seriesNames(d.list.map((s) => s.metric), legend, title);
          return <Plot name={title} times={d.times} unit={unit} height={height} series={d.rows.map((values, i) => ({ name: names[i], values }))} />;
        }}
      </Answer>
    </Panel>
  );
}
