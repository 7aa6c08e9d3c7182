// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace handoff {

/// A log that was cut out of a page of HTML, or is such a page, as a browser shows it: without tags, and with the
/// characters that entities stand for. Any other text stays as it is.
std::string without_markup(std::string text);

}  // namespace handoff
