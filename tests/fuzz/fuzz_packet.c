/* fuzz_packet: any bytes as a frame of each link type, gathered. */
#include "decode/roce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int links[] = {PACKET_LINK_ETHERNET, PACKET_LINK_RAW, PACKET_LINK_SLL,
                                PACKET_LINK_SLL2};
    struct roce *r = roce_new(0);
    struct buf out;
    struct jsonw w;
    if (!r)
        return 0;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        for (size_t cut = 0; cut < 3 && cut <= size; cut++)
            roce_frame(r, links[i], (int64_t)i, size, data, size - cut);
    buf_init(&out, (size_t)1 << 20);
    jsonw_init(&w, &out);
    roce_json(r, 100, &w);
    buf_done(&out);
    roce_free(r);
    return 0;
}
