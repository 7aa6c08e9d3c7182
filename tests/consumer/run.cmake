# SPDX-License-Identifier: GPL-2.0-or-later
# cmake -D BUILD=… -D WORK=… -D SOURCE=… -D MACHINE=… -D GENERATOR=… [-D CXX=… -D FLAGS=…] -P run.cmake
#
# Installs the build into a directory of its own and uses it from there twice:
# as a CMake package, and through pkg-config alone.
cmake_minimum_required(VERSION 3.25)
set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output
                  WORKING_DIRECTORY ${WORK})
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}: ${status}\n${output}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} --component development)

# The example of the man page: from its first #include to the end of that display.
file(GLOB_RECURSE page ${prefix}/*/libswiotlb-handoff.3)
file(READ ${page} text)
string(FIND "${text}" "\n#include <cstdio>" begin)
if(begin EQUAL -1)
  message(FATAL_ERROR "${page}: no example")
endif()
string(SUBSTRING "${text}" ${begin} -1 text)
string(FIND "${text}" "\n.Ed" end)
string(SUBSTRING "${text}" 0 ${end} text)
string(REPLACE "\\e" "\\" text "${text}")
string(REPLACE "\\&" "" text "${text}")
file(WRITE ${WORK}/example.cpp "${text}\n")

run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${WORK}/package -D CMAKE_PREFIX_PATH=${prefix} -D EXAMPLE=${WORK}/example.cpp
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_CXX_FLAGS=${FLAGS} -D CMAKE_BUILD_TYPE=Debug)
run(${CMAKE_COMMAND} --build ${WORK}/package)
run(${WORK}/package/validate)
run(${WORK}/package/example ${MACHINE})

file(GLOB_RECURSE pc ${prefix}/*/swiotlb-handoff.pc)
cmake_path(GET pc PARENT_PATH pc_dir)
execute_process(COMMAND ${CMAKE_COMMAND} -E env "PKG_CONFIG_PATH=${pc_dir}:$ENV{PKG_CONFIG_PATH}"
                        pkg-config --cflags --libs swiotlb-handoff
                OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${flags}")
separate_arguments(own UNIX_COMMAND "${FLAGS}")
run(${CXX} -std=c++20 ${own} ${SOURCE}/validate.cpp -o ${WORK}/validate ${flags})
run(${WORK}/validate)
message(STATUS "installed, found and used from ${prefix}")
