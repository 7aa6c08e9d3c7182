# SPDX-License-Identifier: GPL-2.0-or-later
# What the kdump of a distribution and systemd are given: scripts with the paths of
# this installation in them.
set(HANDOFF_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd's units are installed; relative to the prefix, or absolute")

set(HANDOFF_UDEV_DIR lib/udev/rules.d CACHE STRING "Where udev's rules are installed; relative to the prefix, or absolute")

# initramfs-tools looks in /usr/share and in /etc, dracut in /usr/lib alone.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr/local")
  set(initramfs_tools_dir /etc/initramfs-tools)
  set(dracut_dir /usr/lib/dracut/modules.d)
else()
  set(initramfs_tools_dir ${CMAKE_INSTALL_DATADIR}/initramfs-tools)
  set(dracut_dir lib/dracut/modules.d)
endif()
set(HANDOFF_INITRAMFS_TOOLS_DIR ${initramfs_tools_dir} CACHE STRING "Where the hooks of initramfs-tools are installed; relative to the prefix, or absolute")
set(HANDOFF_DRACUT_DIR ${dracut_dir} CACHE STRING "Where dracut's module is installed; relative to the prefix, or absolute")
foreach(variable HANDOFF_UNIT_DIR HANDOFF_UDEV_DIR HANDOFF_DRACUT_DIR HANDOFF_INITRAMFS_TOOLS_DIR)
  cmake_path(ABSOLUTE_PATH ${variable} BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE place)
  if(NOT place MATCHES "^(/usr)?/lib/|^/usr/local/lib/|^/usr/share/|^/etc/")
    message(NOTICE "No program looks into ${place}. Set ${variable} to a directory that is looked into, if kdump of this system is to use "
      "what is installed there.")
  endif()
endforeach()

set(made ${PROJECT_BINARY_DIR}/dropins)
# What three of them do alike.
configure_file(${PROJECT_SOURCE_DIR}/dropins/verify-report.sh.in ${made}/verify-report.sh @ONLY)
file(READ ${made}/verify-report.sh HANDOFF_VERIFY_REPORT)
string(STRIP "${HANDOFF_VERIFY_REPORT}" HANDOFF_VERIFY_REPORT)
foreach(script kexec kdump-tools.sh kdump-kexec.sh initramfs-tools/hook initramfs-tools/script
        dracut/module-setup.sh dracut/report.sh)
  configure_file(${PROJECT_SOURCE_DIR}/dropins/${script}.in ${made}/${script} @ONLY)
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/udev/62-swiotlb-handoff.rules.in ${made}/62-swiotlb-handoff.rules @ONLY)
foreach(unit swiotlb-handoff-status.service swiotlb-handoff-test.service)
  configure_file(${PROJECT_SOURCE_DIR}/systemd/${unit}.in ${made}/${unit} @ONLY)
endforeach()

install(PROGRAMS ${made}/kexec DESTINATION lib/swiotlb-handoff)
install(FILES ${made}/kdump-tools.sh ${made}/kdump-kexec.sh DESTINATION lib/swiotlb-handoff)
install(PROGRAMS ${PROJECT_SOURCE_DIR}/udev/reload-lent DESTINATION lib/swiotlb-handoff)
install(FILES ${made}/62-swiotlb-handoff.rules DESTINATION ${HANDOFF_UDEV_DIR})
install(PROGRAMS $<TARGET_FILE:verify> DESTINATION lib/swiotlb-handoff RENAME verify)

install(PROGRAMS ${made}/initramfs-tools/hook DESTINATION ${HANDOFF_INITRAMFS_TOOLS_DIR}/hooks RENAME swiotlb-handoff)
install(PROGRAMS ${made}/initramfs-tools/script
        DESTINATION ${HANDOFF_INITRAMFS_TOOLS_DIR}/scripts/init-top RENAME swiotlb-handoff)
install(PROGRAMS ${made}/dracut/module-setup.sh ${made}/dracut/report.sh
        DESTINATION ${HANDOFF_DRACUT_DIR}/99swiotlb-handoff)

install(FILES ${made}/swiotlb-handoff-status.service ${made}/swiotlb-handoff-test.service ${PROJECT_SOURCE_DIR}/systemd/swiotlb-handoff-status.timer
              ${PROJECT_SOURCE_DIR}/systemd/swiotlb-handoff-status.path
        DESTINATION ${HANDOFF_UNIT_DIR})
