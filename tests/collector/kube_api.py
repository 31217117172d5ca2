#!/usr/bin/env python3
"""kube_api PORT: an API server of Kubernetes for tests: lists in pages, watches with bookmarks, 410 Gone, a token.

POST /test/put with an object (kind, metadata) adds or changes it; POST /test/delete likewise removes it;
POST /test/forget makes the server forget old versions: watches get 410. POST /test/cut ends all watches.
GET /test/seen gives counts of what was asked, as JSON.
"""
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = 'Bearer let-me-in'
PAGE = 2
RESOURCES = {'/api/v1/pods': 'Pod', '/api/v1/events': 'Event', '/apis/batch/v1/jobs': 'Job',
             '/apis/kubeflow.org/v1/pytorchjobs': 'PyTorchJob', '/apis/batch.volcano.sh/v1alpha1/jobs': 'VolcanoJob'}
changed = threading.Condition()
objects = {}  # (kind, namespace, name) -> object
history = []  # (version, type, kind, object)
state = {'version': 100, 'oldest': 0, 'cut': 0}
seen = {}


def put(kind, type_, obj):
    with changed:
        state['version'] += 1
        obj['metadata']['resourceVersion'] = str(state['version'])
        key = kind, obj['metadata']['namespace'], obj['metadata']['name']
        if type_ == 'DELETED':
            obj = objects.pop(key, obj)
            obj = json.loads(json.dumps(obj))
            obj['metadata']['resourceVersion'] = str(state['version'])
        else:
            type_ = 'MODIFIED' if key in objects else 'ADDED'
            objects[key] = obj
        history.append((state['version'], type_, kind, obj))
        changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *a):
        pass

    def reply(self, status, doc):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def count(self, what):
        with changed:
            seen[what] = seen.get(what, 0) + 1

    def page(self, kind, q):
        start = int(q.get('continue', ['0'])[0])
        with changed:
            rows = [o for k, o in sorted(objects.items()) if k[0] == kind]
            meta = {'resourceVersion': str(state['version'])}
        if start + PAGE < len(rows):
            meta['continue'] = str(start + PAGE)
        self.count(f'list-{kind}')
        self.reply(200, {'kind': f'{kind}List', 'metadata': meta, 'items': rows[start:start + PAGE]})

    def line(self, type_, obj):
        data = (json.dumps({'type': type_, 'object': obj}) + '\n').encode()
        half = len(data) // 2
        for part in data[:half], data[half:]:  # lines end where they will
            self.wfile.write(b'%x\r\n%s\r\n' % (len(part), part))
            self.wfile.flush()

    def watch(self, kind, q):
        version, cut = int(q['resourceVersion'][0]), state['cut']
        self.count(f'watch-{kind}')
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        if version < state['oldest']:
            self.line('ERROR', {'kind': 'Status', 'code': 410, 'reason': 'Expired', 'metadata': {}})
        while version >= state['oldest'] and cut == state['cut']:
            with changed:
                rows = [h for h in history if h[0] > version]
                if not rows:
                    changed.wait(0.2)
                    continue
            for v, type_, k, obj in rows:
                version = v
                if k == kind:
                    self.line(type_, obj)
            self.line('BOOKMARK', {'kind': kind, 'metadata': {'resourceVersion': str(version)}})
        self.wfile.write(b'0\r\n\r\n')

    def do_GET(self):
        url = urlsplit(self.path)
        q = parse_qs(url.query)
        if url.path == '/test/seen':
            return self.reply(200, seen)
        if self.headers.get('Authorization') != TOKEN:
            self.count('denied')
            return self.reply(401, {'kind': 'Status', 'code': 401})
        kind = RESOURCES.get(url.path)
        if not kind:
            return self.reply(404, {'kind': 'Status', 'code': 404})
        try:
            self.watch(kind, q) if 'watch' in q else self.page(kind, q)
        except OSError:
            self.close_connection = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        what = self.path.split('/')[2]
        if what in ('put', 'delete'):
            obj = json.loads(body)
            put(obj['kind'], 'DELETED' if what == 'delete' else 'ADDED', obj)
        elif what == 'forget':
            with changed:
                state['version'] += 10
                state['oldest'] = state['version']
                state['cut'] += 1
                changed.notify_all()
        elif what == 'cut':
            with changed:
                state['cut'] += 1
                changed.notify_all()
        self.reply(200, {})


class Server(ThreadingHTTPServer):
    daemon_threads = True


def orphan(parent=os.getppid()):
    """A test that fails leaves nobody behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


threading.Thread(target=orphan, daemon=True).start()
Server(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
