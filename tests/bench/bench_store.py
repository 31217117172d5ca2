"""bench_store: what a sample costs here and in VictoriaMetrics, on the same data, in one run.

  bench_store.py [--full] [--series N] [--steps N] [--kinds dcgm,node,...] [--curve N,N,...] [--only NAME] [--keep FOLDER]

Both are started in turn on a free port with an empty folder and get the same remote_write requests. CPU is that of the
process and its children from the first request until all is compacted (VictoriaMetrics: force_flush and force_merge; here:
myriascope store compact). Bytes are those of all files of the state folder then. Ratios are VictoriaMetrics' figure by ours
for CPU (more is better) and ours by VictoriaMetrics' for bytes (less is better).

The environment says where things are: MS_BUILDDIR (default: the working folder), MS_SRCDIR. A file bench_queries.py beside
this one is asked, where there is one, after the dcgm data is compacted: ask(name, url, info) for each store, table() at the
end; info has series, steps, start, interval, step_s.
"""
import argparse
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.abspath(os.environ.get("MS_BUILDDIR", "."))
LOAD = os.path.join(BIN, "tests/bench/bench_store_load")
INTERVAL = 15
BATCH = 5000  # samples a request; Prometheus sends 500 to 10,000
TICK = os.sysconf("SC_CLK_TCK")
DAY = 86400


def get(url, timeout=900, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=timeout) as answer:
        return answer.read().decode()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A store under test; commands differ, the measures do not."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        began = time.monotonic()
        with open(self.folder + ".log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while True:
            try:
                get(self.url + self.ready, 5)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - began > 300:
                    with open(self.folder + ".log", encoding="utf-8", errors="replace") as log:
                        sys.exit(f"bench_store: {self.name} does not start:\n{log.read()[-2000:]}")
                time.sleep(0.02)
        return time.monotonic() - began

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / TICK

    def settle(self):
        """Until what runs behind the answers is done: new devices go to the catalog."""
        quiet, before = 0, self.cpu()
        while quiet < 4:
            time.sleep(0.25)
            now = self.cpu()
            quiet = quiet + 1 if now - before < 0.02 else 0
            before = now

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"RssAnon:\s+(\d+)", f.read())[1]) * 1024

    def bytes(self):
        return sum(os.path.getsize(os.path.join(d, n)) for d, _, names in os.walk(self.folder) for n in names)

    def parts(self):
        sizes = {}
        for d, _, names in os.walk(self.folder):
            for n in names:
                path = os.path.relpath(os.path.join(d, n), self.folder)
                part = "/".join(path.split("/")[:2])
                sizes[part] = sizes.get(part, 0) + os.path.getsize(os.path.join(d, n))
        return ", ".join(f"{k} {v}" for k, v in sorted(sizes.items()) if v)

    def send(self, data, skip=0, count=None):
        more = [str(skip)] + ([str(count)] if count else [])
        subprocess.run([LOAD, "send", data, f"127.0.0.1:{self.port}", self.path, "2"] + more, check=True,
                       stdout=subprocess.DEVNULL)


class Ours(Server):
    name = "myriascope"
    ready = "/readyz"
    path = "/prometheus/api/v1/write"
    queries = "/prometheus"

    def command(self):
        conf = self.folder + ".yaml"
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"state: {self.folder}\nhttp: {{listen: 127.0.0.1:{self.port}, auth: none}}\n"
                    "analysis: {enabled: false}\n")
        return [os.path.join(BIN, "myriascoped"), "--config", conf]

    def compact(self):
        subprocess.run([os.path.join(BIN, "myriascope"), "--server", self.url, "store", "compact"], check=True,
                       stdout=subprocess.DEVNULL)


class Victoria(Server):
    name = "victoria-metrics"
    ready = "/health"
    path = "/api/v1/write"
    queries = ""

    def command(self):
        return ["victoria-metrics", "-storageDataPath", self.folder, "-httpListenAddr", f"127.0.0.1:{self.port}",
                "-retentionPeriod", "12", "-loggerLevel", "ERROR"]

    def compact(self):
        get(self.url + "/internal/force_flush")
        get(self.url + "/internal/force_merge")
        quiet = 0
        while quiet < 5:  # the merge runs behind the answer
            active = re.findall(r'^vm_active_(?:force_)?merges\S* (\d+)', get(self.url + "/metrics"), re.M)
            quiet = quiet + 1 if not any(map(int, active)) else 0
            time.sleep(0.1)
        get(self.url + "/internal/force_flush")


def make(folder, kind, series, steps):
    """The data: within one day, so that both file it under one partition."""
    span = steps * INTERVAL
    end = int(time.time()) - 60
    if (end - span) // DAY != end // DAY:
        end -= end % DAY + 60
    start = (end - span) // INTERVAL * INTERVAL
    data = os.path.join(folder, kind + ".rw")
    subprocess.run([LOAD, "gen", kind, str(series), str(steps), str(INTERVAL), str(start), str(BATCH), data], check=True)
    return data, start


