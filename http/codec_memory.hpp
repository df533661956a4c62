// What nghttp2 and nghttp3 allocate, from the memory that requests recycle. A private part of the sessions.
#pragma once

#include <nghttp2/nghttp2.h>
#include <nghttp3/nghttp3.h>

namespace tandem::http {

nghttp2_mem* nghttp2_memory();
const nghttp3_mem* nghttp3_memory();

}  // namespace tandem::http
