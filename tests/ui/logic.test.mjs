// The pure logic: addresses, ranges, numbers, entities, and the layouts of fleet and path.
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const url = await load('base/url.ts');
const time = await load('base/time.ts');
const format = await load('base/format.ts');
const entity = await load('base/entity.ts');
const fleet = await load('base/fleetlayout.ts');
const path = await load('base/pathlayout.ts');

test('an_address_holds_page_object_tab_and_query', () => {
  for (const [p, s, want] of [
    ['/', '', { page: 'overview', id: '', tab: '', q: {} }],
    ['/jobs/4711/logs', '?q=a+b', { page: 'jobs', id: '4711', tab: 'logs', q: { q: 'a b' } }],
    ['/devices/optic:leaf-g01-1/Ethernet1/1', '', { page: 'devices', id: 'optic:leaf-g01-1/Ethernet1/1', tab: '', q: {} }],
    ['/devices/node:a%23b', '?from=now-6h', { page: 'devices', id: 'node:a#b', tab: '', q: { from: 'now-6h' } }],
    ['/kb/%E0%A4%A', '', { page: 'kb', id: '%E0%A4%A', tab: '', q: {} }],
  ]) assert.deepEqual(url.parsePlace(p, s), want);
});

test('an_address_survives_the_way_out_and_back', () => {
  for (const [page, id, tab, q] of [
    ['jobs', '4711', 'diagnosis', { from: 'now-6h' }],
    ['devices', 'link:a/mlx5_0--leaf/Ethernet1', '', { tab: 'logs' }],
    ['devices', 'node:x?y#z', '', {}],
    ['explorer', '', '', { expr: 'rate(a{b="c/d"}[5m]) > 1 & 2' }],
  ]) {
    const u = new URL(url.formatPlace(page, id, tab, q), 'http://h');
    assert.deepEqual(url.parsePlace(u.pathname, u.search), { page, id, tab, q });
  }
});

test('links_carry_the_range_and_nothing_else', () => {
  assert.deepEqual(url.carried({ from: 'now-1h', to: 'x', q: 'secret', sort: 'a', kiosk: '1' }), { from: 'now-1h', to: 'x', kiosk: '1' });
});

test('ranges_are_read_and_bad_ones_fall_back', () => {
  const now = Date.parse('2026-11-23T08:00:00Z');
  assert.deepEqual(time.parseRange(undefined, undefined, now), { start: now - 864e5, end: now, moving: true, text: '24h' });
  assert.deepEqual(time.parseRange('now-15m', undefined, now), { start: now - 9e5, end: now, moving: true, text: '15m' });
  assert.deepEqual(time.parseRange('2026-11-23T07:00:00Z', 'now', now), { start: now - 36e5, end: now, moving: true, text: '' });
  assert.equal(time.parseRange('2026-11-22T00:00:00Z', '2026-11-22T01:00:00Z', now).moving, false);
  assert.equal(time.parseRange('1795420800', '1795424400', now).end, 1795424400e3);
  for (const [f, t] of [['rubbish', 'now'], ['now', 'now-1h'], ['now-1x', undefined]]) assert.equal(time.parseRange(f, t, now).text, '24h');
});

test('steps_give_about_the_points_asked_for', () => {
  for (const h of [0.25, 1, 6, 24, 168, 720]) {
    const n = (h * 3600) / time.stepFor(0, h * 36e5, 360);
    assert.ok(n <= 360 && n >= 50, `${h} h: ${n}`);
  }
});

test('spans_are_short', () => {
  for (const [s, want] of [[0, '0 s'], [0.4, '400 ms'], [9.5, '9.5 s'], [95, '1m 35s'], [3600, '1h'], [90000, '1d 1h'], [null, '–'], [NaN, '–']]) assert.equal(time.formatSpan(s), want);
});

test('spans_and_presets_are_said_in_chinese_too', () => {
  assert.equal(time.formatPreset('15m'), '15m');
  time.setSpanWords(true);
  for (const [v, want] of [[0.4, '400 毫秒'], [9.5, '9.5 秒'], [95, '1 分 35 秒'], [3600, '1 小时'], [90000, '1 天 1 小时']]) assert.equal(time.formatSpan(v), want);
  for (const [p, want] of [['15m', '15 分钟'], ['24h', '24 小时'], ['7d', '7 天'], ['x', 'x']]) assert.equal(time.formatPreset(p), want);
  time.setSpanWords(false);
});

test('chinese_sentences_have_full_width_marks', () => {
  for (const [s, want] of [
    ['收光过低,请清洁:先 A;再 B', '收光过低，请清洁：先 A；再 B'],
    ['GPU 掉卡(从 PCIe 总线脱落)', 'GPU 掉卡（从 PCIe 总线脱落）'],
    ['gpu:node00100/2:GPU 掉卡', 'gpu:node00100/2:GPU 掉卡'],
    ['rx -9.8 dBm < -9.6 dBm (low alarm)', 'rx -9.8 dBm < -9.6 dBm (low alarm)'],
  ]) assert.equal(format.zhMarks(s), want);
});

