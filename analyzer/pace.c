/* pace: one state a job, from one sample to the next. */
#include "analyzer/pace.h"

#include <math.h>

#define PACE_LEARN    3       /* samples of stepping before a stop means anything */
#define PACE_BUSY     80      /* % utilisation; who spins shows 100 */
#define PACE_POWER    0.65    /* of the usual power: spinning takes a third to a half */
#define PACE_ACTIVE   0.05    /* of the usual tensor activity: none */
#define PACE_SM       0.6     /* of the usual SM activity: a collective's kernel holds a few */
#define PACE_WRITES   2       /* times the usual operations: it saves */
#define PACE_DOUBT_MS 60000   /* a first stop of a job whose writing nobody sees */
#define PACE_STOP_MS  1800000 /* longer stops are no checkpoints */

static void
pace_usual(double *usual, double v)
{
    if (!isnan(v))
        *usual = *usual > 0 ? *usual + (v - *usual) * 0.1 : v;
}

/* Does nothing for its job, as far as is known; something must be known. */
static bool
pace_stopped(const struct pace *p, const struct pace_sample *s)
{
    bool tensor = p->tensor > 0 && !isnan(s->tensor), power = p->power > 0 && !isnan(s->power);
    if (tensor && s->tensor > fmax(PACE_ACTIVE * p->tensor, 0.005))
        return false;
    if (p->sm > 0 && !isnan(s->sm) && s->sm > PACE_SM * p->sm)
        return false;
    return (tensor || power) && !(power && s->power > PACE_POWER * p->power);
}

static bool
pace_writes(const struct pace *p, const struct pace_sample *s)
{
    return !isnan(s->writes) && s->writes > PACE_WRITES * p->writes + 1;
}

static enum pace_state
pace_stands(struct pace *p, const struct pace_sample *s)
{
    int64_t since = s->t_ms - p->stopped_ms;
    p->stands++;
    if (pace_writes(p, s)) {
        p->stands = 0; /* the count of a hang begins when nobody writes any more */
        return PACE_SAVES;
    }
    if (p->stands < 2)
        return p->state == PACE_SAVES ? PACE_SAVES : PACE_STANDS;
    if (isnan(s->writes) &&
        since < (p->longest_ms ? p->longest_ms + p->longest_ms / 2 : PACE_DOUBT_MS))
        return PACE_STANDS;
    return PACE_HANGS;
}

static enum pace_state
pace_steps(struct pace *p, const struct pace_sample *s)
{
    int64_t stop = p->stopped_ms ? s->t_ms - p->stopped_ms : 0;
    if (stop > p->longest_ms && stop < PACE_STOP_MS)
        p->longest_ms = stop;
    p->stopped_ms = 0;
    p->stands = 0;
    p->steps++;
    pace_usual(&p->tensor, s->tensor);
    pace_usual(&p->sm, s->sm);
    pace_usual(&p->power, s->power);
    if (!isnan(s->writes))
        p->writes += (s->writes - p->writes) * (p->steps < 10 ? 1 / (double)p->steps : 0.1);
    return p->steps < PACE_LEARN ? PACE_LEARNS : PACE_STEPS;
}

enum pace_state
pace_take(struct pace *p, const struct pace_sample *s)
{
    if (s->t_ms <= p->t_ms || isnan(s->util))
        return p->state;
    p->t_ms = s->t_ms;
    bool busy = s->util >= PACE_BUSY;
    if (p->steps < PACE_LEARN || !pace_stopped(p, s)) {
        p->state = busy || p->steps >= PACE_LEARN ? pace_steps(p, s) : p->state;
        return p->state;
    }
    p->stopped_ms = p->stopped_ms ? p->stopped_ms : s->t_ms;
    if (!busy) {
        p->stands = 0;
        p->state = s->util > 5 || pace_writes(p, s) ? PACE_SAVES : PACE_IDLE;
        return p->state;
    }
    p->state = pace_stands(p, s);
    return p->state;
}
