# tandem_find(Name HEADER file LIBRARY name PACKAGE debian-package TARGET target [VERSION_FILE file VERSION_MACRO macro]):
# what the find modules of libraries without a CMake package of their own have in common.
include(FindPackageHandleStandardArgs)

macro(tandem_find name)
  cmake_parse_arguments(tandem_find "" "HEADER;LIBRARY;TARGET;PACKAGE;VERSION_FILE;VERSION_MACRO" "" ${ARGN})
  find_path(${name}_INCLUDE_DIR ${tandem_find_HEADER})
  find_library(${name}_LIBRARY ${tandem_find_LIBRARY})
  if(tandem_find_VERSION_FILE AND ${name}_INCLUDE_DIR)
    file(STRINGS "${${name}_INCLUDE_DIR}/${tandem_find_VERSION_FILE}" tandem_find_line REGEX "define ${tandem_find_VERSION_MACRO} \"")
    string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" ${name}_VERSION "${tandem_find_line}")
  endif()
  find_package_handle_standard_args(${name} REQUIRED_VARS ${name}_LIBRARY ${name}_INCLUDE_DIR VERSION_VAR ${name}_VERSION
                                    REASON_FAILURE_MESSAGE "On Debian it is in ${tandem_find_PACKAGE} (scripts/setup installs all that tandem needs)")
  if(${name}_FOUND AND NOT TARGET ${tandem_find_TARGET})
    add_library(${tandem_find_TARGET} UNKNOWN IMPORTED)
    set_target_properties(${tandem_find_TARGET} PROPERTIES IMPORTED_LOCATION "${${name}_LIBRARY}"
                          INTERFACE_INCLUDE_DIRECTORIES "${${name}_INCLUDE_DIR}")
  endif()
  mark_as_advanced(${name}_INCLUDE_DIR ${name}_LIBRARY)
endmacro()
