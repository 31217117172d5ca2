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

from score import right, seconds


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


def judge(c, of):
    cache, first, frequent, votes = {}, [0, 0, 0], [0, 0, 0], [0, None, 0]
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
        if f.flows:
            ballot = collections.Counter()
            for _, path in f.flows:
                for link in path:
                    ballot[link] += 1 / len(path)
            votes[2] += 1
            votes[0] += 'link:' + ballot.most_common(1)[0][0] in f.entities
    out = {'earliest event wins': first, 'most frequent cause': frequent}
    if c.world.peers:
        out['peer distance (Minder), fail-slow'] = c.world.peers['score']
    if votes[2]:
        out['raw path votes (007), fabric'] = votes
    return out
