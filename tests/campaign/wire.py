"""wire: the campaign's side of the product's real inputs: remote_write, Loki push, topology, jobs and device documents.

Encodes by hand so that a run needs nothing but Python: a snappy block of literals, and protobuf with the labels of a
series packed once. Always true: a call returns after the server acknowledged, or raises.
"""
import http.client
import json
import struct
import time

PACK = struct.Struct('<d').pack


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def text_field(tag, text):
    raw = text.encode()
    return bytes([tag]) + varint(len(raw)) + raw


def series(name, **labels):
    """The bytes of one prometheus.TimeSeries up to its sample's value (remote_write 1.0)."""
    labels['__name__'] = name
    packed = b''
    for key in sorted(labels):
        pair = text_field(0x0a, key) + text_field(0x12, str(labels[key]))
        packed += b'\x0a' + varint(len(pair)) + pair
    # Sample {double value = 1; int64 timestamp = 2}: 1 + 8 + 1 + 6 bytes for the milliseconds of this century
    body = packed + b'\x12\x10\x09'
    return b'\x0a' + varint(len(body) + 15) + body


def stamp(ms):
    return b'\x10' + varint(ms)


def snappy(raw):
    """A snappy block of one literal: legal, and as fast as copying."""
    return varint(len(raw)) + b'\xfc' + struct.pack('<I', len(raw) - 1) + raw


class Server:
    """One keep-alive connection to the product."""

    def __init__(self, port):
        self.port = port
        self.conn = None
        self.samples = self.lines = 0

    def ask(self, method, path, body=None, kind='application/json'):
        for attempt in range(60):
            try:
                if self.conn is None:
                    self.conn = http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
                self.conn.request(method, path, body, {'Content-Type': kind} if body is not None else {})
                answer = self.conn.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException):
                self.conn = None
                if attempt > 2:
                    raise
                continue
            if answer.status in (429, 503):
                time.sleep(0.1)
                continue
            if answer.status >= 300:
                raise RuntimeError('%s %s: %d %s' % (method, path, answer.status, data[:300]))
            return data
        raise RuntimeError('%s %s: the server stays overloaded' % (method, path))

    def get(self, path):
        return json.loads(self.ask('GET', path))

    def put(self, path, doc, method='PUT'):
        self.ask(method, path, json.dumps(doc).encode())

    def write(self, parts, count):
        if count:
            self.ask('POST', '/prometheus/api/v1/write', snappy(b''.join(parts)), 'application/x-protobuf')
            self.samples += count

    def push(self, streams):
        """streams: labels as a tuple of pairs -> [(ns text, line)]"""
        body = json.dumps({'streams': [{'stream': dict(k), 'values': v} for k, v in streams.items()]})
        self.ask('POST', '/loki/api/v1/push', body.encode())
        self.lines += sum(len(v) for v in streams.values())

    def turns(self):
        for line in self.ask('GET', '/metrics').split(b'\n'):
            if line.startswith(b'myriascope_analyzer_turns_total '):
                return int(line.split()[1])
        return 0
