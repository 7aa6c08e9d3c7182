// SPDX-License-Identifier: GPL-2.0-or-later
#include "e820/log_text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "e820/log_document.hpp"
#include "e820/log_logcat.hpp"
#include "e820/log_record.hpp"

namespace e820 {
namespace {

using std::string_view;

void append_utf8(std::string& out, std::uint32_t c) {
    const auto byte = [&](std::uint32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
    if (c < 0x80) return byte(c);
    if (c < 0x800) return byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f));
    byte(0xe0 | c >> 12);
    byte(0x80 | (c >> 6 & 0x3f));
    byte(0x80 | (c & 0x3f));
}

/// Converts UTF-16 to UTF-8. A kernel log needs no surrogates, so each of these becomes a character of its own.
std::string from_utf16(string_view text, bool big_endian) {
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        const std::uint32_t first = static_cast<unsigned char>(text[i]),
                            second = static_cast<unsigned char>(text[i + 1]);
        append_utf8(out, big_endian ? first << 8U | second : second << 8U | first);
    }
    return out;
}

}  // namespace

base::Result<std::string> plain_log(std::string file) {
    const string_view text = file;
    if (text.starts_with("LPKSHHRH"))
        return base::input_error(0,
                                 "expected text, found a file of systemd's journal, which is binary: make text of "
                                 "it with 'journalctl --file=FILE --dmesg --output=short-monotonic'");
    // Without its mark the first bytes tell: no log begins with a character that is not ASCII.
    const bool marked = text.starts_with("\xff\xfe"), bare = text.size() > 3 && text[1] == '\0' && text[3] == '\0';
    if (marked || bare || text.starts_with("\xfe\xff"))
        file = from_utf16(text.substr(bare ? 0 : 2), !marked && !bare);
    else if (text.starts_with("\xef\xbb\xbf"))
        file.erase(0, 3);
    if (file.find('\n') == std::string::npos) std::replace(file.begin(), file.end(), '\r', '\n');
    if (auto console = text_of_document(file)) file = *std::move(console);
    if (auto lines = lines_of_records(file)) return *std::move(lines);
    if (auto lines = lines_of_logcat(file)) return *std::move(lines);
    return file;
}

}  // namespace e820
