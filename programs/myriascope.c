/* myriascope: the operator's command. Options stand before or after the subcommand. */
#include "programs/cmd.h"

#include "base/str.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define O(member) offsetof(struct cmd_args, member)

const struct cmd_option cmd_options[] = {
    {"server", "URL", "server to ask (default http://127.0.0.1:8686, or MYRIASCOPE_SERVER)",
     "服务器地址(默认 http://127.0.0.1:8686 或 MYRIASCOPE_SERVER)", O(server), false},
    {"token-file", "FILE", "file with the access token (or MYRIASCOPE_TOKEN_FILE)",
     "访问令牌文件(或 MYRIASCOPE_TOKEN_FILE)", O(token_file), false},
    {"format", "FORMAT", "text or json; check also nagios, junit, html, csv",
     "text 或 json;check 还支持 nagios、junit、html、csv", O(format), false},
    {"lang", "LANG", "en or zh (default from LANG)", "en 或 zh(默认取自 LANG)", O(lang), false},
    {"help", NULL, "say what the command takes", "显示用法", O(help), true},
    {"nodes", "LIST", "nodes, as Slurm writes them: node[00001-00128]",
     "节点列表,Slurm 写法:node[00001-00128]", O(nodes), false},
    {"job", "ID", "a job", "作业编号", O(job), false},
    {"profile", "NAME", "prejob, full, or a profile's file", "prejob、full 或配置文件", O(profile),
     false},
    {"gate", NULL, "for prologs: 0 go, 1 no-go; only a fail is no-go",
     "用于 prolog:0 放行,1 拒绝;仅失败时拒绝", O(gate), true},
    {"strict", NULL, "with --gate: warnings and unknowns refuse too (same as --gate=strict)",
     "与 --gate 同用:警告和未知也拒绝", O(strict), true},
    {"fail-closed", NULL, "with --gate: no-go when the server is away",
     "与 --gate 同用:服务器不可用时拒绝", O(server_away_fails), true},
    {"active", NULL, "ask the nodes' agents for light tests too (within a minute)",
     "同时由各节点 Agent 执行轻量测试(一分钟内完成)", O(active), true},
    {"busy", NULL, "with --active: test nodes that run a job as well",
     "与 --active 同用:正在运行作业的节点也测试", O(busy), true},
    {"timeout", "SECONDS", "how long to wait for the server in all (default 120)",
     "等待服务器的总时长,秒(默认 120)", O(timeout), false},
    {"kind", "KIND", "kind of entity", "对象类型", O(kind), false},
    {"state", "STATE", "state", "状态", O(state), false},
    {"severity", "WORD", "info, warning or critical", "info、warning 或 critical", O(severity),
     false},
    {"since", "TIME", "start: RFC 3339, Unix seconds, or an age such as 1h",
     "起始时间:RFC 3339、Unix 秒或 1h 这样的时长", O(since), false},
    {"until", "TIME", "end", "结束时间", O(until), false},
    {"at", "TIME", "instant", "时刻", O(at), false},
    {"step", "DURATION", "resolution of a range", "步长", O(step), false},
    {"limit", "N", "at most so many", "最多条数", O(limit), false},
    {"follow", NULL, "go on as it comes", "持续输出", O(follow), true},
    {"role", "ROLE", "viewer, operator, admin or agent", "viewer、operator、admin 或 agent",
     O(role), false},
    {"expires", "DURATION", "how long it holds", "有效期", O(expires), false},
    {"tenant", "NAME", "tenant", "租户", O(tenant), false},
    {"name", "NAME", "name", "名称", O(name), false},
    {"comment", "TEXT", "why", "说明", O(comment), false},
    {"duration", "DURATION", "how long", "时长", O(duration), false},
    {"password-file", "FILE", "file with a password (- is standard input)",
     "密码文件(- 为标准输入)", O(password_file), false},
    {"output", "FILE", "write there instead of standard output", "写入文件而非标准输出", O(output),
     false},
    {"base", "FOLDER", "an earlier backup; what did not change is linked to its files",
     "先前的备份;未变化的文件以硬链接复用", O(base), false},
    {"only", "FILE", "put back this file of the backup alone, such as catalog.db",
     "只恢复备份中的这一个文件,如 catalog.db", O(only), false},
    {"force", NULL, "replace what the state folder holds", "覆盖状态目录中的已有数据", O(force),
     true},
    {"config", "FILE", "the server's configuration, for commands that read its folders",
     "服务器配置文件", O(config), false},
    {"healthy", "PATH", "logs of a healthy run of the same job, to compare with",
     "同一作业正常运行时的日志(文件或目录),用作对比", O(healthy), false},
};
const size_t cmd_option_count = sizeof cmd_options / sizeof *cmd_options;