test('a_title_does_not_say_its_entity_twice', () => {
  for (const [s, e, want] of [
    ['gpu:node00100/2: GPU has fallen off the bus', 'gpu:node00100/2', 'GPU has fallen off the bus'],
    ['gpu:node00100/2:GPU 掉卡', 'gpu:node00100/2', 'GPU 掉卡'],
    ['gpu:node00100/23: hot', 'gpu:node00100/2', 'gpu:node00100/23: hot'],
    ['gpu:node00100/2: ', 'gpu:node00100/2', 'gpu:node00100/2: '],
    ['Something', '', 'Something'],
  ]) assert.equal(entity.withoutEntity(s, e), want);
});

test('numbers_have_their_units', () => {
  for (const [v, u, want] of [[61.5, 'celsius', '61.5 °C'], [0.962, 'ratio', '96.2 %'], [3.81e11, 'bits_per_second', '381 Gb/s'], [18874368, 'bytes', '18 MiB'], [3.2e-5, '', '3.2e-5'], [null, 'watts', '–'], [-12.1, 'dbm', '-12.1 dBm'], [0.0012, 'seconds', '1.2 ms'], [0.0024, '', '0.0024'], [3120471, 'seconds', '36d 2h']]) assert.equal(format.value(v, u), want);
  assert.equal(format.change(118, 100), '+18 %');
  assert.equal(format.change(1, 0), '');
  assert.equal(format.change(null, 3), '');
});

test('no_diagnosis_is_certain_and_no_rival_impossible', () => {
  for (const [v, want] of [[1, '>99\u00a0%'], [0.996, '>99\u00a0%'], [0.93, '93\u00a0%'], [0.001, '<1\u00a0%'], [0, '<1\u00a0%']]) assert.equal(format.sureness(v), want);
});

test('csv_cannot_become_a_formula', () => {
  assert.equal(format.csvField('=cmd()'), "'=cmd()");
  assert.equal(format.csvField('@x'), "'@x");
  assert.equal(format.csvField('-12.1'), '-12.1');
  assert.equal(format.csvField('-12.1 dBm'), "'-12.1 dBm");
  assert.equal(format.csvField('a"b,c'), '"a""b,c"');
  assert.ok(format.csv([['光']]).startsWith('\ufeff光\r\n'));
});

test('entities_have_hosts_and_labels', () => {
  assert.equal(entity.label('gpu:node00001/3'), 'node00001 / GPU 3');
  assert.equal(entity.label('rank:4711/37'), '4711 / rank 37');
  assert.equal(entity.hostOf('optic:leaf-g01-1/Ethernet1/1'), 'leaf-g01-1');
  assert.equal(entity.hostOf('rack:r01'), '');
  assert.equal(entity.shortLabel('port:leaf/Ethernet1/1'), 'Ethernet1/1');
  assert.equal(entity.worse('unknown', 'ok'), 'unknown');
  assert.equal(entity.worse('unknown', 'minor'), 'minor');
});

function world(n, per) {
  const nodes = Array.from({ length: n }, (_, i) => `node${i}`);
  const pods = Array.from({ length: Math.ceil(n / 64) }, (_, i) => `g${i}`);
  const zero = nodes.map(() => 0);
  return { revision: 1, nodes, gpus: nodes.map(() => per), clusters: ['c'], racks: ['r'], pods, models: ['m'], vendors: ['v'], cluster: zero, rack: nodes.map((_, i) => (i % 2 ? 0 : -1)), pod: nodes.map((_, i) => i >> 6), model: zero, vendor: zero };
}

test('fleet_cells_lie_inside_apart_and_are_found_again', () => {
  const t = world(2304, 8);
  const groups = fleet.groupFleet(t, null, 'pod');
  assert.equal(groups.length, 36);
  for (const width of [330, 690, 1500]) {
    const l = fleet.layoutFleet(groups, t.gpus, width, 700);
    assert.ok(l.cell >= 5);
    const seen = new Set();
    for (const b of l.blocks) {
      b.nodes.forEach((n, i) => {
        for (let g = 0; g < 8; g++) {
          const { x, y } = fleet.cellAt(l, b, i, g);
          assert.ok(x >= 0 && x + l.cell <= width + 0.001 && y + l.cell <= l.height + 0.001);
          assert.ok(!seen.has(`${x},${y}`));
          seen.add(`${x},${y}`);
          const h = fleet.hit(l, t.gpus, x + 2, y + 2);
          assert.ok(h && h.block === b && h.i === i && h.gpu === g);
        }
      });
    }
    assert.equal(seen.size, 18432);
  }
});

