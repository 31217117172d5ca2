"""faults: what breaks, from first principles: a part fails, its own daemons say so in their own words, its neighbours notice
after the delays that their timers have, the job dies or slows as a whole, somebody mends it.

A kind is a function(world, job, rng, t) that schedules all of this and returns the truth: which entities and classes a right
answer may name. One cable is one place: its two ends, their modules and the link are the same part to whoever is sent.
Delays are drawn anew for each fault. The formats of lines are those of the software that prints them (Linux kernel, NVIDIA
driver and fabric manager, mlx5_core, NCCL, PyTorch, Slurm, NFS client, SONiC); the words of a user's program are our own.
"""
import time
import zlib

from jobs import SHARE
from site_plan import GPU_PCI, GPUS, NIC_PCI


class Fault:
    def __init__(self, kind, t, entities, classes, verdict='infrastructure', owners=(), jobs=(), failslow=False):
        self.kind, self.t, self.end = kind, t, t + 300
        self.entities, self.classes, self.verdict = set(entities), set(classes), verdict
        self.owners, self.jobs, self.failslow = set(owners), list(jobs), failslow
        self.verdicts = {verdict}
        self.flows = []             # (retransmitting end, links of its path): what 007 votes with
        self.minder, self.pair = None, None


def cable(world, end):
    """All names of one cable, whichever end."""
    far = world.site.far[end]
    a, b = sorted((end, far))
    names = {'link:%s--%s' % (a, b)}
    for e in (end, far):
        names |= {'optic:' + e, ('nic:' if e.startswith('gpu-') else 'port:') + e}
    return names


def pid(rng):
    return rng.randrange(20000, 900000)


# --- how a job ends

def glog(world, t):
    return time.strftime('%m%d %H:%M:%S', time.gmtime(t)) + '.%06d' % int(t * 1e6 % 1e6)


def peers_of(job, rank, rng):
    """Ring neighbours of a rank on its own rail."""
    node, local = divmod(rank, 8)
    return [((node + d) % job.count) * 8 + local for d in (1, -1) if job.count > 1]