const struct cmd cmd_rows[] = {
    {"check", "", "nodes job profile active busy timeout gate strict fail-closed output",
     "check the cluster, some nodes, or the nodes of a job", "检查集群、节点或作业所用节点",
     cmd_check},
    {"diagnose", "[FILE|FOLDER...]", "job healthy output",
     "say why a job failed: from a server (--job), files, folders, or standard input",
     "诊断作业失败原因:服务器(--job)、文件、目录或标准输入", cmd_diagnose},
    {"job", "[ID | set ID FILE | path ID | recovery ID]", "state limit",
     "list jobs, show one, its path, or how it came back from faults",
     "列出作业、查看作业、其路径或故障恢复过程", cmd_job},
    {"reliability", "[parts [vendor|model|batch] | nodes | watch]", "since until limit",
     "effective training time; MTBF and MTTR of parts; nodes at risk; parts to watch",
     "有效训练时间;各类部件的 MTBF 与 MTTR;高风险节点;关注清单", cmd_reliability},
    {"incidents", "[ID | ack ID | resolve ID | comment ID TEXT]", "state severity limit comment",
     "list incidents, show one, acknowledge, resolve, comment", "列出、查看、确认、恢复或评论故障",
     cmd_incidents},
    {"devices",
     "[QUERY | show ENTITY | set ENTITY FILE | import FILE | maintenance ENTITY | retire ENTITY]",
     "kind state limit duration comment", "search, show, enter, import and retire devices",
     "查找、查看、录入、导入和退役设备", cmd_devices},
    {"topology", "import FILE | export | diff", "output state",
     "load or save the topology document, compare the cables with it",
     "导入或导出拓扑文档,对比实际连线", cmd_topology},
    {"kb", "search WORDS | show ID | lint [FOLDER]", "",
     "search the knowledge base, show an entry, check a folder of entries; needs no server",
     "检索知识库、查看条目、校验条目目录;无需服务器", cmd_kb},
    {"logs", "[QUERY]", "since until job nodes limit follow", "search log lines", "检索日志",
     cmd_logs},
    {"query", "EXPR", "at since until step", "ask in PromQL", "执行 PromQL 查询", cmd_query},
    {"alerts", "[deliveries | test RECEIVER]", "state limit",
     "receivers of alerts and what they were told", "告警接收方及投递记录", cmd_alerts},
    {"silence", "[add NAME=VALUE... | expire ID]", "duration comment", "list, add and end silences",
     "列出、添加和结束静默", cmd_silence},
    {"pcap", "FILE... | live INTERFACE", "output duration",
     "report on RoCE traffic in a capture, or of an interface now (--format html too); needs no "
     "server",
     "分析抓包文件或网卡实时的 RoCE 流量(也可输出 html);无需服务器", cmd_pcap},
    {"optics", "SERVER | SWITCH | SERVER/PORT | decode FILE...", "",
     "optical modules, the weakest first, or one with its limits; decode memory pages (needs no "
     "server)",
     "光模块读数(按余量由小到大)或单个模块及其阈值;解码内存页(无需服务器)", cmd_optics},
    {"backup", "FOLDER", "base", "save everything while the server runs", "在线备份", cmd_backup},
    {"restore", "FOLDER STATE", "only force",
     "put a backup into an empty state folder; no server may run on it", "将备份恢复到空的状态目录",
     cmd_restore},
    {"token", "[create | revoke ID]", "role expires tenant name",
     "list, create and revoke access tokens", "列出、创建和吊销访问令牌", cmd_token},
    {"user", "[set NAME | remove NAME | signin]", "role tenant password-file",
     "list and change users; make a one-time sign-in link", "管理用户;生成一次性登录链接",
     cmd_user},
    {"top", "", "", "the state of the cluster at a glance", "集群概况", cmd_top},
    {"agents", "", "state limit", "list node agents", "列出节点代理", cmd_agents},
    {"cluster", "[NAME FIELD=VALUE...]", "", "list clusters, or change one", "列出或修改集群",
     cmd_cluster},
    {"rules", "test FILE...", "", "run unit tests of rule files; needs no server",
     "运行规则单元测试;无需服务器", cmd_rules},
    {"store", "verify [FOLDER] | compact | delete SELECTOR...", "since until",
     "check every checksum, compact, or delete series", "校验、压缩存储,或删除时间序列", cmd_store},
    {"reload", "", "", "make the server apply its changed configuration",
     "让服务器应用修改后的配置", cmd_reload},
    {"completion", "bash|zsh", "", "print a completion script for a shell", "输出命令行补全脚本",
     cmd_completion},
};
const size_t cmd_row_count = sizeof cmd_rows / sizeof *cmd_rows;

