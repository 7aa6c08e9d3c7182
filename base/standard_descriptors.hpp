// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace base {

/// Opens those of standard input, output and error that are closed, so that no file that is opened later takes their
/// place. They are opened for reading, so that writing to them still fails.
inline void open_standard_descriptors() {
    int fd = -1;
    do {
        fd = ::open("/dev/null", O_RDONLY);  // the lowest descriptor that is not in use
        if (fd < 0) fd = ::open("/", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) ::close(fd);
}

}  // namespace base
