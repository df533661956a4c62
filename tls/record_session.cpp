#include <tandem/tls/record_session.hpp>

#include <algorithm>

#include <openssl/bio.h>
#include <openssl/err.h>

#include <tandem/tls/detail/record_map.hpp>
#include <tandem/tls/detail/ssl.hpp>

namespace tandem::tls {
namespace {

constexpr std::size_t explicit_nonce_size = 8;  // of AES-GCM records in TLS 1.2 (RFC 5288 3)

// Bytes that go in at the end and out at the front. Its memory is kept, so steady traffic allocates nothing.
class byte_queue {
public:
    std::span<const std::uint8_t> bytes() const { return std::span(data_).subspan(begin_); }
    std::size_t size() const { return data_.size() - begin_; }
    void append(std::span<const std::uint8_t> in) {
        if (begin_ == data_.size()) {
            clear();
        } else if (begin_ > data_.size() / 2 && data_.size() + in.size() > data_.capacity()) {
            data_.erase(data_.begin(), data_.begin() + static_cast<std::ptrdiff_t>(begin_));
            begin_ = 0;
        }
        data_.insert(data_.end(), in.begin(), in.end());
    }
    void consume(std::size_t n) { begin_ += std::min(n, size()); }
    void clear() {
        data_.clear();
        begin_ = 0;
    }

private:
    std::vector<std::uint8_t> data_;
    std::size_t begin_ = 0;
};

}  // namespace

class record_session::state : public detail::session_state {
public:
    std::shared_ptr<const client_context> client;
    std::shared_ptr<const server_context> server;
    record_session_options options;
    bssl::UniquePtr<SSL> ssl;

    byte_queue input;
    std::uint64_t consumed = 0;  // ciphertext that BoringSSL took from the input: always whole records and parts of one
    byte_queue output;
    std::uint64_t sealed = 0;   // ciphertext that was put into the output
    std::uint64_t written = 0;  // plaintext that was accepted

    std::optional<detail::record_map> map;  // if times are given
    std::optional<range> record;            // the one that plaintext is being read from
    std::uint64_t record_at = 0;            // ciphertext offset of the next plaintext byte in it
    std::deque<sealed_record> sealed_log;

    bool received_any = false;
    bool complete = false;
    bool failed = false;
    bool ended = false;  // the stream from the peer
    bool idle = true;    // nothing can be decrypted from what is there
    bool closed_by_peer = false;
    bool close_sent = false;

    bool prepare(error& why);
    bool advance();
    bool fail();
    bool open_record();
    void begin_record();
    void truncate();
    void log_record(std::size_t output_before, std::size_t plaintext);

