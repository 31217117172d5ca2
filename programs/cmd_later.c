/* cmd_later: subcommands whose decoders are being written; a definition elsewhere takes their place at link time. */
#include "programs/cmd.h"

#include <stdio.h>

static int
later_say(const struct cmd_args *a)
{
    fprintf(stderr, a->zh ? "myriascope: 本版本尚不支持 %s\n" : "myriascope: %s is not part of this build\n", a->command);
    return CMD_FAILED;
}

__attribute__((weak)) int
cmd_pcap(struct cmd_args *a)
{
    return later_say(a);
}

__attribute__((weak)) int
cmd_optics(struct cmd_args *a)
{
    return later_say(a);
}
