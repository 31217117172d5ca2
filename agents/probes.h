/* probes: the functions of the table of probes. Each adds its series and returns 0. */
#ifndef AGENTS_PROBES_H
#define AGENTS_PROBES_H

struct probe;

int probe_load(struct probe *p);
int probe_host_stat(struct probe *p);
int probe_host_memory(struct probe *p);
int probe_host_vmstat(struct probe *p);
int probe_host_pressure(struct probe *p);
int probe_host_limits(struct probe *p);
int probe_host_names(struct probe *p);
int probe_net_dev(struct probe *p);
int probe_net_class(struct probe *p);
int probe_net_stat(struct probe *p);
int probe_disk_stats(struct probe *p);
int probe_disk_nvme(struct probe *p);
int probe_fs(struct probe *p);
void probe_fs_done(void *state);
int probe_nfs(struct probe *p);
int probe_hw_hwmon(struct probe *p);
int probe_hw_edac(struct probe *p);
int probe_hw_mce(struct probe *p);
int probe_pci(struct probe *p);
int probe_lustre(struct probe *p);
int probe_amd(struct probe *p);
int probe_rdma(struct probe *p);
int probe_time(struct probe *p);
int probe_ethtool(struct probe *p);
int probe_ethtool_modules(struct probe *p);
void probe_ethtool_done(void *state);
int probe_gpu(struct probe *p);
int probe_gpu_ascend(struct probe *p);
void probe_gpu_done(void *state);

#endif
