"""remote: what the test of an engine elsewhere does over HTTP.

  remote.py fill URL NOW            two hours of two servers' telemetry, by exposition text, remote_write, OTLP and Loki
  remote.py ask URL NOW FILE        the dashboards' questions; answers into FILE
  remote.py same FILE FILE          every value of both is the same (rates and subqueries within a hundredth: dialects differ at the edges of windows)
  remote.py exact ENGINE LABEL NOTES  load.py's acknowledged samples are at the engine, each exactly once
  remote.py exporter PORT           serves /metrics until it is ended
"""
import collections
import glob
import http.server
import json
import math
import struct
import sys
import urllib.parse
import urllib.request

GPUS = [(node, gpu) for node in ("node00001", "node00002") for gpu in range(8)]
STEP = 15
SPAN = 7200

QUESTIONS = [  # query, relative tolerance
    ("DCGM_FI_DEV_GPU_TEMP", 1e-9),
    ("avg by (node) (DCGM_FI_DEV_GPU_TEMP)", 1e-9),
    ("max(DCGM_FI_DEV_GPU_TEMP) - min(DCGM_FI_DEV_GPU_TEMP)", 1e-9),
    ("sum(DCGM_FI_DEV_POWER_USAGE)", 1e-9),
    ('count by (gpu) (DCGM_FI_DEV_GPU_TEMP{node=~"node0000.*"})', 1e-9),
    ("max_over_time(DCGM_FI_DEV_GPU_TEMP[10m])", 1e-2),
    ("avg_over_time(avg(DCGM_FI_DEV_GPU_TEMP)[10m:1m])", 1e-2),
    ("topk(3, DCGM_FI_DEV_POWER_USAGE)", 1e-9),
    ("quantile(0.9, DCGM_FI_DEV_POWER_USAGE)", 1e-9),
    ("DCGM_FI_DEV_POWER_USAGE / on (node, gpu) DCGM_FI_DEV_GPU_TEMP", 1e-9),
    ("sum by (node) (rate(node_network_receive_bytes_total[5m])) * 8", 1e-2),
    ('otlp_value{node="node00001"}', 1e-9),
    ("written_value", 1e-9),
    ("DCGM_FI_DEV_GPU_TEMP offset 30m", 1e-9),
    ('absent(DCGM_FI_DEV_GPU_TEMP{node="nobody"})', 1e-9),
]


def ask(url, body=None, kind="text/plain", headers=()):
    r = urllib.request.Request(url, body, dict({"Content-Type": kind} if body else {}, **dict(headers)))
    with urllib.request.urlopen(r, timeout=60) as answer:
        return answer.status, answer.read()


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def write_request(labels, samples):
    body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
    for t, v in samples:
        body += field(2, b"\x09" + struct.pack("<d", v) + b"\x10" + varint(t))
    return field(1, body)


def snappy(data):
    """Literals alone: what any decoder takes."""
    out = varint(len(data))
    for i in range(0, len(data), 65536):
        part = data[i:i + 65536]
        out += b"\xf4" + struct.pack("<H", len(part) - 1) + part
    return out


def value(node, gpu, k):
    return 50 + 3 * gpu + (5 if node == "node00002" else 0) + round(4 * math.sin(k / 20 + gpu), 2)


def expect(status, what):
    if status not in (200, 204):
        raise SystemExit(f"{what}: {status}")


