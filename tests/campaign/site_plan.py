"""site: the cluster of the campaign: nodes of eight accelerators with eight adapters, a leaf a rail and group, spines, racks
of four nodes, a power unit for two racks, a coolant unit for eight, one shared file system.

Everything is named and cabled here and told to the product by its topology document. Expected load: 18,432 accelerators.
"""
GPUS = 8
PER_GROUP = 64
PER_RACK = 4
NIC_PCI = ['0000:1a:00.0', '0000:3c:00.0', '0000:4d:00.0', '0000:5e:00.0',
           '0000:9c:00.0', '0000:bc:00.0', '0000:cc:00.0', '0000:dc:00.0']
GPU_PCI = ['0000:1b:00.0', '0000:43:00.0', '0000:52:00.0', '0000:61:00.0',
           '0000:9d:00.0', '0000:c3:00.0', '0000:d1:00.0', '0000:df:00.0']


class Site:
    def __init__(self, nodes, spines=None):
        self.count = nodes
        self.nodes = ['gpu-%04d' % (i + 1) for i in range(nodes)]
        self.groups = (nodes + PER_GROUP - 1) // PER_GROUP
        self.spine_count = spines or (16 if nodes <= 256 else 32)
        self.leaves = ['lf-%02d-%d' % (g + 1, r) for g in range(self.groups) for r in range(GPUS)]
        self.spines = ['sp-%02d' % (s + 1) for s in range(self.spine_count)]
        self.racks = (nodes + PER_RACK - 1) // PER_RACK
        self.ports = {}       # switch -> [port name]
        self.far = {}         # end -> the other end of its cable
        self.storage = 'scratch'
        self.links = []
        for i in range(nodes):
            for r in range(GPUS):
                self.cable(self.nic(i, r), '%s/swp%d' % (self.leaf(i, r), i % PER_GROUP + 1))
        for k, leaf in enumerate(self.leaves):
            for s, spine in enumerate(self.spines):
                self.cable('%s/swp%d' % (leaf, PER_GROUP + 1 + s), '%s/swp%d' % (spine, k + 1))

    def cable(self, a, b):
        self.links.append((a, b))
        self.far[a], self.far[b] = b, a
        for end in (a, b):
            owner, part = end.split('/')
            if not owner.startswith('gpu-'):
                self.ports.setdefault(owner, []).append(part)

    def leaf(self, node, rail):
        return self.leaves[node // PER_GROUP * GPUS + rail]

    def nic(self, node, rail):
        return '%s/mlx5_%d' % (self.nodes[node], rail)

    def uplinks(self, leaf):
        return ['%s/swp%d' % (leaf, PER_GROUP + 1 + s) for s in range(self.spine_count)]

    def rack(self, node):
        return 'k%03d' % (node // PER_RACK + 1)

    def pdu(self, node):
        return 'pw%03d' % (node // PER_RACK // 2 + 1)

    def cdu(self, node):
        return 'cool%02d' % (node // PER_RACK // 8 + 1)

    def in_rack(self, node):
        first = node // PER_RACK * PER_RACK
        return range(first, min(first + PER_RACK, self.count))

    def on_pdu(self, node):
        span = PER_RACK * 2
        return range(node // span * span, min(node // span * span + span, self.count))

    def on_cdu(self, node):
        span = PER_RACK * 8
        return range(node // span * span, min(node // span * span + span, self.count))

    def document(self):
        nics = [{'name': 'mlx5_%d' % r, 'rail': r + 1, 'plane': 'parameter', 'netdev': 'eth%d' % r, 'pci': NIC_PCI[r]}
                for r in range(GPUS)]
        return {
            'version': 1, 'cluster': {'name': 'proving'},
            'racks': [{'name': 'k%03d' % (r + 1), 'pdu': 'pw%03d' % (r // 2 + 1), 'cdu': 'cool%02d' % (r // 8 + 1)}
                      for r in range(self.racks)],
            'switches': [{'name': n, 'role': 'leaf', 'group': 'g%02d' % (k // GPUS + 1), 'rail': k % GPUS + 1,
                          'plane': 'parameter'} for k, n in enumerate(self.leaves)] +
                        [{'name': n, 'role': 'spine', 'plane': 'parameter'} for n in self.spines],
            'nodes': [{'name': n, 'rack': self.rack(i), 'group': 'g%02d' % (i // PER_GROUP + 1),
                       'gpus': {'count': GPUS, 'vendor': 'nvidia', 'model': 'H100', 'pci': GPU_PCI}, 'nics': nics}
                      for i, n in enumerate(self.nodes)],
            'storage': [{'name': self.storage, 'kind': 'nfs', 'servers': ['filer1'], 'path': '/scratch',
                         'nodes': 'gpu-[0001-%04d]' % self.count}],
            'links': [{'a': a, 'b': b, 'gbps': 400, 'optic': True} for a, b in self.links],
        }
