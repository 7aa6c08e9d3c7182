// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>

namespace tool {

/// The columns of the terminal on standard output, 31 at least; 80 where that is not known, or it is no terminal.
unsigned terminal_width();

/// The columns that texts for people take: those of the terminal, but no more than 100, since longer lines are hard to
/// read. 100 where standard output is no terminal, so that what is read by scripts and kept in files is always the
/// same.
std::size_t text_width();

/// A terminal that has colours, and a user who did not refuse them: NO_COLOR (no-color.org).
bool colour_wanted();

}  // namespace tool
