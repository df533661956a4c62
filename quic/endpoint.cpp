#include <algorithm>
#include <utility>

#include <tandem/quic/endpoint_state.hpp>

namespace tandem::quic {
endpoint::endpoint(endpoint_config config, std::uint64_t seed) : state_(std::make_unique<state>(std::move(config), seed)) {}
endpoint::~endpoint() = default;

std::optional<connection_handle> endpoint::connect(const connect_options& options, time_point now, tandem::tls::error& why) {
    return state_->connect(options, now, why);
}
void endpoint::receive(received_datagram& datagram, time_point now) { state_->receive(datagram, now); }
bool endpoint::transmit(time_point now, train& out) { return state_->transmit(now, out); }
std::optional<time_point> endpoint::next_timeout() { return state_->next_timeout(); }
void endpoint::on_timeout(time_point now) { state_->on_timeout(now); }
std::optional<endpoint_event> endpoint::poll_event() { return state_->poll_event(); }
connection* endpoint::find(connection_handle handle) { return state_->find(handle); }
void endpoint::close(std::uint64_t application_code, std::string_view reason, time_point now) {
    state_->close(application_code, reason, now);
}
void endpoint::datagram_too_large(const ip_path& path, std::size_t size, time_point now) {
    state_->datagram_too_large(path, size, now);
}
std::optional<endpoint::new_path> endpoint::poll_new_path() { return state_->poll_new_path(); }
void endpoint::interface_takes(connection_handle handle, const ip_path& path, std::size_t bytes) {
    if (auto* connection = state_->find(handle)) connection->interface_takes(path, bytes);
}
endpoint_statistics endpoint::statistics() const { return state_->statistics(); }
void endpoint::set_server(std::shared_ptr<const tls::server_context> server) { state_->set_server(std::move(server)); }

void endpoint::set_preferred(const ip_endpoint& where) { state_->set_preferred(where); }

endpoint::state::state(endpoint_config config, std::uint64_t seed)
    : config_(std::move(config)),
      host_(seed),
      ids_(keyed_hash(derive_seed(seed, "table of IDs"))),
      tokens_(keyed_hash(derive_seed(seed, "table of reset tokens"))) {
    if (!config_.router) return;
    host_.ids.use(config_.router, config_.worker);
    host_.address_tokens = token_keys(config_.router->derive("tokens"));
}

std::optional<connection_handle> endpoint::state::connect(const connect_options& options, time_point now, tls::error& why) {
    connection_start start;
    start.handle = last_handle_ + 1;
    start.side = perspective::client;
    start.version = options.config.version;
    start.addresses = {options.local, options.remote};
    start.settings = options.config;
    start.local = host_.ids.make();
    start.destination = start.original_destination = host_.ids.make();  // RFC 9000 7.2: unpredictable, 8 bytes or more
    start.client_tls = options.tls;
    start.server_name = options.server_name;
    start.ticket = options.ticket;
    start.token = options.token;
    auto made = connection::create(std::move(start), host_, now, why);
    if (!made) return std::nullopt;
    ++last_handle_;
    insert(std::move(made));
    return last_handle_;
}

void endpoint::state::receive(received_datagram& datagram, time_point now) {
    reap();
    const auto header = parse_invariant_header(datagram.payload, local_connection_id_size);
    if (!header || header->destination.size() > connection_id::max_size || datagram.path.remote.port == 0) {
        // A foreign version may have longer IDs: it is told our versions (RFC 9000 6.1).
        const bool foreign = header && header->long_form && header->version != static_cast<std::uint32_t>(version::negotiation) &&
                             !speaks(static_cast<version>(header->version));
        if (foreign && datagram.path.remote.port != 0) return answer_unknown_version(datagram, *header);
        return drop(drop_reason::malformed);
    }
    const auto* found = ids_.find(connection_id(header->destination));
    if (found == nullptr) return receive_unknown(datagram, *header, now);
    (*found)->receive(datagram, now);
}

bool endpoint::state::transmit(time_point now, train& out) {
    reap();
    if (answers_.transmit(out)) return true;
    while (auto* connection = host_.ready.front()) {
        const bool sent = connection->transmit(now, out);
        host_.ready.remove(*connection);
        if (sent) host_.ready.push_back(*connection);  // the others come first now
        refresh(*connection);
        if (sent) return true;
    }
    reap();
    return false;
}

std::optional<time_point> endpoint::state::next_timeout() {
    for (auto* c = host_.ready.front(); c != nullptr; c = host_.ready.next(*c)) timers_.set(*c, c->next_timeout());
    return timers_.earliest();
}

void endpoint::state::on_timeout(time_point now) {
    reap();
    while (timers_.earliest() && *timers_.earliest() <= now) {
        auto& connection = timers_.front();
        timers_.remove(connection);  // armed again after it has sent what it wants to
        connection.on_timeout(now);
    }
}

std::optional<endpoint_event> endpoint::state::poll_event() {
    while (auto* connection = host_.eventful.front()) {
        if (auto event = connection->poll_event()) {
            if (std::holds_alternative<connection_closed>(*event)) {
                connection->notes.end_taken = true;
                mark_dead(*connection);
            }
            if (std::holds_alternative<handshake_confirmed>(*event) || std::holds_alternative<path_changed>(*event)) {
                note_new_path(*connection);
            }
            return endpoint_event{connection->handle(), std::move(*event)};
        }
        host_.eventful.remove(*connection);
    }
    return std::nullopt;
}

void endpoint::state::note_new_path(const connection& connection) {
    if (new_paths_.size() == max_new_paths) new_paths_.clear();  // nobody asks
    new_paths_.push_back({connection.handle(), connection.path()});
}

std::optional<endpoint::new_path> endpoint::state::poll_new_path() {
    if (new_paths_.empty()) return std::nullopt;
    const auto last = new_paths_.back();
    new_paths_.pop_back();
    return last;
}

connection* endpoint::state::find(connection_handle handle) {
    const auto* found = connections_.find(handle);
    return found == nullptr ? nullptr : found->get();
}

void endpoint::state::close(std::uint64_t application_code, std::string_view reason, time_point now) {
    accepting_ = false;
    connections_.for_each([&](auto, const auto& c) { c->close(application_code, reason, now); });
}

// Rare enough to ask everybody.
void endpoint::state::datagram_too_large(const ip_path& path, std::size_t size, time_point now) {
    connections_.for_each([&](auto, const auto& c) { c->datagram_too_large(path, size, now); });
}

endpoint_statistics endpoint::state::statistics() const {
    auto s = statistics_;
    s.connections = connections_.size();
    s.half_open = half_open_;
    return s;
}

void endpoint::state::insert(std::unique_ptr<quic::connection> made) {
    auto& c = *made;
    connections_.insert(c.handle(), std::move(made));
    c.notes.half_open = c.side() == perspective::server;
    half_open_ += c.notes.half_open ? 1 : 0;
    refresh(c);
}

void endpoint::state::refresh(quic::connection& c) {
    if (c.ids_changed()) refresh_ids(c);
    if (c.notes.half_open && c.state() != connection_state::handshaking) {
        c.notes.half_open = false;
        --half_open_;
    }
    timers_.set(c, c.next_timeout());
    mark_dead(c);
}

void endpoint::state::refresh_ids(quic::connection& c) {
    auto& notes = c.notes;
    while (const auto change = c.local_ids().poll_change()) {
        if (change->added) {
            if (ids_.insert(change->id, &c)) notes.ids.push_back(change->id);
        } else {
            ids_.erase(change->id);
            std::erase(notes.ids, change->id);
        }
    }
    const auto& token = c.peer_ids().poll_token();
    if (token != notes.token) {
        if (notes.token) tokens_.erase(*notes.token);
        notes.token = token;
        // Two peers with one token: the first keeps it.
        if (token && !tokens_.insert(*token, &c)) notes.token.reset();
    }
}

void endpoint::state::mark_dead(quic::connection& c) {
    if (c.notes.dead || !c.notes.end_taken || c.state() != connection_state::closed) return;
    c.notes.dead = true;
    dead_.push_back(c.handle());
}

void endpoint::state::erase(connection_handle handle) {
    auto& c = **connections_.find(handle);
    for (const auto& id : c.notes.ids) ids_.erase(id);
    if (c.notes.token) tokens_.erase(*c.notes.token);
    if (c.notes.half_open) --half_open_;
    timers_.remove(c);
    connections_.erase(handle);
}

void endpoint::state::reap() {
    for (const auto handle : dead_) erase(handle);
    dead_.clear();
}

}  // namespace tandem::quic
