// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace handoff {

/// The text of a mail as its reader shows it: parts and attachments in quoted-printable and base64 (RFC 2045) decoded,
/// and unpacked where they are compressed; those that are no text, and HTML beside the same in plain text, left out.
/// Quoted-printable is also decoded where the headers are not there, and all of the text is written so. Line N of a
/// part that is not in base64 stays line N. Any other text, and what is damaged, stays as it is.
std::string text_of_mail(std::string text);

}  // namespace handoff
