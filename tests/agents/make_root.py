#!/usr/bin/env python3
"""make_root DIR [key=value ...]: writes the files of a large training server below DIR, for `myriascope-agent --root DIR`.

Sizes as such a server has them: 192 processors, 8 NICs with their RDMA counters, driver statistics and modules, 8 GPUs on
PCIe, 8 NVMe, 300 PCI functions, NFS and Lustre mounts, 600 interrupt lines. Keys: cpus, nics, nvmes, pci.
"""
import os, struct, sys

root = sys.argv[1]
size = {"cpus": 192, "nics": 8, "nvmes": 8, "pci": 300}
size.update((k, int(v)) for k, v in (a.split("=") for a in sys.argv[2:]))


def put(path, text):
    at = os.path.join(root, path)
    os.makedirs(os.path.dirname(at), exist_ok=True)
    with open(at, "wb" if isinstance(text, bytes) else "w") as f:
        f.write(text)


def link(path, target):
    at = os.path.join(root, path)
    os.makedirs(os.path.dirname(at), exist_ok=True)
    if not os.path.islink(at):
        os.symlink(target, at)


def kernel():
    n = size["cpus"]
    row = "78123456 1234 2345678 901234567 34567 0 456789 0 0 0"
    put("proc/stat", "cpu  " + row + "\n" + "".join(f"cpu{i} {row}\n" for i in range(n)) + "intr 123456789 "
        + "0 " * 4000 + "\nctxt 987654321\nbtime 1764000000\nprocesses 1234567\nprocs_running 12\nprocs_blocked 0\n"
        + "softirq 12345 1 2 3 4 5 6 7 8 9 10\n")
    put("proc/cpuinfo", "".join(f"processor\t: {i}\nmodel name\t: Example CPU @ 2.00GHz\nflags\t\t: "
        + "flag " * 150 + "\n\n" for i in range(n)))
    put("proc/loadavg", "96.10 95.20 94.30 97/4321 123456\n")
    names = """MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon) Inactive(anon) Active(file)
    Inactive(file) Unevictable Mlocked SwapTotal SwapFree Zswap Zswapped Dirty Writeback AnonPages Mapped Shmem KReclaimable
    Slab SReclaimable SUnreclaim KernelStack PageTables SecPageTables NFS_Unstable Bounce WritebackTmp CommitLimit
    Committed_AS VmallocTotal VmallocUsed VmallocChunk Percpu HardwareCorrupted AnonHugePages ShmemHugePages
    ShmemPmdMapped FileHugePages FilePmdMapped Hugetlb DirectMap4k DirectMap2M DirectMap1G""".split()
    put("proc/meminfo", "".join(f"{x + ':':<16} {2113929216 - i * 1000:>10} kB\n" for i, x in enumerate(names)))
    put("proc/vmstat", "".join(f"nr_something_{i} {i}\n" for i in range(150)) + "pgpgin 1\npgpgout 2\npswpin 0\npswpout 0\n"
        "pgfault 9\npgmajfault 3\noom_kill 0\n" + "".join(f"thp_{i} {i}\n" for i in range(40)))
    for what in ("cpu", "io", "memory"):
        put("proc/pressure/" + what, "some avg10=0.00 avg60=0.00 avg300=0.00 total=123456\n"
            "full avg10=0.00 avg60=0.00 avg300=0.00 total=12345\n")
    put("proc/sys/fs/file-nr", "12345 0 9223372036854775807\n")
    for name, v in (("kernel/osrelease", "6.1.0"), ("kernel/version", "#1 SMP"), ("kernel/hostname", "node00001"),
                    ("kernel/random/entropy_avail", "256"), ("kernel/random/poolsize", "256"),
                    ("net/netfilter/nf_conntrack_count", "12"), ("net/netfilter/nf_conntrack_max", "262144")):
        put("proc/sys/" + name, v + "\n")
    # As the kernel pads it: a column of eleven characters a processor.
    put("proc/interrupts", " " * 12 + "".join(f"CPU{i:<8}" for i in range(n)) + "\n" + "".join(
        f"{i:>4}:" + "".join(f"{(i * k) % 99999:>11}" for k in range(n)) + "  IR-PCI-MSI  mlx5_comp\n" for i in range(600))
        + "".join(f" {x}:" + f"{0:>11}" * n + "  " + x + "\n" for x in ("NMI", "LOC", "TRM", "THR", "DFR", "MCE", "MCP")))


