// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/sources/host.hpp"
#include "swiotlb-handoff/result.hpp"

namespace handoff {

class Wanted;

/// Machines in what people have of them: the running one ("/"), a directory, a tar archive, of the kinds that
/// layouts() lists, or a file that is a kernel log in any form, compressed or not. An archive may hold several
/// machines, each in a directory of its own or in an archive of its own. It is read once, from its beginning to its
/// end, nothing of it is written anywhere, and no more than one of its machines is in memory.
class Reports {
public:
    /// `also`: paths of files on the machine that somebody will ask for beside the sources, "*" within a component.
    explicit Reports(const std::vector<std::string>& also = {});
    ~Reports();

    /// A machine, or why it could not be read; `name` begins with the path that was given.
    using Take = std::function<void(std::string name, base::Result<Host>)>;
    /// Gives every machine at `path` to `take`, in the order of the archive. At least one.
    void each(const std::string& path, const Take& take) const;

    /// The one machine at `path`. Errors: those of reading it; and there are none, or several.
    [[nodiscard]] base::Result<Host> only(const std::string& path) const;

private:
    std::unique_ptr<const Wanted> wanted_;
};

/// The directory is a machine's, of any kind.
bool is_report(const std::string& directory);

/// It is called as archives and reports are: "x.tar", "x.tar.xz", "x.tgz", "x.crash".
bool is_archive_name(std::string_view name);

}  // namespace handoff
