"""jobs: synchronous training jobs: as fast as their slowest member, silent while they save, gone when a member is.

A job keeps its nodes over its restarts; each run has a number of its own. What its members do at a moment is one word:
train, save, wait (all spin in a collective), start, dead.
"""
SIZES = [64, 48, 32, 32, 24, 16, 16, 8]        # of 256 nodes; multiples of it for more
SHARE = 0.28                                   # of a step that is communication: slower clocks do not slow it


class Job:
    def __init__(self, world, first, nodes, rng):
        self.world, self.first, self.count = world, first, nodes
        self.members = range(first, first + nodes)
        self.rng = rng
        self.base = rng.uniform(6, 24)                     # seconds a step
        self.tensor = rng.uniform(0.38, 0.62)
        self.power = rng.uniform(560, 660)
        self.reports = rng.random() < 0.5                  # its own step time as a series
        self.timeout = rng.choice([120, 300, 600])         # of the process group's watchdog
        self.save_every = rng.uniform(1200, 2700)
        self.faulted = -1e9                                # when it last had a fault
        self.slow, self.waits = {}, set()                  # by whom
        self.id = None
        self.running = False
        self.generation = 0

    def names(self):
        site = self.world.site
        return 'gpu-[%s-%s]' % (site.nodes[self.first][4:], site.nodes[self.first + self.count - 1][4:])

    def start(self, t):
        self.generation += 1
        self.world.job_number += 1
        self.id = str(self.world.job_number)
        self.running, self.state, self.since = True, 'start', t
        self.begun = t
        self.slow, self.waits = {}, set()
        self.next_save = t + self.rng.uniform(0.3, 1) * self.save_every
        self.world.job_put({'id': self.id, 'name': 'pretrain-%d' % self.first, 'user': 'u%d' % (self.first % 7),
                            'tenant': 't%d' % (self.first % 3), 'state': 'running', 'nodes': self.names(),
                            'gpus_per_node': 8, 'start': t})
        for i in list(self.members)[:4]:
            self.world.rank_line(t + 3, self, i * 8 - self.first * 8,
                                 '%s:%d:%d [0] NCCL INFO Bootstrap : Using eth0:10.0.%d.%d<0>'
                                 % (self.world.site.nodes[i], 4000 + i, 4000 + i, i >> 8, i & 255))

    def end(self, t, state, code):
        if not self.running:
            return
        self.running, self.state, self.since = False, 'dead', t
        self.world.job_patch(self.id, {'state': state, 'end': t, 'exit_code': code})

    def step(self, t):
        """Moves on between training and saving."""
        if not self.running:
            return
        if self.waits:
            self.state = 'wait'
        elif self.state == 'wait':
            self.state = 'train'
        elif self.state == 'start' and t - self.since > 45:
            self.state, self.since = 'train', t
        elif self.state == 'train' and t > self.next_save:
            self.state, self.since = 'save', t
            self.next_save = t + self.save_every * self.rng.uniform(0.9, 1.1)
        elif self.state == 'save' and t - self.since > self.save_for():
            self.state, self.since = 'train', t

    def save_for(self):
        return 20 + self.count * 0.3

    def factor(self):
        return max([1.0] + list(self.slow.values()))

    def step_seconds(self):
        return self.base * self.factor()

    def ranks(self):
        return self.count * 8