    static int on_read(BIO* bio, char* out, int size);
    static int on_write(BIO* bio, const char* in, int size);
    static long on_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
    static const BIO_METHOD* method();
};

int record_session::state::on_read(BIO* bio, char* out, int size) {
    auto* s = static_cast<state*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    // BoringSSL asks for no more than the rest of a header or of a record, so `consumed` ends with the record it decrypts.
    auto n = std::min(s->input.size(), static_cast<std::size_t>(size));
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    std::copy_n(s->input.bytes().begin(), n, reinterpret_cast<std::uint8_t*>(out));
    s->input.consume(n);
    s->consumed += n;
    return static_cast<int>(n);
}

int record_session::state::on_write(BIO* bio, const char* in, int size) {
    auto* s = static_cast<state*>(BIO_get_data(bio));
    auto n = static_cast<std::size_t>(size);
    s->output.append({reinterpret_cast<const std::uint8_t*>(in), n});
    s->sealed += n;
    return size;
}

const BIO_METHOD* record_session::state::method() {
    static const BIO_METHOD* made = [] {
        auto* m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tandem");
        BIO_meth_set_read(m, on_read);
        BIO_meth_set_write(m, on_write);
        BIO_meth_set_ctrl(m, on_control);
        return m;
    }();
    return made;
}

bool record_session::state::prepare(error& why) {
    if (options.max_record_size < 512 || options.max_record_size > 16384 || options.max_pending_output == 0) {
        why = {error_code::option, "records carry 512 to 16384 bytes"};
        return false;
    }
    bssl::UniquePtr<BIO> bio(BIO_new(method()));
    if (!bio || SSL_set_max_send_fragment(ssl.get(), options.max_record_size) != 1) {
        why = {error_code::internal, "cannot make a TLS session: " + detail::take_error_text()};
        return false;
    }
    BIO_set_data(bio.get(), this);
    BIO_set_init(bio.get(), 1);
    auto* b = bio.release();
    SSL_set_bio(ssl.get(), b, b);
    return true;
}

bool record_session::state::fail() {
    failed = true;
    idle = true;
    input.clear();
    detail::explain_failure(*this);
    return false;
}

bool record_session::state::advance() {
    if (failed || complete) return !failed;
    ERR_clear_error();
    const detail::time_scope time(ssl.get());
    int result = SSL_do_handshake(ssl.get());
    if (result != 1) return SSL_get_error(ssl.get(), result) == SSL_ERROR_WANT_READ || fail();
    complete = true;
    return true;
}

// Decrypts the next record with plaintext, if there is a whole one and none is half read. True if plaintext can be read.
bool record_session::state::open_record() {
    if (failed || closed_by_peer || !complete) return false;
    if (SSL_pending(ssl.get()) > 0) return true;
    if (idle) return false;
    ERR_clear_error();
    const detail::time_scope time(ssl.get());  // tickets come among the data
    std::uint8_t byte = 0;
    int result = SSL_peek(ssl.get(), &byte, 1);
    if (result > 0) {
        begin_record();
        return true;
    }
    idle = true;
    switch (SSL_get_error(ssl.get(), result)) {
        case SSL_ERROR_WANT_READ:
            break;
        case SSL_ERROR_ZERO_RETURN:
            closed_by_peer = true;
            input.clear();
            break;
        default:
            fail();
    }
    return false;
}

void record_session::state::begin_record() {
    if (!map) return;
    record = map->record_ending_at(consumed);
    if (!record) return;
    auto body = record->size() - detail::record_header_size;
    auto plaintext = static_cast<std::uint64_t>(SSL_pending(ssl.get()));
    // A TLS 1.3 record is plaintext, type, padding, tag. In TLS 1.2 AES-GCM puts a nonce before, and nothing else is added.
    bool nonce = SSL_version(ssl.get()) == TLS1_2_VERSION && body == plaintext + explicit_nonce_size + 16;
    record_at = record->begin + detail::record_header_size + (nonce ? explicit_nonce_size : 0);
}

void record_session::state::truncate() {
    if (!ended || complete || failed) return;
    failure = {error_code::protocol, "the connection was closed during the TLS handshake"};
    fail();
}

void record_session::state::log_record(std::size_t output_before, std::size_t plaintext) {
    // A key update may have gone before: the record is the last that was written.
    auto made = output.bytes().subspan(output_before);
    auto begin = sealed - made.size();
    std::size_t last = 0;
    for (std::size_t at = 0; at + detail::record_header_size <= made.size();) {
        last = at;
        at += detail::record_header_size + (static_cast<std::size_t>(made[at + 3]) << 8 | made[at + 4]);
    }
    sealed_log.push_back({begin + last, sealed, written, written + plaintext});
}

record_session::record_session(std::unique_ptr<state> s) : state_(std::move(s)) {}
record_session::~record_session() = default;

std::unique_ptr<record_session> record_session::client(std::shared_ptr<const client_context> context,
                                                       const client_session_options& options,
                                                       const record_session_options& records, error& why) {
    auto s = std::make_unique<state>();
    s->client = std::move(context);
    s->options = records;
    s->ssl = detail::new_client(*s->client, options, *s, why);
    if (!s->ssl || !s->prepare(why)) return nullptr;
    if (!s->advance()) {
        why = s->failure;
        return nullptr;
    }
    return std::unique_ptr<record_session>(new record_session(std::move(s)));
}

std::unique_ptr<record_session> record_session::server(std::shared_ptr<const server_context> context,
                                                       const server_session_options& options,
                                                       const record_session_options& records, error& why) {
    auto s = std::make_unique<state>();
    s->server = std::move(context);
    s->options = records;
    s->ssl = detail::new_server(*s->server, options, *s, why);
    if (!s->ssl || !s->prepare(why)) return nullptr;
    return std::unique_ptr<record_session>(new record_session(std::move(s)));
}

std::size_t record_session::receive(std::span<const std::uint8_t> ciphertext, std::span<const byte_times> times) {
    auto& s = *state_;
    if (ciphertext.empty()) return 0;
    if (!s.received_any && !times.empty()) s.map.emplace();
    s.received_any = true;
    auto offered = ciphertext.size();
    // Nobody will read what comes after the end: taken and dropped.
    if (s.failed || s.closed_by_peer) return offered;
    auto n = std::min(offered, receive_room());
    if (n == 0) return 0;
    ciphertext = ciphertext.first(n);
    if (s.map) s.map->add(ciphertext, times);
    s.input.append(ciphertext);
    s.idle = false;
    s.advance();
    return s.failed ? offered : n;
}

std::size_t record_session::receive_room() const {
    return state_->input.size() >= max_buffered_input ? 0 : max_buffered_input - state_->input.size();
}

void record_session::end_of_input() {
    state_->ended = true;
    state_->open_record();
    state_->truncate();
}

std::size_t record_session::read(std::span<std::uint8_t> out, std::vector<record_times>* times) {
    auto& s = *state_;
    std::size_t done = 0;
    while (done < out.size() && s.open_record()) {
        int result =
            SSL_read(s.ssl.get(), out.data() + done, static_cast<int>(std::min<std::size_t>(out.size() - done, 1 << 20)));
        if (result <= 0) break;
        auto n = static_cast<std::size_t>(result);
        if (s.record) {
            if (times != nullptr) s.map->times_of(s.record_at, n, s.record->end, *times);
            s.record_at += n;
        }
        done += n;
    }
    return done;
}

bool record_session::readable() { return state_->open_record() || state_->closed_by_peer || state_->failed || truncated(); }

std::size_t record_session::write(std::span<const std::uint8_t> plaintext) {
    auto& s = *state_;
    std::size_t done = 0;
    ERR_clear_error();
    while (done < plaintext.size()) {
        auto n = std::min({plaintext.size() - done, s.options.max_record_size, write_room()});
        if (n == 0) break;
        auto before = s.output.size();
        if (SSL_write(s.ssl.get(), plaintext.data() + done, static_cast<int>(n)) != static_cast<int>(n)) {
            s.fail();
            break;
        }
        if (s.options.log_sealed_records) s.log_record(before, n);
        s.written += n;
        done += n;
    }
    return done;
}

std::size_t record_session::write_room() const {
    const auto& s = *state_;
    if (!s.complete || s.failed || s.close_sent || s.output.size() >= s.options.max_pending_output) return 0;
    return s.options.max_pending_output - s.output.size();
}

std::size_t record_session::transmit(std::span<std::uint8_t> out) {
    auto n = std::min(out.size(), state_->output.size());
    std::copy_n(state_->output.bytes().begin(), n, out.begin());
    state_->output.consume(n);
    return n;
}

std::span<const std::uint8_t> record_session::pending_output() const { return state_->output.bytes(); }
void record_session::consume_output(std::size_t n) { state_->output.consume(n); }

void record_session::close() {
    auto& s = *state_;
    if (s.close_sent) return;
    s.close_sent = true;
    ERR_clear_error();
    if (s.complete && !s.failed) SSL_shutdown(s.ssl.get());
    ERR_clear_error();
}

bool record_session::close_sent() const { return state_->close_sent; }
bool record_session::peer_closed() const { return state_->closed_by_peer; }

bool record_session::truncated() const {
    const auto& s = *state_;
    return s.ended && s.idle && !s.closed_by_peer && SSL_pending(s.ssl.get()) == 0;
}

bool record_session::handshake_complete() const { return state_->complete; }
bool record_session::resumed() const { return SSL_session_reused(state_->ssl.get()) == 1; }
bool record_session::failed() const { return state_->failed; }
std::optional<std::uint8_t> record_session::alert() const { return state_->alert; }
const error& record_session::failure() const { return state_->failure; }
std::string_view record_session::alpn() const { return detail::selected_protocol(state_->ssl.get()); }
std::string_view record_session::server_name() const { return detail::requested_name(state_->ssl.get(), *state_); }

std::string_view record_session::protocol_version() const {
    return state_->complete ? std::string_view(SSL_get_version(state_->ssl.get())) : std::string_view();
}

std::optional<session_ticket> record_session::poll_ticket() {
    if (state_->tickets.empty()) return std::nullopt;
    auto ticket = std::move(state_->tickets.front());
    state_->tickets.pop_front();
    return ticket;
}

std::optional<sealed_record> record_session::poll_sealed_record() {
    if (state_->sealed_log.empty()) return std::nullopt;
    auto record = state_->sealed_log.front();
    state_->sealed_log.pop_front();
    return record;
}

}  // namespace tandem::tls
