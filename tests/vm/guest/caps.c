// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a command as root with some capabilities only, as a service with CapabilityBoundingSet= does.
//
//   caps MASK COMMAND...    MASK in hexadecimal, bit n is capability n (include/uapi/linux/capability.h)
#define _GNU_SOURCE
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3)
        return 126;
    unsigned long keep = strtoul(argv[1], NULL, 16);
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap)) {
            perror("PR_CAPBSET_DROP");
            return 126;
        }
    // What exec() gives root is bounded by the set; what it inherits is not, so inherit nothing.
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    if (syscall(SYS_capset, &header, none)) {
        perror("capset");
        return 126;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
