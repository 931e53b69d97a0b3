# One throw-away NATS server with JetStream. Sourced after common.sh.
# shellcheck shell=bash

nats_dir=
nats_pid=

# The server, from PATH or from where Debian puts it.
find_nats() {
    nats_bin=$(command -v nats-server || printf '%s' /usr/sbin/nats-server)
    [ -x "$nats_bin" ]
}

# start_nats: sets TEST_NATS_URL. False, with the reason said, when it cannot.
start_nats() {
    find_nats || apt_install nats-server || true
    find_nats || {
        say "NATS is missing and could not be installed: install Debian's nats-server, or set TEST_NATS_URL"
        return 1
    }
    nats_dir=$(mktemp -d /tmp/outdial-nats.XXXXXX)
    local wait ports
    # Port -1: the server takes a free one and writes its address into a file.
    "$nats_bin" --addr 127.0.0.1 --port -1 --jetstream --store_dir "$nats_dir/data" --ports_file_dir "$nats_dir" \
        --log "$nats_dir/server.log" </dev/null >/dev/null 2>&1 &
    nats_pid=$!
    for wait in $(seq 100); do
        ports=$(cat "$nats_dir"/nats-server_*.ports 2>/dev/null || true)
        TEST_NATS_URL=$(sed -n 's/.*"\(nats:\/\/[^"]*\)".*/\1/p' <<<"$ports" | head -n 1)
        if [ -n "$TEST_NATS_URL" ]; then
            export TEST_NATS_URL
            say "NATS listens at $TEST_NATS_URL"
            return
        fi
        kill -0 "$nats_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$nats_dir/server.log" >&2 2>/dev/null || true
    say "NATS does not start (waited $wait times); its words are above"
    stop_nats
    return 1
}

stop_nats() {
    [ -n "$nats_pid" ] || return 0
    kill "$nats_pid" 2>/dev/null || true
    wait "$nats_pid" 2>/dev/null || true
    rm -rf "$nats_dir"
    nats_pid=
    nats_dir=
}