test('a_small_fleet_gets_large_cells', () => {
  const t = world(1, 8);
  assert.equal(fleet.layoutFleet(fleet.groupFleet(t, null, 'pod'), t.gpus, 700, 400).cell, 24);
});

test('nodes_without_group_or_job_come_last', () => {
  const t = world(4, 1);
  const g = fleet.groupFleet(t, null, 'rack');
  assert.deepEqual(g.map((x) => x.key), ['r', '']);
  const f = { jobs: ['9', '10'], job: [1, -1, 0, 1] };
  assert.deepEqual(fleet.groupFleet(t, f, 'job').map((x) => [x.key, x.nodes]), [['9', [2]], ['10', [0, 3]], ['', [1]]]);
  assert.deepEqual(fleet.groupFleet(t, f, 'job', '10').map((x) => x.key), ['10']);
});

test('the_worst_come_first_and_missing_is_not_worst', () => {
  const t = world(1, 4);
  const g = fleet.groupFleet(t, null, 'pod');
  const f = { states: '0432', values: null, jobs: [], job: [-1] };
  assert.deepEqual(fleet.worstOf(t, f, 'none', g, 9).map((w) => w.gpu), [2, 3, 1]);
  const v = { ...f, values: [90, null, 30, 60] };
  assert.deepEqual(fleet.worstOf(t, v, 'high', g, 9).map((w) => w.gpu), [2, 3, 0]);
  assert.deepEqual(fleet.worstOf(t, v, 'low', g, 9).map((w) => w.gpu), [0, 3, 2]);
});

const item = (e, x = {}) => ({ entity: e, health: 'ok', kpi: {}, issues: [], ...x });
const job = {
  layers: [
    { name: 'spine', items: [item('switch:s1'), item('switch:s2')] },
    { name: 'leaf', items: [item('switch:l1')] },
    { name: 'optic', items: [item('optic:n1/mlx5_0'), item('optic:l1/E1'), item('optic:l1/E65')] },
    { name: 'nic', items: [item('nic:n1/mlx5_0'), item('nic:n2/mlx5_0', { health: 'major' })] },
    { name: 'gpu', items: [item('gpu:n1/0'), item('gpu:n2/0', { health: 'critical' })] },
    { name: 'node', items: [item('node:n1'), item('node:n2')] },
    { name: 'storage', items: [item('storage:fs')] },
  ],
  links: [
    { a: 'nic:n1/mlx5_0', b: 'port:l1/E1', entity: 'link:1', health: 'ok' },
    { a: 'port:l1/E2', b: 'nic:n2/mlx5_0', entity: 'link:2', health: 'critical', role: 'root' },
    { a: 'port:l1/E65', b: 'port:s1/E1', entity: 'link:3', health: 'ok' },
    { a: 'node:n1', b: 'storage:fs', entity: 'link:4', health: 'ok' },
    { a: 'port:gone/E1', b: 'port:s1/E2', entity: 'link:5', health: 'ok' },
  ],
};

test('path_rows_are_ordered_and_links_meet_their_boxes', () => {
  const m = path.layoutPath(job);
  assert.deepEqual(m.rows.map((r) => r.name), ['spine', 'uplink', 'leaf', 'optic', 'nic', 'gpu', 'node', 'storage']);
  assert.equal(m.lines.length, 4);
  for (const l of m.lines) assert.ok(l.row0 < l.row1);
  for (const r of m.rows) for (const x of r.x) assert.ok(x > 0 && x < 1);
  const row = (n) => m.rows.find((r) => r.name === n);
  assert.ok(Math.abs(row('gpu').x[1] - row('node').x[1]) < 0.01);
  assert.deepEqual(path.problemsOf(m).map((p) => p.entity), ['nic:n2/mlx5_0', 'gpu:n2/0']);
});

test('the_focus_shows_one_server_and_what_it_hangs_on', () => {
  const f = path.focusOf(job, 'n1');
  assert.equal(f.lanes.length, 1);
  assert.equal(f.lanes[0].port, 'E1');
  assert.equal(f.lanes[0].leaf.entity, 'switch:l1');
  assert.deepEqual(f.lanes[0].optics.map((o) => o.entity), ['optic:n1/mlx5_0', 'optic:l1/E1']);
  assert.deepEqual(f.spines.map((s) => s.entity), ['switch:s1']);
  assert.equal(f.storage.length, 1);
  assert.equal(path.focusOf(job, 'nowhere'), null);
});

test('an_empty_path_is_drawn_as_nothing', () => {
  const m = path.layoutPath({ layers: [], links: [] });
  assert.equal(m.rows.length, 0);
  assert.equal(m.lines.length, 0);
});
