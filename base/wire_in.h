/* wire_in: what the two halves of wire (wire.c writes, wire_decode.c reads) share; nobody else
 * includes it. */
#ifndef BASE_WIRE_IN_H
#define BASE_WIRE_IN_H

#define WIRE_MAGIC       "MSB1"
#define WIRE_HEAD_SIZE   12u /* magic, checksum, raw length */
#define WIRE_RAW_MAX     (16u * 1024 * 1024)
#define WIRE_STR_MAX     (1024u * 1024)
#define WIRE_RECORDS_MAX 200000u /* definitions, samples, events, lines, gaps, inventories */

enum wire_type {
    WIRE_LABELS = 1,
    WIRE_SAMPLES = 2,
    WIRE_EVENT = 3,
    WIRE_LOG = 4,
    WIRE_GAP = 5,
    WIRE_INVENTORY = 6,
    WIRE_RESULT = 7,
};

#endif
