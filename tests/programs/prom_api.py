"""prom_api: the same requests to Prometheus and to the server, the answers compared: status, errors word by word, data.

  prom_api.py PROMETHEUS_URL SERVER_URL      SERVER_URL ends in /prometheus

What Grafana's data source sends is among them: its health check, metric browser, query builder, variables, annotations.
"""
import json
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

STEP = 15
NOW = int(time.time()) // STEP * STEP - 300
START = NOW - 40 * STEP


def series():
    """(labels, [(time_ms, value)]) of a small site."""
    for i in range(4):
        base = {"__name__": "temp", "Hostname": f"node{i // 2}", "gpu": str(i % 2)}
        yield base, [((START + k * STEP) * 1000, 40.0 + i + k % 7) for k in range(41)]
    for i in range(2):
        yield {"__name__": "up", "job": "node", "instance": f"node{i}:9100"}, [((START + k * STEP) * 1000, float(k % 11 != i)) for k in range(41)]
    yield {"__name__": "requests_total", "job": "api", "path": "/a\"b\\c\n"}, [((START + k * STEP) * 1000, k * 3.5) for k in range(41)]
    for le, n in (("0.1", 3), ("1", 8), ("+Inf", 10)):
        yield {"__name__": "took_seconds_bucket", "job": "api", "le": le}, [((START + k * STEP) * 1000, float(n * k)) for k in range(41)]
    yield {"__name__": "odd", "kind": "nan"}, [((START + k * STEP) * 1000, float("nan")) for k in range(41)]
    yield {"__name__": "odd", "kind": "inf"}, [((START + k * STEP) * 1000, float("inf")) for k in range(41)]
    yield {"__name__": "rack_celsius", "rack": "机柜一"}, [((START + k * STEP) * 1000, 21.5) for k in range(41)]


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def snappy(data):
    """Literals alone: what a decoder takes, not what is small."""
    out = varint(len(data))
    for i in range(0, len(data), 60000):
        part = data[i : i + 60000]
        out += bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part
    return out


def write(url):
    body = b""
    for labels, samples in series():
        one = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        one += b"".join(field(2, b"\x09" + struct.pack("<d", v) + b"\x10" + varint(t)) for t, v in samples)
        body += field(1, one)
    head = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
    urllib.request.urlopen(urllib.request.Request(url + "/api/v1/write", snappy(body), head), timeout=20).read()


