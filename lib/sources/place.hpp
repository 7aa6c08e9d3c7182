// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

/// Where a file is to be made, replaced or removed: its directory, which stays the same whatever links change, and its
/// name there.
struct Place {
    base::Fd directory;
    std::string name;
};
/// What somebody finds in the place of a file that is to be written.
enum class Link {
    follow,  ///< the place is where it leads, below the root
    stay,    ///< the place is the link's own
};
/// The place of the file `path` below the directory `root`; the directory must be there, the file need not. `whole` as
/// of open_inside(). Errors as of system_error().
base::Result<Place> place_inside(int root, std::string_view path, Link, bool whole);

}  // namespace handoff
