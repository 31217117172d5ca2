"""world: what the site's exporters and daemons say at a moment, and the clock that drives it.

Time goes in ticks of five seconds; a node's fast series (accelerators, adapters, load) come every 15 s, its slow ones and
the switches' every 30 s, modules' every 60 s, as sites set their scrapers. Healthy noise is in noise.py, faults in faults.py:
both only set modifiers, add to counters and print lines. Always true: what is lost (option) is lost as a whole source, from
the first second on: a node's kernel log, its ranks' output, its accelerator, adapter or host exporter, a switch's log, ports
or modules.
"""
import heapq
import itertools
import random

import wire
from jobs import SHARE, SIZES, Job
from site_plan import GPUS, Site

TICK = 5
SOURCES_OF_NODE = ['kernel', 'joblog', 'gpu', 'nic', 'host']
SOURCES_OF_SWITCH = ['switchlog', 'port', 'optic']
IDLE = {'util': 0, 'tensor': 0.0, 'power': 78, 'clock': 1980}

GPU_FAST = ['UTIL', 'TEMP', 'POWER', 'CLOCK', 'TENSOR', 'REASONS', 'XID']
DCGM = {'UTIL': 'DCGM_FI_DEV_GPU_UTIL', 'TEMP': 'DCGM_FI_DEV_GPU_TEMP', 'POWER': 'DCGM_FI_DEV_POWER_USAGE',
        'CLOCK': 'DCGM_FI_DEV_SM_CLOCK', 'TENSOR': 'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE',
        'REASONS': 'DCGM_FI_DEV_CLOCKS_EVENT_REASONS', 'XID': 'DCGM_FI_DEV_XID_ERRORS'}
GPU_SLOW = [('sbe', 'DCGM_FI_DEV_ECC_SBE_VOL_TOTAL'), ('dbe', 'DCGM_FI_DEV_ECC_DBE_VOL_TOTAL'),
            ('width', 'DCGM_FI_DEV_PCIE_LINK_WIDTH'), ('replay', 'DCGM_FI_DEV_PCIE_REPLAY_COUNTER'),
            ('crc', 'DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL'), ('remap', 'DCGM_FI_DEV_ROW_REMAP_FAILURE')]
NIC_SLOW = [('timeout', 'rdma_local_ack_timeout_err_total'), ('down', 'node_infiniband_link_downed_total'),
            ('pause_rx', 'node_ethtool_rx_prio3_pause'), ('pause_tx', 'node_ethtool_tx_prio3_pause'),
            ('crc', 'node_ethtool_rx_crc_errors_phy')]
PORT = [('errors', 'ifInErrors'), ('discards', 'ifInDiscards'), ('pfc', 'switch_pfc_rx_total')]


