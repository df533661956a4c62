# One static library per folder: tandem::<folder>, linking only what the folder picture allows.

# Sources include <tandem/folder/file.hpp>, in the tree as after installation.
set(TANDEM_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${TANDEM_INCLUDE_DIR}/tandem")
foreach(folder IN ITEMS bytes recovery tls quic tcp http net sim)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${TANDEM_INCLUDE_DIR}/tandem/${folder}" SYMBOLIC)
endforeach()

# The headers nearly every file includes. Each file still names what it uses: the fuzzers' build goes without.
set(TANDEM_STANDARD_HEADERS <algorithm> <array> <bit> <chrono> <cstdint> <cstring> <deque> <functional> <limits> <map> <memory> <optional>
                            <span> <string> <string_view> <utility> <variant> <vector>)

# Headers of everything that drives the libraries with Asio.
set(TANDEM_ASIO_HEADERS ${TANDEM_STANDARD_HEADERS} <boost/asio.hpp>)

# tandem_precompile(target owner header...): the first target precompiles the headers, the others with its name as owner take them over.
function(tandem_precompile target owner)
  if(NOT TANDEM_PRECOMPILE)
    return()
  elseif(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${ARGN})
    if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
      target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # ccache wants the same file for the same content
    endif()
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

function(tandem_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
    # With optimisation these are wrong about std::string and std::variant (GCC bugs 105651, 105593, 80635); the sanitizers watch instead.
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-array-bounds -Wno-maybe-uninitialized -Wno-stringop-overflow
                                             -Wno-stringop-overread)
  endif()
  if(TANDEM_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# For code with coroutines. What GCC 12 says about the frames of Asio's is wrong: it sees through their operator new, but not their operator
# delete. Clang 14 cannot give a coroutine the prologue that its check of function pointers wants (GCC has no such check).
set(TANDEM_COROUTINE_OPTIONS "")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  set(TANDEM_COROUTINE_OPTIONS -Wno-mismatched-new-delete)
elseif(CMAKE_CXX_COMPILER_ID MATCHES Clang AND TANDEM_SANITIZE MATCHES undefined)
  set(TANDEM_COROUTINE_OPTIONS -fno-sanitize=function)
endif()
function(tandem_coroutine_options target)
  target_compile_options(${target} PRIVATE ${TANDEM_COROUTINE_OPTIONS})
endfunction()

# For code that is mostly GoogleTest's and Asio's templates: under sanitizers to optimise it costs half the build and gains nothing.
function(tandem_unoptimised target)
  if(TANDEM_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# For code around the libraries: command lines, examples, tests. What must be fast lies in the libraries.
function(tandem_quick_options target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  tandem_unoptimised(${target})
endfunction()

# For programs that only release's tests run: other presets make them when they are asked for.
function(tandem_release_only target)
  if(TANDEM_SANITIZE)
    set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

function(tandem_test_options target)
  tandem_quick_options(${target})
  if(TANDEM_SANITIZE MATCHES undefined)
    # Up to a third of the compiler's time for a test with Asio; a null pointer is AddressSanitizer's too, and the libraries have all checks.
    target_compile_options(${target} PRIVATE -fno-sanitize=null,alignment,vptr)
  endif()
endfunction()

# tandem_library(bytes SOURCES a.cpp ... LINKS tandem::x ... PRIVATE_LINKS ...)
function(tandem_library folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(target tandem_${folder})
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    tandem_compile_options(${target})
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_LINKS})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(tandem::${folder} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder} POSITION_INDEPENDENT_CODE ON)
  if(folder STREQUAL net)
    tandem_precompile(${target} ${target} ${TANDEM_ASIO_HEADERS})
    tandem_unoptimised(${target})
  elseif(arg_SOURCES)
    tandem_precompile(${target} tandem_bytes ${TANDEM_STANDARD_HEADERS})
  endif()
  target_include_directories(${target} ${scope} $<BUILD_INTERFACE:${TANDEM_INCLUDE_DIR}> $<INSTALL_INTERFACE:include>)
  target_link_libraries(${target} ${scope} ${arg_LINKS})
  set_property(GLOBAL APPEND PROPERTY TANDEM_LIBRARIES ${target})
endfunction()

# tandem_test(bytes SOURCES a_test.cpp ... LINKS tandem::bytes ... [HEADERS target]): a GoogleTest program test_bytes, its tests known to CTest. Its precompiled
# headers are test_headers', or, with Asio, those of the first test that names itself as HEADERS.
function(tandem_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;HEADERS" "SOURCES;LINKS" ${ARGN})
  add_executable(test_${name} ${arg_SOURCES})
  tandem_compile_options(test_${name})
  target_link_libraries(test_${name} PRIVATE ${arg_LINKS} GTest::gmock GTest::gtest_main)
  target_include_directories(test_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  tandem_test_options(test_${name})
  if(arg_HEADERS)
    target_compile_options(test_${name} PRIVATE -O0)  # a quarter of the compiler's time; they wait for sockets, not for the processor
    tandem_precompile(test_${name} ${arg_HEADERS} ${TANDEM_TEST_HEADERS} <boost/asio.hpp>)
  else()
    tandem_precompile(test_${name} test_headers)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${name})
endfunction()
