# SPDX-License-Identifier: GPL-2.0-or-later
# What is installed: the tool, the two libraries with their headers, and what
# CMake and pkg-config need to find them.
include(CMakePackageConfigHelpers)

# The installed headers live apart from all others.
set(e820_output swiotlb-handoff-e820)
set(e820_headers range result table)
set(handoff_output swiotlb-handoff)
set(handoff_headers kernel_config crash_log machine request rules plan check)
foreach(library e820 handoff)
  list(TRANSFORM ${library}_headers REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/include/swiotlb-handoff/\\1.hpp" OUTPUT_VARIABLE headers)
  target_sources(${library} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  set_target_properties(${library} PROPERTIES
    OUTPUT_NAME ${${library}_output}
    POSITION_INDEPENDENT_CODE ON
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}
    # Each installed header compiles alone: target all_verify_interface_header_sets.
    VERIFY_INTERFACE_HEADER_SETS ON)
  add_library(swiotlb-handoff::${library} ALIAS ${library})
endforeach()

install(TARGETS e820 handoff EXPORT swiotlb-handoff-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(TARGETS swiotlb-handoff RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/swiotlb-handoff)
install(EXPORT swiotlb-handoff-targets NAMESPACE swiotlb-handoff:: DESTINATION ${package_dir} COMPONENT development)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/swiotlb-handoff-config.cmake.in
  ${PROJECT_BINARY_DIR}/swiotlb-handoff-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/swiotlb-handoff-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/swiotlb-handoff-config.cmake
              ${PROJECT_BINARY_DIR}/swiotlb-handoff-config-version.cmake
        DESTINATION ${package_dir} COMPONENT development)

# Paths relative to the .pc file: the tree may be installed, or moved, anywhere.
set(pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_to_prefix ${pc_dir} ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH pc_libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH pc_includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
# Whoever links an archive links what it needs as well.
set(pc_requires "fmt nlohmann_json")
list(JOIN HANDOFF_MODULES " " pc_modules)
if(BUILD_SHARED_LIBS)
  set(pc_requires_private "${pc_modules}")
  set(pc_libs_private "-lbz2")
else()
  string(APPEND pc_requires " ${pc_modules}")
  set(pc_libs " -lbz2")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/swiotlb-handoff.pc.in ${PROJECT_BINARY_DIR}/swiotlb-handoff.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/swiotlb-handoff.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
