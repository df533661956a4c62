# Finds Brotli; defines Brotli::Brotli.
include("${CMAKE_CURRENT_LIST_DIR}/TandemFind.cmake")
tandem_find(Brotli HEADER brotli/decode.h LIBRARY brotlidec PACKAGE libbrotli-dev TARGET Brotli::Brotli)
