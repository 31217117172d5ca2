/* compress: snappy, zstd and gzip into a buf, whole inputs only.
 *
 * Always true: what is appended to `out` is complete or nothing (a failed call leaves its length as
 * it was), and no more memory is taken than twice what was really unpacked or the buffer's ceiling.
 */
#include "base/compress.h"

#include "base/err.h"

#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* Room that is asked for at a time while unpacking: grows with the output by the buf's doubling. */
#define COMPRESS_STEP 65536
/* A zstd frame may ask for a window of at most 32 MiB, whatever its output's ceiling. */
#define COMPRESS_ZSTD_WINDOW_LOG 25

static int
compress_undo(struct buf *out, size_t start, int rc)
{
    out->len = start;
    if (out->data)
        out->data[start] = 0;
    return rc;
}

static void
compress_took(struct buf *out, size_t n)
{
    out->len += n;
    out->data[out->len] = 0;
}

/* Room for the next step of unpacking, at most what the ceiling leaves: *ret_room 0 at the ceiling.
 */
static int
compress_step(struct buf *out, size_t *ret_room)
{
    size_t left = out->failed || out->len > out->max ? 0 : out->max - out->len;
    size_t step = left < COMPRESS_STEP ? left : COMPRESS_STEP;
    int rc = buf_reserve(out, step);
    if (rc)
        return rc;
    *ret_room = out->cap - 1 - out->len;
    if (*ret_room > left)
        *ret_room = left;
    return 0;
}

int
compress_snappy(const void *data, size_t len, struct buf *out)
{
    if (len > UINT32_MAX)
        return ERR_LIMIT;
    size_t size = snappy_max_compressed_length(len);
    int rc = buf_reserve(out, size);
    if (rc)
        return rc;
    if (snappy_compress(data, len, out->data + out->len, &size) != SNAPPY_OK)
        return compress_undo(out, out->len, ERR_LIMIT);
    compress_took(out, size);
    return 0;
}

int
compress_unsnappy(const void *data, size_t len, struct buf *out)
{
    size_t size;
    if (snappy_uncompressed_length(data, len, &size) != SNAPPY_OK)
        return ERR_CORRUPT;
    /* The densest element gives 64 bytes for 3: what claims more than that is no snappy, and
     * memory for its claim is not taken. */
    if (size / 22 > len)
        return size > out->max ? ERR_LIMIT : ERR_CORRUPT;
    int rc = buf_reserve(out, size);
    if (rc)
        return rc;
    if (snappy_uncompress(data, len, out->data + out->len, &size) != SNAPPY_OK)
        return compress_undo(out, out->len, ERR_CORRUPT);
    compress_took(out, size);
    return 0;
}

int
compress_zstd(const void *data, size_t len, int level, struct buf *out)
{
    size_t room = ZSTD_compressBound(len);
    int rc = buf_reserve(out, room);
    if (rc)
        return rc;
    size_t size = ZSTD_compress(out->data + out->len, room, data, len, level);
    if (ZSTD_isError(size))
        return compress_undo(out, out->len, ERR_NOMEM);
    compress_took(out, size);
    return 0;
}

/* Unpacks frame after frame until the input is used up. A full buffer gets one byte more of room
 * elsewhere: only when the stream wants it is the ceiling really passed. */
static int
compress_unzstd_all(ZSTD_DCtx *ctx, ZSTD_inBuffer *in, struct buf *out)
{
    size_t more = 1;
    while (more || in->pos < in->size) {
        char spare;
        size_t room = 0, used = in->pos;
        int rc = compress_step(out, &room);
        if (rc)
            return rc;
        ZSTD_outBuffer to = {.dst = room ? out->data + out->len : &spare, .size = room ? room : 1};
        more = ZSTD_decompressStream(ctx, &to, in);
        if (ZSTD_isError(more))
            return ERR_CORRUPT;
        if (!room && to.pos)
            return ERR_LIMIT;
        if (room)
            compress_took(out, to.pos);
        if (more && in->pos == used && !to.pos)
            return ERR_CORRUPT; /* the input ends within a frame */
    }
    return 0;
}

int
compress_unzstd(const void *data, size_t len, struct buf *out)
{
    if (!len)
        return ERR_CORRUPT;
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    if (!ctx)
        return ERR_NOMEM;
    size_t start = out->len;
    ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, COMPRESS_ZSTD_WINDOW_LOG);
    ZSTD_inBuffer in = {.src = data, .size = len};
    int rc = compress_unzstd_all(ctx, &in, out);
    ZSTD_freeDCtx(ctx);
    return rc ? compress_undo(out, start, rc) : 0;
}

