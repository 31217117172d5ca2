#!/bin/sh
# The NPUs' library as a stand-in that is well, loses a chip, hangs, fails or lies: the agent goes on, and tells. TAP.
agent=${MS_BUILDDIR:-.}/myriascope-agent
src=${MS_SRCDIR:-.}
cc=${CC:-cc}
for tool in curl python3 ${cc%% *}; do command -v "$tool" >/dev/null 2>&1 || { echo "1..0 # SKIP no $tool"; exit 0; }; done
dir=$(mktemp -d) || exit 1
pid=
trap 'test -n "$pid" && kill $pid 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
$cc -shared -fPIC -I"$src" -o "$dir/libdcmi.so" "$src/tests/agents/fake_dcmi.c" || { echo '1..0 # SKIP cannot be built'; exit 0; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$dir/root"
printf 'node: n1\nroot: %s/root\ninterval: 1s\nlisten: 127.0.0.1:%s\nprobes: {dcmi: %s/libdcmi.so}\n' "$dir" "$port" "$dir" >"$dir/agent.yaml"
echo 1..7
n=0
# run MODE PATTERN: the daemon, until its /metrics have the pattern.
run() {
    FAKE_DCMI=$1 "$agent" --config "$dir/agent.yaml" 2>"$dir/err" &
    pid=$!
    for i in $(seq 100); do
        curl -sf "http://127.0.0.1:$port/metrics" >"$dir/out" 2>/dev/null && grep -qE "$2" "$dir/out" && break
        python3 -c 'import time; time.sleep(0.1)'
    done
    kill $pid
    wait $pid 2>/dev/null
    pid=
}
say() {
    n=$((n + 1))
    text=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "ok $n - $text"; else echo "not ok $n - $text"; grep -E 'npu|gpu' "$dir/out" | head -8 | sed 's/^/# /'; fi
}
labels='id="1",model_name="Example NPU",pcie_bus_info="0000:c2:00.0"'
run well '^npu_chip_info_power'
say 'NPUs are told with the names and units of npu-exporter' sh -c "for want in 'temperature{$labels} 49' 'power{$labels} 310.5' \\
    'utilization{$labels} 92' 'hbm_used_memory{$labels} 50000' 'hbm_ecc_double_bit_error_cnt{$labels} 1'; do \\
    grep -qxF \"npu_chip_info_\$want\" '$dir/out' || exit 1; done"
say 'an alarm, its code and a network that is not well are told' sh -c "grep -qxF 'npu_chip_info_health_status{$labels} 0' '$dir/out' && \\
    grep -qxF 'npu_chip_info_error_code{$labels} 2162169857' '$dir/out' && grep -qxF 'npu_chip_info_network_status{$labels} 0' '$dir/out'"
run lost '^npu_chip_info_power'
say 'a chip that is gone is told, the other goes on' sh -c "grep -qF 'myriascope_agent_gpu_lost{$labels} 1' '$dir/out' && \\
    grep -q 'npu_chip_info_power{id=\"0\"' '$dir/out' && ! grep -q 'npu_chip_info_power{id=\"1\"' '$dir/out'"
run hang '^myriascope_agent_gpu_blind 1'
say 'a library that hangs makes the node blind' grep -qx 'myriascope_agent_gpu_blind 1' "$dir/out"
run lie '^npu_chip_info_hbm_temperature'
say 'values that no chip can have are counted, not told' sh -c "! grep -qE '^npu_chip_info_(temperature|power|utilization|hbm_used_memory)[{]' '$dir/out' && \\
    grep -qE 'myriascope_agent_gpu_implausible_total[{].*[}] [1-9]' '$dir/out'"
run lie-count '^myriascope_agent_gpu_blind 1'
say 'a library that counts a million cards makes the node blind' grep -qx 'myriascope_agent_gpu_blind 1' "$dir/out"
run fail '^machine_npu_nums'
say 'a library that fails gives no value, and loses no chip' sh -c "! grep -q '^npu_chip_info' '$dir/out' && \\
    grep -q 'myriascope_agent_gpu_lost{id=\"0\".* 0' '$dir/out'"