def requests():
    """(what, method, path, parameters)"""
    t = str(NOW)
    span = {"start": str(START + 60), "end": t, "step": "15"}

    def both(what, path, params):
        yield what, "GET", path, params
        yield what + ", as a form", "POST", path, params

    for q in ("1+1", "temp", "sum by (Hostname) (temp)", "rate(requests_total[5m])", "temp[1m]", '"text"', "odd", "-temp", "sort_desc(temp)", "topk(2, temp)",
              "histogram_quantile(0.9, took_seconds_bucket)", "absent(nothing)", "scalar(temp)", "vector(time())", "rack_celsius", "NaN", "-Inf",
              "requests_total", "temp @ end()", "temp offset 1m", "max_over_time(temp[5m:30s])", "up == 0", "label_replace(temp, \"x\", \"$1\", \"gpu\", \"(.*)\")"):
        yield from both("query " + q, "query", {"query": q, "time": t})
    for q in ("", "temp{", "sum(temp", "rate(temp)", "temp[5m:", "foo(", "temp + on(x) group_left temp", "1 and 2", "temp{gpu=~\"(\"}", "{}", "{gpu=~\".*\"}",
              "temp[0s]", "holt_winters(temp[5m], 2, 0.5)", "temp / ignoring(gpu) temp", "label_replace(temp, \"1x\", \"\", \"\", \"\")", "count_values(\"1x\", temp)",
              "temp offset", "sum by temp", "temp == bool", "'unfinished", "5m", "temp @ foo", "quantile(temp)", "time(1)", "\"a\" + 1", "temp{a=\"b\",}", "temp{a!\"b\"}",
              "sum(temp) by (x,,y)", "rate(temp[5m])[", "up and on() bool up", "1 > 2", "topk(\"a\", temp)", "temp{__name__=\"x\"}"):
        yield from both("refused " + q, "query", {"query": q, "time": t})
        yield "refused in a range " + q, "GET", "query_range", {"query": q, **span}
    for name, value in (("time", "yesterday"), ("time", "2026-13-01T00:00:00Z"), ("time", "1e400"), ("timeout", "soon"), ("timeout", "10x"), ("timeout", "-1")):
        yield f"{name}={value}", "GET", "query", {"query": "temp", "time": t, name: value}
    yield "no query", "GET", "query", {"time": t}
    yield "a time with a fraction", "GET", "query", {"query": "temp", "time": f"{NOW}.5"}
    yield "a time in words", "GET", "query", {"query": "temp", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW))}
    yield "a time with a zone", "GET", "query", {"query": "temp", "time": time.strftime("%Y-%m-%dT%H:%M:%S.250+00:00", time.gmtime(NOW))}
    yield "a timeout", "GET", "query", {"query": "temp", "time": t, "timeout": "10s"}
    yield "a timeout in seconds", "GET", "query", {"query": "temp", "time": t, "timeout": "1.5"}
    for q in ("temp", "1", "sum(rate(requests_total[1m]))", "temp > 44", "odd", "up", "topk(1, temp)", "count_values(\"v\", up)", "time()", "absent(nothing)", "temp[1m]",
              "\"text\"", "temp * on(gpu) group_left temp"):
        yield from both("range " + q, "query_range", {"query": q, **span})
    for change in ({"start": ""}, {"end": ""}, {"step": ""}, {"step": "0"}, {"step": "-1"}, {"step": "soon"}, {"step": "1m"}, {"step": "30s"}, {"start": t, "end": str(START)},
                   {"start": "x"}, {"end": "x"}, {"start": "0", "step": "1"}, {"step": "0.5"}, {"step": "1e400"}, {"timeout": "x"}, {"query": ""}):
        yield f"range with {change}", "GET", "query_range", {"query": "temp", **span, **change}
    for params in ({"match[]": "temp"}, {"match[]": ["temp", "up"]}, {"match[]": ["temp", '{__name__="temp",gpu="1"}']}, {"match[]": '{Hostname=~"node.*"}'}, {}, {"match[]": "{}"},
                   {"match[]": "temp["}, {"match[]": "sum(temp)"}, {"match[]": "{gpu=~\".*\"}"}, {"match[]": "temp", "start": "x"}, {"match[]": "temp", "end": "x"},
                   {"match[]": "nothing"}, {"match[]": "temp offset 5m"}, {"match[]": "temp[5m]"}, {"match[]": "{gpu!=\"\"}"}, {"match[]": ""}):
        yield from both(f"series {params}", "series", {"start": str(START), "end": t, **params})
    for params in ({}, {"match[]": "temp"}, {"match[]": ["temp", "up"]}, {"match[]": "nothing"}, {"match[]": "{}"}, {"match[]": "temp{"}, {"start": "x"}, {"end": "x"}):
        yield from both(f"labels {params}", "labels", {"start": str(START), "end": t, **params})
        for name in ("__name__", "gpu", "Hostname", "nothing", "le"):
            yield f"values of {name} {params}", "GET", f"label/{name}/values", {"start": str(START), "end": t, **params}
    for name in ("1x", "a-b", "a%20b", "%E6%B8%A9"):
        yield f"values of {name}", "GET", f"label/{name}/values", {}
    yield "labels of another time", "GET", "labels", {"start": "1000", "end": "2000"}
    yield "values of another time", "GET", "label/gpu/values", {"start": "1000", "end": "2000"}
    yield "series of another time", "GET", "series", {"match[]": "temp", "start": "1000", "end": "2000"}
    yield "labels without a time", "GET", "labels", {}
    yield "values without a time", "GET", "label/__name__/values", {}
    for q in ("temp", "sum by(a)(rate(x[5m]))", "a+b*c", "temp{", "", "{a=\"b\",c!~\"d\"}", "(a)"):
        yield from both("format " + q, "format_query", {"query": q})
    for params in ({"query": "temp", **span}, {"query": "temp{", **span}, {"query": "temp", "start": "x", "end": t}, {"query": "temp", "start": t, "end": str(START)}, {}):
        yield from both(f"exemplars {params}", "query_exemplars", params)
    # Grafana
    yield "Grafana's health check", "POST", "query", {"query": "1+1", "time": "4"}
    yield "Grafana's older health check", "GET", "query", {"query": "1+1", "time": "1"}
    yield "Grafana's metric browser: names", "GET", "label/__name__/values", {"start": str(START), "end": t}
    yield "Grafana's metric browser: labels of a metric", "GET", "labels", {"start": str(START), "end": t, "match[]": 'temp'}
    yield "Grafana's query builder: values with filters", "GET", "label/gpu/values", {"start": str(START), "end": t, "match[]": '{__name__="temp",Hostname="node1"}'}
    yield "Grafana's query builder: series", "POST", "series", {"start": str(START), "end": t, "match[]": '{__name__="temp"}'}
    yield "Grafana's variables: label_values(temp, gpu)", "GET", "series", {"start": str(START), "end": t, "match[]": "temp"}
    yield "Grafana's variables: query_result(...)", "GET", "query", {"query": "topk(3, temp)", "time": f"{NOW}.123"}
    yield "Grafana's annotations", "POST", "query_range", {"query": 'ALERTS{alertstate="firing"}', "start": f"{START}", "end": t, "step": "60"}
    yield "Grafana's panel", "POST", "query_range", {"query": "sum by (Hostname) (temp)", "start": str(START), "end": t, "step": "60", "timeout": "60s"}
    yield "Grafana's metadata", "GET", "metadata", {}
    yield "Grafana's rules", "GET", "rules", {}
    yield "rules that alert", "GET", "rules", {"type": "alert"}
    yield "rules that record", "GET", "rules", {"type": "record"}
    yield "rules of no kind", "GET", "rules", {"type": "x"}
    yield "alerts", "GET", "alerts", {}
    yield "a limit that is none", "GET", "metadata", {"limit": "x"}
    yield "metadata of one", "GET", "metadata", {"metric": "nothing", "limit": "1"}
    yield "stats are not asked for", "GET", "query", {"query": "1", "time": t, "stats": ""}


