// SPDX-License-Identifier: GPL-2.0-or-later
#include "swiotlb-handoff/request.hpp"
#include "lib/decide/assumed.hpp"

#include <algorithm>

namespace handoff {
namespace {

using base::MiB;

// Distribution kernels of 5.10 to 7.2 have an init_size of 56 to 64 MiB.
constexpr std::uint64_t usual_init_size = 64 * MiB;
constexpr std::uint64_t usual_initrd = 24 * MiB;

}  // namespace

const char* name(Method method) {
    switch (method) {
        case Method::automatic:
            return "auto";
        case Method::ram:
            return "ram";
        case Method::addr:
            return "addr";
        case Method::e820:
            return "e820";
    }
    return "unknown";
}

std::optional<Method> method_from(std::string_view text) {
    for (const Method method : {Method::automatic, Method::ram, Method::addr, Method::e820})
        if (text == name(method)) return method;
    return std::nullopt;
}

const char* name(Collector collector) {
    switch (collector) {
        case Collector::unknown:
            return "unknown";
        case Collector::maps:
            return "mmap";
        case Collector::reads:
            return "read";
    }
    return "unknown";
}

std::optional<Collector> collector_from(std::string_view text) {
    for (const Collector collector : {Collector::maps, Collector::reads})
        if (text == name(collector)) return collector;
    return std::nullopt;
}

Image assumed_image(const Machine& machine, const PlanRequest& request) {
    if (request.image) return *request.image;
    Image image;
    image.init_size = usual_init_size;
    if (machine.kernel_image)
        image.init_size = std::max(base::align_up(machine.kernel_image->size() * 5 / 4, MiB), usual_init_size);
    image.release = machine.release;
    return image;
}

const KernelConfig* known_config(const Machine& machine, const PlanRequest& request) {
    if (request.config) return &*request.config;
    const bool another = request.image && !request.image->release.empty() && request.image->release != machine.release;
    return machine.config && !another ? &*machine.config : nullptr;
}

std::uint64_t assumed_initrd_bytes(const PlanRequest& request) { return request.initrd_bytes.value_or(usual_initrd); }

}  // namespace handoff
