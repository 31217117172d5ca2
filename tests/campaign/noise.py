"""noise: what a healthy site does all the time. None of it deserves a page.

Rates are per hour and 2,048 accelerators, our own choice on the busy side of what operators tell: cables that blink once and
recover, application XIDs of somebody's notebook, a warm sample, corrected memory errors, single corrected PCIe errors, a few
retransmissions, jobs that end well or are cancelled, ordinary lines of daemons.
"""
from faults import GPU_PCI, during, link_goes, pid, set_mod, unset, xid
from site_plan import GPUS, NIC_PCI

ORDINARY = [
    'systemd[1]: Started Session %d of User ops.', 'sshd[%d]: Accepted publickey for ops from 10.9.0.4 port 50122 ssh2: ED25519',
    'chronyd[%d]: Selected source 10.9.0.1', 'systemd-logind[%d]: New session c12 of user ops.', 'CRON[%d]: (root) CMD (run-parts /etc/cron.hourly)',
    'containerd[%d]: time="2026-11-20T08:00:00Z" level=info msg="starting signal loop" namespace=k8s.io',
    'kubelet[%d]: I1120 08:00:01.000000 kubelet.go:2421] "SyncLoop (PLEG): event for pod" pod="default/exporter"',
    'dcgm-exporter[%d]: time="2026-11-20T08:00:00Z" level=info msg="Pipeline starting"', 'rasdaemon[%d]: mc_event store: 0x5581',
]


def flap(w, rng, t):
    i, r = rng.randrange(w.site.count), rng.randrange(GPUS)
    link_goes(w, w.site.nic(i, r), t, rng.uniform(0.3, 1.8))
    w.when(t, w.count, w.site.nic(i, r), 'timeout', rng.randrange(1, 6))


def app_xid(w, rng, t):
    idle = [i for i in range(w.site.count) if not w.owner[i]]
    i, g = rng.choice(idle or [rng.randrange(w.site.count)]), rng.randrange(GPUS)
    code, text = rng.choice([
        (13, 'Graphics SM Warp Exception on (GPC %d, TPC %d, SM 0): Out Of Range Address' % (rng.randrange(8), rng.randrange(9))),
        (31, 'Ch %08x, intr 00000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_%d faulted @ 0x7f2b_%08x. Fault is of type FAULT_PDE '
         'ACCESS_TYPE_VIRT_READ' % (rng.randrange(64), rng.randrange(9), rng.randrange(1 << 32))),
        (43, 'Ch %08x' % rng.randrange(64)), (45, 'Ch %08x' % rng.randrange(64))])
    xid(w, t, i, g, code, text, rng)
    w.when(t + rng.uniform(60, 300), unset, w.gpu_mod, (i, g), 'xid')


def warm(w, rng, t):
    i, g = rng.randrange(w.site.count), rng.randrange(GPUS)
    during(w, w.gpu_mod, (i, g), 'temp', rng.uniform(18, 27), t, t + rng.uniform(6, 14))


def corrected(w, rng, t):
    i, g = rng.randrange(w.site.count), rng.randrange(GPUS)
    w.when(t, w.count, (i, g), 'sbe', rng.randrange(1, 4))


def edac(w, rng, t):
    i = rng.randrange(w.site.count)
    w.when(t, w.count, i, 'ce', 1)
    w.kernel(t, i, 'EDAC MC%d: 1 CE memory read error on CPU_SrcID#%d_MC#%d_Chan#1_DIMM#0 (channel:1 slot:0 page:0x%x offset:0x%x grain:32 '
             'syndrome:0x0 - err_code:0x0101:0x0091 ProcessorSocketId:0x0 MemoryControllerId:0x1)' % (
                 rng.randrange(8), rng.randrange(2), rng.randrange(4), rng.randrange(1 << 28), rng.randrange(4096)))


def aer(w, rng, t):
    i, g = rng.randrange(w.site.count), rng.randrange(GPUS)
    w.kernel(t, i, 'pcieport 0000:%02x:01.0: AER: Correctable error message received from %s' % (int(GPU_PCI[g][5:7], 16) - 1, GPU_PCI[g]))
    w.kernel(t + 0.001, i, 'nvidia %s: PCIe Bus Error: severity=Correctable, type=Physical Layer, (Receiver ID)' % GPU_PCI[g])
    w.when(t, w.count, (i, g), 'replay', rng.randrange(1, 4))


def retransmit(w, rng, t):
    w.when(t, w.count, w.site.nic(rng.randrange(w.site.count), rng.randrange(GPUS)), 'seq', rng.randrange(1, 40))


def ends_well(w, rng, t):
    job = rng.choice(w.jobs)
    if not job.running or job.state != 'train' or t - job.faulted < 1500:
        return
    if rng.random() < 0.4:
        w.rank_line(t, job, 0, 'slurmstepd: error: *** STEP %s.0 ON %s CANCELLED AT 2026-11-20T08:00:00 ***' % (job.id, w.site.nodes[job.first]))
        state, code = 'cancelled', 143
    else:
        w.rank_line(t, job, 0, 'training done, final checkpoint written')
        state, code = 'completed', 0
    job.end(t, state, code)
    from faults import resume
    w.when(t + rng.uniform(60, 200), resume, w, job, t + 200)


def ordinary(w, rng, t):
    text = rng.choice(ORDINARY)
    w.line(t, rng.randrange(w.site.count), 'syslog', text % rng.randrange(1000, 99999) if '%d' in text else text)


NOISE = [(flap, 0.5), (app_xid, 1.5), (warm, 2), (corrected, 4), (edac, 3), (aer, 2), (retransmit, 240), (ends_well, 1.2), (ordinary, 2000)]


class Noise:
    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.due = [self.next(world.t, k) for k in range(len(NOISE))]

    def next(self, t, k):
        return t + self.rng.expovariate(NOISE[k][1] * self.world.site.count / 256 / 3600)

    def play(self, until):
        """Puts what comes before `until` on the world's agenda."""
        for k, (fn, _) in enumerate(NOISE):
            while self.due[k] < until:
                if self.due[k] > self.world.start + 120 or fn is ordinary:
                    self.world.when(self.due[k], fn, self.world, self.rng, self.due[k])
                self.due[k] = self.next(self.due[k], k)
