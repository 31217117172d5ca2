"""load: writes samples and log lines from several threads, each exactly once, and keeps a note of what was acknowledged.

  load.py push URL NOTES SECONDS   goes on where NOTES ends; a request that is not answered 204 is not noted and not repeated
  load.py check URL NOTES          reads all back: what was acknowledged is there, nothing is there twice
"""
import collections
import glob
import json
import re
import sys
import threading
import time
import urllib.parse
import urllib.request

WORKERS = 4
STEP_MS = 20
A_BATCH = 5


def ask(url, body=None, kind="text/plain"):
    r = urllib.request.Request(url, body, {"Content-Type": kind} if body else {})
    with urllib.request.urlopen(r, timeout=20) as answer:
        return answer.status, answer.read()


def noted(notes, worker):
    try:
        with open(f"{notes}.{worker}", encoding="utf-8") as f:
            return [int(line) for line in f]
    except FileNotFoundError:
        return []


def push(url, notes, worker, until, base):
    try:
        with open(f"{notes}.{worker}.next", encoding="utf-8") as f:
            n = int(f.read())
    except FileNotFoundError:
        n = 0
    with open(f"{notes}.{worker}", "a", encoding="utf-8") as note:
        while time.monotonic() < until:
            n += A_BATCH
            with open(f"{notes}.{worker}.next", "w", encoding="utf-8") as f:
                f.write(str(n))
            if n // A_BATCH % 2:
                body = "".join(f'load_value{{node="w{worker}"}} {i} {base + i * STEP_MS}\n' for i in range(n - A_BATCH, n))
                path, kind = "/prometheus/api/v1/import/prometheus", "text/plain"
            else:
                values = [[str((base + i * STEP_MS) * 1000000), f"load w{worker} line {i}."] for i in range(n - A_BATCH, n)]
                body = json.dumps({"streams": [{"stream": {"node": f"w{worker}", "source": "job"}, "values": values}]})
                path, kind = "/loki/api/v1/push", "application/json"
            try:
                status, _ = ask(url + path, body.encode(), kind)
            except OSError:
                time.sleep(0.02)  # it was killed
                continue
            if status == 204:
                note.write(f"{n}\n")
                note.flush()


def samples(url, worker):
    query = urllib.parse.quote(f'load_value{{node="w{worker}"}}[2h]')
    result = json.loads(ask(f"{url}/prometheus/api/v1/query?query={query}")[1])["data"]["result"]
    return collections.Counter(int(float(v)) for s in result for _, v in s["values"])


def lines(url, worker, start):
    found, cursor = collections.Counter(), ""
    while cursor is not None:
        page = json.loads(ask(f"{url}/api/v1/logs?node=w{worker}&start={start // 1000}&limit=1000&cursor={cursor}")[1])
        for item in page["items"]:
            m = re.search(r"load w(\d+) line (\d+)\.", json.dumps(item))
            if m and int(m[1]) == worker:
                found[int(m[2])] += 1
        cursor = page["next"] and urllib.parse.quote(page["next"])
    return found


def check(url, notes, base):
    wrong = total = 0
    for worker in range(WORKERS):
        have = {1: samples(url, worker), 0: lines(url, worker, base - 60000)}
        for n in noted(notes, worker):
            for i in range(n - A_BATCH, n):
                total += 1
                if have[n // A_BATCH % 2][i] != 1:
                    wrong += 1
                    if wrong < 10:
                        print(f"worker {worker}, {'sample' if n // A_BATCH % 2 else 'line'} {i}: {have[n // A_BATCH % 2][i]} times")
        for what in have.values():
            for i, times in what.items():
                if times > 1:
                    wrong += 1
                    if wrong < 10:
                        print(f"worker {worker}: {i} is there {times} times")
    print(f"{total} acknowledged, {wrong} wrong")
    return wrong > 0 or total == 0


def main():
    what, url, notes = sys.argv[1:4]
    try:
        with open(notes, encoding="utf-8") as f:
            base = int(f.read())
    except FileNotFoundError:
        base = int(time.time()) * 1000 - 3000000
        with open(notes, "w", encoding="utf-8") as f:
            f.write(str(base))
    if what == "check":
        return check(url, notes, base)
    until = time.monotonic() + float(sys.argv[4])
    threads = [threading.Thread(target=push, args=(url, notes, w, until, base)) for w in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(sum(len(noted(notes, w)) for w in range(WORKERS)) * A_BATCH, len(glob.glob(notes + ".*")) > 0)
    return 0


sys.exit(main())
