# Finds nghttp3; defines Nghttp3::nghttp3.
include("${CMAKE_CURRENT_LIST_DIR}/TandemFind.cmake")
tandem_find(Nghttp3 HEADER nghttp3/nghttp3.h LIBRARY nghttp3 PACKAGE "libnghttp3-dev (bookworm-backports)" VERSION_FILE nghttp3/version.h VERSION_MACRO NGHTTP3_VERSION TARGET Nghttp3::nghttp3)
