// SPDX-License-Identifier: GPL-2.0-or-later
// The boots of a kernel log: where one begins, whose it is, and what is missing of it.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/excerpt.hpp"
#include "base/text.hpp"
#include "e820/log_line.hpp"
#include "lib/kernel/command_line.hpp"
#include "lib/sources/kernel_log.hpp"
#include "lib/sources/log_encryption.hpp"
#include "lib/sources/log_gaps.hpp"
#include "lib/sources/log_reader.hpp"

namespace handoff {
namespace {

using e820::LogLine;
using e820::LogLines;
using std::string_view;

/// One boot as far as it was read.
struct Boot {
    KernelLog log;
    Stage stage = Stage::later;
    bool prefixed = false;   ///< some line of it has something in front
    std::uint64_t bare = 0;  ///< lines without, that may be anything
};

/// Whether a line may be of another machine: logs of several that were merged have the hosts' names in turn. One name
/// that takes the place of another for good is a machine that learned its name while it booted.
class Hosts {
public:
    enum class Of { this_boot, this_boot_renamed, others, this_boot_after_others };

    void begin(string_view host) {
        current_ = host;
        earlier_.clear();
        others_.clear();
    }
    /// It is not the one whose lines come now.
    [[nodiscard]] bool is_another(string_view host) const {
        return !host.empty() && !current_.empty() && host != current_;
    }
    Of next(string_view host) {
        if (host.empty() || host == current_) return Of::this_boot;
        if (current_.empty()) {
            current_ = host;
            return Of::this_boot;
        }
        if (has(others_, host)) return Of::others;
        const bool back = has(earlier_, host);
        auto& names = back ? others_ : earlier_;
        constexpr std::size_t most = 16;
        if (names.size() < most) names.push_back(current_);
        current_ = host;
        return back ? Of::this_boot_after_others : Of::this_boot_renamed;
    }

private:
    static bool has(const std::vector<std::string>& names, string_view name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    }
    std::string current_;
    std::vector<std::string> earlier_, others_;
};

/// Of what kdump adds to a command line the kernel itself needs one word; printk may have cut it off.
bool is_crash_kernel(const KernelLog& log) {
    if (!log.command_line) return false;
    const std::string line = " " + log.command_line->value;
    return is_of_crash_kernel(line) || (log.command_line_cut && line.find(" reset_devices") != line.npos);
}

class Reader {
public:
    explicit Reader(string_view text) : lines_(text) {}

    Result<KernelLog> read() {
        while (const auto line = lines_.next())
            if (auto error = take(*line)) return *std::move(error);
        return finished();
    }

private:
    std::optional<Error> take(const LogLine& line) {
        if (!line.text.empty()) ++count_;
        if (line.text.starts_with("-- Boot ") || line.text.starts_with("-- Reboot --")) separated_ = true;
        const LogReader* reader = reader_of(line.text);
        const bool begins = reader && this->begins(line, *reader);
        if (!begins && is_of_others(line)) return std::nullopt;
        if (reader && line.time_us && !line.text.starts_with("systemd")) {  // whose times may be the journal's own
            // Clocks of processors differ by less.
            if (*line.time_us + 1'000'000 < time_us_) separated_ = true;
            time_us_ = *line.time_us;
        }
        look_for_gaps(line, reader);
        if (!reader) return std::nullopt;
        if (begins || separated_ || boot_.log.boots == 0) begin(line, *reader, begins);
        boot_.stage = reader->stage;
        ++boot_.log.recognised;
        return read(line, *reader);
    }

    /// Of a machine by another name only its banner begins a boot: lines of several may stand in turn.
    bool begins(const LogLine& line, const LogReader& reader) const {
        if (reader.stage == Stage::later) return false;
        if (boot_.log.boots == 0) return true;
        return reader.stage <= boot_.stage && (reader.stage <= Stage::version || !hosts_.is_another(line.host));
    }

    bool is_of_others(const LogLine& line) {
        const auto of = hosts_.next(line.host);
        if (of == Hosts::Of::this_boot_renamed) {
            before_renaming_ = boot_;
            time_before_renaming_ = time_us_;
            since_renaming_ = 0;
        }
        if (of == Hosts::Of::this_boot_after_others && before_renaming_) {
            boot_ = *std::exchange(before_renaming_, std::nullopt);
            time_us_ = time_before_renaming_;
            boot_.log.gaps.of_others += since_renaming_;
        }
        if (of == Hosts::Of::others) ++boot_.log.gaps.of_others;
        ++since_renaming_;
        return of == Hosts::Of::others;
    }