def launcher(world, job, t, rank, code, rng, state='failed', signal=None):
    node = world.site.nodes[job.first + rank // 8]
    world.rank_line(t, job, rank, 'E%s %d torch/distributed/elastic/multiprocessing/api.py:874] failed (exitcode: %d) local_rank: %d '
                    '(pid: %d) of binary: /opt/conda/bin/python' % (glog(world, t), pid(rng), code, rank % 8, pid(rng)))
    end = t + rng.uniform(4, 25)
    world.rank_line(end - 1, job, 0, 'srun: error: %s: task %d: %s' % (
        node, rank // 8, 'Killed' if code == -9 else 'Aborted (core dumped)' if code == -6 else 'Exited with exit code 1'))
    world.when(end, job.end, end, state, 1 if code > 0 else 128 - code)
    return end


def transport(world, job, rank, t, rng):
    """Neighbours' sends run out of retries: vendor error 129, some 20 to 45 s after the silence began."""
    for peer in peers_of(job, rank, rng):
        host = world.site.nodes[job.first + peer // 8]
        at = t + rng.uniform(18, 45)
        world.rank_line(at, job, peer, '%s:%d:%d [%d] transport/net_ib.cc:2331 NCCL WARN NET/IB: Got completion from peer 10.1.%d.%d<%d> '
                        'with status=12 opcode=0 len=0 vendor err 129 (Send) hca mlx5_%d' % (
                            host, pid(rng), pid(rng), peer % 8, (job.first + rank // 8) >> 8, (job.first + rank // 8) & 255,
                            rng.randrange(30000, 60000), peer % 8))


def remote_error(world, job, rank, t, rng, share=1.0):
    for r in range(job.ranks()):
        if r // 8 == rank // 8 or rng.random() > share:
            continue
        at = t + rng.uniform(0, 8)
        world.rank_line(at, job, r, '[rank%d]:[E%s ProcessGroupNCCL.cpp:2057] [PG ID 0 PG GUID 0(default_pg) Rank %d] Process group watchdog '
                        'thread terminated with exception: NCCL error: remote process exited or there was a network error, NCCL version '
                        '2.23.4' % (r, glog(world, at), r))


def closed(world, job, rank, t, rng):
    host = world.site.nodes[job.first + rank // 8]
    for peer in peers_of(job, rank, rng):
        at = t + rng.uniform(0.2, 6)
        world.rank_line(at, job, peer, '%s:%d:%d [%d] misc/socket.cc:58 NCCL WARN socketProgress: Connection closed by remote peer %s<%d>' % (
            world.site.nodes[job.first + peer // 8], pid(rng), pid(rng), peer % 8, host, rng.randrange(30000, 60000)))


def watchdog(world, job, ranks, t, rng):
    seq = rng.randrange(10000, 900000)
    for r in range(job.ranks()):
        if r in ranks:
            continue
        at = t + rng.uniform(0, 3)
        world.rank_line(at, job, r, '[rank%d]:[E%s ProcessGroupNCCL.cpp:629] [Rank %d] Watchdog caught collective operation timeout: '
                        'WorkNCCL(SeqNum=%d, OpType=ALLREDUCE, NumelIn=%d, NumelOut=%d, Timeout(ms)=%d) ran for %d milliseconds before '
                        'timing out.' % (r, glog(world, at), r, seq, 25165824, 25165824, job.timeout * 1000,
                                         job.timeout * 1000 + rng.randrange(1, 90)))


def crash(world, f, job, rank, t, rng, code=1, flood=0):
    """A member's process dies: neighbours see closed sockets, the launcher ends the job."""
    world.when(t, stop_waiting, job, t)
    closed(world, job, rank, t, rng)
    if rng.random() < 0.5:
        remote_error(world, job, rank, t + rng.uniform(2, 6), rng, rng.uniform(0.2, 1))
    spill(world, job, t + 3, rng, flood)
    end = launcher(world, job, t + rng.uniform(0.5, 4), rank, code, rng)
    again(world, f, job, end, rng)


def stop_waiting(job, t):
    job.waits.add('crash')


def vanish(world, f, job, rank, t, rng, flood=0):
    """A member falls silent for good: transport errors, then the scheduler's own word."""
    world.when(t, stop_waiting, job, t)
    transport(world, job, rank, t, rng)
    remote_error(world, job, rank, t + 46, rng, rng.uniform(0.3, 1))
    spill(world, job, t + 48, rng, flood)
    end = t + rng.uniform(55, 110)
    world.when(end, job.end, end, rng.choice(['failed', 'node_fail']), 1)
    again(world, f, job, end, rng)


def hang(world, f, job, ranks, t, rng, flood=0):
    """Everybody waits for one: nothing is said until the watchdog's time is over."""
    world.when(t, stop_waiting, job, t)
    late = t + job.timeout
    watchdog(world, job, ranks, late, rng)
    spill(world, job, late + 2, rng, flood)
    other = next(r for r in range(job.ranks()) if r not in ranks)
    end = launcher(world, job, late + rng.uniform(2, 8), other, -6, rng)
    again(world, f, job, end, rng)


def again(world, f, job, end, rng):
    back = max(end + rng.uniform(90, 240), f.end + 15)
    world.when(back, resume, world, job, back)


def resume(world, job, t):
    if not job.running:
        job.start(t)


def spill(world, job, t, rng, lines):
    """A secondary flood: stack traces and INFO lines of all ranks."""
    each = lines // job.ranks()
    for r in range(job.ranks()) if each else ():
        for k in range(each):
            at = t + 10 * k / each
            world.rank_line(at, job, r, '[rank%d]: frame #%d: c10d::ProcessGroupNCCL::Watchdog::run() + 0x%x (0x7f%08x in '
                            '/opt/conda/lib/python3.11/site-packages/torch/lib/libtorch_cuda.so)' % (r, k % 40, 0x4d1 + k % 97, k * 7919 % (1 << 32))
                            if k % 3 else '%s:%d:%d [%d] NCCL INFO transport/net.cc:1307 -> 6' % (
                                world.site.nodes[job.first + r // 8], 4000 + r, 4100 + r, r % 8))


# --- small tools

def pick(job, rng):
    i = rng.choice(list(job.members))
    g = rng.randrange(GPUS)
    return i, g, (i - job.first) * 8 + g


def xid(world, t, i, g, code, text, rng, process=True):
    who = "pid=%d, name=python" % pid(rng) if process else "pid='<unknown>', name=<unknown>"
    world.kernel(t, i, 'NVRM: Xid (PCI:%s): %d, %s, %s' % (GPU_PCI[g][:-2], code, who, text))
    world.when(t, set_mod, world.gpu_mod, (i, g), 'xid', code)


def set_mod(table, key, name, value):
    table.setdefault(key, {})[name] = value


def unset(table, key, *names):
    mod = table.get(key)
    if mod is None:
        return
    for n in names or list(mod):
        mod.pop(n, None)
    if not mod:
        table.pop(key, None)


def during(world, table, key, name, value, t0, t1):
    world.when(t0, set_mod, table, key, name, value)
    world.when(t1, unset, table, key, name)


def mend(world, f, i, g=None):
    world.when(f.end, unset, world.gpu_mod, (i, g)) if g is not None else None


def truth(world, kind, job, t, entities, classes, i=None, **more):
    owners = {world.site.nodes[i]} if i is not None else set()
    return Fault(kind, t, entities, classes, owners=owners | more.pop('owners', set()), jobs=[job] if job else [], **more)


def cuda_error(world, job, rank, t, text):
    world.rank_line(t, job, rank, '[rank%d]: RuntimeError: CUDA error: %s' % (rank, text))
    world.rank_line(t + 0.01, job, rank, '[rank%d]: CUDA kernel errors might be asynchronously reported at some other API call, so the '
                    'stacktrace below might be incorrect.' % rank)


def some_flood(rng):
    return rng.choice([5000, 20000, 100000]) if rng.random() < 0.06 else 0


# --- accelerators

def gpu_off_bus(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'gpu-off-bus', job, t, {'gpu:%s/%d' % (w.site.nodes[i], g)}, {'gpu'}, i)
    f.end = t + rng.uniform(240, 420)
    xid(w, t, i, g, 79, 'GPU has fallen off the bus.', rng, process=False)
    w.kernel(t + 0.001, i, 'NVRM: GPU %s.0: GPU has fallen off the bus.' % GPU_PCI[g][:-2])
    if rng.random() < 0.3:
        w.kernel(t - 0.2, i, 'pcieport 0000:%02x:01.0: pciehp: Slot(%d): Link Down' % (int(GPU_PCI[g][5:7], 16) - 1, g + 1))
    during(w, w.gpu_mod, (i, g), 'gone', True, t + 1, f.end)
    mend(w, f, i, g)
    cuda_error(w, job, rank, t + rng.uniform(0.2, 3), 'unspecified launch failure')
    crash(w, f, job, rank, t + 3, rng, code=-6, flood=some_flood(rng))
    return f


def gpu_hbm(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'gpu-hbm-uncorrectable', job, t, {'gpu:%s/%d' % (w.site.nodes[i], g)}, {'gpu-memory'}, i)
    f.end = t + rng.uniform(240, 400)
    contained = rng.random() < 0.6
    xid(w, t, i, g, 48, 'An uncorrectable double bit error (DBE) has been detected on GPU in the framebuffer at partition %d, subpartition %d.'
        % (rng.randrange(10), rng.randrange(2)), rng)
    w.when(t, w.count, (i, g), 'dbe', rng.randrange(1, 4))
    xid(w, t + 0.1, i, g, 63, 'Row Remapper: New row (0x%012x) marked for remapping, reset gpu to activate.' % rng.randrange(1 << 40), rng)
    if contained:
        xid(w, t + 0.3, i, g, 94, 'Contained: CE User Channel (0x%x). RST: No, D-RST: No' % rng.randrange(16), rng)
    else:
        xid(w, t + 0.3, i, g, 95, 'Uncontained: LTC TAG (0x%x,0x0). RST: Yes, D-RST: No' % rng.randrange(16), rng)
    mend(w, f, i, g)
    cuda_error(w, job, rank, t + rng.uniform(0.5, 3), 'uncorrectable ECC error encountered')
    crash(w, f, job, rank, t + 3, rng, code=-6, flood=some_flood(rng))
    return f


def gpu_gsp(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'gpu-gsp-timeout', job, t, {'gpu:%s/%d' % (w.site.nodes[i], g)}, {'gpu'}, i)
    f.end = t + job.timeout + rng.uniform(100, 200)
    for k in range(rng.randrange(1, 5)):
        xid(w, t + 6 * k, i, g, 119, 'Timeout after %ds of waiting for RPC response from GPU%d GSP! Expected function 76 (GSP_RM_CONTROL) '
            '(0x2080%04x 0x%x).' % (rng.choice([6, 45]), g, rng.randrange(1 << 16), rng.randrange(4, 64)), rng)
    during(w, w.gpu_mod, (i, g), 'util', 0 if rng.random() < 0.5 else 100, t, f.end)
    during(w, w.gpu_mod, (i, g), 'power', 105, t, f.end)
    mend(w, f, i, g)
    hang(w, f, job, {rank}, t, rng, flood=some_flood(rng))
    return f


def gpu_nvlink(w, job, rng, t):
    i, g, rank = pick(job, rng)
    node = w.site.nodes[i]
    f = truth(w, 'gpu-nvlink-fatal', job, t, {'gpu:%s/%d' % (node, g)} | {'nvswitch:%s/%d' % (node, k) for k in range(4)}, {'nvlink'}, i)
    f.end = t + rng.uniform(240, 400)
    link = rng.randrange(18)
    for k in range(3):
        w.when(t - 40 + 12 * k, w.count, (i, g), 'crc', rng.randrange(500, 9000))
    xid(w, t, i, g, 74, 'NVLink: fatal error detected on link %d(0x10000, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)' % link, rng, process=False)
    if rng.random() < 0.7:
        w.kernel(t + 0.05, i, 'nvidia-nvswitch%d: SXid (PCI:0000:0%d:00.0): 20034, Fatal, Link %02d LTSSM Fault Up' % (
            link % 4, link % 4 + 3, rng.randrange(64)))
    mend(w, f, i, g)
    cuda_error(w, job, rank, t + rng.uniform(0.5, 3), 'an illegal memory access was encountered' if rng.random() < 0.3 else 'unspecified launch failure')
    crash(w, f, job, rank, t + 3, rng, code=-6, flood=some_flood(rng))
    return f


def gpu_thermal(w, job, rng, t):
    """Dried thermal paste: the resistance from die to coolant rises, the die reaches its slowdown point and clocks down."""
    i, g, rank = pick(job, rng)
    f = truth(w, 'gpu-thermal-slow', job, t, {'gpu:%s/%d' % (w.site.nodes[i], g)}, {'cooling', 'gpu'}, i, failslow=True)
    f.end = t + rng.uniform(300, 480)
    depth = rng.uniform(0.55, 0.8)
    for k in range(1, 7):
        w.when(t + 8 * k, set_mod, w.gpu_mod, (i, g), 'temp', 5.5 * k)
    during(w, w.gpu_mod, (i, g), 'clock', depth, t + 40, f.end)
    during(w, w.gpu_mod, (i, g), 'reasons', rng.choice([0x20, 0x40, 0x60]), t + 40, f.end)
    slow(w, job, ('gpu', i, g), depth, t + 40, f.end)
    mend(w, f, i, g)
    return f


def slow(w, job, key, clock, t0, t1):
    run = {}

    def begin():
        run['id'] = job.id
        job.slow[key] = SHARE + (1 - SHARE) / clock

    def end():
        job.slow.pop(key, None)
    w.when(t0, begin)
    w.when(t1, end)


def gpu_slow(w, job, rng, t):
    """A clock that stays low with no reason given: a firmware or regulator fault."""
    i, g, rank = pick(job, rng)
    f = truth(w, 'gpu-slow-silent', job, t, {'gpu:%s/%d' % (w.site.nodes[i], g)}, {'gpu', 'power'}, i, failslow=True)
    f.end = t + rng.uniform(300, 480)
    depth = rng.uniform(0.5, 0.85)
    during(w, w.gpu_mod, (i, g), 'clock', depth, t, f.end)
    slow(w, job, ('gpu', i, g), depth, t, f.end)
    mend(w, f, i, g)
    return f


# --- adapters, cables, switches

def port_says(w, end, t, up):
    sw, port = end.split('/')
    w.line(t, sw, 'switch', 'NOTICE swss#orchagent: :- updatePortOperStatus: Port %s oper state set from %s to %s' % (
        port, 'down' if up else 'up', 'up' if up else 'down'))


def nic_says(w, end, t, up):
    node, dev = end.split('/')
    r = int(dev[-1])
    w.kernel(t, int(node[4:]) - 1, 'mlx5_core %s eth%d: Link %s' % (NIC_PCI[r], r, 'up' if up else 'down'))


def link_goes(w, end, t, seconds):
    """Both ends of a cable see it go and come back."""
    for e in (end, w.site.far[end]):
        nic = e.startswith('gpu-')
        says = nic_says if nic else port_says
        if seconds is None or seconds > 0:
            says(w, e, t + w.rng.uniform(0, 0.4), False)
        w.when(t, w.count, e, 'down', 1)
        if seconds is not None:
            says(w, e, t + seconds + w.rng.uniform(0, 0.4), True)
        during(w, w.nic_mod if nic else w.port_mod, e, 'down', True, t, t + (seconds if seconds is not None else 1e9))


def nic_dead(w, job, rng, t):
    i, r, rank = pick(job, rng)
    end = w.site.nic(i, r)
    f = truth(w, 'nic-dead', job, t, {'nic:' + end}, {'nic'}, i)
    f.end = t + rng.uniform(260, 420)
    w.kernel(t, i, 'mlx5_core %s: poll_health:%d:(pid 0): Fatal error %d detected' % (NIC_PCI[r], rng.choice([801, 821]), rng.choice([1, 3])))
    w.kernel(t + 0.01, i, 'mlx5_core %s: print_health_info:431:(pid 0): Health issue observed, firmware internal error, severity(3) ERROR:'
             % NIC_PCI[r])
    w.kernel(t + 0.4, i, 'mlx5_core %s: mlx5_error_sw_reset:229:(pid %d): start' % (NIC_PCI[r], pid(rng)))
    nic_says(w, end, t + 0.8, False)
    port_says(w, w.site.far[end], t + 1, False)
    during(w, w.nic_mod, end, 'down', True, t + 0.8, f.end)
    port_says(w, w.site.far[end], f.end, True)
    vanish(w, f, job, rank, t, rng, flood=some_flood(rng))
    return f


def optic_degrade(w, job, rng, t):
    """Light falls over minutes: bit errors, then frames that cannot be corrected, retransmissions, at last flaps."""
    i, r, rank = pick(job, rng)
    near = w.site.nic(i, r)
    end = near if rng.random() < 0.4 else w.site.far[near]     # who receives too little
    f = truth(w, 'optic-degrading', job, t, cable(w, near), {'optic'}, i, owners={w.site.leaf(i, r)}, failslow=True)
    f.end = t + rng.uniform(360, 540)
    depth, lanes = rng.uniform(9, 12), tuple(rng.sample(range(4), rng.choice([1, 1, 2, 4])))
    set_mod(w.optic_mod, end, 'lanes', lanes)
    for k in range(1, 21):
        w.when(t + 6 * k, set_mod, w.optic_mod, end, 'loss', depth * k / 20)
    peer = w.site.nic(job.first + (i - job.first + 1) % job.count, r)
    for k in range(int((f.end - t - 90) / 10)):
        at = t + 90 + 10 * k
        w.when(at, w.count, end, 'uncorrectable', rng.randrange(20, 400))
        w.when(at, w.count, end, 'errors' if not end.startswith('gpu-') else 'crc', rng.randrange(30, 500))
        w.when(at, w.count, near, 'seq', rng.randrange(50, 800))
        w.when(at, w.count, peer, 'seq', rng.randrange(20, 300))
    slow(w, job, ('optic', end), rng.uniform(0.55, 0.85), t + 100, f.end)
    if rng.random() < 0.4:
        for k in range(rng.randrange(1, 4)):
            link_goes(w, near, t + rng.uniform(150, 330), rng.uniform(1, 4))
    w.when(f.end, unset, w.optic_mod, end)
    f.flows = [(near, path_of(w, near, peer)), (peer, path_of(w, peer, near))]
    return f


def path_of(w, a, b):
    """Links of a flow between two adapters of a rail; the hash that picks the spine is fixed for a pair."""
    la, lb = w.site.far[a].split('/')[0], w.site.far[b].split('/')[0]
    up = lambda end: '--'.join(sorted((end, w.site.far[end])))
    if la == lb:
        return [up(a), up(b)]
    k = zlib.crc32((a + b).encode()) % w.site.spine_count
    return [up(a), up(w.site.uplinks(la)[k]), up(w.site.uplinks(lb)[k]), up(b)]


def link_flap(w, job, rng, t):
    """A dirty or bent fibre: the link goes for seconds, again and again; long enough once for the retries to run out."""
    i, r, rank = pick(job, rng)
    end = w.site.nic(i, r)
    f = truth(w, 'link-flapping', job, t, cable(w, end), {'optic'}, i, owners={w.site.leaf(i, r)})
    n = rng.randrange(5, 10)
    at = t
    for k in range(n):
        link_goes(w, end, at, rng.uniform(2, 9))
        at += rng.uniform(12, 40)
    link_goes(w, end, at, rng.uniform(20, 60))
    f.end = at + 60
    for k in range(n):
        w.when(t + 15 * k, w.count, end, 'timeout', rng.randrange(2, 60))
    vanish(w, f, job, rank, at, rng, flood=some_flood(rng))
    return f


def link_dead(w, job, rng, t):
    """A module dies or a cable is pulled: dark at once."""
    i, r, rank = pick(job, rng)
    end = w.site.nic(i, r)
    f = truth(w, 'cable-dead', job, t, cable(w, end), {'optic'}, i, owners={w.site.leaf(i, r)})
    f.end = t + rng.uniform(260, 420)
    link_goes(w, end, t, f.end - t)
    for e in (end, w.site.far[end]):
        during(w, w.optic_mod, e, 'dark', True, t, f.end)
    vanish(w, f, job, rank, t, rng, flood=some_flood(rng))
    return f


def leaf_dies(w, job, rng, t):
    i, r, rank = pick(job, rng)
    leaf = w.site.leaf(i, r)
    hit = [j for j in w.jobs if any(w.site.leaf(k, r) == leaf for k in j.members)]
    f = Fault('leaf-switch-down', t, {'switch:' + leaf}, {'switch'}, owners={leaf} | {
        w.site.nodes[k] for k in range(w.site.count) if w.site.leaf(k, r) == leaf}, jobs=hit)
    f.end = t + rng.uniform(240, 420)
    during(w, w.site_mod, leaf, 'off', True, t, f.end)
    w.when(f.end, w.up_since.__setitem__, leaf, f.end)
    for k in range(w.site.count):
        if w.site.leaf(k, r) == leaf:
            nic_says(w, w.site.nic(k, r), t + rng.uniform(0, 1.5), False)
            nic_says(w, w.site.nic(k, r), f.end + rng.uniform(0, 3), True)
    for up in w.site.uplinks(leaf):
        port_says(w, w.site.far[up], t + rng.uniform(0, 1.5), False)
        port_says(w, w.site.far[up], f.end + rng.uniform(0, 3), True)
    for j in hit:
        if j.running:
            vanish(w, f, j, ((i if i in j.members else j.first) - j.first) * 8 + r, t, rng)
    return f


# --- hosts and site

def node_panic(w, job, rng, t):
    i, g, rank = pick(job, rng)
    node = w.site.nodes[i]
    f = truth(w, 'node-crash', job, t, {'node:' + node}, {'host-os', 'host-cpu', 'power'}, i)
    f.end = t + rng.uniform(260, 480)
    if rng.random() < 0.5:
        w.kernel(t - 0.5, i, 'Kernel panic - not syncing: %s' % rng.choice(
            ['Fatal exception in interrupt', 'Hard LOCKUP', 'Fatal hardware error!']))
    off(w, f, i, t)
    vanish(w, f, job, rank, t, rng, flood=some_flood(rng))
    return f


def off(w, f, i, t):
    during(w, w.node_mod, i, 'off', True, t, f.end)
    w.when(f.end, w.boot.__setitem__, i, f.end - 90)
    for r in range(GPUS):
        end = w.site.far[w.site.nic(i, r)]
        port_says(w, end, t + w.rng.uniform(0, 2), False)
        port_says(w, end, f.end - 60 + w.rng.uniform(0, 9), True)


def host_oom(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'host-memory-exhausted', job, t, {'node:' + w.site.nodes[i]}, {'host-memory'}, i)
    f.end = t + rng.uniform(200, 300)
    for k in range(1, 7):
        w.when(t - 60 + 10 * k, set_mod, w.node_mod, i, 'memory', 1.5e12 * (1 - k / 6.02))
    p = pid(rng)
    w.kernel(t, i, 'python invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0')
    w.kernel(t + 0.2, i, 'oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0-1,global_oom,task_memcg=/slurm/uid_1001/'
             'job_%s,task=python,pid=%d,uid=1001' % (job.id, p))
    w.kernel(t + 0.21, i, 'Out of memory: Killed process %d (python) total-vm:%dkB, anon-rss:%dkB, file-rss:0kB, shmem-rss:0kB, UID:1001 '
             'pgtables:%dkB oom_score_adj:0' % (p, 1900000000, 1700000000, 3400000))
    w.when(t, w.count, i, 'oom', 1)
    w.when(t + 2, unset, w.node_mod, i, 'memory')
    crash(w, f, job, rank, t + 0.5, rng, code=-9)
    return f


def nfs_stall(w, job, rng, t):
    f = Fault('storage-stall', t, {'storage:' + w.site.storage}, {'storage'}, owners={w.site.storage} | set(w.site.nodes), jobs=[
        j for j in w.jobs if j.running])
    f.end = t + rng.uniform(180, 300)
    during(w, w.site_mod, w.site.storage, 'stall', 0.99, t, f.end)
    for i in range(w.site.count):
        if rng.random() < 0.7:
            w.kernel(t + rng.uniform(20, 80), i, 'nfs: server filer1 not responding, still trying')
            w.kernel(f.end + rng.uniform(0, 5), i, 'nfs: server filer1 OK')
        if rng.random() < 0.1:
            w.kernel(t + rng.uniform(120, 150), i, 'INFO: task python:%d blocked for more than 122 seconds.' % pid(rng))
    for j in f.jobs:
        if rng.random() < 0.5:
            w.when(t + rng.uniform(10, 120), j.waits.add, 'storage')
            w.when(f.end, j.waits.discard, 'storage')
    return f


def disk_full(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'local-disk-full', job, t, {'node:' + w.site.nodes[i]}, {'storage'}, i)
    f.end = t + rng.uniform(200, 320)
    for k in range(1, 6):
        w.when(t - 50 + 10 * k, set_mod, w.node_mod, i, 'disk', 1.4e12 * (1 - k / 5.0) + 1e6)
    w.when(f.end, unset, w.node_mod, i, 'disk')
    w.rank_line(t, job, rank, '[rank%d]: OSError: [Errno 28] No space left on device: \'/tmp/shard_%d.idx\'' % (rank, rng.randrange(99)))
    crash(w, f, job, rank, t + 0.3, rng)
    return f


def host_ue(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'host-memory-uncorrectable', job, t, {'node:' + w.site.nodes[i]}, {'host-memory'}, i)
    f.end = t + rng.uniform(240, 400)
    w.kernel(t, i, 'mce: [Hardware Error]: Machine check events logged')
    w.kernel(t + 0.01, i, 'EDAC MC%d: 1 UE memory read error on CPU_SrcID#0_MC#1_Chan#0_DIMM#0 (channel:0 slot:0 page:0x%x offset:0x%x grain:32 - '
             'err_code:0x00a0:0x0090)' % (rng.randrange(8), rng.randrange(1 << 28), rng.randrange(4096)))
    w.when(t, w.count, i, 'ue', 1)
    w.kernel(t + 0.1, i, 'Memory failure: 0x%x: Sending SIGBUS to python:%d due to hardware memory corruption' % (rng.randrange(1 << 28), pid(rng)))
    w.kernel(t + 0.11, i, 'Memory failure: 0x%x: recovery action for dirty LRU page: Recovered' % rng.randrange(1 << 28))
    crash(w, f, job, rank, t + 0.5, rng, code=-7)
    return f


def soft_lockup(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'kernel-lockup', job, t, {'node:' + w.site.nodes[i]}, {'host-os', 'host-cpu'}, i)
    f.end = t + job.timeout + rng.uniform(60, 120)
    cpu = rng.randrange(128)
    for k in range(rng.randrange(2, 7)):
        w.kernel(t + 24 * k, i, 'watchdog: BUG: soft lockup - CPU#%d stuck for %ds! [%s:%d]' % (
            cpu, 22 + 24 * k, rng.choice(['kworker/u512:3', 'nvidia-modprobe', 'python', 'ptlrpcd_01_03']), pid(rng)))
    during(w, w.node_mod, i, 'load', rng.uniform(20, 200), t, f.end)
    hang(w, f, job, {r for r in range(job.ranks()) if r // 8 == rank // 8}, t, rng, flood=some_flood(rng))
    return f


def nvme_fails(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'local-drive-fails', job, t, {'node:' + w.site.nodes[i]}, {'storage'}, i)
    f.end = t + rng.uniform(240, 400)
    w.kernel(t, i, 'nvme nvme0: I/O %d (I/O Cmd) QID %d timeout, aborting' % (rng.randrange(1000), rng.randrange(1, 64)))
    w.kernel(t + 30, i, 'nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff')
    w.kernel(t + 31, i, 'I/O error, dev nvme0n1, sector %d op 0x1:(WRITE) flags 0x8800 phys_seg 1 prio class 0' % rng.randrange(1 << 31))
    w.kernel(t + 32, i, 'EXT4-fs (nvme0n1p2): Remounting filesystem read-only')
    w.rank_line(t + 33, job, rank, "[rank%d]: OSError: [Errno 30] Read-only file system: '/tmp/cache_%d'" % (rank, rank))
    crash(w, f, job, rank, t + 33.5, rng)
    return f


def pcie_narrow(w, job, rng, t):
    """Lanes that no longer train: the link comes up narrower; copies to and from the host take longer."""
    i, g, rank = pick(job, rng)
    f = truth(w, 'pcie-degraded', job, t, {'gpu:%s/%d' % (w.site.nodes[i], g)}, {'pcie'}, i, failslow=True)
    f.end = t + rng.uniform(300, 480)
    during(w, w.gpu_mod, (i, g), 'width', rng.choice([8, 4, 2]), t, f.end)
    for k in range(rng.randrange(3, 12)):
        w.kernel(t + 7 * k, i, 'pcieport 0000:%02x:01.0: AER: Correctable error message received from %s' % (int(GPU_PCI[g][5:7], 16) - 1, GPU_PCI[g]))
        w.when(t + 7 * k, w.count, (i, g), 'replay', rng.randrange(20, 400))
    slow(w, job, ('pcie', i, g), rng.uniform(0.6, 0.85), t, f.end)
    return f


def host_slow(w, job, rng, t):
    """Somebody's program eats the processors of one node: its ranks load and launch late, everybody waits."""
    i, g, rank = pick(job, rng)
    f = truth(w, 'host-overloaded', job, t, {'node:' + w.site.nodes[i]}, {'host-cpu', 'host-os'}, i, failslow=True)
    f.end = t + rng.uniform(300, 480)
    during(w, w.node_mod, i, 'load', rng.uniform(180, 500), t, f.end)
    slow(w, job, ('host', i), rng.uniform(0.5, 0.75), t, f.end)
    return f


def clock_off(w, job, rng, t):
    i, g, rank = pick(job, rng)
    f = truth(w, 'clock-off', job, t, {'node:' + w.site.nodes[i]}, {'clock'}, i)
    f.end = t + rng.uniform(200, 300)
    during(w, w.node_mod, i, 'offset', rng.choice([-1, 1]) * rng.uniform(3, 40), t, f.end)
    return f


def silent_agent(w, job, rng, t):
    """What observes a node stops; the node works on."""
    i, g, rank = pick(job, rng)
    f = truth(w, 'observer-lost', job, t, {'node:' + w.site.nodes[i]}, {'telemetry'}, i)
    f.end = t + rng.uniform(240, 360)
    during(w, w.node_mod, i, 'blind', True, t, f.end)
    return f


def pdu_fails(w, job, rng, t):
    i, g, rank = pick(job, rng)
    hit = [k for k in w.site.on_pdu(i)]
    jobs = [j for j in w.jobs if j.running and any(k in j.members for k in hit)]
    f = Fault('power-unit-fails', t, {'pdu:' + w.site.pdu(i)} | {'rack:' + w.site.rack(k) for k in hit}, {'power'}, owners={
        w.site.pdu(i)} | {w.site.rack(k) for k in hit} | {w.site.nodes[k] for k in hit}, jobs=jobs)
    f.end = t + rng.uniform(300, 480)
    during(w, w.site_mod, w.site.pdu(i), 'feed', 0, t, f.end)
    for k in hit:
        off(w, f, k, t + rng.uniform(0, 0.5))
    for j in jobs:
        member = next(k for k in hit if k in j.members)
        vanish(w, f, j, (member - j.first) * 8 + rank % 8, t, rng)
    return f


def cdu_weak(w, job, rng, t):
    """A coolant pump weakens: all dies behind it grow hot together and slow down."""
    i, g, rank = pick(job, rng)
    hit = [k for k in w.site.on_cdu(i)]
    jobs = [j for j in w.jobs if j.running and any(k in j.members for k in hit)]
    f = Fault('coolant-flow-low', t, {'cdu:' + w.site.cdu(i)}, {'cooling'}, owners={w.site.cdu(i)} | {w.site.rack(k) for k in hit} | {
        w.site.nodes[k] for k in hit}, jobs=jobs, failslow=True)
    f.end = t + rng.uniform(360, 480)
    during(w, w.site_mod, w.site.cdu(i), 'flow', rng.uniform(150, 350), t, f.end)
    depth = rng.uniform(0.6, 0.8)
    for k in hit:
        for n in range(GPUS):
            for m in range(1, 7):
                w.when(t + 12 * m, set_mod, w.gpu_mod, (k, n), 'temp', 5.2 * m)
            during(w, w.gpu_mod, (k, n), 'clock', depth, t + 75, f.end)
            during(w, w.gpu_mod, (k, n), 'reasons', 0x20, t + 75, f.end)
            w.when(f.end, unset, w.gpu_mod, (k, n))
    for j in jobs:
        slow(w, j, ('cdu', i), depth, t + 75, f.end)
    return f


def slow_receiver(w, job, rng, t):
    """An adapter that does not drain what it receives pauses its port, and that backs up into the fabric."""
    i, r, rank = pick(job, rng)
    end = w.site.nic(i, r)
    f = truth(w, 'pause-storm', job, t, {'nic:' + end, 'port:' + w.site.far[end]}, {'congestion', 'nic'}, i, owners={w.site.leaf(i, r)}, failslow=True)
    f.end = t + rng.uniform(300, 420)
    others = rng.sample(range(GPUS * job.count), min(24, job.count))
    for k in range(int((f.end - t) / 5)):
        at = t + 5 * k
        w.when(at, w.count, end, 'pause_tx', rng.randrange(200000, 600000))
        w.when(at, w.count, w.site.far[end], 'pfc', rng.randrange(200000, 600000))
        for o in others:
            n = w.site.nic(job.first + o // GPUS, r)
            if n != end:
                w.when(at, w.count, n, 'pause_rx', rng.randrange(5000, 40000))
    slow(w, job, ('pfc', end), rng.uniform(0.4, 0.7), t, f.end)
    return f


def gray_uplink(w, job, rng, t):
    """A link between leaf and spine drops one frame in some thousands: flows that its hash puts there retransmit."""
    i, r, rank = pick(job, rng)
    leaf = w.site.leaf(i, r)
    end = rng.choice(w.site.uplinks(leaf))
    name = '--'.join(sorted((end, w.site.far[end])))
    f = truth(w, 'uplink-drops', job, t, cable(w, end), {'optic', 'switch'}, i, owners={leaf, w.site.far[end].split('/')[0]}, failslow=True)
    f.end = t + rng.uniform(360, 480)
    flows, a = [], [k for k in range(w.site.count) if w.site.leaf(k, r) == leaf]
    b = [k for k in range(w.site.count) if w.site.leaf(k, r) != leaf]
    while len(flows) < 10 and b:
        x, y = w.site.nic(rng.choice(a), r), w.site.nic(rng.choice(b), r)
        if name in path_of(w, x, y):
            flows.append((x, path_of(w, x, y)))
    if flows:
        f.flows = flows + [(n, path_of(w, n, w.site.nic(job.first, r))) for n in (w.site.nic(k, r) for k in rng.sample(range(w.site.count), 6))]
    counted = rng.random() < 0.6        # whether the receiving end counts what it drops
    for k in range(int((f.end - t) / 10)):
        at = t + 10 * k
        for n, _ in flows:
            w.when(at, w.count, n, 'seq', rng.randrange(40, 300))
        if counted:
            w.when(at, w.count, w.site.far[end], 'errors', rng.randrange(20, 200))
    slow(w, job, ('gray', end), rng.uniform(0.6, 0.9), t, f.end)
    return f


def planned(w, job, rng, t):
    """Announced work on an idle node: it goes down and comes back, and nobody wants to hear of it."""
    idle = [k for k in range(w.site.count) if not w.owner[k]]
    i = rng.choice(idle or list(job.members))
    node = w.site.nodes[i]
    f = Fault('planned-work', t, {'node:' + node}, set(), 'none', owners={node})
    f.end = t + rng.uniform(240, 360)
    w.when(t - 30, w.server.put, '/api/v1/devices/node:' + node, {'state': 'maintenance'})
    w.kernel(t - 1, i, 'systemd-logind[1201]: The system will reboot now!')
    off(w, f, i, t)
    w.when(f.end + 60, w.server.put, '/api/v1/devices/node:' + node, {'state': 'active'})
    return f


# --- the user's own

def traceback(w, job, rank, t, last, rng):
    lines = ['Traceback (most recent call last):', '  File "/ws/run/pretrain.py", line %d, in <module>' % rng.randrange(100, 900),
             '    main()', '  File "/ws/run/pretrain.py", line %d, in main' % rng.randrange(100, 900), '    out = step(batch)', last]
    for k, text in enumerate(lines):
        w.rank_line(t + k / 1000, job, rank, '[rank%d]: %s' % (rank, text))


def user_ranks(job, rng):
    """A wrong program fails everywhere at once, or where its data differs."""
    return list(range(job.ranks())) if rng.random() < 0.5 else [rng.randrange(job.ranks())]


def user_truth(w, kind, job, t, ranks, classes):
    entities = {'job:' + job.id} | {'rank:%s/%d' % (job.id, r) for r in ranks[:1]}
    return Fault(kind, t, entities, classes, 'user', owners={w.site.nodes[i] for i in job.members}, jobs=[job])


def user_code(w, job, rng, t):
    ranks = user_ranks(job, rng)
    f = user_truth(w, 'user-code', job, t, ranks, {'user-code', 'user-data'})
    last = rng.choice(["KeyError: 'attn_mask'", "TypeError: forward() got an unexpected keyword argument 'position_ids'",
                       "AttributeError: 'NoneType' object has no attribute 'shape'",
                       'RuntimeError: mat1 and mat2 shapes cannot be multiplied (4096x5120 and 4096x13824)',
                       'ValueError: too many values to unpack (expected 2)',
                       'AssertionError: global batch size is not divisible by data parallel size'])
    for r in ranks:
        traceback(w, job, r, t + rng.uniform(0, 1), last, rng)
    f.end = t + 60
    crash(w, f, job, ranks[0], t + 1, rng, flood=some_flood(rng))
    return f


def user_oom(w, job, rng, t):
    ranks = user_ranks(job, rng)
    f = user_truth(w, 'user-cuda-oom', job, t, ranks, {'user-oom'})
    for r in ranks:
        traceback(w, job, r, t + rng.uniform(0, 1), 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate %.2f GiB. GPU %d has a total '
                  'capacity of 79.11 GiB of which %.2f MiB is free. Including non-PyTorch memory, this process has 78.4 GiB memory in use.'
                  % (rng.uniform(0.2, 9), r % 8, rng.uniform(1, 900)), rng)
    f.end = t + 60
    crash(w, f, job, ranks[0], t + 1, rng, flood=some_flood(rng))
    return f


def user_data(w, job, rng, t):
    ranks = user_ranks(job, rng)[:1]
    f = user_truth(w, 'user-bad-data', job, t, ranks, {'user-data', 'user-code'})
    if rng.random() < 0.5:
        i, g = job.first + ranks[0] // 8, ranks[0] % 8
        w.rank_line(t, job, ranks[0], '/pytorch/aten/src/ATen/native/cuda/Indexing.cu:1290: indexSelectLargeIndex: block: [%d,0,0], thread: [%d,0,0] '
                    'Assertion `srcIndex < srcSelectDimSize` failed.' % (rng.randrange(400), rng.randrange(128)))
        xid(w, t + 0.1, i, g, 43, 'Ch %08x' % rng.randrange(64), rng)
        w.when(t + 40, unset, w.gpu_mod, (i, g), 'xid')
        cuda_error(w, job, ranks[0], t + 0.2, 'device-side assert triggered')
    else:
        traceback(w, job, ranks[0], t, rng.choice(['json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)',
                                                   'UnicodeDecodeError: \'utf-8\' codec can\'t decode byte 0x9f in position 211: invalid start byte',
                                                   'FileNotFoundError: [Errno 2] No such file or directory: \'/scratch/data/part-0171.bin\'']), rng)
    f.end = t + 60
    crash(w, f, job, ranks[0], t + 1, rng, flood=some_flood(rng))
    return f


def user_hang(w, job, rng, t):
    """One rank takes another branch and never enters the collective: all others time out on it."""
    rank = rng.randrange(job.ranks())
    f = user_truth(w, 'user-hang', job, t, [rank], {'user-code', 'framework', 'unknown'})
    f.verdicts = {'user', 'unknown'}
    f.end = t + job.timeout + 60
    w.when(t, stop_waiting, job, t)
    late, seq = t + job.timeout, rng.randrange(10000, 900000)
    for r in range(job.ranks()):
        behind = 1 if r == rank else 0
        at = late + rng.uniform(0, 3)
        w.rank_line(at, job, r, '[rank%d]:[E%s ProcessGroupNCCL.cpp:629] [Rank %d] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=%d, '
                    'OpType=%s, NumelIn=%d, NumelOut=%d, Timeout(ms)=%d) ran for %d milliseconds before timing out.' % (
                        r, glog(w, at), r, seq - behind, '_ALLGATHER_BASE' if behind else 'ALLREDUCE', 4096, 4096, job.timeout * 1000,
                        job.timeout * 1000 + rng.randrange(1, 90)))
        w.rank_line(at + 0.01, job, r, '[rank%d]:[E%s ProcessGroupNCCL.cpp:1834] [PG ID 0 PG GUID 0(default_pg) Rank %d] Timeout at NCCL work: %d, last '
                    'enqueued NCCL work: %d, last completed NCCL work: %d.' % (r, glog(w, at), r, seq - behind, seq - behind, seq - 1 - behind))
    end = launcher(w, job, late + rng.uniform(4, 9), 0, -6, rng)
    again(w, f, job, end, rng)
    return f


# --- the mix

# Weights: unexpected interruptions of Llama 3 405B's pre-training, 54 days, 16,384 GPUs (The Llama 3 Herd of Models, 2024, table 5):
# faulty GPU 148, HBM3 72, software 54, network switch or cable 35, host maintenance 32, GPU SRAM 19, GPU system processor 17,
# NIC 7, NCCL watchdog 7, silent corruption 6, GPU thermal 6, SSD 3, power supply 3, chassis 2, IO board 2, dependency 2,
# CPU 2, system memory 2. Fail-slow faults are not in that table; they get a fifth of all, users' faults a quarter
# (both our choice: seldom counted as interruptions, common in the field).
KINDS = [
    (gpu_off_bus, 74), (gpu_hbm, 91), (gpu_gsp, 17), (gpu_nvlink, 74), (gpu_thermal, 20), (gpu_slow, 30), (nic_dead, 7),
    (optic_degrade, 14), (link_flap, 9), (link_dead, 8), (leaf_dies, 4), (node_panic, 10), (host_oom, 6), (nfs_stall, 6),
    (disk_full, 3), (user_code, 50), (user_oom, 30), (user_data, 20), (host_ue, 2), (soft_lockup, 4), (nvme_fails, 3),
    (pcie_narrow, 6), (host_slow, 8), (clock_off, 2), (silent_agent, 6), (pdu_fails, 3), (cdu_weak, 2), (slow_receiver, 5),
    (gray_uplink, 6), (planned, 32), (user_hang, 7),
]


WIDE = {leaf_dies, pdu_fails, cdu_weak, nfs_stall}


def name_of(fn):
    return fn.__name__.replace('_', '-')
