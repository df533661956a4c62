# Finds nghttp2; defines Nghttp2::nghttp2.
include("${CMAKE_CURRENT_LIST_DIR}/TandemFind.cmake")
tandem_find(Nghttp2 HEADER nghttp2/nghttp2.h LIBRARY nghttp2 PACKAGE libnghttp2-dev VERSION_FILE nghttp2/nghttp2ver.h VERSION_MACRO NGHTTP2_VERSION TARGET Nghttp2::nghttp2)
