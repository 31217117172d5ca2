#!/usr/bin/env python3
# make_pcap.py FILE: a capture of RoCE traffic with known faults, and what a report must count, as JSON on standard output.
import json, struct, sys
frames, want = [], {"roce": 0, "cnp": 0, "ce": 0, "pfc": 0, "pause": 0, "gaps": 0, "missing": 0, "repeated": 0, "nak": 0, "rnr": 0}
t = 1795000000_000000
def frame(data, length=None):
    global t
    t += 7
    frames.append(struct.pack("<IIII", t // 1000000, t % 1000000, len(data), length or len(data)) + data)
def ether(kind, body, vlan=None):
    mac = bytes.fromhex("020000000002") + bytes.fromhex("020000000001")
    if vlan is not None: return mac + struct.pack(">HHH", 0x8100, vlan << 13 | 100, kind) + body
    return mac + struct.pack(">H", kind) + body
def ip4(src, dst, body, ecn=2):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 26 << 2 | ecn, 20 + len(body), 1, 0x4000, 64, 17, 0, bytes(src), bytes(dst))
    s = sum(struct.unpack(">10H", head)); s = (s & 0xffff) + (s >> 16); s = (s & 0xffff) + (s >> 16)
    return head[:10] + struct.pack(">H", ~s & 0xffff) + head[12:] + body
def ip6(src, dst, body, ecn=2):
    return struct.pack(">IHBB16s16s", 6 << 28 | (26 << 2 | ecn) << 20, len(body), 17, 64, src, dst) + body
def udp(body, sport=50000, dport=4791): return struct.pack(">HHHH", sport, dport, 8 + len(body), 0) + body
def bth(op, qp, psn, body=b"", ack=0): return struct.pack(">BBHII", op, 0x40, 0xffff, qp, ack << 31 | psn) + body + b"\0\0\0\0"
a, b = (10, 0, 0, 1), (10, 0, 0, 2)
def roce(op, qp, psn, body=b"", src=a, dst=b, ecn=2, vlan=None, sport=50000, ack=0):
    want["roce"] += 1; want["ce"] += ecn == 3
    frame(ether(0x0800, ip4(src, dst, udp(bth(op, qp, psn, body, ack), sport), ecn), vlan))
psn = 0xfffff0
for i in range(600):                       # writes of three packets, over the end of the number space
    for op in (6, 7, 8):
        if i == 100 and op == 7:           # two packets lost
            psn = psn + 2 & 0xffffff; want["gaps"] += 1; want["missing"] += 2
        body = struct.pack(">QII", 0x1000, 7, 12288) if op == 6 else b""
        roce(op, 0x11, psn, body + bytes(64), ecn=3 if i % 50 == 0 else 2, vlan=3, sport=50000 + i % 4)
        psn = psn + 1 & 0xffffff
for k in range(5):                         # sent again
    roce(7, 0x11, psn - 5 + k & 0xffffff, bytes(64)); want["repeated"] += 1
for i in range(40): roce(17, 0x22, i, struct.pack(">BBBB", 0x1f, 0, 0, i), src=b, dst=a)
roce(17, 0x22, 40, struct.pack(">BBBB", 0x60, 0, 0, 1), src=b, dst=a); want["nak"] += 1
roce(17, 0x22, 41, struct.pack(">BBBB", 0x2e, 0, 0, 1), src=b, dst=a); want["rnr"] += 1
for i in range(25):
    want["cnp"] += 1
    frame(ether(0x0800, ip4(b, a, udp(bth(0x81, 0x33, 0, bytes(16)), 4791), 1)))
six = bytes.fromhex("fd000000000000000000000000000001")
for i in range(30):                        # UD over IPv6
    want["roce"] += 1
    frame(ether(0x86dd, ip6(six, six[:15] + b"\x02", udp(bth(0x64, 0x44, i, struct.pack(">II", 1, 2) + bytes(32))))))
for i in range(12):
    want["pfc"] += 1
    frame(ether(0x8808, struct.pack(">HH8H", 0x0101, 0x08, 0, 0, 0, 0xffff if i % 2 == 0 else 0, 0, 0, 0, 0) + bytes(26)))
for i in range(3):
    want["pause"] += 1
    frame(ether(0x8808, struct.pack(">HH", 1, 0xffff) + bytes(42)))
for i in range(20): frame(ether(0x0800, ip4(a, b, udp(b"hello", 1234, 53))))
# --- answers: 50 requests that ask, answered 20 us later; two reads, answered 40 us later
for i in range(50):
    roce(10, 0x55, i, struct.pack(">QII", 0, 7, 64) + bytes(64), ack=1)
    t += 13
    roce(17, 0x66, i, struct.pack(">BBBB", 0x1f, 0, 0, 1), src=b, dst=a)
for i in range(2):
    roce(12, 0x55, 50 + i, struct.pack(">QII", 0, 7, 64))
    t += 33
    roce(13, 0x66, 50 + i, struct.pack(">BBBB", 0x1f, 0, 0, 1) + bytes(64), src=b, dst=a)
want["answers"], want["slow"] = 52, 40
# --- a manufacturer's own congestion notice, and an acknowledgement that bears BECN
def notice(op, psn):
    return struct.pack(">BBHIBBHI", op, 0x40, 0xffff, 0, 0, 0, 0, 0)[:4] + struct.pack(">I", 1 << 30 | 0x77) + struct.pack(">I", psn) + bytes(20)
want["cnp"] += 4; want["becn"] = 4
for i in range(4): frame(ether(0x0800, ip4(b, a, udp(notice(0xc1, i), 4791), 1)))
# --- what a mirror wraps: VXLAN network 7, ERSPAN II session 9, III session 11
def inner(psn): return ether(0x0800, ip4(a, b, udp(bth(4, 0x88, psn, bytes(64)), 50001), 2))
def outer(proto, body):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0x4000, 64, proto, 0, bytes((10, 9, 9, 1)), bytes((10, 9, 9, 2)))
    return ether(0x0800, head + body)
