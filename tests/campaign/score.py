"""score: which incident answers which fault, how right it is, and what simpler rules would have said of the same evidence.

An incident belongs to the fault whose jobs, nodes, switches or racks it names and during whose time (from a minute before its
begin to ten minutes behind its end) it opened; to none: a false page, if it pages. The answer to a fault is the last state of
the first incident that paged for it (of a user's fault: of the first that names its job). All counts are of this run alone.
"""
import collections
import datetime
import json
import math

BEFORE, AFTER = 60, 600
BINS = 10


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp() if text else None


def owner(entity):
    return entity.partition(':')[2].split('/')[0]


def owners(incident):
    names = {owner(incident.get('entity') or '')}
    for h in incident.get('hypotheses') or []:
        names.add(owner(h['entity']))
        names |= {owner(e['entity']) for e in h.get('evidence') or []}
    return names | {owner(v) for v in incident.get('victims') or []}


def pages(incident):
    return incident['severity'] != 'info' or incident.get('was_page')


class Score:
    def __init__(self):
        self.first, self.last = {}, {}     # incident id -> its first and last state

    def see(self, items):
        for i in items:
            before = self.last.get(i['id'])
            i['was_page'] = i['severity'] != 'info' or bool(before and before['was_page'])
            if before and i['state'] == 'resolved' and not i.get('hypotheses'):
                i['hypotheses'] = before['hypotheses']
            self.first.setdefault(i['id'], i)
            self.last[i['id']] = i

    def attribute(self, faults):
        """fault -> its incidents by time; and those of nobody."""
        of, nobody = collections.defaultdict(list), []
        for i in sorted(self.last.values(), key=lambda x: x['opened']):
            t, names = seconds(i['opened']), owners(i)
            jobs = set(i.get('jobs') or [])
            best = None
            for f in faults:
                if not f.t - BEFORE <= t <= f.end + AFTER + max([j.timeout for j in f.jobs] or [0]):
                    continue
                top = {owner(h['entity']) for h in (i.get('hypotheses') or [])[:1]}
                fit = (4 if {h['entity'] for h in (i.get('hypotheses') or [])[:1]} & f.entities else 0) + (
                    3 if top & (f.owners | {owner(e) for e in f.entities}) else 0) + (2 if jobs & f.job_ids else 0) + (1 if names & f.owners else 0)
                if f.verdict == 'none' and fit < 3:
                    continue
                if fit and (best is None or (fit, f.t) > best[0]):
                    best = ((fit, f.t), f)
            if best:
                of[best[1]].append(i)
            else:
                nobody.append(i)
        return of, nobody


def answer(f, incidents):
    for i in incidents:
        if f.verdict == 'user' or pages(i):
            return i
    return incidents[0] if incidents else None


def right(f, h):
    return h['entity'] in f.entities


def answers(score, faults, about):
    """One row a judged fault: what was said, how surely, and what was so; calibrate learns from them."""
    of, _ = score.attribute(faults)
    for f in faults:
        if f.verdict == 'none':
            continue
        a = answer(f, of.get(f, []))
        hs = (a or {}).get('hypotheses') or []
        yield dict(about, kind=f.kind, verdict=f.verdict, said=(a or {}).get('verdict'), confidence=a['confidence'] if hs else None,
                   right=bool(hs) and right(f, hs[0]) and hs[0]['class'] in f.classes,
                   hypotheses=[[h['cause'], h['entity'], h['confidence'], len(h.get('evidence') or []), right(f, h), h['class'] in f.classes]
                               for h in hs[:10]])


def poisson_upper(k):
    """95 % one-sided upper bound of a Poisson mean of which k were seen."""
    low, high = float(k), k + 10 + 6 * math.sqrt(k + 1)
    for _ in range(80):
        mid = (low + high) / 2
        p = sum(math.exp(-mid + n * math.log(mid) - math.lgamma(n + 1)) if mid else float(n == 0) for n in range(k + 1))
        low, high = (mid, high) if p > 0.05 else (low, mid)
    return high


def share(n, of):
    return '%5.1f %% (%d of %d)' % (100.0 * n / of, n, of) if of else '    - (none)'


def ece(pairs):
    """Expected calibration error over ten bins of confidence; and the bins."""
    bins = [[] for _ in range(BINS)]
    for confidence, good in pairs:
        bins[min(BINS - 1, int(confidence * BINS))].append((confidence, good))
    rows, total = [], 0.0
    for b in bins:
        if b:
            c, g = sum(x for x, _ in b) / len(b), sum(y for _, y in b) / len(b)
            rows.append((len(b), c, g))
            total += abs(c - g) * len(b)
    return total / max(1, len(pairs)), rows