def fill(url, now):
    steps = range(-(SPAN // STEP), 1)
    text, writes, points = [], b"", []
    for node, gpu in GPUS:
        for k in steps:
            t = (now + k * STEP) * 1000
            text.append(f'DCGM_FI_DEV_GPU_TEMP{{node="{node}",gpu="{gpu}"}} {value(node, gpu, k)} {t}')
            text.append(f'DCGM_FI_DEV_POWER_USAGE{{node="{node}",gpu="{gpu}"}} {400 + value(node, gpu, k)} {t}')
    for node in ("node00001", "node00002"):
        for k in steps:
            t = (now + k * STEP) * 1000
            text.append(f'node_load1{{node="{node}"}} {2 + k % 5} {t}')
            text.append(f'node_network_receive_bytes_total{{node="{node}",device="eth1"}} {(k + 1000) * STEP * 1000000} {t}')
        writes += write_request({"__name__": "written_value", "node": node, "zone": "z\"\\\u00e9"},
                                [((now + k * STEP) * 1000, k * 0.5) for k in steps])
        points += [{"asDouble": k * 1.5, "timeUnixNano": str((now + k * STEP) * 10**9),
                    "attributes": [{"key": "node", "value": {"stringValue": node}}]} for k in steps]
    for i in range(0, len(text), 5000):
        expect(ask(url + "/prometheus/api/v1/import/prometheus", ("\n".join(text[i:i + 5000]) + "\n").encode())[0], "exposition text")
    expect(ask(url + "/prometheus/api/v1/write", snappy(writes), "application/x-protobuf", [("Content-Encoding", "snappy")])[0], "remote_write")
    metrics = {"resourceMetrics": [{"resource": {"attributes": []}, "scopeMetrics": [{"metrics": [
        {"name": "otlp_value", "gauge": {"dataPoints": points}}]}]}]}
    expect(ask(url + "/v1/metrics", json.dumps(metrics).encode(), "application/json")[0], "OTLP")
    lines = {"streams": [{"stream": {"node": "node00001", "source": "job"}, "values": [[str(now * 10**9), "a line that says hello"]]}]}
    expect(ask(url + "/loki/api/v1/push", json.dumps(lines).encode(), "application/json")[0], "Loki")
    return 0


def questions(url, now, path):
    out = {}
    for query, _ in QUESTIONS:
        for name, span in (("range", {"start": now - SPAN + 2400, "end": now - 60, "step": 60}), ("old", {"time": now - 3600}), ("new", {"time": now - 30})):
            kind = "query_range" if name == "range" else "query"
            q = urllib.parse.urlencode(dict(span, query=query))
            d = json.loads(ask(f"{url}/prometheus/api/v1/{kind}?{q}")[1])["data"]
            rows = {json.dumps(r["metric"], sort_keys=True): r.get("values") or [r["value"]] for r in d["result"]}
            out[f"{name} {query}"] = rows
    for what in ("labels", "label/gpu/values", "label/__name__/values"):
        d = json.loads(ask(f"{url}/prometheus/api/v1/{what}?start={now - SPAN}&end={now}")[1])["data"]
        out[what] = {x: [] for x in d if not x.startswith("myriascope") and x not in ("job", "instance", "alertname", "alertstate", "severity")
                     and x not in ("up", "exported_value", "node:temp:avg", "ALERTS", "ALERTS_FOR_STATE") and not x.startswith("scrape_")}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(out, f)
    return 0


def same(a, b):
    tolerance = dict(QUESTIONS)
    with open(a, encoding="utf-8") as f, open(b, encoding="utf-8") as g:
        one, two = json.load(f), json.load(g)
    wrong = values = 0
    for key, rows in one.items():
        other = two[key]
        rel = tolerance.get(key.partition(" ")[2], 0)
        bad = [] if set(rows) == set(other) else [f"series differ: {sorted(set(rows) ^ set(other))[:4]}"]
        for labels in set(rows) & set(other):
            x, y = rows[labels], other[labels]
            if [p[0] for p in x] != [p[0] for p in y]:
                bad.append(f"{labels}: {len(x)} and {len(y)} points; times differ")
                continue
            for (t, v), (_, u) in zip(x, y):
                values += 1
                if abs(float(v) - float(u)) > rel * max(abs(float(v)), abs(float(u))) + 1e-12:
                    bad.append(f"{labels} at {t}: {v} and {u}")
        if bad or (not rows and "nobody" not in key):
            wrong += 1
            print(f"{key}: {len(rows)} rows; {'; '.join(bad[:3])}")
    print(f"{values} values, {wrong} questions differ")
    return wrong > 0 or values < 1000


def exact(engine, label, notes):
    with open(notes, encoding="utf-8") as f:
        base = int(f.read()) // 1000
    query = urllib.parse.urlencode({"query": f'load_value{{appliance="{label}"}}[2h]', "time": base + 7000, "nocache": 1})
    have = collections.Counter()
    for s in json.loads(ask(f"{engine}/api/v1/query?{query}")[1])["data"]["result"]:
        for _, v in s["values"]:
            have[s["metric"]["node"], int(float(v))] += 1
    wrong = total = 0
    for path in glob.glob(notes + ".[0-9]"):
        worker = "w" + path.rsplit(".", 1)[1]
        with open(path, encoding="utf-8") as f:
            ends = [int(line) for line in f]
        for n in ends:
            if n // 5 % 2:
                for i in range(n - 5, n):
                    total += 1
                    wrong += have[worker, i] != 1
    twice = [k for k, n in have.items() if n > 1]
    print(f"{total} acknowledged, {wrong} not there exactly once, {len(twice)} twice")
    return wrong > 0 or bool(twice) or total == 0


class Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"exported_value 42\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    what, *a = sys.argv[1:]
    if what == "fill":
        return fill(a[0], int(a[1]))
    if what == "ask":
        return questions(a[0], int(a[1]), a[2])
    if what == "same":
        return same(a[0], a[1])
    if what == "exact":
        return exact(*a)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(a[0])), Exporter).serve_forever()
    return 0


sys.exit(main())