def ask(url, method, path, params):
    text = urllib.parse.urlencode(params, doseq=True)
    full = f"{url}/api/v1/{path}"
    body = None
    if method == "POST":
        body = text.encode()
    elif text:
        full += "?" + text
    r = urllib.request.Request(full, body, {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}, method=method)
    try:
        with urllib.request.urlopen(r, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())


OF_RULES = {"answer", "to", "ALERTS", "ALERTS_FOR_STATE", "alertname", "alertstate", "severity"}
VOLATILE = {"activeAt", "lastEvaluation", "evaluationTime", "file", "duration"}


def lasting(x):
    """Without times, and where files lie."""
    if isinstance(x, dict):
        return {k: lasting(v) for k, v in x.items() if k not in VOLATILE}
    return [lasting(v) for v in x] if isinstance(x, list) else x


def settled(url):
    """Do the rules' alerts stand as they will?"""
    states = sorted((a["labels"]["alertname"], a["state"]) for a in ask(url, "GET", "alerts", {})[1]["data"]["alerts"])
    return states == [("Always", "firing"), ("Waits", "pending")]


def plain(path, answer):
    """What may be compared: series and label sets are in no order that is told."""
    data = answer.get("data")
    if path == "series" and data:
        data = sorted(data, key=lambda s: sorted(s.items()))
    elif path == "query" and isinstance(data, dict) and data.get("resultType") == "vector":
        data = dict(data, result=sorted(data["result"], key=lambda r: sorted(r["metric"].items())))
    elif path.startswith("label") and data:
        data = [name for name in data if name not in OF_RULES]  # Prometheus' head does not look at the time
    elif path in ("rules", "alerts") and data is not None:
        data = lasting(data)
        if path == "alerts":
            data["alerts"].sort(key=lambda a: a["labels"]["alertname"])
    elif path == "metadata" and data is not None:
        data = "a map"  # we know some metrics by ourselves
    error = answer.get("error")
    if answer.get("errorType") == "timeout":
        error = "some"  # in the queue or in execution
    return answer.get("status"), answer.get("errorType"), error, data, answer.get("warnings")


def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, str) and isinstance(b, str) and a != b:
        try:
            return abs(float(a) - float(b)) <= 1e-9 * max(abs(float(a)), abs(float(b)))
        except ValueError:
            return False
    return a == b


def main():
    theirs, ours = sys.argv[1:]
    for url in (theirs, ours):
        write(url)
    deadline = time.monotonic() + 30
    while not (settled(theirs) and settled(ours)) and time.monotonic() < deadline:
        time.sleep(0.2)
    n = bad = 0
    for what, method, path, params in requests():
        n += 1
        x, y = ask(theirs, method, path, params), ask(ours, method, path, params)
        a, b = (x[0], *plain(path, x[1])), (y[0], *plain(path, y[1]))
        if not same(a, b):
            bad += 1
            print(f"# {what}\n#   Prometheus {str(a)[:300]}\n#   we         {str(b)[:300]}")
    print(f"# {n} requests, {bad} answered otherwise")
    return bad > 0


sys.exit(main())