static void
main_help(const struct cmd_args *a, const struct cmd *c, FILE *out)
{
    if (c)
        fprintf(out, "%s myriascope %s %s [%s]\n\n%s\n\n", a->zh ? "用法:" : "usage:", c->command,
                c->usage, a->zh ? "选项" : "options", a->zh ? c->help_zh : c->help);
    else
        fprintf(out, "%s myriascope [%s] %s\n\n",
                a->zh ? "用法:" : "usage:", a->zh ? "选项" : "options",
                a->zh ? "命令 ..." : "COMMAND ...");
    for (size_t i = 0; !c && i < cmd_row_count; i++)
        fprintf(out, "  %-12s %s\n", cmd_rows[i].command,
                a->zh ? cmd_rows[i].help_zh : cmd_rows[i].help);
    fprintf(out, "%s\n", a->zh ? "选项:" : "options:");
    for (size_t i = 0; i < cmd_option_count; i++) {
        char word[40];
        snprintf(word, sizeof word, " %s ", cmd_options[i].option);
        char list[256];
        snprintf(list, sizeof list, " %s ", c ? c->options : "");
        if (i < 5 || strstr(list, word))
            fprintf(out, "  --%s%s%-*s %s\n", cmd_options[i].option,
                    cmd_options[i].value ? " " : "", (int)(24 - strlen(cmd_options[i].option)),
                    cmd_options[i].value ? cmd_options[i].value : "",
                    a->zh ? cmd_options[i].help_zh : cmd_options[i].help);
    }
}

static const struct cmd_option *
main_option(const char *name, size_t len)
{
    for (size_t i = 0; i < cmd_option_count; i++)
        if (strlen(cmd_options[i].option) == len && !strncmp(cmd_options[i].option, name, len))
            return &cmd_options[i];
    return NULL;
}

/* One "--name", "--name=value" or "--name value"; *i moves over a value. 0 or CMD_USAGE. */
static int
main_take(struct cmd_args *a, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct cmd_option *o = main_option(name, len);
    if (!o) {
        const char *known[sizeof cmd_options / sizeof *cmd_options + 1] = {0};
        char word[64];
        for (size_t k = 0; k < cmd_option_count; k++)
            known[k] = cmd_options[k].option;
        snprintf(word, sizeof word, "%.*s", (int)len, name);
        const char *near = str_nearest(word, known);
        return cmd_usage(a, "unknown option --%s%s%s%s", word, near ? "; did you mean --" : "",
                         near ? near : "", near ? "?" : "");
    }
    if (!strcmp(o->option, "gate")) {
        a->gate = "";
        a->strict |= equals && !strcmp(equals + 1, "strict");
        return 0;
    }
    if (o->flag) {
        *(bool *)((char *)a + o->offset) = true;
        return equals ? cmd_usage(a, "--%s takes no value", o->option) : 0;
    }
    if (!equals && *i + 1 >= argc)
        return cmd_usage(a, "--%s needs a value", o->option);
    *(const char **)((char *)a + o->offset) = equals ? equals + 1 : argv[++*i];
    return 0;
}

static int
main_parse(struct cmd_args *a, int argc, char **argv)
{
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && !strcmp(argv[i], "--")) {
            only_words = true;
        } else if (!only_words && !strcmp(argv[i], "-h")) {
            a->help = true;
        } else if (!only_words && !strncmp(argv[i], "--", 2)) {
            int rc = main_take(a, argc, argv, &i);
            if (rc)
                return rc;
        } else if (!a->command) {
            a->command = argv[i];
        } else {
            a->words[a->count++] = argv[i];
        }
    }
    if (a->lang && strcmp(a->lang, "en") && strcmp(a->lang, "zh"))
        return cmd_usage(a, "--lang is en or zh, not %s", a->lang);
    a->zh = a->lang && !strcmp(a->lang, "zh");
    return 0;
}

static const struct cmd *
main_command(const struct cmd_args *a)
{
    for (size_t i = 0; a->command && i < cmd_row_count; i++)
        if (!strcmp(cmd_rows[i].command, a->command))
            return &cmd_rows[i];
    return NULL;
}

static int
main_unknown(const struct cmd_args *a)
{
    const char *known[sizeof cmd_rows / sizeof *cmd_rows + 1] = {0};
    for (size_t i = 0; i < cmd_row_count; i++)
        known[i] = cmd_rows[i].command;
    const char *near = str_nearest(a->command, known);
    return cmd_usage(a, "no command is named %s%s%s%s", a->command,
                     near ? "; did you mean " : " (myriascope --help lists them)", near ? near : "",
                     near ? "?" : "");
}

int
main(int argc, char **argv)
{
    const char *env = getenv("LC_ALL"), *server = getenv("MYRIASCOPE_SERVER");
    struct cmd_args a = {.format = "text",
                         .server = server && *server ? server : "http://127.0.0.1:8686",
                         .token_file = getenv("MYRIASCOPE_TOKEN_FILE")};
    env = env && *env ? env : getenv("LANG");
    a.lang = env && str_prefix(env, "zh") ? "zh" : "en";
    signal(SIGPIPE, SIG_IGN);
    if (!(a.words = calloc((size_t)argc + 1, sizeof *a.words)))
        return CMD_FAILED;
    int rc = main_parse(&a, argc, argv);
    const struct cmd *c = main_command(&a);
    if (rc)
        return rc;
    if (a.help || (a.command && !strcmp(a.command, "help"))) {
        main_help(&a, c, stdout);
        rc = CMD_DONE;
    } else if (!a.command) {
        main_help(&a, NULL, stderr);
        rc = CMD_USAGE;
    } else {
        rc = c ? c->run(&a) : main_unknown(&a);
    }
    free(a.words);
    return fflush(stdout) ? CMD_FAILED : rc;
}
