/* peers_table: what is compared, and what being slow looks like beside peers that are not.
 *
 * The shapes are arithmetic of one step of a synchronous job: it computes for a share c of the time
 * and waits or communicates for the rest. Who is a tenth slower computes a tenth longer while the
 * others wait for it, so beside them its processors are active a tenth more of the time; by a low
 * clock its tensor cores too, by a slow memory they are not (the same operations in the same time).
 * Who starts its work late has gaps, while waiting peers spin in a collective and look busy. */
#include "analyzer/peers_priv.h"

#define NOISE 0.03f
#define KEEP  0.04f

const struct peers_row peers_rows[PEERS_MEASURES] = {
    {METRIC_GPU_TENSOR_ACTIVE, PEERS_RATIO, 0.02f, 0, NOISE, KEEP, true, true},
    {METRIC_GPU_SM_ACTIVE, PEERS_RATIO, 0.1f, 0, NOISE, KEEP, true, false},
    {METRIC_GPU_UTIL, PEERS_RATIO, 30, 0, NOISE, KEEP, true, false},
    {METRIC_GPU_POWER, PEERS_RATIO, 50, 0, NOISE, KEEP, true, false},
    {METRIC_GPU_CLOCK, PEERS_RATIO, 100, 0, NOISE, KEEP, false, false},
    {METRIC_GPU_TEMP, PEERS_DIFFERENCE, -300, 0, 1, 100, false, false},
    {METRIC_GPU_MEM_TEMP, PEERS_DIFFERENCE, -300, 0, 1, 100, false, false},
    {METRIC_GPU_NVLINK_BYTES, PEERS_RATIO, 1, 0, NOISE, KEEP, false, true},
    {METRIC_GPU_PCIE_TX, PEERS_RATIO, 1, 0, NOISE, KEEP, false, false},
    {METRIC_GPU_PCIE_RX, PEERS_RATIO, 1, 0, NOISE, KEEP, false, false},
    {METRIC_NIC_TX_BYTES, PEERS_RATIO, 1, 0, NOISE, KEEP, false, true},
    {METRIC_NIC_RX_BYTES, PEERS_RATIO, 1, 0, NOISE, KEEP, false, true},
    {METRIC_NIC_RETRANSMITS, PEERS_RATIO, -1, 20, 0.5f, 1, false, false},
    {METRIC_NIC_OUT_OF_SEQUENCE, PEERS_RATIO, -1, 20, 0.5f, 1, false, false},
    {METRIC_NIC_ACK_TIMEOUT, PEERS_RATIO, -1, 2, 0.5f, 1, false, false},
    {METRIC_NIC_CNP_SENT, PEERS_RATIO, -1, 200, 0.5f, 1, false, false},
    {METRIC_NIC_CNP_HANDLED, PEERS_RATIO, -1, 200, 0.5f, 1, false, false},
    {METRIC_NIC_PFC_RX, PEERS_RATIO, -1, 100, 0.5f, 1, false, false},
    {METRIC_NIC_PFC_TX, PEERS_RATIO, -1, 100, 0.5f, 1, false, false},
    {METRIC_NIC_ECN_MARKED, PEERS_RATIO, -1, 200, 0.5f, 1, false, false},
};

#define ON(level) (1u << PEERS_##level)
#define ANY       (ON(GPU) | ON(NODE) | ON(RACK) | ON(COOLING) | ON(POWER))

const struct peers_shape peers_shapes[PEERS_SHAPES] = {
    {"clock",
     ANY,
     {{METRIC_GPU_CLOCK, -0.10f},
      {METRIC_GPU_TENSOR_ACTIVE, 0.09f},
      {METRIC_GPU_SM_ACTIVE, 0.06f}}},
    {"compute",
     ANY,
     {{METRIC_GPU_TENSOR_ACTIVE, 0.09f}, {METRIC_GPU_SM_ACTIVE, 0.06f}, {METRIC_GPU_POWER, 0.03f}}},
    {"memory",
     ANY,
     {{METRIC_GPU_SM_ACTIVE, 0.07f}, {METRIC_GPU_POWER, 0.05f}, {METRIC_GPU_TEMP, 1.5f}}},
    {"host",
     ON(GPU) | ON(NODE),
     {{METRIC_GPU_UTIL, -0.065f}, {METRIC_GPU_POWER, -0.03f}, {METRIC_GPU_SM_ACTIVE, -0.02f}}},
    {"power",
     ANY,
     {{METRIC_GPU_POWER, -0.10f}, {METRIC_GPU_CLOCK, -0.08f}, {METRIC_GPU_TENSOR_ACTIVE, 0.07f}}},
    {"path",
     ON(LEAF),
     {{METRIC_NIC_CNP_HANDLED, 1.5f},
      {METRIC_NIC_PFC_RX, 1.5f},
      {METRIC_NIC_RETRANSMITS, 1.5f},
      {METRIC_NIC_ECN_MARKED, 1.0f},
      {METRIC_NIC_OUT_OF_SEQUENCE, 1.0f}}},
};

const char *
peers_shape_word(unsigned shape)
{
    return shape < PEERS_SHAPES ? peers_shapes[shape].word : "";
}

int
peers_measure(enum metric_meaning m)
{
    for (int i = 0; i < PEERS_MEASURES; i++)
        if (peers_rows[i].meaning == m)
            return i;
    return -1;
}

enum metric_meaning
peers_meaning(size_t measure)
{
    return measure < PEERS_MEASURES ? peers_rows[measure].meaning : METRIC_NONE;
}

float
peers_shift_of(const struct peers_shape *s, enum metric_meaning m)
{
    for (size_t i = 0; i < sizeof s->at / sizeof *s->at; i++)
        if (s->at[i].meaning == m)
            return s->at[i].shift;
    return 0;
}

bool
peers_tells(enum metric_meaning m)
{
    for (size_t k = 0; k < PEERS_SHAPES; k++)
        if (peers_shift_of(&peers_shapes[k], m) != 0)
            return true;
    return false;
}

bool
peers_used(size_t measure)
{
    return measure < PEERS_MEASURES &&
           (peers_rows[measure].pace || peers_tells(peers_rows[measure].meaning));
}
