/* rans: bytes of known frequencies in as many bits as they are worth (range asymmetric numeral
 * systems, J. Duda, arXiv:1311.2540; four interleaved states as F. Giesen, arXiv:1402.3392).
 *
 * A state is a number from 2^16 on; a byte of frequency f of 4,096 takes it to f times more, and
 * halves of it leave as words of 16 bits when it would outgrow 32. Byte j of a run goes through
 * state j mod 4. Coded backwards, so that it is read forwards. Insiders only. */
#ifndef STORE_RANS_H
#define STORE_RANS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANS_BITS    12
#define RANS_TOTAL   (1u << RANS_BITS)
#define RANS_LANES   4
#define RANS_STATES  (4 * RANS_LANES) /* bytes of the states at the head of what is coded */
#define RANS_PAD     8                /* bytes behind the end that a reader may touch */
#define RANS_SYMBOLS 256

struct rans_code {
    uint16_t freq[RANS_SYMBOLS], start[RANS_SYMBOLS];
};
/* Frequencies that add up to RANS_TOTAL, 0 only where the count is. At least one count is not 0. */
void rans_code_of(const uint32_t *count, struct rans_code *ret);
/* Frequencies as read: true when they add up. */
bool rans_code_check(struct rans_code *c);
/* What coding by the ideal frequencies of these counts would take, in bits. */
double rans_bits(const uint32_t *count);

struct rans_encoder {
    uint32_t x[RANS_LANES];
    uint8_t *p; /* downwards */
};
/* Room for n bytes: 2 * n + RANS_STATES; end is behind it. */
void rans_encoder_init(struct rans_encoder *e, uint8_t *end);
/* Runs of bytes, the last one first. */
void rans_encode(struct rans_encoder *e, const struct rans_code *c, const uint8_t *s, size_t n);
/* The start of what was coded. */
uint8_t *rans_encoder_done(struct rans_encoder *e);

/* 4,096 entries: byte | frequency - 1 << 8 | place within the byte's range << 20. */
void rans_table(const struct rans_code *c, uint32_t *ret);
struct rans_decoder {
    uint32_t x[RANS_LANES];
    const uint8_t *p, *end;
};
/* RANS_PAD bytes behind p + len are readable. ERR_CORRUPT. */
int rans_decoder_init(struct rans_decoder *d, const uint8_t *p, size_t len);
/* A run. ERR_CORRUPT when the bytes end before it. */
int rans_decode(struct rans_decoder *d, const uint32_t *table, uint8_t *out, size_t n);
/* All was read, and ends as it began. */
bool rans_decoder_ended(const struct rans_decoder *d);

#endif
