/* log: where programs, collector and analyzer tell a person something, once, with its context. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

struct log { /* passed down from programs; NULL is silent */
    void (*write)(void *ctx, enum log_level level, const char *line);
    void *ctx;
    enum log_level max;
};
void log_write(const struct log *l, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "<6>line" under systemd, else "line" */
void log_stderr(void *ctx, enum log_level level, const char *line);

#endif