want["paths"] = [7, 9, 11]
for k in range(600):
    big = ether(0x0800, ip4(a, b, udp(bth(7, 0x90 + k % 2, k // 2, bytes(1024)), 50002), 2))
    want["roce"] += 1
    frame(outer(17, struct.pack(">HHHH", 1, 4789, 16 + len(big), 0) + bytes((8, 0, 0, 0, 0, 0, 7, 0)) + big), 9000)
for psn, gre in enumerate((struct.pack(">HHI", 0x1000, 0x88be, 1) + struct.pack(">HHI", 0x1000, 9, 0),
            struct.pack(">HHI", 0x1000, 0x22eb, 1) + struct.pack(">HHIHH", 0x2000, 11, 0, 0, 0))):
    want["roce"] += 1
    frame(outer(47, gre + inner(psn)))
# --- a switch port that announces itself: PFC on 3 and 4, RoCE to priority 3
def tlv(kind, body): return struct.pack(">H", kind << 9 | len(body)) + body
lldp = tlv(1, b"\x04\x02\0\0\0\0\x09") + tlv(2, b"\x05Ethernet7") + tlv(3, b"\0\x78") + tlv(5, b"leaf-g01-1") + \
    tlv(127, b"\0\x80\xc2\x0b\x08\x18") + tlv(127, b"\0\x80\xc2\x0c\0" + bytes((3 << 5 | 3,)) + struct.pack(">H", 4791)) + tlv(0, b"")
frame(ether(0x88cc, lldp + bytes(20)))
# --- a storm: one port holds others for a fifth of a second, then another joins
def pause(mac, quanta): frame(bytes.fromhex("0180c2000001") + mac + struct.pack(">HHHH8H", 0x8808, 0x0101, 0x08, 0, 0, 0, quanta, 0, 0, 0, 0, 0)[:2] +
                               struct.pack(">HH8H", 0x0101, 0x08, 0, 0, 0, quanta, 0, 0, 0, 0) + bytes(26))
origin, victim = bytes.fromhex("0200000000aa"), bytes.fromhex("0200000000bb")
for i in range(6000):
    pause(origin, 0xffff); t += 43; want["pfc"] += 1
    if i > 3000: pause(victim, 0xffff); want["pfc"] += 1
want["storm"] = "02:00:00:00:00:aa"
frame(b"\x02\x00\x00")                     # cut to nothing
want["frames"] = len(frames)
open(sys.argv[1], "wb").write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b"".join(frames))
print(json.dumps(want))
