# SPDX-License-Identifier: GPL-2.0-or-later
# What is installed: the tool, the library with its headers, and what CMake and pkg-config need to find it.
include(CMakePackageConfigHelpers)

# Static, and shared beside it. Both are swiotlb-handoff::handoff for who finds the package, one at a time.
set(handoff_kind static)
set(handoff-shared_kind shared)
set(libraries handoff)
if(BUILD_SHARED_LIBS)
  list(APPEND libraries handoff-shared)
endif()
# The installed headers live apart from all others.
set(handoff_headers range result table facts machine request rules plan check)
list(TRANSFORM handoff_headers REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/include/swiotlb-handoff/\\1.hpp" OUTPUT_VARIABLE headers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/swiotlb-handoff)
foreach(library ${libraries})
  target_sources(${library} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  # Before 1.0 each minor version may change the interface.
  set_target_properties(${library} PROPERTIES OUTPUT_NAME swiotlb-handoff EXPORT_NAME handoff
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  install(TARGETS ${library} EXPORT swiotlb-handoff-${${library}_kind}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
  install(EXPORT swiotlb-handoff-${${library}_kind} NAMESPACE swiotlb-handoff:: DESTINATION ${package_dir} COMPONENT development)
endforeach()
# Each installed header compiles alone: target all_verify_interface_header_sets.
set_target_properties(handoff PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
install(TARGETS swiotlb-handoff RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})

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
# Whoever links the static library links what it needs as well. swiotlb-handoff-static is that library with shared ones of
# these; `pkg-config --static swiotlb-handoff` is for a program in which all is static. Where the static library is the only
# one, swiotlb-handoff means it too.
list(JOIN HANDOFF_MODULES " " pc_modules)
function(pkg_config_file name library kind)
  set(pc_libs " -lbz2")
  if(kind STREQUAL "shared")
    set(pc_private ".private")
    set(pc_libs_private ${pc_libs})
    unset(pc_libs)
  endif()
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/swiotlb-handoff.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()
pkg_config_file(swiotlb-handoff-static -l:libswiotlb-handoff.a static)
if(BUILD_SHARED_LIBS)
  pkg_config_file(swiotlb-handoff -lswiotlb-handoff shared)
else()
  pkg_config_file(swiotlb-handoff -lswiotlb-handoff static)
endif()
