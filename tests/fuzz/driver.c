/* driver: runs a fuzz target without libFuzzer. Arguments are files to replay. Without one it makes
 * inputs of its own: noise of all small lengths, then the target's seeds (files of
 * tests/fuzz/seeds/TARGET) and variations of them, by a fixed generator, so that each run is the
 * same run. Speaks TAP: one result. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRIVER_INPUT_MAX  (1 << 20)
#define DRIVER_NOISE      4000
#define DRIVER_VARIATIONS 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
driver_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dull >> 16;
}

/* The target sees a block of exactly its input's size, so that a sanitizer sees one byte too many.
 */
static void
driver_try(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static uint8_t *
driver_read(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    uint8_t *data = malloc(DRIVER_INPUT_MAX);
    if (data)
        *ret_len = fread(data, 1, DRIVER_INPUT_MAX, f);
    fclose(f);
    return data;
}

static void
driver_vary(const uint8_t *seed, size_t len, uint64_t *state)
{
    uint8_t *data = malloc(len + 16);
    if (!data)
        abort();
    for (int i = 0; i < DRIVER_VARIATIONS; i++) {
        size_t n = len;
        memcpy(data, seed, len);
        for (uint64_t change = 1 + driver_random(state) % 6; change && n; change--) {
            size_t at = driver_random(state) % n;
            switch (driver_random(state) % 4) {
            case 0:
                data[at] ^= (uint8_t)(1u << driver_random(state) % 8);
                break;
            case 1:
                data[at] = (uint8_t)driver_random(state);
                break;
            case 2:
                memmove(data + at, data + at + 1, --n - at);
                break;
            default:
                n = driver_random(state) % 8 ? n : at;
            }
        }
        driver_try(data, n);
    }
    free(data);
}

static size_t
driver_seeds(const char *folder, uint64_t *state)
{
    size_t count = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[1024];
        size_t len = 0;
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        uint8_t *seed = driver_read(path, &len);
        if (!seed)
            continue;
        driver_try(seed, len);
        driver_vary(seed, len, state);
        free(seed);
        count++;
    }
    if (d)
        closedir(d);
    return count;
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t len = 0;
        uint8_t *data = driver_read(argv[i], &len);
        if (!data)
            return perror(argv[i]), 1;
        driver_try(data, len);
        free(data);
    }
    if (argc > 1)
        return 0;
    const char *slash = strrchr(argv[0], '/'), *top = getenv("MS_SRCDIR");
    const char *name = slash ? slash + 1 : argv[0];
    uint64_t state = 88172645463325252ull;
    uint8_t noise[512];
    for (int i = 0; i < DRIVER_NOISE; i++) {
        size_t len = driver_random(&state) % (i < DRIVER_NOISE / 2 ? 24 : sizeof noise);
        for (size_t k = 0; k < len; k++)
            noise[k] = (uint8_t)driver_random(&state);
        driver_try(noise, len);
    }
    char folder[512];
    snprintf(folder, sizeof folder, "%s/tests/fuzz/seeds/%s", top ? top : ".", name);
    size_t seeds = driver_seeds(folder, &state);
    printf("1..1\nok 1 - %s survives noise and variations of %zu seeds\n", name, seeds);
    return 0;
}
