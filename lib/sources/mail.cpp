// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/mail.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/scan.hpp"
#include "lib/sources/archive.hpp"
#include "lib/sources/base64.hpp"
#include "lib/sources/files.hpp"

namespace handoff {
namespace {

using std::string_view;

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    return std::nullopt;
}

std::optional<char> escaped(string_view text) {
    const auto high = text.size() > 2 ? hex_digit(text[1]) : std::nullopt;
    const auto low = high ? hex_digit(text[2]) : std::nullopt;
    if (!low) return std::nullopt;
    return static_cast<char>(static_cast<unsigned char>(*high << 4U | *low));
}

/// Every '=' of it begins an escape or stands at the end of a line, and there is one of a '='.
bool is_quoted_printable(string_view text) {
    if (text.find("=3D") == text.npos) return false;
    for (auto at = text.find('='); at != text.npos; at = text.find('=', at + 1)) {
        const string_view rest = text.substr(at, 3);
        if (!escaped(rest) && rest != "=" && !rest.starts_with("=\n") && rest != "=\r\n") return false;
    }
    return true;
}

/// Decodes lines of a text, each with its end, into `out`.
class QuotedPrintable {
public:
    void line(string_view line, std::string& out) {
        const bool ended = line.ends_with('\n');
        line = line.substr(0, line.find_last_not_of("\r\n") + 1);
        const bool soft = line.ends_with('=');
        if (soft) line.remove_suffix(1);
        for (std::size_t i = 0; i < line.size(); ++i) {
            const auto byte = line[i] == '=' ? escaped(line.substr(i)) : std::nullopt;
            out += byte.value_or(line[i]);
            if (byte) i += 2;
        }
        if (ended) ++ends_;
        if (!soft) end(out);
    }
    /// So that the numbers of lines stay.
    void end(std::string& out) { out.append(std::exchange(ends_, 0), '\n'); }

private:
    std::size_t ends_ = 0;
};

bool is_text(string_view bytes) { return bytes.find('\0') == bytes.npos; }

std::string lower(string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

/// Reads a mail, or several, line by line.
class Mail {
public:
    std::string read(string_view text) && {
        while (!text.empty()) {
            const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
            line(text.substr(0, end));
            text.remove_prefix(end);
        }
        end_part();
        return std::move(out_);
    }

private:
    enum class Encoding { none, quoted_printable, base64 };

    void line(string_view line) {
        const string_view words = base::trimmed(line);
        const bool separator = words.starts_with("--") && is_boundary(words.substr(2));
        if (separator || (blank_ && line.starts_with("From "))) {
            end_part();
            header_ = true;
            encoding_ = Encoding::none;
            html_ = false;
        } else if (header_ && words.empty()) {
            header_ = false;
        } else if (header_) {
            header(lower(words), words);
        } else {
            blank_ = words.empty();
            return body(line, words);
        }
        blank_ = words.empty();
        out_ += line;
    }

    void header(const std::string& lowered, string_view words) {
        if (lowered.starts_with("content-transfer-encoding:")) {
            if (lowered.find("quoted-printable") != lowered.npos) encoding_ = Encoding::quoted_printable;
            if (lowered.find("base64") != lowered.npos) encoding_ = Encoding::base64;
        }
        if (lowered.starts_with("content-type:")) {
            html_ = lowered.find("text/html") != lowered.npos && plain_;
            plain_ = plain_ || lowered.find("text/plain") != lowered.npos;
        }
        constexpr string_view key = "boundary=";
        const auto at = lowered.find(key);
        if (at == lowered.npos) return;
        string_view name = words.substr(at + key.size());
        if (name.starts_with('"')) {
            name.remove_prefix(1);
            name = name.substr(0, name.find('"'));
        } else {
            name = name.substr(0, name.find_first_of("; \t"));
        }
        if (!name.empty() && boundaries_.size() < 64) boundaries_.emplace_back(name);
    }

    void body(string_view line, string_view words) {
        if (html_) {
            out_ += '\n';
        } else if (encoding_ == Encoding::none) {
            out_ += line;
        } else if (encoding_ == Encoding::quoted_printable) {
            quoted_.line(line, out_);
        } else if (!words.empty() && !add_base64(words, bytes_)) {
            encoding_ = Encoding::none;  // it has ended, or is none
            end_part();
            out_ += line;
        }
    }

    void end_part() {
        quoted_.end(out_);
        std::string bytes = std::exchange(bytes_, {});
        if (is_packed(bytes)) {
            auto content = unpacked(bytes, file_limit);
            bytes = content ? *std::move(content) : std::string();
        }
        if (bytes.empty() || !is_text(bytes) || out_.size() + bytes.size() > file_limit) return;
        out_ += bytes;
        if (!out_.ends_with('\n')) out_ += '\n';
    }

    /// Perhaps with the "--" of the last one behind it.
    [[nodiscard]] bool is_boundary(string_view name) const {
        const auto is = [&](string_view known) {
            return name.starts_with(known) && (name.size() == known.size() || name.substr(known.size()) == "--");
        };
        return std::any_of(boundaries_.begin(), boundaries_.end(), is);
    }

    std::string out_, bytes_;
    QuotedPrintable quoted_;
    std::vector<std::string> boundaries_;
    Encoding encoding_ = Encoding::none;
    bool header_ = true, blank_ = true;
    bool html_ = false, plain_ = false;
};

/// It begins with headers, and they, or those of a part, say that it is encoded.
bool is_mail(string_view text) {
    const string_view line = text.substr(0, text.find('\n'));
    const auto colon = line.find_first_of(": \t");
    const bool header = line.starts_with("From ") || (colon != line.npos && colon != 0 && line[colon] == ':' &&
                                                      line.substr(colon).starts_with(": "));
    if (!header) return false;
    const std::string head = lower(text.substr(0, std::size_t{1} << 20));
    return head.find("\ncontent-transfer-encoding:") != head.npos || head.starts_with("content-transfer-encoding:");
}

}  // namespace

std::string text_of_mail(std::string text) {
    if (is_mail(text)) return Mail().read(text);
    if (!is_quoted_printable(text)) return text;
    std::string out;
    out.reserve(text.size());
    QuotedPrintable decoder;
    for (string_view rest = text; !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size() - 1) + 1;
        decoder.line(rest.substr(0, end), out);
        rest.remove_prefix(end);
    }
    decoder.end(out);
    return out;
}

}  // namespace handoff
