/* test_syslog: messages of each maker, framing, and the listeners with what they put into the
 * store. */
#include "collector/syslog_parse.h"
#include "tests/collector/collector_test.h"

#define NOW 1795420800000 /* 2026-11-23T08:00:00Z */

static void
each_form_is_read(void **state)
{
    static const struct {
        const char *line, *host, *app, *time, *text;
        int severity;
        bool vendor;
    } cases[] = {
        {"<165>1 2026-11-23T08:00:00.123456+08:00 node00001 kernel - - - NVRM: Xid "
         "(PCI:0000:3b:00): 79",
         "node00001", "kernel", "2026-11-23T00:00:00.123Z",
         "kernel: NVRM: Xid (PCI:0000:3b:00): 79", 5, false},
        {"<34>1 2026-11-23T07:59:00Z host.example sshd 812 ID47 [a@1 x=\"]\\\"\"][b@1] "
         "\xef\xbb\xbfhello",
         "host.example", "sshd", "2026-11-23T07:59:00.000Z", "sshd[812]: hello", 2, false},
        {"<13>1 - - - - - - bare", "", "", NULL, "bare", 5, false},
        {"<34>Nov 23 07:59:58 node00001 sshd[812]: Failed password", "node00001", "sshd",
         "2026-11-23T07:59:58.000Z", "sshd[812]: Failed password", 2, false},
        {"<30>2026-11-23T08:00:00.5+00:00 node00001 systemd[1]: Started x", "node00001", "systemd",
         "2026-11-23T08:00:00.500Z", "systemd[1]: Started x", 6, false},
        {"<34>Oct  3 22:14:15 su: 'su root' failed", "", "su", "2026-10-03T22:14:15.000Z",
         "su: 'su root' failed", 2, false},
        {"<189>123: *Nov 23 07:59:59.123 UTC: %LINK-3-UPDOWN: Interface Gi0/1, changed state to "
         "down",
         "", "", "2026-11-23T07:59:59.123Z",
         "%LINK-3-UPDOWN: Interface Gi0/1, changed state to down", 5, true},
        {"<187>99: leaf07: Nov 23 07:59:59.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state to "
         "up",
         "leaf07", "", "2026-11-23T07:59:59.123Z",
         "%LINK-3-UPDOWN: Interface Gi0/1, changed state to up", 3, true},
        {"<187>: 2026 Nov 23 07:59:59 UTC: %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 "
         "is down",
         "", "", "2026-11-23T07:59:59.000Z",
         "%ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down", 3, true},
        {"<187>2026 Nov 23 20:14:05 leaf07: %LINK-3-UPDOWN: Interface HundredGigE1/0/9, changed "
         "state to down",
         "leaf07", "", "2026-11-23T20:14:05.000Z",
         "%LINK-3-UPDOWN: Interface HundredGigE1/0/9, changed state to down", 3, true},
        {"<187>Nov 23 20:14:05 leaf-g01-1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface "
         "Ethernet1/1, "
         "changed state to down",
         "leaf-g01-1", "Ebra", "2026-11-23T20:14:05.000Z",
         "Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet1/1, changed state to down",
         3, false},
        {"<188>Nov 23 2026 20:14:05+08:00 leaf-g02-3 %%01IFPDT/4/IF_STATE(l)[12]:Interface "
         "100GE1/0/1 has turned",
         "leaf-g02-3", "", "2026-11-23T12:14:05.000Z",
         "%%01IFPDT/4/IF_STATE(l)[12]:Interface 100GE1/0/1 has turned", 4, true},
        {"<188>Nov 23 08:00:00:123 2026 H3C-1 %%10IFNET/3/PHY_UPDOWN: Physical state on HGE1/0/1 "
         "changed to down",
         "H3C-1", "", "2026-11-23T08:00:00.123Z",
         "%%10IFNET/3/PHY_UPDOWN: Physical state on HGE1/0/1 changed to down", 4, true},
        {"<189>Nov 23 08:00:00.123456 sonic NOTICE swss#orchagent: :- doTask: port down", "sonic",
         "", "2026-11-23T08:00:00.123Z", "NOTICE swss#orchagent: :- doTask: port down", 5, false},
        {"no head at all", "", "", NULL, "no head at all", 6, false},
        {"<999>Nov 23", "", "", NULL, "<999>Nov 23", 6, false},
        {"<34>Dec 31 23:59:59 node1 cron: last year", "node1", "cron", "2026-12-31T23:59:59.000Z",
         "cron: last year", 2, false},
    };
    struct syslog_message *m = malloc(sizeof *m);
    char text[TIME_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        syslog_parse(cases[i].line, strlen(cases[i].line), NOW, 0, m);
        assert_string_equal(m->text, cases[i].text);
        assert_string_equal(m->host, cases[i].host);
        assert_string_equal(m->app, cases[i].app);
        assert_int_equal(m->severity, cases[i].severity);
        assert_int_equal(m->vendor, cases[i].vendor);
        if (cases[i].time)
            assert_string_equal(time_format(m->time_ms, text), cases[i].time);
        else
            assert_int_equal(m->time_ms, 0);
    }
    free(m);
}