    void look_for_gaps(const LogLine& line, const LogReader* reader) {
        const bool early = !boot_.log.reaches_initcalls;
        if (early || !line.text.starts_with('*')) boot_.log.gaps.dropped += messages_dropped(line.text);
        if (!early) return;
        if (line.prefixed) column_ = line.column;
        boot_.prefixed = boot_.prefixed || line.prefixed;
        if (!reader && is_not_understood(line, column_)) ++boot_.bare;
    }

    void begin(const LogLine& line, const LogReader& reader, bool begins) {
        const unsigned boots = boot_.log.boots + 1;
        // What stands before its first line is no part of a boot; before another, it may have been the first.
        const bool anew = reader.stage <= Stage::version || boot_.log.reaches_initcalls;
        const Boot before = boot_;
        if (boots > 1) keep(line.number);
        boot_ = Boot{};
        boot_.log.boots = boots;
        boot_.log.first_line = line.number;
        boot_.log.complete = begins;
        boot_.prefixed = line.prefixed;
        if (!anew) {
            boot_.bare = before.bare;
            boot_.log.gaps = before.log.gaps;
            boot_.prefixed = before.prefixed || line.prefixed;
        }
        separated_ = false;
        before_renaming_.reset();
        hosts_.begin(line.host);
    }

    std::optional<Error> read(const LogLine& line, const LogReader& reader) {
        const std::string as_it_stands(line.text);  // which is gone as soon as another line is read
        std::string text = as_it_stands;
        const bool whole = !reader.wraps || !join_wrapped(line, text);
        const auto rest = [&] { return string_view(text).substr(reader.prefix.size()); };
        auto malformed = reader.read(boot_.log, rest(), line.number);
        if (malformed && whole && join_next(text)) malformed = reader.read(boot_.log, rest(), line.number);
        if (!malformed) return std::nullopt;
        return base::input_error(line.number,
                                 base::text("expected ", malformed->expected, ", found ", base::excerpt(as_it_stands)));
    }

    /// A mailer breaks lines of more than 72 to 80 columns at a blank; the parts that follow have no prefix.
    bool join_wrapped(const LogLine& line, std::string& text) {
        constexpr std::size_t narrow = 64, wide = 80;
        if (!line.prefixed) return false;
        bool joined = false;
        for (std::size_t width = line.column + 1 + line.text.size(); width <= wide;) {
            LogLines ahead = lines_;
            const auto next = ahead.next();
            if (!next || !goes_on(*next)) break;
            if (width + 1 + std::min(next->text.find(' '), next->text.size()) <= narrow) break;
            width = next->text.size();
            join_next(text);
            joined = true;
        }
        return joined;
    }

    static bool goes_on(const LogLine& line) { return !line.prefixed && !line.text.empty() && !reader_of(line.text); }

    bool join_next(std::string& text) {
        LogLines ahead = lines_;
        const auto next = ahead.next();
        if (!next || !goes_on(*next)) return false;
        text += ' ';
        text += next->text;
        if (!boot_.log.reaches_initcalls) ++boot_.bare;  // nobody knows whether it was one line
        lines_ = std::move(ahead);
        ++count_;
        return true;
    }

    static KernelLog settled(Boot boot) {
        settle_encryption(boot.log);
        boot.log.gaps.not_understood = boot.prefixed ? boot.bare : 0;
        boot.log.of_crash_kernel = is_crash_kernel(boot.log);
        return std::move(boot.log);
    }

    void keep(std::size_t end_line) {
        KernelLog log = settled(std::move(boot_));
        log.end_line = end_line;
        if (!log.of_crash_kernel)
            machines_ = std::move(log);
        else if (machines_)
            ++machines_->crash_boots;
    }

    KernelLog finished() {
        const unsigned boots = boot_.log.boots;
        KernelLog log = settled(std::move(boot_));
        if (log.of_crash_kernel && machines_) {
            log = *std::move(machines_);
            ++log.crash_boots;
        }
        log.boots = boots;
        log.lines = count_;
        return log;
    }

    LogLines lines_;
    Boot boot_;
    std::optional<KernelLog> machines_;  ///< the last boot that is no crash kernel's
    Hosts hosts_;
    std::optional<Boot> before_renaming_;
    std::uint64_t since_renaming_ = 0, time_before_renaming_ = 0;
    std::uint64_t time_us_ = 0;
    std::size_t column_ = 0;
    std::size_t count_ = 0;
    bool separated_ = false;  ///< another boot has begun, whose first lines are not there
};

}  // namespace

Result<KernelLog> parse_kernel_log(string_view text) { return Reader(text).read(); }

}  // namespace handoff
