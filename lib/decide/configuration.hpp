// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "lib/decide/question.hpp"

namespace handoff {

/// Whether the crash kernel is one of those that the model is of, and takes no more memory before its pool than is
/// counted. Rules release-tested, config-known, config-early.
void judge_configuration(const Question&, Findings&);

/// Words for the crash kernel's command line that keep it from taking areas by default, as the refusals of config-early
/// advise: "cma=0 kho=off"; "" where it takes none.
std::string words_against_early_areas(const Question&);

/// Words that the image or the initrd adds to the command line, and whether the words that are appended to it are read
/// at all. Rules config-words, command-line-agrees, command-line-init, command-line-sound.
void judge_added_words(const Question&, Findings&);

}  // namespace handoff
