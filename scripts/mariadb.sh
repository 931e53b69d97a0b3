# One throw-away MariaDB server. Sourced after common.sh.
# shellcheck shell=bash

mariadb_dir=
mariadb_pid=

# The server and what makes its data directory, from PATH or from where Debian puts them.
find_mariadb() { have mariadbd && have mariadb-install-db; }

# start_mariadb: sets TEST_MYSQL_URL to the address of a user who may do everything. False, with the reason said, when it
# cannot.
start_mariadb() {
    # Debian's server without the service around it: nothing starts by itself, with systemd or without.
    find_mariadb || apt_install mariadb-server-core mariadb-client-core || true
    find_mariadb || {
        say "MariaDB is missing and could not be installed: install Debian's mariadb-server-core and mariadb-client-core, or set TEST_MYSQL_URL"
        return 1
    }
    # Not TMPDIR: a socket's path may have 107 bytes at most.
    mariadb_dir=$(mktemp -d /tmp/outdial-mariadb.XXXXXX)
    local user password
    user=$(id -un)
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    # One statement a line.
    (umask 077 && cat >"$mariadb_dir/init.sql") <<SQL
CREATE USER outdial@'%' IDENTIFIED BY '$password';
GRANT ALL ON *.* TO outdial@'%';
CREATE DATABASE outdial;
SQL
    mariadb-install-db --no-defaults --user="$user" --datadir="$mariadb_dir/data" --skip-test-db \
        --auth-root-authentication-method=normal --innodb-log-file-size=8M </dev/null >"$mariadb_dir/install.log" 2>&1 || {
        cat "$mariadb_dir/install.log" >&2
        say "mariadb-install-db failed; its words are above"
        rm -rf "$mariadb_dir"
        return 1
    }
    start_mariadb_on_a_free_port "$user" || {
        tail -n 20 "$mariadb_dir/server.log" >&2 || true
        say "MariaDB does not start; its words are above"
        stop_mariadb
        return 1
    }
    export TEST_MYSQL_URL="mysql://outdial:$password@127.0.0.1:$mariadb_port/outdial"
    say "MariaDB listens on port $mariadb_port"
}

# A port that is free now may be taken by the time the server binds it: try another then.
start_mariadb_on_a_free_port() {
    local try wait
    for try in 1 2 3 4 5 6 7 8; do
        # Below Linux's range for outgoing connections (32768 up), so that none of those can hold it.
        mariadb_port=$((20000 + RANDOM % 12000))
        mariadbd --no-defaults --user="$1" --datadir="$mariadb_dir/data" --socket="$mariadb_dir/socket" \
            --pid-file="$mariadb_dir/pid" --bind-address=127.0.0.1 --port="$mariadb_port" --init-file="$mariadb_dir/init.sql" \
            --skip-name-resolve --innodb-log-file-size=8M </dev/null >"$mariadb_dir/server.log" 2>&1 &
        mariadb_pid=$!
        for wait in $(seq 300); do
            # The init file was carried out before this is said.
            grep -q 'ready for connections' "$mariadb_dir/server.log" && return
            kill -0 "$mariadb_pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -0 "$mariadb_pid" 2>/dev/null && break
        grep -q "Can't start server: Bind on TCP/IP port" "$mariadb_dir/server.log" || break
    done
    say "(try $try, waited $wait times)"
    return 1
}

stop_mariadb() {
    [ -n "$mariadb_dir" ] || return 0
    if [ -n "$mariadb_pid" ]; then
        # Nothing in it is worth the time of an orderly end.
        kill -KILL "$mariadb_pid" 2>/dev/null || true
        wait "$mariadb_pid" 2>/dev/null || true
    fi
    rm -rf "$mariadb_dir"
    mariadb_pid=
    mariadb_dir=
}