def network():
    n, head = size["nics"], "Inter-|   Receive |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|\n"
    put("proc/net/dev", head + "".join(f"  {d}: 123456789012 123456789 0 12 0 0 0 345 234567890123 23456789 0 0 0 0 0 0\n"
        for d in ["lo", "bond0"] + [f"eth{i}" for i in range(n)]))
    put("proc/net/snmp", "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 123\nTcp: ActiveOpens PassiveOpens CurrEstab "
        "InSegs OutSegs RetransSegs InErrs OutRsts\nTcp: 1 2 3 4 5 6 7 8\nUdp: InDatagrams NoPorts InErrors OutDatagrams\n"
        "Udp: 1 2 3 4\n")
    put("proc/net/netstat", "TcpExt: " + " ".join(f"Name{i}" for i in range(120)) + " ListenDrops TCPTimeouts\nTcpExt: "
        + "0 " * 121 + "7\nIpExt: InOctets OutOctets\nIpExt: 12345 67890\n")
    put("proc/net/sockstat", "sockets: used 234\nTCP: inuse 12 orphan 0 tw 3 alloc 20 mem 5\nUDP: inuse 3 mem 1\n")
    for dev in ["lo"] + [f"eth{i}" for i in range(n)]:
        base = "sys/devices/virtual/net/lo"
        if dev != "lo":
            pci = f"0000:{0x40 + int(dev[3:]):02x}:00.0"
            base = f"sys/devices/pci0000:40/{pci}/net/{dev}"
            link(base + "/device", "../../../" + pci)
        link("sys/class/net/" + dev, "../../" + base[4:])
        for name, v in (("operstate", "up"), ("address", "00:00:5e:00:53:01"), ("broadcast", "ff:ff:ff:ff:ff:ff"),
                        ("duplex", "full"), ("ifalias", ""), ("addr_assign_type", 0), ("carrier", 1), ("carrier_changes", 2),
                        ("carrier_down_count", 1), ("carrier_up_count", 1), ("dev_id", "0x0"), ("dormant", 0),
                        ("flags", "0x1003"), ("ifindex", 2), ("iflink", 2), ("link_mode", 0), ("mtu", 9000),
                        ("name_assign_type", 4), ("netdev_group", 0), ("speed", 400000), ("tx_queue_len", 1000), ("type", 1)):
            put(f"{base}/{name}", f"{v}\n")


# The port counters of sysfs, and the hardware counters of a mlx5 NIC.
COUNTERS = """VL15_dropped excessive_buffer_overrun_errors link_downed link_error_recovery local_link_integrity_errors
multicast_rcv_packets multicast_xmit_packets port_rcv_constraint_errors port_rcv_data port_rcv_errors port_rcv_packets
port_rcv_remote_physical_errors port_rcv_switch_relay_errors port_xmit_constraint_errors port_xmit_data port_xmit_discards
port_xmit_packets port_xmit_wait symbol_error unicast_rcv_packets unicast_xmit_packets""".split()
HARDWARE = """duplicate_request implied_nak_seq_err lifespan local_ack_timeout_err np_cnp_sent np_ecn_marked_roce_packets
out_of_buffer out_of_sequence packet_seq_err req_cqe_error req_cqe_flush_error req_remote_access_errors
req_remote_invalid_request req_transport_retries_exceeded resp_cqe_error resp_cqe_flush_error resp_local_length_error
resp_remote_access_errors rnr_nak_retry_err roce_adp_retrans roce_adp_retrans_to roce_slow_restart roce_slow_restart_cnps
roce_slow_restart_trans rp_cnp_handled rp_cnp_ignored rx_atomic_requests rx_icrc_encapsulated rx_read_requests
rx_write_requests""".split()


