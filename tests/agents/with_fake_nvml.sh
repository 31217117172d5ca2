#!/bin/sh
# The GPU's library as a stand-in that is well, loses a GPU, hangs, or crashes: the agent goes on, and tells. TAP.
agent=${MS_BUILDDIR:-.}/myriascope-agent
src=${MS_SRCDIR:-.}
cc=${CC:-cc}
command -v "$cc" >/dev/null 2>&1 || { echo '1..0 # SKIP no compiler'; exit 0; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
$cc -shared -fPIC -I"$src" -o "$dir/libnvidia-ml.so.1" "$src/tests/agents/fake_nvml.c" || { echo '1..0 # SKIP cannot be built'; exit 0; }
echo 1..8
n=0
once() {
    start=$(date +%s)
    LD_LIBRARY_PATH=$dir FAKE_NVML=$1 "$agent" --once --node n1 >"$dir/out" 2>"$dir/err" || echo "# --once failed"
    took=$(($(date +%s) - start))
}
say() {
    n=$((n + 1))
    text=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "ok $n - $text"; else echo "not ok $n - $text"; grep -i gpu "$dir/out" | head -5 | sed 's/^/# /'; fi
}
labels='gpu="1",UUID="GPU-1",device="nvidia1",modelName="Example GPU",Hostname="n1",pci_bus_id="00000000:1C:00.0"'
once well
say 'GPUs are told with the labels of dcgm-exporter' grep -qxF "DCGM_FI_DEV_GPU_TEMP{$labels} 41" "$dir/out"
say 'memory is told in MiB, power in watts' sh -c "grep -qF 'DCGM_FI_DEV_FB_USED{$labels} 65536' '$dir/out' && grep -qF 'DCGM_FI_DEV_POWER_USAGE{$labels} 123.456' '$dir/out'"
once xid
say 'an XID is told' grep -qxF "DCGM_FI_DEV_XID_ERRORS{$labels} 79" "$dir/out"
once lost
say 'a lost GPU is told, the other goes on' sh -c "grep -qF 'myriascope_agent_gpu_lost{$labels} 1' '$dir/out' && grep -q 'DCGM_FI_DEV_GPU_TEMP{gpu=\"0\"' '$dir/out' && ! grep -q 'DCGM_FI_DEV_GPU_TEMP{gpu=\"1\"' '$dir/out'"
once hang
say 'a library that hangs makes the node blind, and --once ends in time' sh -c "[ $took -le 5 ] && grep -qx 'myriascope_agent_gpu_blind 1' '$dir/out' && grep -q '^node_load1 ' '$dir/out'"
once hang-init
say 'so does one that hangs at its begin' sh -c "[ $took -le 5 ] && grep -qx 'myriascope_agent_gpu_blind 1' '$dir/out'"
once crash
say 'a library that crashes is told' grep -qx 'myriascope_agent_gpu_blind 1' "$dir/out"
once none
say 'a machine without a GPU says nothing of GPUs' sh -c "! grep -qE '^(DCGM|myriascope_agent_gpu)' '$dir/out'"
