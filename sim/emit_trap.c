/* emit_trap: see the header. Written backwards, so the last varbind comes first. */
#include "sim/emit_trap.h"
#include "base/err.h"
#include "sim/ber.h"

#include <arpa/inet.h>
#include <string.h>

struct emit_trap {
    struct ber_writer w;
    size_t mark;
};

static void
emit_trap_bind(struct emit_trap *t, const char *oid, uint32_t index, bool indexed)
{
    struct ber_oid o;
    ber_oid_parse(oid, &o);
    if (indexed)
        o.at[o.len++] = index;
    ber_write_oid(&t->w, &o);
    ber_write_head(&t->w, BER_SEQUENCE, ber_written(&t->w) - t->mark);
    t->mark = ber_written(&t->w);
}

int
emit_trap_encode(const struct world *w, const struct world_trap *trap, int32_t request_id,
                 uint8_t *memory, size_t size, const uint8_t **ret_at)
{
    const struct plan_port *p = &w->plan->ports.at[trap->port];
    const struct plan_switch *sw = &w->plan->switches.at[p->sw];
    struct emit_trap t = {.mark = 0};
    struct ber_oid kind;
    struct in_addr address = {0};
    inet_pton(AF_INET, sw->address, &address);
    ber_write_init(&t.w, memory, size);
    ber_write_bytes(&t.w, BER_IPADDRESS, &address, 4);
    emit_trap_bind(&t, "1.3.6.1.6.3.18.1.3.0", 0, false);
    ber_write_bytes(&t.w, BER_OCTETS, p->name, strlen(p->name));
    emit_trap_bind(&t, "1.3.6.1.2.1.2.2.1.2", p->if_index, true);
    ber_write_int(&t.w, BER_INTEGER, trap->up ? 1 : 2);
    emit_trap_bind(&t, "1.3.6.1.2.1.2.2.1.8", p->if_index, true);
    ber_write_int(&t.w, BER_INTEGER, 1);
    emit_trap_bind(&t, "1.3.6.1.2.1.2.2.1.7", p->if_index, true);
    ber_write_int(&t.w, BER_INTEGER, p->if_index);
    emit_trap_bind(&t, "1.3.6.1.2.1.2.2.1.1", p->if_index, true);
    ber_oid_parse(trap->up ? "1.3.6.1.6.3.1.1.5.4" : "1.3.6.1.6.3.1.1.5.3", &kind);
    ber_write_oid(&t.w, &kind);
    emit_trap_bind(&t, "1.3.6.1.6.3.1.1.4.1.0", 0, false);
    ber_write_uint(&t.w, BER_TIMETICKS,
                   (uint64_t)(((double)trap->t_ms - w->switches[p->sw].up_since_ms) / 10) &
                       0xffffffffu);
    emit_trap_bind(&t, "1.3.6.1.2.1.1.3.0", 0, false);
    ber_write_head(&t.w, BER_SEQUENCE, ber_written(&t.w));
    ber_write_int(&t.w, BER_INTEGER, 0);
    ber_write_int(&t.w, BER_INTEGER, 0);
    ber_write_int(&t.w, BER_INTEGER, request_id);
    ber_write_head(&t.w, BER_TRAP2, ber_written(&t.w));
    ber_write_bytes(&t.w, BER_OCTETS, "public", 6);
    ber_write_int(&t.w, BER_INTEGER, 1);
    ber_write_head(&t.w, BER_SEQUENCE, ber_written(&t.w));
    if (t.w.failed)
        return ERR_LIMIT;
    *ret_at = t.w.at;
    return (int)ber_written(&t.w);
}
