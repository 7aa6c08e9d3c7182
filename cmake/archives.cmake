# SPDX-License-Identifier: GPL-2.0-or-later
# The program runs at every load of a crash kernel. Of these libraries it needs a few functions, or none, and a shared
# one costs it time at each start (docs/cost.md). Debian's shared libarchive needs libxml2 and so libicudata besides,
# 35 MB in all, for formats that are not read here. So the static ones are linked where there are such. The directory
# of the build has a file static-libraries that lists them, for packages that have to name what they contain.
option(HANDOFF_STATIC_LIBRARIES "Link decompressors, libarchive and Boost statically where there are static ones" ON)
set(archives libarchive.a libz.a liblzma.a libzstd.a liblz4.a liblzo2.a libbz2.a libboost_program_options.a)
set(instead_of PkgConfig::libarchive PkgConfig::zlib PkgConfig::liblzma PkgConfig::libzstd PkgConfig::liblz4 PkgConfig::lzo2
  BZip2::BZip2 Boost::program_options)

# The archive that is linked in place of each target is HANDOFF_ARCHIVE_<target>; it is empty where there is none.
set(found "")
foreach(archive target IN ZIP_LISTS archives instead_of)
  string(MAKE_C_IDENTIFIER ${target} name)
  find_library(HANDOFF_FOUND_${name} NAMES ${archive})
  mark_as_advanced(HANDOFF_FOUND_${name})
  set(HANDOFF_ARCHIVE_${name} "")
  if(HANDOFF_STATIC_LIBRARIES AND HANDOFF_FOUND_${name})
    set(HANDOFF_ARCHIVE_${name} ${HANDOFF_FOUND_${name}})
    list(APPEND found ${HANDOFF_FOUND_${name}})
  endif()
endforeach()

# Which other archives libarchive's needs depends on its version: that of 3.8.10 wants the number of nettle's version for
# archive_zlib_version() and its like. So a program is linked that has the functions that archive.cpp calls, and where that
# fails the shared library is used.
if(HANDOFF_ARCHIVE_PkgConfig__libarchive)
  file(READ ${PROJECT_SOURCE_DIR}/lib/sources/archive.cpp source)
  string(REGEX MATCHALL "archive_[a-z0-9_]+\\(" functions "${source}")
  list(REMOVE_DUPLICATES functions)
  list(TRANSFORM functions REPLACE "(.*)\\(" "reinterpret_cast<void*>(&\\1)")
  list(JOIN functions ", " functions)
  file(WRITE ${PROJECT_BINARY_DIR}/try-libarchive.cpp "#include <archive.h>\n#include <archive_entry.h>\n\
void* volatile functions[] = {${functions}};\nint main() { return functions[0] == nullptr; }\n")
  # Sets `links`, once for a build directory: whether it links with what was found and with the archives that follow.
  macro(try_libarchive links)
    if(NOT DEFINED ${links})
      try_compile(${links} SOURCES ${PROJECT_BINARY_DIR}/try-libarchive.cpp
        CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${libarchive_INCLUDE_DIRS}" LINK_LIBRARIES ${found} ${ARGN})
    endif()
  endmacro()
  find_library(HANDOFF_NETTLE NAMES libnettle.a)
  mark_as_advanced(HANDOFF_NETTLE)
  try_libarchive(HANDOFF_LIBARCHIVE_LINKS)
  if(NOT HANDOFF_LIBARCHIVE_LINKS AND HANDOFF_NETTLE)
    try_libarchive(HANDOFF_LIBARCHIVE_LINKS_WITH_NETTLE ${HANDOFF_NETTLE})
  endif()
  if(HANDOFF_LIBARCHIVE_LINKS)
    # nothing more is needed
  elseif(HANDOFF_LIBARCHIVE_LINKS_WITH_NETTLE)
    list(APPEND found ${HANDOFF_NETTLE})
    list(APPEND HANDOFF_ARCHIVE_PkgConfig__libarchive ${HANDOFF_NETTLE})
  else()
    list(REMOVE_ITEM found ${HANDOFF_ARCHIVE_PkgConfig__libarchive})
    set(HANDOFF_ARCHIVE_PkgConfig__libarchive "")
  endif()
endif()
list(TRANSFORM found APPEND "\n" OUTPUT_VARIABLE linked)
string(JOIN "" linked ${linked})

# The C++ library is the largest of all. It can be linked statically only where no shared library needs it, and Debian has
# fmt as a shared one alone: then the program has fmt's functions from its headers (tool/fmt.cpp), if no other are needed.
set(HANDOFF_OWN_FMT OFF)
if(HANDOFF_STATIC_LIBRARIES AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize|--coverage")
  if(NOT DEFINED HANDOFF_FMT_LINKS)
    get_target_property(includes fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
    file(WRITE ${PROJECT_BINARY_DIR}/try-fmt.cpp "#include <fmt/format.h>
int main(int n, char** words) { return fmt::format(\"{} {:.2f} {:#x} {}\", n, n * 1.5, n, words[0]).empty(); }\n")
    try_compile(HANDOFF_FMT_LINKS SOURCES ${PROJECT_SOURCE_DIR}/tool/fmt.cpp ${PROJECT_BINARY_DIR}/try-fmt.cpp
      CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${includes}" CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON)
  endif()
  set(HANDOFF_OWN_FMT ${HANDOFF_FMT_LINKS})
endif()
if(HANDOFF_OWN_FMT)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libstdc++.a OUTPUT_VARIABLE runtime OUTPUT_STRIP_TRAILING_WHITESPACE)
  find_path(HANDOFF_FMT_HEADERS fmt/format-inl.h)
  mark_as_advanced(HANDOFF_FMT_HEADERS)
  file(REAL_PATH "${runtime}" runtime)
  string(APPEND linked "${runtime}\n${HANDOFF_FMT_HEADERS}/fmt/format-inl.h\n")
endif()
file(WRITE ${PROJECT_BINARY_DIR}/static-libraries "${linked}")

# Links `target`, or the archive that stands for it. Who uses the installed library links the target.
function(link_archive_or user target)
  string(MAKE_C_IDENTIFIER ${target} name)
  if(HANDOFF_ARCHIVE_${name})
    foreach(archive IN LISTS HANDOFF_ARCHIVE_${name})
      target_link_libraries(${user} PRIVATE $<BUILD_INTERFACE:${archive}>)
    endforeach()
    target_link_libraries(${user} PRIVATE $<INSTALL_INTERFACE:${target}>)
    target_include_directories(${user} PRIVATE $<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>)
  else()
    target_link_libraries(${user} PRIVATE ${target})
  endif()
endfunction()
