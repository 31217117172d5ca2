#!/bin/sh
# The GPU's library as a stand-in that is well, loses a GPU, hangs, or crashes: the agent goes on, and tells. TAP.
agent=${MS_BUILDDIR:-.}/myriascope-agent
src=${MS_SRCDIR:-.}
cc=${CC:-cc}
command -v "$cc" >/dev/null 2>&1 || { echo '1..0 # SKIP no compiler'; exit 0; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
$cc -shared -fPIC -I"$src" -o "$dir/libnvidia-ml.so.1" "$src/tests/agents/fake_nvml.c" || { echo '1..0 # SKIP cannot be built'; exit 0; }
echo 1..13
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
say 'violations, pages, links, fabric and limits are told' sh -c "for want in 'DEV_RELIABILITY_VIOLATION{$labels} 5000' \
    'DEV_RETIRED_DBE{$labels} 2' 'DEV_RETIRED_PENDING{$labels} 1' 'DEV_BANKS_REMAP_ROWS_AVAIL_MAX{$labels} 640' 'DEV_MIG_MODE{$labels} 0' \
    'DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL{$labels} 7' 'DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL{$labels} 10' \
    'DEV_FABRIC_MANAGER_STATUS{$labels} 4' 'DEV_SLOWDOWN_TEMP{$labels} 94'; do grep -qF \"DCGM_FI_\$want\" '$dir/out' || exit 1; done"
say 'a link that is down is missing from those that are up' grep -qF "myriascope_gpu_nvlinks_up{$labels} 17" "$dir/out"
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
once lie
say 'values that no GPU can have are counted, not told; the others are' sh -c "! grep -qE '^DCGM_FI_DEV_(GPU_TEMP|POWER_USAGE|GPU_UTIL)[{]' '$dir/out' && \
    ! grep -qiE ' [-+]?(nan|inf)' '$dir/out' && grep -q 'DCGM_FI_DEV_MEM_COPY_UTIL{.*} 12' '$dir/out' && \
    grep -qE 'myriascope_agent_gpu_implausible_total[{].*[}] [1-9]' '$dir/out'"
once lie-count
say 'a library that counts four billion GPUs makes the node blind' grep -qx 'myriascope_agent_gpu_blind 1' "$dir/out"
once fail
say 'a library that fails every question gives no value, and loses no GPU' sh -c "! grep -q '^DCGM_FI_DEV_GPU_TEMP' '$dir/out' && \
    grep -q 'myriascope_agent_gpu_lost{gpu=\"0\".* 0' '$dir/out'"