static void
year_is_the_nearest_and_zone_is_ours(void **state)
{
    struct syslog_message *m = malloc(sizeof *m);
    char text[TIME_TEXT_SIZE];
    int64_t new_year;
    const char *line = "<34>Dec 31 23:59:59 node1 cron: x";
    (void)state;
    assert_int_equal(time_parse("2027-01-01T00:00:10Z", &new_year), 0);
    syslog_parse(line, strlen(line), new_year, 0, m);
    assert_string_equal(time_format(m->time_ms, text), "2026-12-31T23:59:59.000Z");
    syslog_parse(line, strlen(line), new_year, 8 * 3600000, m);
    assert_string_equal(time_format(m->time_ms, text), "2026-12-31T15:59:59.000Z");
    free(m);
}

static void
control_characters_and_broken_utf8_are_mended(void **state)
{
    struct syslog_message *m = malloc(sizeof *m);
    static const char line[] = "<34>Nov 23 07:59:58 n1 app: a\tb\x01\xff\xfe end\n";
    (void)state;
    syslog_parse(line, sizeof line - 1, NOW, 0, m);
    assert_string_equal(m->text, "app: a b ?? end");
    free(m);
}

/* --- framing -------------------------------------------------------------------------------------
 */

static void
joined(void *ctx, const char *msg, size_t len)
{
    struct buf *b = ctx;
    buf_printf(b, "[%.*s]", (int)len, msg);
}

static void
counted_and_ended_messages_mix_at_any_cut(void **state)
{
    static const char stream[] =
        "11 <34>one two<34>three\n13 <34>four\nfvex<1>\n\n<13>last\n7 seventh8 partial";
    (void)state;
    for (size_t step = 1; step < sizeof stream; step++) {
        struct syslog_frame f;
        struct buf out;
        buf_init(&out, 4096);
        syslog_frame_init(&f, 1024);
        for (size_t at = 0; at < sizeof stream - 1; at += step) {
            size_t n = sizeof stream - 1 - at < step ? sizeof stream - 1 - at : step;
            syslog_frame_feed(&f, stream + at, n, joined, &out);
        }
        assert_string_equal(buf_str(&out),
                            "[<34>one two][<34>three][<34>four\nfvex][<1>][<13>last][seventh]");
        buf_done(&out);
        syslog_frame_done(&f);
    }
}

static void
endless_line_is_cut_and_counted(void **state)
{
    struct syslog_frame f;
    struct buf out;
    char block[1000];
    (void)state;
    memset(block, 'x', sizeof block);
    buf_init(&out, 4096);
    syslog_frame_init(&f, 1024);
    for (int i = 0; i < 1049; i++)
        syslog_frame_feed(&f, block, sizeof block, joined, &out);
    syslog_frame_feed(&f, "\nnext\n", 6, joined, &out);
    assert_int_equal(out.len, 1023 + 2 + 6);
    assert_int_equal(f.cut, 1);
    buf_done(&out);
    syslog_frame_done(&f);
}

/* --- listeners -----------------------------------------------------------------------------------
 */

static int
dial(int type, unsigned port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    return fd;
}

static void
say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void
lines_arrive_by_udp_and_tcp(void **state)
{
    static const char topology[] =
        "version: 1\ncluster: {name: t}\nswitches: [{name: leaf-g01-1, role: leaf}]\n"
        "nodes: [{name: node00001}]\n";
    struct fixture f;
    struct fixture_line line;
    struct err err;
    (void)state;
    fixture_open_store(&f);
    if (topo_put_document(f.store, topology, strlen(topology), "t", &err))
        fail_msg("%s", err.text);
    topo_settle(f.store);
    fixture_start(&f, "syslog: {udp: '127.0.0.1:0', tcp: '127.0.0.1:0', zone: '+00:00'}\n", NULL);
    int udp = dial(SOCK_DGRAM, collector_port(f.collector, "syslog-udp"));
    int tcp = dial(SOCK_STREAM, collector_port(f.collector, "syslog-tcp"));
    say(udp, "<187>Nov 23 08:00:00 leaf-g01-1 %LINK-3-UPDOWN: Interface Ethernet1/1, changed state "
             "to down");
    assert_true(fixture_wait_line(&f, "UPDOWN", &line));
    assert_string_equal(line.node, "leaf-g01-1");
    assert_string_equal(line.source, "switch");
    assert_int_equal(line.severity, SEVERITY_CRITICAL);
    say(tcp, "<4>1 2026-11-23T08:00:00Z node00001.example.com kernel - - - tainted\n");
    assert_true(fixture_wait_line(&f, "tainted", &line));
    assert_string_equal(line.node, "node00001");
    assert_string_equal(line.source, "kernel");
    assert_string_equal(line.text, "kernel: tainted");
    say(tcp, "51 <30>1 2026-11-23T08:00:00Z stranger app 7 - - first30 <30>Nov 23 08:00:01 ");
    assert_true(fixture_wait_line(&f, "first", &line));
    assert_string_equal(line.text, "app[7]: first");
    assert_string_equal(line.source, "syslog");
    topo_settle(f.store);
    struct topo *t = topo_get(f.store);
    char entity[ENTITY_SIZE];
    assert_int_equal(topo_resolve_host(t, "stranger", entity), 0);
    topo_put(t);
    close(udp);
    close(tcp);
    fixture_close(&f);
}

