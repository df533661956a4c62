#include <tandem/http/resumption.hpp>

#include <tandem/http/range.hpp>

namespace tandem::http {
namespace {

// RFC 9110 8.8.3: a weak one begins with W/.
std::string strong_tag(const response& r) {
    const auto tag = r.fields.find("etag");
    return tag && tag->size() >= 2 && tag->front() == '"' && tag->back() == '"' ? std::string(*tag) : std::string();
}

std::optional<content_range_value> part_of(const response& r) {
    return parse_content_range(r.fields.find("content-range").value_or(""));
}

}  // namespace

void resumption::on_response(const response& r) {
    reset();
    if (r.status == 206) {
        const auto part = part_of(r);
        if (!part) return;
        part_ = true;
        first_ = part->bytes.begin;
        end_ = part->bytes.end;
    } else if (r.status == 200) {
        if (const auto length = r.fields.find("content-length")) end_ = parse_content_length(*length);
    } else {
        return;
    }
    validator_ = strong_tag(r);
}

void resumption::ask_for_rest(fields& f) const {
    f.set("range", "bytes=" + std::to_string(first_ + received_) + "-" + (part_ ? std::to_string(*end_ - 1) : std::string()));
    f.set("if-range", validator_);
}

resumption::answer resumption::examine(const response& r) const {
    const auto tag = strong_tag(r);
    if (r.status == 200) return !part_ && tag == validator_ ? answer::same : answer::different;
    const auto part = r.status == 206 ? part_of(r) : std::nullopt;
    // RFC 9110 15.3.7: what answers an If-Range may leave the tag out.
    const bool same_version = tag.empty() ? !r.fields.contains("etag") : tag == validator_;
    const bool goes_on = part && part->bytes.begin == first_ + received_ && (!end_ || part->bytes.end == *end_);
    return goes_on && same_version ? answer::rest : answer::different;
}

}  // namespace tandem::http
