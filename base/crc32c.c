/* crc32c: the Castagnoli checksum (RFC 3720, appendix B.4; polynomial 0x1EDC6F41, bits reflected).
 *
 * Runs over every chunk, event and batch that is written or read: some hundred MB/s. The
 * processor's own instruction (SSE4.2, ARMv8 CRC) gives 8 bytes in three cycles and is asked for at
 * each call, which costs one load; elsewhere eight tables take 8 bytes a step. All ways give the
 * same sum. */
#include "base/compress.h"

#include <stdbool.h>
#include <string.h>

/* The sum is linear in its input: the table entry of a byte is the exclusive or of the entries of
 * its bits, so that eight constants a table suffice and the compiler writes out the rest. */
#define CRC32C_BIT(x, b, c) (((x) >> (b)) & 1u ? (c) : 0u)
#define CRC32C_XOR(x, c0, c1, c2, c3, c4, c5, c6, c7)                                              \
    (CRC32C_BIT(x, 0, c0) ^ CRC32C_BIT(x, 1, c1) ^ CRC32C_BIT(x, 2, c2) ^ CRC32C_BIT(x, 3, c3) ^   \
     CRC32C_BIT(x, 4, c4) ^ CRC32C_BIT(x, 5, c5) ^ CRC32C_BIT(x, 6, c6) ^ CRC32C_BIT(x, 7, c7))
#define CRC32C_ROW0(x)                                                                             \
    CRC32C_XOR(x, 0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu,    \
               0x417b1dbcu, 0x82f63b78u)
#define CRC32C_ROW1(x)                                                                             \
    CRC32C_XOR(x, 0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u,    \
               0xff17c604u, 0xfbc3faf9u)
#define CRC32C_ROW2(x)                                                                             \
    CRC32C_XOR(x, 0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u,    \
               0xc76580d9u, 0x8b277743u)
#define CRC32C_ROW3(x)                                                                             \
    CRC32C_XOR(x, 0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu,    \
               0xaba65fe7u, 0x52a0c93fu)
#define CRC32C_ROW4(x)                                                                             \
    CRC32C_XOR(x, 0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u,    \
               0x37516aaeu, 0x6ea2d55cu)
#define CRC32C_ROW5(x)                                                                             \
    CRC32C_XOR(x, 0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du,    \
               0x0e045bebu, 0x1c08b7d6u)
#define CRC32C_ROW6(x)                                                                             \
    CRC32C_XOR(x, 0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu,    \
               0x7ab7077au, 0xf56e0ef4u)
#define CRC32C_ROW7(x)                                                                             \
    CRC32C_XOR(x, 0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u,    \
               0x1a00cb32u, 0x34019664u)
#define CRC32C_4(row, x) row((x)), row((x) + 1u), row((x) + 2u), row((x) + 3u)
#define CRC32C_16(row, x)                                                                          \
    CRC32C_4(row, x), CRC32C_4(row, (x) + 4u), CRC32C_4(row, (x) + 8u), CRC32C_4(row, (x) + 12u)
#define CRC32C_64(row, x)                                                                          \
    CRC32C_16(row, x), CRC32C_16(row, (x) + 16u), CRC32C_16(row, (x) + 32u),                       \
        CRC32C_16(row, (x) + 48u)
#define CRC32C_256(row)                                                                            \
    {                                                                                              \
        CRC32C_64(row, 0u), CRC32C_64(row, 64u), CRC32C_64(row, 128u), CRC32C_64(row, 192u)        \
    }

/* Table k: the effect of a byte that k more bytes follow. */
static const uint32_t crc32c_table[8][256] = {
    CRC32C_256(CRC32C_ROW0), CRC32C_256(CRC32C_ROW1), CRC32C_256(CRC32C_ROW2),
    CRC32C_256(CRC32C_ROW3), CRC32C_256(CRC32C_ROW4), CRC32C_256(CRC32C_ROW5),
    CRC32C_256(CRC32C_ROW6), CRC32C_256(CRC32C_ROW7),
};

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = data;
    const uint32_t(*t)[256] = crc32c_table;
    for (crc = ~crc; len >= 8; len -= 8, p += 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                              (uint32_t)p[3] << 24);
        crc = t[7][low & 255] ^ t[6][low >> 8 & 255] ^ t[5][low >> 16 & 255] ^ t[4][low >> 24] ^
              t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
    }
    while (len--)
        crc = t[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static bool
crc32c_has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t sum = ~crc, word;
    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        sum = _mm_crc32_u64(sum, word);
    }
    uint32_t rest = (uint32_t)sum;
    while (len--)
        rest = _mm_crc32_u8(rest, *p++);
    return ~rest;
}

#elif defined(__aarch64__) && defined(__linux__) && !defined(__AARCH64EB__)
#include <arm_acle.h>
#include <sys/auxv.h>

static bool
crc32c_has_instruction(void)
{
    return getauxval(AT_HWCAP) & 1ul << 7; /* HWCAP_CRC32 */
}

__attribute__((target("+crc"))) static uint32_t
crc32c_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t word;
    for (crc = ~crc; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, word);
    }
    while (len--)
        crc = __crc32cb(crc, *p++);
    return ~crc;
}

#else

static bool
crc32c_has_instruction(void)
{
    return false;
}

static uint32_t
crc32c_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
    return crc32c_portable(crc, p, len);
}

#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
    return crc32c_has_instruction() ? crc32c_by_instruction(crc, data, len)
                                    : crc32c_portable(crc, data, len);
}
