# Finds Brotli; defines Brotli::Brotli.
find_path(Brotli_INCLUDE_DIR brotli/decode.h)
find_library(Brotli_LIBRARY brotlidec)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Brotli REQUIRED_VARS Brotli_LIBRARY Brotli_INCLUDE_DIR)
if(Brotli_FOUND AND NOT TARGET Brotli::Brotli)
  add_library(Brotli::Brotli UNKNOWN IMPORTED)
  set_target_properties(Brotli::Brotli PROPERTIES IMPORTED_LOCATION "${Brotli_LIBRARY}"
                        INTERFACE_INCLUDE_DIRECTORIES "${Brotli_INCLUDE_DIR}")
endif()
mark_as_advanced(Brotli_INCLUDE_DIR Brotli_LIBRARY)
