// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace e820 {

/// The text of a console from a JSON document that has nothing else, as clouds hand it out: the value of "Output" (aws
/// ec2 get-console-output) or "contents" (gcloud compute instances get-serial-port-output), or a text alone (az vm
/// boot-diagnostics get-boot-log). nullopt: it is no such document.
std::optional<std::string> text_of_document(std::string_view document);

}  // namespace e820
