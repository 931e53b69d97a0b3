# One throw-away PostgreSQL cluster, durable like a real one (fsync on). Sourced after common.sh.
# shellcheck shell=bash

postgres_dir=
postgres_bin=

# The folder of the newest initdb, from PATH or from where Debian puts it.
find_postgres() {
    local found
    if have initdb && have pg_ctl; then
        postgres_bin=$(dirname "$(readlink -f "$(command -v initdb)")")
        return
    fi
    found=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [ -x "$found" ] || return 1
    postgres_bin=$(dirname "$found")
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

# Clusters of runs that were killed before they could clean up: a folder whose owner's process is gone.
sweep_leftover_clusters() {
    local dir owner
    for dir in /tmp/outdial-postgres.*; do
        [ -O "$dir" ] && [ -f "$dir/owner.pid" ] || continue
        owner=$(cat "$dir/owner.pid")
        [ -d "/proc/$owner" ] && grep -qaE '(test|bench)\.sh' "/proc/$owner/cmdline" 2>/dev/null && continue
        say "stopping a PostgreSQL that an interrupted run left behind"
        postgres_dir=$dir
        stop_postgres
    done
    return 0
}

# start_postgres: sets TEST_PG_URL to a superuser's address. False, with the reason said, when it cannot.
start_postgres() {
    find_postgres || apt_install postgresql || true
    find_postgres || {
        say "PostgreSQL is missing and could not be installed: install Debian's postgresql, or set TEST_PG_URL"
        return 1
    }
    sweep_leftover_clusters
    # Not TMPDIR: the postgres user must be able to reach it, and a socket's path may have 107 bytes at most.
    postgres_dir=$(mktemp -d /tmp/outdial-postgres.XXXXXX)
    echo $$ >"$postgres_dir/owner.pid"
    local password
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && printf '%s\n' "$password" >"$postgres_dir/password")
    mkdir -m 700 "$postgres_dir/data" "$postgres_dir/socket"
    chmod 711 "$postgres_dir"
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres "$postgres_dir"/{data,socket,password}
    fi
    as_postgres "$postgres_bin/initdb" --pgdata="$postgres_dir/data" --username=postgres --encoding=UTF8 \
        --no-locale --auth-local=trust --auth-host=password --pwfile="$postgres_dir/password" \
        >"$postgres_dir/initdb.log" 2>&1 || {
        cat "$postgres_dir/initdb.log" >&2
        say "initdb failed; its words are above"
        return 1
    }
    start_on_a_free_port || return 1
    export TEST_PG_URL="postgres://postgres:$password@127.0.0.1:$postgres_port/postgres"
    say "PostgreSQL $(cat "$postgres_dir/data/PG_VERSION") listens on port $postgres_port"
}

# A port that is free now may be taken by the time the server binds it: try another then.
start_on_a_free_port() {
    local try
    for try in 1 2 3 4 5 6 7 8; do
        # Below Linux's range for outgoing connections (32768 up), so that none of those can hold it.
        postgres_port=$((20000 + RANDOM % 12000))
        # Each test has a database and a pool of its own: room for many connections at once.
        if as_postgres "$postgres_bin/pg_ctl" --pgdata="$postgres_dir/data" --wait --timeout=60 --silent \
            --log="$postgres_dir/data/server.log" \
            --options="-c listen_addresses=127.0.0.1 -c port=$postgres_port -c unix_socket_directories=$postgres_dir/socket \
-c max_connections=500 -c fsync=on -c synchronous_commit=on" start </dev/null >/dev/null 2>&1; then
            return
        fi
        grep -q 'Address already in use' "$postgres_dir/data/server.log" || break
    done
    tail -n 20 "$postgres_dir/data/server.log" >&2 || true
    say "PostgreSQL does not start (try $try); its words are above"
    return 1
}

stop_postgres() {
    [ -n "$postgres_dir" ] || return 0
    if [ -f "$postgres_dir/data/postmaster.pid" ] && find_postgres; then
        as_postgres "$postgres_bin/pg_ctl" --pgdata="$postgres_dir/data" --mode=immediate --wait --silent stop \
            </dev/null >/dev/null 2>&1 || true
    fi
    rm -rf "$postgres_dir"
    postgres_dir=
}