class World:
    def __init__(self, server, nodes, seed, start, skew=2.0, loss=0.0):
        self.server, self.site = server, Site(nodes)
        self.rng = random.Random(seed)
        self.start = self.t = start
        self.seq = itertools.count()
        self.events, self.lines = [], []
        self.job_number = 40000 + seed % 1000 * 37
        self.noise = [self.rng.gauss(0, 1) for _ in range(1 << 16)]
        self.at = 0
        self.skew = [self.rng.uniform(-skew, skew) for _ in range(nodes)]
        self.offset = [self.rng.gauss(0, 2) for _ in range(nodes * GPUS)]
        self.light = {}
        self.boot = [start - self.rng.uniform(2, 90) * 86400 for _ in range(nodes)]
        self.up_since = {s: start - self.rng.uniform(20, 300) * 86400 for s in self.site.leaves + self.site.spines}
        self.sent_bytes = [self.rng.uniform(1e15, 4e15) for _ in range(nodes)]
        self.nfs = [[self.rng.uniform(1e6, 1e7), self.rng.uniform(1e4, 1e5)] for _ in range(nodes)]
        self.counters = {}
        self.gpu_mod, self.node_mod, self.nic_mod, self.port_mod, self.optic_mod = {}, {}, {}, {}, {}
        self.site_mod = {}
        self.lost = {k: set() for k in SOURCES_OF_NODE + SOURCES_OF_SWITCH}
        self.watch, self.last = {}, {}     # Minder's baseline: jobs looked at, and what their nodes last said
        self.lose(loss)
        self.pack()
        self.place()

    def lose(self, share):
        for i in range(self.site.count):
            for k in SOURCES_OF_NODE:
                if self.rng.random() < share:
                    self.lost[k].add(i)
        for s in self.site.leaves + self.site.spines:
            for k in SOURCES_OF_SWITCH:
                if self.rng.random() < share:
                    self.lost[k].add(s)

    def place(self):
        first, self.jobs = 0, []
        copies = max(1, self.site.count // 256)
        if self.site.count >= 2048:
            sizes = [512, 384, 256, 256] + [s for s in SIZES for _ in range(2)] + [128, 128]
        else:
            sizes = [s * copies for s in SIZES]
        scale = min(1.0, self.site.count / 256)
        for size in sizes:
            size = max(2, int(size * scale))
            if first + size > self.site.count:
                break
            self.jobs.append(Job(self, first, size, self.rng))
            first += size
        self.owner = [None] * self.site.count
        for job in self.jobs:
            for i in job.members:
                self.owner[i] = job

    # --- labels, packed once

    def pack(self):
        s = self.site
        self.host_fast, self.host_slow, self.gpu_fast, self.gpu_slow, self.nic_fast, self.nic_slow = [], [], [], [], [], []
        for i, node in enumerate(s.nodes):
            host = lambda name, **k: wire.series(name, node=node, **k)
            self.host_fast.append([host('node_load1'), host('node_memory_MemAvailable_bytes'), host('node_timex_offset_seconds'),
                                   host('node_boot_time_seconds'),
                                   host('node_mountstats_nfs_operations_requests_total', operation='WRITE', export='filer1:/scratch'),
                                   host('node_mountstats_nfs_operations_request_time_seconds_total', operation='WRITE',
                                        export='filer1:/scratch')])
            self.host_slow.append([host('node_memory_MemTotal_bytes'), host('node_vmstat_oom_kill'),
                                   host('node_edac_correctable_errors_total', controller='0'),
                                   host('node_edac_uncorrectable_errors_total', controller='0'),
                                   host('node_filesystem_avail_bytes', mountpoint='/', device='/dev/nvme0n1p2', fstype='ext4'),
                                   host('node_filesystem_size_bytes', mountpoint='/', device='/dev/nvme0n1p2', fstype='ext4')])
            gpu = lambda name, g: wire.series(name, Hostname=node, gpu=g, UUID='GPU-%08x' % (i * 8 + g), modelName='NVIDIA H100 80GB HBM3')
            self.gpu_fast.append([gpu(DCGM[k], g) for g in range(GPUS) for k in GPU_FAST])
            self.gpu_slow.append([gpu(n, g) for g in range(GPUS) for _, n in GPU_SLOW])
            nic = lambda name, r: wire.series(name, node=node, device='mlx5_%d' % r, port='1')
            self.nic_fast.append([nic(n, r) for r in range(GPUS) for n in (
                'node_infiniband_port_data_transmitted_bytes_total', 'node_infiniband_state_id', 'rdma_packet_seq_err_total')])
            self.nic_slow.append([wire.series(n, node=node, device='eth%d' % r) if n.startswith('node_ethtool') else nic(n, r)
                                  for r in range(GPUS) for _, n in NIC_SLOW])
        self.port_series = {sw: [wire.series(n, instance=sw, ifName=p) for p in s.ports[sw]
                                 for n in ['ifOperStatus', 'ifAdminStatus'] + [x for _, x in PORT]] for sw in s.leaves + s.spines}
        self.up_series = {sw: wire.series('sysUpTime', instance=sw) for sw in s.leaves + s.spines}
        self.optic_series = {}
        for end in s.far:
            owner, part = end.split('/')
            self.light[end] = self.rng.gauss(-1.4, 0.6)
            self.optic_series[end] = [wire.series('optic_rx_power_dbm', node=owner, port=part, lane=k + 1) for k in range(4)] + [
                wire.series(n, node=owner, port=part) for n in (
                    'optic_pre_fec_ber', 'optic_temperature_celsius', 'optic_uncorrectable_codewords_total',
                    'optic_rx_power_dbm_low_alarm')]
        racks = range(s.racks)
        self.rack_series = [(wire.series('rack_power_watts', rack='k%03d' % (r + 1)),
                             wire.series('rack_inlet_celsius', rack='k%03d' % (r + 1))) for r in racks]
        self.pdu_series = [wire.series('pdu_feed_up', pdu='pw%03d' % (p + 1)) for p in range((s.racks + 1) // 2)]
        self.cdu_series = [(wire.series('cdu_flow_lpm', cdu='cool%02d' % (c + 1)),
                            wire.series('cdu_supply_celsius', cdu='cool%02d' % (c + 1))) for c in range((s.racks + 7) // 8)]

    # --- what faults and noise do

    def when(self, t, fn, *args):
        heapq.heappush(self.events, (t, next(self.seq), fn, args))

    def count(self, key, name, by):
        self.counters[key, name] = self.counters.get((key, name), 0) + by

    def line(self, t, where, source, text, job=None, rank=None):
        """A line of a node (its index) or a switch (its name), stamped by that machine's own clock."""
        node = self.site.nodes[where] if isinstance(where, int) else where
        if isinstance(where, int):
            if where in self.lost['joblog' if source == 'job' else 'kernel']:
                return
            t += self.skew[where]
        elif where in self.lost['switchlog']:
            return
        labels = (('node', node), ('source', source))
        if job:
            labels += (('job_id', job),)
        if rank is not None:
            labels += (('rank', str(rank)),)
        heapq.heappush(self.lines, (t, next(self.seq), labels, text))

    def kernel(self, t, i, text):
        self.line(t, i, 'kernel', text)

    def rank_line(self, t, job, rank, text):
        self.line(t, job.first + rank // 8, 'job', text, job.id, rank)

    def job_put(self, doc):
        doc = dict(doc, start=rfc(doc['start']))
        self.server.put('/api/v1/jobs/%s' % doc['id'], doc)

    def job_patch(self, job, doc):
        self.server.put('/api/v1/jobs/%s' % job, dict(doc, end=rfc(doc['end'])), 'PATCH')

    # --- a tick

    def gauss(self):
        self.at = self.at + 1 & 0xffff
        return self.noise[self.at]

    def tick(self):
        """Plays the next five seconds and sends what was said in them."""
        self.t += TICK
        while self.events and self.events[0][0] <= self.t:
            _, _, fn, args = heapq.heappop(self.events)
            fn(*args)
        for job in self.jobs:
            job.step(self.t)
        self.emit()
        streams = {}
        while self.lines and self.lines[0][0] <= self.t:
            t, _, labels, text = heapq.heappop(self.lines)
            streams.setdefault(labels, []).append([str(int(t * 1000) * 1000000), text])
        before = self.server.turns()
        if not streams:
            streams[('node', self.site.nodes[0]), ('source', 'syslog')] = [
                [str(int(self.t * 1000) * 1000000), 'systemd[1]: Started session of user monitor.']]
        self.server.push(streams)
        return before

    def emit(self):
        n = round(self.t / TICK)
        self.tail = wire.stamp(int(self.t * 1000))
        self.parts, self.sent = [], 0
        for i in range(n % 3, self.site.count, 3):
            self.emit_node(i, slow=(n // 3 + i) % 2 == 0)
        for k, sw in enumerate(self.site.leaves + self.site.spines):
            if k % 6 == n % 6:
                self.emit_switch(sw, optics=(n // 6 + k) % 2 == 0)
        if n % 6 == 3:
            self.emit_site()
        if n % 3 == 1:
            for job in self.jobs:
                if job.running and job.reports and job.state == 'train':
                    self.put([wire.series('training_step_seconds', job_id=job.id)],
                             [job.step_seconds() * (1 + 0.01 * self.gauss())])
        self.server.write(self.parts, self.sent)

    def put(self, prefixes, values):
        parts, tail, pack, n = self.parts, self.tail, wire.PACK, 0
        for p, v in zip(prefixes, values):
            if v is not None:
                parts += (p, pack(v), tail)
                n += 1
        self.sent += n

    def emit_node(self, i, slow):
        mod = self.node_mod.get(i, {})
        if mod.get('off') or mod.get('blind'):
            return
        job, lost = self.owner[i], self.lost
        state = job.state if job and job.running else 'dead'
        if i not in lost['gpu'] and not mod.get('gpu_blind'):
            values = self.gpu_values(i, job, state)
            self.put(self.gpu_fast[i], values)
            if job in self.watch:
                self.last[i] = values
            if slow:
                self.put(self.gpu_slow[i], self.gpu_counters(i))
        if i not in lost['nic']:
            self.put(self.nic_fast[i], self.nic_values(i, job, state))
            if slow:
                self.put(self.nic_slow[i], [self.counters.get((self.site.nic(i, r), k), 0)
                                            for r in range(GPUS) for k, _ in NIC_SLOW])
                for r in range(GPUS):
                    end = self.site.nic(i, r)
                    self.put(self.optic_series[end], self.optic_values(end))
        if i not in lost['host']:
            self.put(self.host_fast[i], self.host_values(i, state, mod))
            if slow:
                c = self.counters
                self.put(self.host_slow[i], [2.1e12, c.get((i, 'oom'), 0), c.get((i, 'ce'), 0), c.get((i, 'ue'), 0),
                                             mod.get('disk', 1.4e12 + 1e8 * self.gauss()), 1.8e12])

    def power_of(self, job, state):
        if state == 'train':
            return 110 + (job.power - 110) * (0.35 + 0.65 / job.factor())
        return {'save': 150, 'wait': 0.32 * (job.power if job else 600), 'start': 140}.get(state, 78)

    def gpu_values(self, i, job, state):
        out = []
        power = self.power_of(job, state)
        tensor = job.tensor / job.factor() if state == 'train' else 0.0
        util = {'train': 99, 'save': 14, 'wait': 100, 'start': 30}.get(state, 0)
        at, noise = self.at, self.noise
        for g in range(GPUS):
            at = at + 3 & 0xffff
            a, b = noise[at], noise[at - 1]
            p, c, u, x, temp, reasons, xid = power * (1 + 0.02 * a), 1935 + 12 * b if state == 'train' else 1980, util, tensor, 0, 0, 0
            mod = self.gpu_mod.get((i, g))
            if mod:
                if mod.get('gone'):
                    out += [None] * len(GPU_FAST)
                    continue
                if 'clock' in mod:
                    c *= mod['clock']
                    x = min(1.0, x / mod['clock'])
                    p *= 0.4 + 0.6 * mod['clock']
                u, x, p = mod.get('util', u), mod.get('tensor', x), mod.get('power', p)
                temp, reasons, xid = mod.get('temp', 0), mod.get('reasons', 0), mod.get('xid', 0)
            out += [u if u in (0, 100) else max(0, min(100, u + a)), 26 + self.offset[i * GPUS + g] + 0.052 * p + temp + 0.5 * b, p, c,
                    max(0.0, min(1.0, x * (1 + 0.03 * b))), reasons, xid]
        self.at = at
        return out

    def gpu_counters(self, i):
        out = []
        for g in range(GPUS):
            mod = self.gpu_mod.get((i, g), {})
            c = lambda k: self.counters.get(((i, g), k), 0)
            out += [None] * len(GPU_SLOW) if mod.get('gone') else [c('sbe'), c('dbe'), mod.get('width', 16), c('replay'), c('crc'),
                                                                    c('remap')]
        return out

    def nic_values(self, i, job, state):
        rate = 2.2e10 / job.factor() if state == 'train' else 1e8 if state == 'save' else 1e4
        self.sent_bytes[i] += rate * 15
        out = []
        for r in range(GPUS):
            end = self.site.nic(i, r)
            mod = self.nic_mod.get(end, {})
            if mod.get('gone'):
                out += [None, None, None]
                continue
            down = mod.get('down') or self.port_down(self.site.far[end])
            out += [self.sent_bytes[i] + r * 1e12, 1 if down else 4, self.counters.get((end, 'seq'), 0)]
        return out

    def port_down(self, end):
        sw = end.split('/')[0]
        return self.port_mod.get(end, {}).get('down') or self.site_mod.get(sw, {}).get('off')

    def host_values(self, i, state, mod):
        ops, seconds = self.nfs[i]
        stall = self.site_mod.get(self.site.storage, {}).get('stall', 0)
        n = (300 if state == 'save' else 40) * (1 - stall)
        slow = self.site_mod.get(self.site.storage, {}).get('slow', 1)
        self.nfs[i] = [ops + n, seconds + n * 0.004 * slow + (n + 5) * stall * 12]
        load = {'train': 34, 'save': 40, 'wait': 34, 'start': 60}.get(state, 1.5) + mod.get('load', 0) + 30 * stall
        return [load * (1 + 0.05 * self.gauss()), mod.get('memory', 1.5e12 + 1e10 * self.gauss()),
                mod.get('offset', 0) + 2e-5 * self.gauss(), self.boot[i], self.nfs[i][0], self.nfs[i][1]]

    def emit_switch(self, sw, optics):
        if self.site_mod.get(sw, {}).get('off'):
            return
        if sw not in self.lost['port']:
            values = []
            for p in self.site.ports[sw]:
                end = sw + '/' + p
                down = self.port_mod.get(end, {}).get('down') or self.far_down(end)
                values += [2 if down else 1, self.port_mod.get(end, {}).get('admin', 1)] + [
                    self.counters.get((end, k), 0) for k, _ in PORT]
            self.put(self.port_series[sw], values)
            self.put([self.up_series[sw]], [(self.t - self.up_since[sw]) * 100])
        if optics and sw not in self.lost['optic']:
            for p in self.site.ports[sw]:
                self.put(self.optic_series[sw + '/' + p], self.optic_values(sw + '/' + p))

    def far_down(self, end):
        far = self.site.far[end]
        owner = far.split('/')[0]
        if owner.startswith('gpu-'):
            mod = self.node_mod.get(int(owner[4:]) - 1, {})
            return mod.get('off') or self.nic_mod.get(far, {}).get('down') or self.nic_mod.get(far, {}).get('gone')
        return self.site_mod.get(owner, {}).get('off') or self.port_mod.get(far, {}).get('down')

    def optic_values(self, end):
        """Received light sets the bit error ratio: about a decade a decibel near the module's limit."""
        mod = self.optic_mod.get(end, {})
        base = self.light[end]
        rx = [base + 0.05 * self.gauss() - mod.get('loss', 0) * (1 if k in mod.get('lanes', (0, 1, 2, 3)) else 0.1) for k in range(4)]
        dark = mod.get('dark') or self.far_down(end)
        if dark:
            rx = [-40.0] * 4
        worst = min(rx)
        ber = 0.5 if dark else min(1e-2, 10 ** (-8.5 - (worst + 6) * 0.9)) if worst < -6 else 2e-9 * (1 + 0.2 * abs(self.gauss()))
        return rx + [ber, 46 + mod.get('heat', 0) + 0.3 * self.gauss(), self.counters.get((end, 'uncorrectable'), 0), -9.6]

    def emit_site(self):
        s = self.site
        for r, series in enumerate(self.rack_series):
            watts = sum(0 if self.node_mod.get(i, {}).get('off') else 2500 + 8 * self.power_of(
                self.owner[i], self.owner[i].state if self.owner[i] and self.owner[i].running else 'dead')
                for i in s.in_rack(r * 4)) if r * 4 < s.count else 0
            self.put(series, [watts, 24 + self.site_mod.get('k%03d' % (r + 1), {}).get('heat', 0) + 0.3 * self.gauss()])
        for p, series in enumerate(self.pdu_series):
            self.put([series], [self.site_mod.get('pw%03d' % (p + 1), {}).get('feed', 1)])
        for c, series in enumerate(self.cdu_series):
            mod = self.site_mod.get('cool%02d' % (c + 1), {})
            self.put(series, [mod.get('flow', 620 + 3 * self.gauss()), 32 + mod.get('supply', 0) + 0.2 * self.gauss()])


def rfc(t):
    import datetime
    return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.') + '%03dZ' % int(t * 1000 % 1000)
