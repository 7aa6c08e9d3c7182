// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sources/host.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "lib/sources/files.hpp"
#include "lib/sources/kallsyms.hpp"
#include "lib/sources/kmsg.hpp"

namespace handoff {

using base::Fd;

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr const char* live_log = "dev/kmsg";

/// What a source is read by; Host::path() is what it is called.
std::string_view key(const std::shared_ptr<const Files>& files, Source source, const Host& host) {
    return files ? info(source).path : host.path(source);
}

}  // namespace

Host::Host(std::string root, std::shared_ptr<const Files> files)
    : root_(std::move(root)),
      top_(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      top_error_(top_ ? 0 : errno),
      live_(!files && root_ == "/"),
      files_(std::move(files)) {}

std::string_view Host::path(Source source) const {
    if (files_) return files_->place_of(info(source).path);
    return source == Source::kernel_log && live_ ? live_log : info(source).path;
}

Result<int> Host::top() const {
    if (!top_) return Error{Errc::io, root_, 0, std::strerror(top_error_)};
    return top_.get();
}

std::optional<Error> Host::unusable() const {
    if (files_) return std::nullopt;
    const auto directory = top();
    return directory ? std::nullopt : std::optional(directory.error());
}

Result<Fd> Host::open_path(std::string_view path, int flags) const {
    const auto directory = top();
    if (!directory) return directory.error();
    Fd fd(open_inside(*directory, path, flags, live_));
    if (!fd) return system_error(path, errno);
    return fd;
}

Result<Fd> Host::open_regular(std::string_view path) const {
    if (files_) return files_->open(path);
    // Opening a device may have effects, so look first: O_PATH has none. The running machine's /proc and /sys have no
    // devices, and most files that are read are there.
    if (!live_ || !(path.starts_with("proc/") || path.starts_with("sys/"))) {
        auto look = open_path(path, O_PATH);
        if (!look) return look;
        if (auto error = require_regular(look->get(), path)) return std::move(*error);
    }
    auto fd = open_path(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!fd) return fd;
    if (auto error = require_regular(fd->get(), path)) return std::move(*error);
    return fd;
}

Result<Fd> Host::open(Source source) const { return open_regular(key(files_, source, *this)); }

bool Host::exists(std::string_view path) const {
    if (files_) return files_->find(path) != nullptr || files_->is_directory(path);
    return open_path(path, O_PATH).has_value();
}

bool Host::exists(Source source) const { return exists(key(files_, source, *this)); }

Result<std::string> Host::read(std::string_view path) const {
    if (files_) {
        const std::string* content = files_->find(path);
        return content ? Result<std::string>(*content) : system_error(path, ENOENT);
    }
    auto fd = open_regular(path);
    if (!fd) return std::move(fd).error();
    return read_all(fd->get(), path, file_limit);
}

Result<std::string> Host::read(Source source) const { return read(key(files_, source, *this)); }

Result<std::string> Host::kernel_log(KeepMessage* keep) const {
    if (!live_) return read(Source::kernel_log);
    if (auto kmsg = open_path(live_log, O_RDONLY | O_NONBLOCK | O_NOCTTY)) {
        if (auto text = read_kmsg(kmsg->get(), keep); text || text.error().code != Errc::not_found) return text;
    }
    return read_klog();
}

Result<Symbols> Host::symbols(std::span<const std::string_view> names) const {
    const std::string_view file = path(Source::kallsyms);
    auto fd = open(Source::kallsyms);
    if (!fd) return std::move(fd).error();
    SymbolSearch search(names);
    const auto error =
        read_pieces(fd->get(), file, file_limit, [&](std::string_view piece) { return search.take(piece); });
    if (error) return *error;
    auto found = std::move(search).finish();
    if (!found) return std::move(found).error().at(file);
    return found;
}

}  // namespace handoff
