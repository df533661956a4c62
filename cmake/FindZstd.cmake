# Finds Zstd; defines Zstd::Zstd.
include("${CMAKE_CURRENT_LIST_DIR}/TandemFind.cmake")
tandem_find(Zstd HEADER zstd.h LIBRARY zstd PACKAGE libzstd-dev TARGET Zstd::Zstd)