static int
count_gaps(void *ctx, const struct gap *g)
{
    if (!strcmp(g->reason, "rate-limit"))
        *(uint64_t *)ctx += g->count;
    return 0;
}

static void
host_beyond_its_rate_leaves_a_gap(void **state)
{
    struct fixture f;
    struct fixture_line line;
    uint64_t lost = 0;
    struct err err;
    (void)state;
    fixture_open_store(&f);
    fixture_start(&f, "syslog: {tcp: '127.0.0.1:0', rate: 1, burst: 10}\n", NULL);
    int tcp = dial(SOCK_STREAM, collector_port(f.collector, "syslog-tcp"));
    for (int i = 0; i < 30; i++)
        say(tcp, "<13>Nov 23 08:00:00 loud app: again\n");
    say(tcp, "<13>Nov 23 08:00:00 quiet app: heard\n");
    assert_true(fixture_wait_line(&f, "heard", &line));
    int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
    while (lost < 19 && clock_mono_us() < end) {
        lost = 0;
        store_gaps(f.store, 1, INT64_MAX / 4, NULL, count_gaps, &lost, &err);
        poll(NULL, 0, 20);
    }
    assert_in_range(lost, 19, 20);
    close(tcp);
    fixture_close(&f);
}

static void
zone_that_is_none_is_refused(void **state)
{
    struct fixture f;
    struct err err;
    (void)state;
    fixture_open_store(&f);
    fixture_start(&f, "syslog: {udp: '127.0.0.1:0', zone: Mars}\n", &err);
    assert_int_equal(err.code, ERR_SYNTAX);
    assert_non_null(strstr(err.text, "Mars"));
    fixture_close(&f);
}

/* A sender as there are many: openssl's own client. cert "" or options that show one. */
static void
tls_send(unsigned port, const char *cert, const char *message)
{
    char command[1024];
    snprintf(
        command, sizeof command,
        "printf '%zu %s' | timeout 10 openssl s_client -connect 127.0.0.1:%u -quiet -no_ign_eof "
        "%s",
        strlen(message), message, port, cert);
    const char *argv[] = {"sh", "-c", command, NULL};
    fixture_run(argv);
}

static void
lines_come_over_tls_and_strangers_are_hung_up_on(void **state)
{
    struct fixture f;
    struct fixture_line line;
    char command[512], yaml[512], shown[256];
    (void)state;
    if (access("/usr/bin/openssl", X_OK))
        skip();
    fixture_open_store(&f);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=localhost -keyout %s/key.pem -out %s/cert.pem",
             f.folder, f.folder);
    const char *make[] = {"sh", "-c", command, NULL};
    assert_int_equal(fixture_run(make), 0);
    fixture_start(&f,
                  "syslog: {tls: {listen: '127.0.0.1:0', cert: cert.pem, key: key.pem,"
                  " client_ca: cert.pem}}\n",
                  NULL);
    unsigned port = collector_port(f.collector, "syslog-tls");
    assert_true(port > 0);
    tls_send(port, "", "<34>1 2026-11-23T07:59:00Z node00001 su - - - stranger here");
    snprintf(shown, sizeof shown, "-cert %s/cert.pem -key %s/key.pem", f.folder, f.folder);
    tls_send(port, shown, "<34>1 2026-11-23T07:59:00Z node00001 su - - - friend here");
    assert_true(fixture_wait_line(&f, "friend", &line));
    assert_string_equal(line.node, "node00001");
    assert_string_equal(line.text, "su: friend here");
    struct event_query q = {.from_ms = 1, .to_ms = INT64_MAX / 4, .text = "stranger", .limit = 1};
    assert_int_equal(store_logs(f.store, &q, fixture_line_take, &line, NULL), 0);
    fixture_stop(&f);
    struct err err = {0};
    snprintf(yaml, sizeof yaml,
             "syslog: {tls: {listen: '127.0.0.1:0', cert: none.pem, key: key.pem}}\n");
    fixture_start(&f, yaml, &err);
    assert_non_null(strstr(err.text, "none.pem"));
    fixture_close(&f);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_read),
        cmocka_unit_test(year_is_the_nearest_and_zone_is_ours),
        cmocka_unit_test(control_characters_and_broken_utf8_are_mended),
        cmocka_unit_test(counted_and_ended_messages_mix_at_any_cut),
        cmocka_unit_test(endless_line_is_cut_and_counted),
        cmocka_unit_test(lines_arrive_by_udp_and_tcp),
        cmocka_unit_test(host_beyond_its_rate_leaves_a_gap),
        cmocka_unit_test(zone_that_is_none_is_refused),
        cmocka_unit_test(lines_come_over_tls_and_strangers_are_hung_up_on),
    };
    return cmocka_run_group_tests_name("syslog", tests, NULL, NULL);
}