struct compress_zstd_ctx {
    ZSTD_CCtx *pack; /* made when first wanted */
    ZSTD_DCtx *unpack;
};

struct compress_zstd_ctx *
compress_zstd_ctx_new(void)
{
    return calloc(1, sizeof(struct compress_zstd_ctx));
}

void
compress_zstd_ctx_free(struct compress_zstd_ctx *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->pack);
    ZSTD_freeDCtx(c->unpack);
    free(c);
}

int
compress_zstd_with(struct compress_zstd_ctx *c, const void *data, size_t len, int level,
                   struct buf *out)
{
    size_t room = ZSTD_compressBound(len);
    int rc = buf_reserve(out, room);
    if (rc)
        return rc;
    if (!c->pack && !(c->pack = ZSTD_createCCtx()))
        return ERR_NOMEM;
    size_t size = ZSTD_compressCCtx(c->pack, out->data + out->len, room, data, len, level);
    if (ZSTD_isError(size))
        return compress_undo(out, out->len, ERR_NOMEM);
    compress_took(out, size);
    return 0;
}

int
compress_unzstd_with(struct compress_zstd_ctx *c, const void *data, size_t len, void *out,
                     size_t size)
{
    if (!c->unpack && !(c->unpack = ZSTD_createDCtx()))
        return ERR_NOMEM;
    size_t n = ZSTD_decompressDCtx(c->unpack, out, size, data, len);
    return ZSTD_isError(n) || n != size ? ERR_CORRUPT : 0;
}

/* zlib counts in 32 bits: inputs and steps are handed over in pieces. */
static uInt
compress_piece(size_t n)
{
    return n < 1u << 30 ? (uInt)n : 1u << 30;
}

/* Feeds all input and takes all output of an (in|de)flate stream; returns zlib's last code. */
static int
compress_deflate_all(z_stream *z, size_t len, struct buf *out)
{
    int zrc = Z_OK;
    while (zrc == Z_OK) {
        z->avail_in = compress_piece(len);
        z->avail_out = compress_piece(out->cap - 1 - out->len);
        z->next_out = (Bytef *)out->data + out->len;
        uInt had_in = z->avail_in, had_out = z->avail_out;
        zrc = deflate(z, len == had_in ? Z_FINISH : Z_NO_FLUSH);
        len -= had_in - z->avail_in;
        compress_took(out, had_out - z->avail_out);
    }
    return zrc;
}

int
compress_gzip(const void *data, size_t len, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)data};
    /* 15 bits of window, 16 asks for gzip's frame; level 5 is as small as 6 within 2 %, and faster.
     */
    if (deflateInit2(&z, 5, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_NOMEM;
    size_t start = out->len;
    int rc = buf_reserve(out, deflateBound(&z, len));
    if (!rc && compress_deflate_all(&z, len, out) != Z_STREAM_END)
        rc = compress_undo(out, start, ERR_LIMIT);
    deflateEnd(&z);
    return rc;
}

/* One inflate call; 1 when a member ended, 0 to go on, or the error. */
static int
compress_inflate_step(z_stream *z, size_t *len, struct buf *out)
{
    Bytef spare;
    size_t room = 0;
    int rc = compress_step(out, &room);
    if (rc)
        return rc;
    z->avail_in = compress_piece(*len);
    z->avail_out = room ? compress_piece(room) : 1;
    z->next_out = room ? (Bytef *)out->data + out->len : &spare;
    uInt had_in = z->avail_in, had_out = z->avail_out;
    int zrc = inflate(z, Z_NO_FLUSH);
    *len -= had_in - z->avail_in;
    if (!room && z->avail_out < had_out)
        return ERR_LIMIT;
    if (room)
        compress_took(out, had_out - z->avail_out);
    if (zrc == Z_STREAM_END)
        return 1;
    return zrc == Z_OK ? 0 : zrc == Z_MEM_ERROR ? ERR_NOMEM : ERR_CORRUPT;
}

int
compress_gunzip(const void *data, size_t len, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)data};
    /* 32: gzip or zlib frame, by its first bytes; HTTP calls both deflate. */
    if (inflateInit2(&z, 15 + 32) != Z_OK)
        return ERR_NOMEM;
    size_t start = out->len;
    int rc;
    do {
        rc = compress_inflate_step(&z, &len, out);
        if (rc == 1 && len && inflateReset(&z) == Z_OK)
            rc = 0; /* another member follows, RFC 1952 section 2.2 */
    } while (!rc);
    inflateEnd(&z);
    return rc < 0 ? compress_undo(out, start, rc) : 0;
}