def report(score, faults, base, gpu_days, notes):
    of, nobody = score.attribute(faults)
    n = len(faults)
    top1 = top3 = klass = both = verdict = found = 0
    times, pairs, wrong, page_counts, per_kind = [], [], [], [], collections.defaultdict(lambda: [0, 0])
    blamed = users = planned_pages = 0
    for f in faults:
        mine = of.get(f, [])
        count = sum(1 for i in mine if pages(i))
        a = answer(f, mine)
        hs = (a or {}).get('hypotheses') or []
        per_kind[f.kind][1] += 1
        if f.verdict == 'none':
            planned_pages += count
            continue
        if f.verdict == 'user':
            users += 1
            blamed += any(pages(i) for i in mine)
        else:
            page_counts.append(count)
        found += a is not None
        ok = bool(hs) and right(f, hs[0])
        c = bool(hs) and hs[0]['class'] in f.classes
        v = a is not None and a.get('verdict') in f.verdicts
        top1 += ok
        klass += c
        verdict += v
        f.first_three = any(right(f, h) for h in hs[:3])
        top3 += f.first_three
        per_kind[f.kind][0] += ok and c and v
        if a:
            times.append(seconds(a['opened']) - f.t)
            if hs and a.get('verdict') != 'unknown':
                pairs.append((a['confidence'], ok and c))
        if not (ok and c and v) or (count > 1 and f.verdict != 'user'):
            said = '%s %s %s %.2f' % (hs[0]['cause'], hs[0]['class'], hs[0]['entity'], a['confidence']) if hs else 'nothing'
            wrong.append((f.kind, sorted(f.entities)[0], ('' if ok else 'entity ') + ('' if c else 'class ') + ('' if v else 'verdict ') + (
                '%d pages' % count if count > 1 else ''), said, a['id'] if a else '-'))
    judged = sum(1 for f in faults if f.verdict != 'none')
    false = [i for i in nobody if pages(i)]
    times.sort()
    days = gpu_days / 18432
    error, bins = ece(pairs)
    out = print
    out('\nfaults %d, of them %d fail-slow, %d of users; found %s' % (judged, sum(f.failslow for f in faults), users, share(found, judged)))
    out('entity first          %s' % share(top1, judged))
    out('entity in first three %s' % share(top3, judged))
    two = [f for f in faults if f.pair and f.t <= f.pair.t]
    if two:
        out('both of two faults    %s among the first three of their incidents' % share(
            sum(f.first_three and f.pair.first_three for f in two), len(two)))
    out('class                 %s' % share(klass, judged))
    out('verdict               %s' % share(verdict, judged))
    out('calibration error     %.3f over %d answers' % (error, len(pairs)))
    out('   ' + '  '.join('%d: %.2f said, %.2f right' % b for b in bins))
    if false:
        out('   %.3f with the false pages as wrong answers' % ece(pairs + [(i['confidence'], False) for i in false])[0])
    if times:
        out('time to incident      median %.0f s, 90th %.0f s, longest %.0f s' % (times[len(times) // 2], times[int(len(times) * 0.9)], times[-1]))
    out('pages a fault         %.2f (infrastructure; %d of %d had none)' % (
        sum(page_counts) / max(1, len(page_counts)), page_counts.count(0), len(page_counts)))
    out('users blamed          %s paged as hardware' % share(blamed, users))
    out('false pages           %d in %.0f GPU-days: %.2f a day of 18,432 GPUs, 95 %% bound %.2f' % (
        len(false), gpu_days, len(false) / days if days else 0, poisson_upper(len(false)) / days if days else 0))
    if any(f.verdict == 'none' for f in faults):
        out('planned work paged    %d' % planned_pages)
    out('\nkind                     right')
    for k in sorted(per_kind):
        out('  %-24s %d of %d' % (k, *per_kind[k]))
    if wrong:
        out('\nwrong                    what, what was said')
    for row in sorted(wrong):
        out('  %-22s %-30s [%s] %s %s' % row)
    for i in false:
        h = (i.get('hypotheses') or [{}])[0]
        out('  (false page)           %s %s %s at %s %s' % (h.get('cause'), h.get('class'), h.get('entity'), i['opened'], i['id']))
    out('\nbaselines, same evidence')
    for name, (e, c, total) in base.items():
        out('  %-38s entity %s  class %s' % (name, share(e, total), share(c, total) if c is not None else '    -'))
    for line in notes:
        out(line)
    return {'top1': top1 / max(1, judged), 'top3': top3 / max(1, judged), 'class': klass / max(1, judged), 'ece': error,
            'pages': sum(page_counts) / max(1, len(page_counts)), 'false_a_day': len(false) / days if days else 0, 'false': len(false)}