def module():
    """An OSFP of 8 lanes (CMIS 5): lower page, upper pages 00h, 01h, 02h, 11h."""
    lower, p0, p1, p2, p11 = (bytearray(128) for _ in range(5))
    lower[0], lower[1], lower[2] = 0x19, 0x50, 0
    lower[3] = 0x07
    struct.pack_into(">hH", lower, 14, 45 * 256, 33000)
    lower[85] = 2
    p0[0] = 0x19
    p1[159 - 128], p1[160 - 128] = 0x03, 0x07  # monitors: temperature, voltage; bias, Tx and Rx power
    p0[1:17] = b"EXAMPLE OPTICS".ljust(16)
    p0[20:36] = b"EX-8X100".ljust(16)
    p0[38:54] = b"SN0000001".ljust(16)
    for at, v in ((0, 75 * 256), (2, -5 * 256), (4, 70 * 256), (6, 0)):
        struct.pack_into(">h", p2, at, v)
    for at, v in ((8, 36300), (10, 29700), (12, 34650), (14, 31350), (48, 35000), (50, 500), (52, 30000), (54, 1000),
                  (56, 60000), (58, 5000), (60, 55000), (62, 8000), (64, 35000), (66, 500), (68, 30000), (70, 1000)):
        struct.pack_into(">H", p2, at, v)
    for lane in range(8):
        struct.pack_into(">H", p11, 26 + 2 * lane, 12000 + 100 * lane)
        struct.pack_into(">H", p11, 42 + 2 * lane, 30000)
        struct.pack_into(">H", p11, 58 + 2 * lane, 9000 + 50 * lane)
    return "".join(f"{name}: {page.hex()}\n" for name, page in
                   (("lower", lower), ("00", p0), ("01", p1), ("02", p2), ("11", p11)))


def nics():
    for i in range(size["nics"]):
        pci = f"0000:{0x40 + i:02x}:00.0"
        base = f"sys/devices/pci0000:40/{pci}/infiniband/mlx5_{i}"
        link(f"sys/class/infiniband/mlx5_{i}", "../../" + base[4:])
        link(base + "/device", "../../../" + pci)
        for name, v in (("board_id", "MT_0000000001"), ("fw_ver", "28.40.1000"), ("hca_type", "MT4129")):
            put(f"{base}/{name}", v + "\n")
        port = base + "/ports/1/"
        for name, v in (("state", "4: ACTIVE"), ("phys_state", "5: LinkUp"), ("rate", "400 Gb/sec (4X NDR)")):
            put(port + name, v + "\n")
        for k, name in enumerate(COUNTERS):
            put(port + "counters/" + name, f"{123456789 * k}\n")
        for k, name in enumerate(HARDWARE):
            put(port + "hw_counters/" + name, f"{12345 * k}\n")
        stats = ["NIC statistics:"] + [f"     rx_{x}: 1" for x in ("packets", "bytes", "csum_none", "lro_packets")]
        stats += [f"     {d}_prio{p}_{x}: {p}" for d in ("rx", "tx") for p in range(8)
                  for x in ("bytes", "packets", "pause", "pause_duration", "pause_transition", "discards")]
        stats += [f"     rx_{x}_phy: 0" for x in ("discards", "crc_errors", "symbol_err", "corrected_bits", "pcs_symbol_err")]
        stats += ["     link_down_events_phy: 1", "     tx_pause_storm_warning_events: 0"] + [f"     vport_{k}: 1" for k in range(60)]
        stats += [f"     rx{q}_{x}: 1" for q in range(63) for x in ("packets", "bytes", "csum_complete", "wqe_err", "xdp_drop")]
        put(f"ethtool/eth{i}/statistics", "\n".join(stats) + "\n")
        put(f"ethtool/eth{i}/module", module())


