/* npu_child: eight or sixteen NPUs, some fifteen questions each, every 15 s. Always true: as in
 * gpu_child.c, a question that fails gives no series, a lost chip gives none but
 * myriascope_agent_gpu_lost, and a value that no chip can have is counted, not told. Names and
 * units as npu-exporter writes them. */
#include "agents/dcmi.h"
#include "agents/gpu_child.h"
#include "agents/gpu_frame.h"
#include "agents/shed.h"
#include "agents/snap.h"
#include "base/jsonw.h"
#include "base/metric.h"

#include <ctype.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NPU_CHILD_CHIPS_MAX 64u

struct npu_child_chip {
    int card, chip;
    char id[8], name[64], pci[32];
    bool lost;
    double implausible;
};

struct npu_child {
    struct dcmi dcmi;
    char driver[96];
    struct npu_child_chip chips[NPU_CHILD_CHIPS_MAX];
    unsigned count;
    struct metric_table *ranges;
    struct snap out;
};

#define ASK(c, member, ...) ((c)->dcmi.member ? (c)->dcmi.member(__VA_ARGS__) : -1)

static int
npu_child_load(struct npu_child *c, const char *library)
{
    static const char *const places[] = {"/usr/local/dcmi/libdcmi.so",
                                         "/usr/local/Ascend/driver/lib64/driver/libdcmi.so"};
    void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; !lib && !strchr(library, '/') && i < 2; i++)
        lib = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return GPU_CHILD_NO_LIBRARY;
        /* POSIX lets an object pointer from dlsym be copied into a function pointer. */
#define NPU_CHILD_SYMBOL(symbol, member, parameters)                                               \
    {                                                                                              \
        void *at = dlsym(lib, symbol);                                                             \
        memcpy(&c->dcmi.member, &at, sizeof at);                                                   \
    }
    DCMI_FUNCTIONS(NPU_CHILD_SYMBOL)
#undef NPU_CHILD_SYMBOL
    return c->dcmi.init && c->dcmi.cards ? 0 : GPU_CHILD_NO_LIBRARY;
}

static void
npu_child_clean(char *text, size_t size)
{
    text[size - 1] = 0;
    for (char *p = text; *p; p++)
        if (!isprint((unsigned char)*p))
            *p = '?';
}

static void
npu_child_identify(struct npu_child *c, int card, int chip)
{
    struct npu_child_chip *n = &c->chips[c->count];
    struct dcmi_chip info;
    struct dcmi_pcie pcie;
    int id;
    memset(&info, 0, sizeof info);
    *n = (struct npu_child_chip){.card = card, .chip = chip};
    if (ASK(c, logic_id, &id, card, chip) || id < 0 || id > 9999)
        id = (int)c->count;
    snprintf(n->id, sizeof n->id, "%d", id);
    if (!ASK(c, chip, card, chip, &info)) {
        npu_child_clean((char *)info.name, sizeof info.name);
        snprintf(n->name, sizeof n->name, "%s", (char *)info.name);
    }
    if (!ASK(c, pcie, card, chip, &pcie))
        snprintf(n->pci, sizeof n->pci, "%04x:%02x:%02x.%x", (unsigned)pcie.domain & 0xffff,
                 pcie.bus & 0xff, pcie.slot & 0x1f, pcie.function & 7);
    c->count++;
}

static int
npu_child_init(struct npu_child *c)
{
    int cards[DCMI_CARDS_MAX] = {0}, count = 0;
    if (c->dcmi.init() || c->dcmi.cards(&count, cards, DCMI_CARDS_MAX) || count <= 0)
        return GPU_CHILD_NO_GPU;
    if (count > DCMI_CARDS_MAX)
        return GPU_CHILD_LIES;
    ASK(c, driver, c->driver, sizeof c->driver);
    npu_child_clean(c->driver, sizeof c->driver);
    for (int i = 0; i < count; i++) {
        int chips = 1;
        if (ASK(c, chips, cards[i], &chips) || chips < 1)
            chips = 1;
        if (chips > 8)
            return GPU_CHILD_LIES;
        for (int k = 0; k < chips && c->count < NPU_CHILD_CHIPS_MAX; k++)
            npu_child_identify(c, cards[i], k);
    }
    return c->count ? 0 : GPU_CHILD_NO_GPU;
}

static void
npu_child_add(struct npu_child *c, struct npu_child_chip *n, const char *name, double v)
{
    const struct metric_row *row = metric_find(c->ranges, name, strlen(name));
    bool sound = isfinite(v) && v > -300 && v < 2e19;
    if (row)
        sound = sound && v * row->scale >= row->min && v * row->scale <= row->max;
    if (sound)
        snap_add(&c->out, name, v, "id", n->id, "model_name", n->name, "pcie_bus_info", n->pci,
                 NULL);
    else
        n->implausible++;
}

static void
npu_child_state_of(struct npu_child *c, struct npu_child_chip *n, unsigned health)
{
    unsigned codes[DCMI_ERRORS_MAX] = {0}, network;
    int count = 0;
    /* Health counts from 0, none, over 1 minor and 2 major to 3 critical. */
    npu_child_add(c, n, "npu_chip_info_health_status", health == 0);
    if (!ASK(c, errors, n->card, n->chip, &count, codes, DCMI_ERRORS_MAX)) {
        npu_child_add(c, n, "npu_chip_info_error_code", count > 0 ? codes[0] : 0);
        npu_child_add(c, n, "myriascope_npu_error_codes",
                      count > DCMI_ERRORS_MAX ? NAN : (double)count);
    }
    if (!ASK(c, network, n->card, n->chip, &network)) /* 0: found well */
        npu_child_add(c, n, "npu_chip_info_network_status", network == 0);
}

