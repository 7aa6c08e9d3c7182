// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/decide/recommend.hpp"

#include "lib/load/reserve.hpp"
#include "lib/report/documents.hpp"
#include "lib/service/service.hpp"
#include "lib/sources/crash_log.hpp"
#include "lib/sources/files.hpp"
#include "lib/sources/log_file.hpp"
#include "lib/sources/pool_traces.hpp"
#include "lib/sources/user_file.hpp"
#include "tool/commands.hpp"
#include "tool/print.hpp"

namespace tool {
namespace {

// What the installed kdump service is good for, where there is one.
RecommendNews news_of(const Asked& of, const handoff::Recommendation& r) {
    RecommendNews news;
    const auto service = handoff::find_kdump_service(of.host);
    if (!service) return news;
    news.reserve = handoff::plan_reserve(r, handoff::load_settings(of.host)).possible();
    news.undone = handoff::undoes_crashkernel(of.host, *service);
    return news;
}

base::Result<handoff::CrashLog> crash_log_of(const std::string& path) {
    auto text = handoff::read_user_file(path, handoff::file_limit);
    if (text) text = handoff::log_lines(*std::move(text));
    if (!text) return text.error();
    auto log = handoff::expect_crash_log(*text);
    if (!log) return std::move(log).error().at(path);
    log->file = path;
    return log;
}

}  // namespace

Status recommend(const Options& options) {
    auto of = asked_with_sizes(options);
    if (!of) return fail(of.error());
    handoff::look_into_pool(of->host, of->machine);  // it says what a loan would come to
    if (options.crash_log) {
        auto crash = crash_log_of(*options.crash_log);
        if (!crash) return fail(crash.error());
        of->machine.last_crash = *std::move(crash);
    }
    const handoff::Recommendation r = recommendation_for(options, *of);
    if (options.json)
        print_json(handoff::recommend_document(r));
    else
        print_recommendation(r, of->machine, news_of(*of, r), options.verbose);
    return status_of(r.verdict);
}

}  // namespace tool