def devices():
    for i in range(size["pci"]):
        bus = i // 8
        name = f"0000:{bus:02x}:{i % 8 + 1:02x}.0"
        kind = "0x060400" if i % 8 == 0 and i < 256 else "0x088000"
        pci_function(name, kind)
    for i in range(8):
        pci_function(f"0000:{0x80 + i:02x}:00.0", "0x030200")
    for i in range(size["nics"]):
        pci_function(f"0000:{0x40 + i:02x}:00.0", "0x020000")
    for i in range(size["nvmes"]):
        pci = f"0000:{0xa0 + i:02x}:00.0"
        pci_function(pci, "0x010802")
        base = f"sys/devices/pci0000:40/{pci}/nvme/nvme{i}"
        link(f"sys/class/nvme/nvme{i}", "../../" + base[4:])
        for name, v in (("model", "Example NVMe"), ("serial", f"S{i}"), ("firmware_rev", "1.0"), ("state", "live")):
            put(f"{base}/{name}", v + "\n")
        put(f"sys/block/nvme{i}n1/size", "7501476528\n")
    put("proc/diskstats", "".join(f" 259 {i} nvme{i}n1 17971 0 123456 1797 23456 12 345678 900 0 800 2697 0 0 0 0 3 1\n"
        f" 259 {i + 8} nvme{i}n1p1 17971 0 123456 1797 23456 12 345678 900 0 800 2697 0 0 0 0 3 1\n" for i in range(size["nvmes"])))
    chips = [("coretemp", [f"temp{k}" for k in range(1, 50)])] * 2 + [("nvme", ["temp1", "temp2", "temp3"])] * size["nvmes"]
    for i, (chip, sensors) in enumerate(chips + [("mlx5", ["temp1"])] * size["nics"]):
        base = f"sys/devices/platform/{chip}.{i}/hwmon/hwmon{i}"
        link(f"sys/class/hwmon/hwmon{i}", "../../" + base[4:])
        link(base + "/device", f"../../../{chip}.{i}")
        put(base + "/name", chip + "\n")
        for s in sensors:
            for what, v in (("input", "45000"), ("label", f"Sensor {s}"), ("max", "90000"), ("crit", "100000"), ("crit_alarm", "0")):
                put(f"{base}/{s}_{what}", v + "\n")
    for i in range(16):
        base = f"sys/devices/system/edac/mc/mc{i}"
        for name in ("ce_count", "ue_count", "ce_noinfo_count", "ue_noinfo_count", "csrow0/ce_count", "csrow0/ue_count"):
            put(f"{base}/{name}", "0\n")


def pci_function(name, kind):
    base = f"sys/devices/pci0000:40/{name}"
    link("sys/bus/pci/devices/" + name, "../../../" + base[4:])
    put(base + "/class", kind + "\n")
    put(base + "/power/runtime_status", "active\n")
    if kind == "0x088000":
        return
    for what, v in (("current_link_speed", "32.0 GT/s PCIe"), ("max_link_speed", "32.0 GT/s PCIe"),
                    ("current_link_width", 16), ("max_link_width", 16), ("numa_node", 0)):
        put(f"{base}/{what}", f"{v}\n")
    errors = ("RxErr", "BadTLP", "BadDLLP", "Rollover", "Timeout", "NonFatalErr", "CorrIntErr", "HeaderOF")
    for what, total in (("correctable", "TOTAL_ERR_COR"), ("nonfatal", "TOTAL_ERR_NONFATAL"), ("fatal", "TOTAL_ERR_FATAL")):
        put(f"{base}/aer_dev_{what}", "".join(f"{e} 0\n" for e in errors) + f"{total} 0\n")


def storage():
    operations = "NULL READ WRITE COMMIT OPEN CLOSE SETATTR LOCK ACCESS GETATTR LOOKUP CREATE REMOVE RENAME READDIR STATFS".split()
    text = "".join(f"device overlay{i} mounted on /m{i} with fstype overlay\n" for i in range(60))
    for k in range(2):
        text += (f"device fs0{k}:/data mounted on /data{k} with fstype nfs4 statvers=1.1\n"
                 "\topts:\trw,vers=4.1,rsize=1048576,wsize=1048576,proto=tcp,clientaddr=10.0.0.2,local_lock=none,addr=10.0.0.1\n"
                 "\tage:\t123456\n\tcaps:\tcaps=0xffff\n\tevents:\t1 2 3\n\tbytes:\t1 2 3 4 5 6 7 8\n\tRPC iostats version: 1.1\n"
                 "\txprt:\ttcp 0 0 1 0 0 1 1 0 1 0 2 0 0\n\tper-op statistics\n"
                 + "".join(f"\t{o:>12}: 123 123 0 12345 123456 12 3456 3500 0\n" for o in operations) + "\n")
    put("proc/1/mountstats", text)


kernel()
network()
devices()
nics()
storage()
