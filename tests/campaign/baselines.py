"""baselines: what simpler rules say of the same evidence, judged in the same run.

earliest event wins: the entity and class of the first warning or worse among the events that the server keeps for the fault's
jobs and owners. most frequent cause: the class that the published table names most, at the entity with the most events.
peer distance: Minder (arXiv:2411.01791) looks for the machine whose metrics are farthest from its peers', here the largest
z-score of a node's means over a minute. path votes: 007 (NSDI 2018): each flow that retransmits gives every link of its path
1/length of a vote; the link with the most is named.
"""
import collections
import statistics
import urllib.parse

from world import GPU_FAST


def events_of(c, f):
    """Events of the fault's owners and jobs around its begin, as the server keeps them."""
    q = urllib.parse.urlencode({'start': f.t - 30, 'end': f.t + 240, 'limit': 1000})
    items = c.server.get('/api/v1/events?' + q)['items']
    names = f.owners | {f_.partition(':')[2] for f_ in f.entities}
    return sorted([e for e in items if e['entity'].partition(':')[2].split('/')[0] in names or e.get('job') in f.job_ids or
                   e.get('job_id') in f.job_ids], key=lambda e: e['time'])


def class_of(c, code, cache):
    if code not in cache:
        try:
            cache[code] = c.server.get('/api/v1/kb/' + urllib.parse.quote(code))['class']
        except (RuntimeError, KeyError):
            cache[code] = None
    return cache[code]


def look(world, f):
    """Minder's question, asked two and a half minutes into a fail-slow fault: which machine is farthest from its peers?"""
    job, far = f.jobs[0], {}
    for k in range(1, len(GPU_FAST) - 2):
        means = {}
        for i in job.members:
            values = [v for v in world.last.get(i, [])[k::len(GPU_FAST)] if v is not None]
            if values:
                means[i] = sum(values) / len(values)
        if len(means) < 3:
            continue
        middle = statistics.median(means.values())
        spread = statistics.median(abs(v - middle) for v in means.values()) or 1e-9
        for i, v in means.items():
            far[i] = max(far.get(i, 0), abs(v - middle) / spread)
    if far:
        f.minder = world.site.nodes[max(far, key=far.get)]
    world.watch.pop(job, None)


def watch(world, f):
    if f.failslow and f.jobs:
        world.when(f.t + 60, world.watch.__setitem__, f.jobs[0], True)
        world.when(f.t + 150, look, world, f)


def judge(c, of):
    cache, first, frequent, votes, minder = {}, [0, 0, 0], [0, 0, 0], [0, None, 0], [0, None, 0]
    for f in c.faults:
        if f.verdict == 'none':
            continue
        events = events_of(c, f)
        first[2] += 1
        frequent[2] += 1
        worse = [e for e in events if e.get('severity') != 'info'] or events
        if worse:
            first[0] += worse[0]['entity'] in f.entities
            first[1] += class_of(c, worse[0]['code'], cache) in f.classes
            most = collections.Counter(e['entity'] for e in events).most_common(1)[0][0]
            frequent[0] += most in f.entities
        frequent[1] += 'gpu' in f.classes
        if f.failslow:
            minder[2] += 1
            minder[0] += f.minder in {e.partition(':')[2].split('/')[0] for e in f.entities}
        if f.flows:
            ballot = collections.Counter()
            for _, path in f.flows:
                for link in path:
                    ballot[link] += 1 / len(path)
            votes[2] += 1
            votes[0] += 'link:' + ballot.most_common(1)[0][0] in f.entities
    out = {'earliest event wins': first, 'most frequent cause': frequent}
    if minder[2]:
        out['peer distance (Minder), machine, slow'] = minder
    if votes[2]:
        out['raw path votes (007), fabric'] = votes
    return out
