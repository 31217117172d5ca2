"""bench_remote: what an engine elsewhere costs: processor and memory of the appliance with and without one, bytes on the wire
and in the spool, and the processor of the engine itself.

  bench_remote.py [--series N] [--steps N] [--away] [--paced]

The same remote_write requests go to an appliance of its own files alone, and to one that hands them to VictoriaMetrics.
--paced: each step is sent when the one before is at the engine, so that every sample goes with all its labels, as at 15 s; else
as fast as it is taken, many samples of a series in one request. --away: the engine is started when all has been taken in, so that everything waits and is then sent. MS_BUILDDIR says where
the programs are.
"""
import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BIN = os.path.abspath(os.environ.get("MS_BUILDDIR", "."))
LOAD = os.path.join(BIN, "tests/bench/bench_store_load")
TICK = os.sysconf("SC_CLK_TCK")
BATCH = 5000  # samples a request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=300) as answer:
        return answer.read().decode()


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        at = f.read().rsplit(")", 1)[1].split()
    return (int(at[11]) + int(at[12])) / TICK


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def wait_for(url, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            return get(url)
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def metrics(url):
    return {line.split()[0]: float(line.split()[1]) for line in get(url + "/metrics").splitlines()
            if line.startswith("myriascope_") and "{" not in line}


def engine_start(folder, port):
    with open(folder + "/engine.log", "ab") as log:
        p = subprocess.Popen(["victoria-metrics", "-storageDataPath=" + folder + "/engine", f"-httpListenAddr=127.0.0.1:{port}",
                              "-retentionPeriod=1y", "-dedup.minScrapeInterval=1ms"], stdout=log, stderr=log)
    wait_for(f"http://127.0.0.1:{port}/health")
    return p


def sent(url, wanted):
    until = time.monotonic() + 600
    while time.monotonic() < until:
        m = metrics(url)
        if m["myriascope_engine_sent_samples_total"] >= wanted:
            return m
        time.sleep(0.1)
    raise SystemExit("not all was sent")


def run(folder, load, a, engine, away):
    samples = a.series * a.steps
    os.makedirs(folder)
    port, eport = free_port(), free_port()
    peer = engine_start(folder, eport) if engine and not away else None
    store = (f"store: {{engine: prometheus, write_url: 'http://127.0.0.1:{eport}/api/v1/write', "
             f"query_url: 'http://127.0.0.1:{eport}', external_labels: {{appliance: pod-1}}}}\n") if engine else ""
    with open(folder + "/c.yaml", "w", encoding="utf-8") as f:
        f.write(f"state: {folder}/state\nhttp: {{listen: '127.0.0.1:{port}', auth: none}}\nanalysis: {{enabled: false}}\n{store}")
    with open(folder + "/log", "ab") as log:
        p = subprocess.Popen([os.path.join(BIN, "myriascoped"), "--config", folder + "/c.yaml"], stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    wait_for(url + "/readyz")
    before = cpu(p.pid)
    step = a.series // BATCH
    for k in range(a.steps if a.paced else 1):
        part = [str(k * step), str(step)] if a.paced else []
        subprocess.run([LOAD, "send", load, f"127.0.0.1:{port}", "/prometheus/api/v1/write", "2", *part], check=True,
                       stdout=subprocess.DEVNULL)
        if a.paced and engine and not away:
            sent(url, (k + 1) * a.series)
    out, m = {}, {}
    if engine and away:
        get(url + "/api/v1/store/compact", "POST")
        out["spool B/sample"] = metrics(url)["myriascope_engine_spool_bytes"] / samples
        middle = cpu(p.pid)
        began = time.monotonic()
        peer = engine_start(folder, eport)
        m = sent(url, samples)
        out["samples/s sent"] = samples / (time.monotonic() - began)
        out["CPU us/sample sending"] = (cpu(p.pid) - middle) / samples * 1e6
    elif engine:
        m = sent(url, samples)
    out["RSS MB"] = rss(p.pid) / 1e6
    get(url + "/api/v1/store/compact", "POST")
    out["CPU us/sample"] = (cpu(p.pid) - before) / samples * 1e6
    if engine:
        out["wire B/sample"] = m["myriascope_engine_sent_bytes_total"] / m["myriascope_engine_sent_samples_total"]
        out["engine CPU us/sample"] = cpu(peer.pid) / samples * 1e6
    for q in (p, peer):
        if q:
            q.terminate()
            q.wait()
    return out


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--series", type=int, default=20000)
    a.add_argument("--steps", type=int, default=60)
    a.add_argument("--away", action="store_true")
    a.add_argument("--paced", action="store_true")
    a = a.parse_args()
    if not shutil.which("victoria-metrics"):
        print("no victoria-metrics: nothing to measure")
        return 77
    folder = tempfile.mkdtemp(prefix="myriascope-remote-")
    try:
        load = folder + "/load"
        start = int(time.time()) - a.steps * 15
        subprocess.run([LOAD, "gen", "dcgm", str(a.series), str(a.steps), "15", str(start), str(BATCH), load], check=True)
        rows = [("own files", False, False), ("engine", True, False)] + ([("engine, away", True, True)] if a.away else [])
        for name, engine, away in rows:
            out = run(os.path.join(folder, name.replace(", ", "-").replace(" ", "-")), load, a, engine, away)
            print(f"{name:14}", "  ".join(f"{k} {v:.3g}" if v < 1000 else f"{k} {v:,.0f}" for k, v in out.items()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


sys.exit(main())