def measure(server, data, samples, series, after=None):
    server.start()
    empty, began = server.memory(), server.cpu()
    server.send(data)
    loaded = server.memory()
    fed = server.cpu() - began
    server.compact()
    row = {"us": (server.cpu() - began) / samples * 1e6, "feed_us": fed / samples * 1e6, "bytes": server.bytes() / samples,
           "live": (loaded - empty) / series, "parts": server.parts()}
    if after:
        after(server)
    server.stop()
    row["restart"] = server.start()
    server.stop()
    return row


def compare(folder, kind, series, steps, servers, after):
    data, start = make(folder, kind, series, steps)
    info = {"series": series, "steps": steps, "start": start, "interval": INTERVAL, "end": start + (steps - 1) * INTERVAL}
    rows = {}
    for cls in servers:
        server = cls(os.path.join(folder, f"{kind}-{cls.name}"))
        rows[cls.name] = row = measure(server, data, series * steps, series,
                                       after and (lambda s: after(s.name, s.url + s.queries, info)))
        print(f"{kind:9} {cls.name:17} {row['us']:7.3f} {row['feed_us']:7.3f} {1 / row['us']:9.2f} {row['bytes']:8.3f} "
              f"{row['live']:9.0f} {row['restart']:8.2f}   {row['parts']}", flush=True)
        shutil.rmtree(server.folder, ignore_errors=True)
    os.unlink(data)
    if len(rows) == 2:
        v, o = rows[Victoria.name], rows[Ours.name]
        print(f"{kind:9} {'ratio':17} samples a CPU-second x{v['us'] / o['us']:.2f}   bytes x{o['bytes'] / v['bytes']:.2f}   "
              f"memory x{o['live'] / v['live'] if v['live'] > 0 else 0:.2f}", flush=True)


def curve(folder, counts, steps=5):
    """Cost of a sample of a series that is known, by the number of series; and the restart with all of them."""
    print(f"{'series':>9} {'us a sample':>12} {'with compaction':>16} {'B a live series':>16} {'restart s':>10}")
    for series in counts:
        data, _ = make(folder, "dcgm", series, steps)
        server = Ours(os.path.join(folder, f"curve-{series}"))
        server.start()
        empty = server.memory()
        first = (series + BATCH - 1) // BATCH
        server.send(data, 0, first)
        server.settle()
        before = server.cpu()
        server.send(data, first)
        fed, live = server.cpu() - before, server.memory() - empty
        before = server.cpu()
        server.compact()
        n = series * (steps - 1)
        done = fed + (server.cpu() - before) * (steps - 1) / steps
        server.stop()
        restart = server.start()
        print(f"{series:9} {fed / n * 1e6:12.3f} {done / n * 1e6:16.3f} {live / series:16.0f} {restart:10.2f}", flush=True)
        server.stop()
        shutil.rmtree(server.folder)
        os.unlink(data)


def queries_part():
    path = os.path.join(HERE, "bench_queries.py")
    if not os.path.exists(path):
        return None
    spec = importlib.util.spec_from_file_location("bench_queries", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--full", action="store_true")
    p.add_argument("--series", type=int)
    p.add_argument("--steps", type=int, default=240)
    p.add_argument("--kinds", default="dcgm,node,snmp,constant")
    p.add_argument("--curve", help="numbers of series; - for none")
    p.add_argument("--only", help="myriascope or victoria-metrics")
    p.add_argument("--keep", help="a folder for the data instead of a temporary one")
    a = p.parse_args()
    series = a.series or (100000 if a.full else 10000)
    counts = a.curve or ("100000,1000000,4000000" if a.full else "-")
    servers = [Ours]
    if shutil.which("victoria-metrics"):
        servers.insert(0, Victoria)
    else:
        print("VictoriaMetrics is not installed here: no ratios, only what this store costs")
    if a.only:
        servers = [s for s in servers if s.name == a.only]
    folder = a.keep or tempfile.mkdtemp(prefix="bench-store-")
    part = queries_part()
    try:
        print(f"{series} series, {a.steps} steps of {INTERVAL} s")
        print(f"{'data':9} {'store':17} {'us':>7} {'feeding':>7} {'M/CPU-s':>9} {'B/sample':>8} {'B/series':>9} {'restart':>8}"
              f"   files")
        for kind in a.kinds.split(","):
            compare(folder, kind, series, a.steps, servers, part.ask if part and kind == "dcgm" else None)
        if part:
            part.table()
        if counts != "-":
            curve(folder, [int(n) for n in counts.split(",")])
    finally:
        if not a.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