static void
npu_child_load_of(struct npu_child *c, struct npu_child_chip *n)
{
    struct dcmi_hbm hbm;
    struct dcmi_ecc ecc;
    unsigned v;
    int i;
    if (!ASK(c, temperature, n->card, n->chip, &i))
        npu_child_add(c, n, "npu_chip_info_temperature", i);
    if (!ASK(c, power, n->card, n->chip, &i))
        npu_child_add(c, n, "npu_chip_info_power", i / 10.0); /* 0.1 W */
    if (!ASK(c, voltage, n->card, n->chip, &v))
        npu_child_add(c, n, "npu_chip_info_voltage", v / 100.0); /* 0.01 V */
    if (!ASK(c, frequency, n->card, n->chip, DCMI_FREQ_AICORE, &v))
        npu_child_add(c, n, "npu_chip_info_aicore_current_freq", v);
    if (!ASK(c, utilization, n->card, n->chip, DCMI_UTIL_AICORE, &v))
        npu_child_add(c, n, "npu_chip_info_utilization", v);
    if (!ASK(c, hbm, n->card, n->chip, &hbm)) {
        npu_child_add(c, n, "npu_chip_info_hbm_total_memory", (double)hbm.size);
        npu_child_add(c, n, "npu_chip_info_hbm_used_memory",
                      hbm.used <= hbm.size ? (double)hbm.used : NAN);
        npu_child_add(c, n, "npu_chip_info_hbm_temperature", hbm.temperature);
        npu_child_add(c, n, "npu_chip_info_hbm_bandwidth_utilization", hbm.bandwidth);
    }
    if (!ASK(c, ecc, n->card, n->chip, DCMI_DEVICE_HBM, &ecc)) {
        npu_child_add(c, n, "npu_chip_info_hbm_ecc_single_bit_error_cnt", ecc.single);
        npu_child_add(c, n, "npu_chip_info_hbm_ecc_double_bit_error_cnt", ecc.twofold);
        npu_child_add(c, n, "npu_chip_info_hbm_ecc_total_single_bit_error_cnt", ecc.single_total);
        npu_child_add(c, n, "npu_chip_info_hbm_ecc_total_double_bit_error_cnt", ecc.twofold_total);
        npu_child_add(c, n, "npu_chip_info_hbm_ecc_single_bit_isolated_pages_cnt",
                      ecc.single_pages);
        npu_child_add(c, n, "npu_chip_info_hbm_ecc_double_bit_isolated_pages_cnt",
                      ecc.twofold_pages);
    }
}

static void
npu_child_collect(struct npu_child *c)
{
    unsigned lost = 0;
    snap_reset(&c->out);
    for (unsigned i = 0; i < c->count; i++) {
        struct npu_child_chip *n = &c->chips[i];
        unsigned health = 0;
        int rc = ASK(c, health, n->card, n->chip, &health);
        n->lost = rc == DCMI_NOT_EXIST || (!rc && health == 0xffffffff);
        lost += n->lost;
        npu_child_add(c, n, "myriascope_agent_gpu_lost", n->lost);
        if (n->lost)
            continue;
        if (!rc)
            npu_child_state_of(c, n, health);
        npu_child_load_of(c, n);
        npu_child_add(c, n, "myriascope_agent_gpu_implausible_total", n->implausible);
    }
    snap_add(&c->out, "machine_npu_nums", c->count, NULL);
    snap_add(&c->out, "myriascope_agent_gpus_lost", lost, NULL);
}

static void
npu_child_inventory(const struct npu_child *c, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_array(&w);
    for (unsigned i = 0; i < c->count; i++) {
        const struct npu_child_chip *n = &c->chips[i];
        jsonw_object(&w);
        jsonw_kint(&w, "index", i);
        jsonw_kstr(&w, "pci", n->pci);
        jsonw_kstr(&w, "model", n->name);
        jsonw_kstr(&w, "driver", c->driver);
        jsonw_kbool(&w, "lost", n->lost);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
}

static int
npu_child_answer(void *ctx)
{
    struct npu_child *c = ctx;
    struct buf series, npus;
    buf_init(&series, GPU_CHILD_FRAME_MAX);
    buf_init(&npus, GPU_CHILD_FRAME_MAX);
    npu_child_collect(c);
    snap_text(&c->out, &series);
    npu_child_inventory(c, &npus);
    int rc = gpu_frame_send(&series, &npus);
    buf_done(&series);
    buf_done(&npus);
    return rc;
}

int
npu_child_run(const char *library, const char *node)
{
    static struct npu_child c; /* of this process, which does nothing else */
    gpu_frame_init();
    (void)node; /* npu-exporter has no such label */
    snap_init(&c.out);
    c.ranges = metric_table_new();
    if (!c.ranges)
        return GPU_CHILD_NO_LIBRARY;
    shed_pages(true);
    int rc = npu_child_load(&c, library);
    if (!rc)
        rc = npu_child_init(&c);
    return rc ? rc : gpu_frame_serve(npu_child_answer, &c);
}
