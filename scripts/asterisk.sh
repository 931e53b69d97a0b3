# A real Asterisk 22 in a Debian tree of its own, and throw-away instances of it. Sourced after common.sh.
#
# Everything an instance reads and writes lies inside the tree, so that nothing needs to be mounted. One file has two
# names: $asterisk_root/run/outdial/NAME/... for programs of this machine, /run/outdial/NAME/... for Asterisk.
# shellcheck shell=bash

asterisk_root=
asterisk_dir=

# What the tree is made of. Another number makes it again on machines that have an older one.
asterisk_recipe=1
asterisk_packages=asterisk,asterisk-moh-opsound-gsm,ca-certificates
asterisk_suite=forky

# The Debian mirror of this machine's own package sources, in either of apt's formats: the first address that ends in
# /debian, which is what mirrors of the main archive are called.
debian_mirror() {
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } | awk '
        /^[[:space:]]*#/ { next }
        $1 == "deb" || $1 == "URIs:" {
            for (i = 2; i <= NF; i++) if ($i ~ /^https?:\/\/.*\/debian\/?$/) { print $i; exit }
        }'
}

# True if the tree is whole: made by this recipe to the end, and its Asterisk runs.
asterisk_root_works() {
    [ "$(cat "$1/.outdial-recipe" 2>/dev/null)" = "$asterisk_recipe" ] &&
        as_root chroot "$1" asterisk -V 2>/dev/null | grep -Eq '^Asterisk (2[2-9]|[3-9][0-9])\.'
}

# make_asterisk_root: sets TEST_ASTERISK_ROOT to a tree with Asterisk, made now or before. False, with the reason said,
# when it cannot.
make_asterisk_root() {
    asterisk_root=$cache/asterisk-22
    if ! as_root true || ! as_root chroot / true 2>/dev/null; then
        say "Asterisk needs root and chroot, which this user or container has not: run as root, or let sudo ask nothing"
        return 1
    fi
    mkdir -p "$cache"
    # One at a time: who comes second finds the first one's tree.
    exec {asterisk_lock}>"$cache/asterisk-22.lock"
    flock "$asterisk_lock"
    local status=0
    asterisk_root_works "$asterisk_root" || build_asterisk_root || status=1
    exec {asterisk_lock}>&-
    [ "$status" -eq 0 ] || return 1
    export TEST_ASTERISK_ROOT=$asterisk_root
    say "$(as_root chroot "$asterisk_root" asterisk -V) in $asterisk_root"
}

# True while a process lives in the tree: one that is judged broken may be another run's.
asterisk_root_is_in_use() {
    local link
    for link in /proc/[0-9]*/root; do
        [ "$(as_root readlink "$link" 2>/dev/null)" != "$1" ] || return 0
    done
    return 1
}

build_asterisk_root() {
    if asterisk_root_is_in_use "$asterisk_root"; then
        say "$asterisk_root must be made again, but an Asterisk runs in it: end that first"
        return 1
    fi
    local mirror proxy building=$asterisk_root.part
    have debootstrap && [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] ||
        apt_install debootstrap debian-archive-keyring || true
    have debootstrap || {
        say "debootstrap is missing and could not be installed: install it together with debian-archive-keyring"
        return 1
    }
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || {
        say "the package sources of this machine name no Debian mirror (an address that ends in /debian)"
        return 1
    }
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy 2>/dev/null || true)
    say "making an Asterisk tree from Debian $asterisk_suite (once, about a minute and 500 MB)"
    as_root rm -rf "$building" "$asterisk_root"
    # Older debootstraps do not know the suite by name: all suites of Debian share sid's script.
    as_root env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase --include="$asterisk_packages" \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$asterisk_suite" "$building" "$mirror" \
        /usr/share/debootstrap/scripts/sid </dev/null >"$cache/asterisk-22.log" 2>&1 || {
        tail -n 20 "$cache/asterisk-22.log" >&2
        say "debootstrap failed; its last words are above, all are in $cache/asterisk-22.log"
        as_root rm -rf "$building"
        return 1
    }
    as_root rm -rf "$building"/var/cache/apt/archives "$building"/var/lib/apt/lists
    as_root mkdir -p "$building/run/outdial"
    as_root sh -c "echo $asterisk_recipe >'$building/.outdial-recipe'"
    as_root mv "$building" "$asterisk_root"
    asterisk_root_works "$asterisk_root" || {
        say "the new Asterisk tree does not work: \`chroot $asterisk_root asterisk -V\` does not name a version from 22 up"
        return 1
    }
}

# need_sipp: the programs that play carrier, customers and agents' phones, and make their sounds.
need_sipp() {
    have sipp && have espeak-ng && have sox && return
    apt_install sip-tester espeak-ng sox || true
    have sipp && have espeak-ng && have sox || {
        say "SIPp, espeak-ng or sox is missing and could not be installed: install sip-tester, espeak-ng and sox"
        return 1
    }
}

# Ports below Linux's range for outgoing connections (32768 up), so that none of those can hold it.
free_port() { echo $((20000 + RANDOM % 12000)); }

# start_asterisk NAME CARRIER_PORT[,CARRIER2_PORT] [AGENT_PORT...]: one instance on free loopback ports. Sets
# TEST_ASTERISK_URL, asterisk_http_port and asterisk_sip_port, asterisk_dir (its folder as this machine sees it). False,
# with the reason said, when it cannot. asterisk_rtp, when set, is its range of ports for sound, two for each call.
start_asterisk() {
    local name=$1 try wait starter
    shift
    asterisk_dir=$asterisk_root/run/outdial/$name
    for try in 1 2 3 4 5 6 7 8; do
        asterisk_http_port=$(free_port)
        asterisk_sip_port=$(free_port)
        as_root rm -rf "$asterisk_dir"
        as_root "$repository/scripts/asterisk-instance.sh" "$asterisk_root" "$name" "$asterisk_http_port" \
            "$asterisk_sip_port" "${asterisk_rtp:-$(($(free_port) / 2 * 2))}" "$@" </dev/null >/dev/null 2>&1 &
        starter=$!
        for wait in $(seq 150); do
            if asterisk_answers; then
                export TEST_ASTERISK_URL=http://outdial:outdial@127.0.0.1:$asterisk_http_port
                say "Asterisk $name answers at 127.0.0.1:$asterisk_http_port, SIP at port $asterisk_sip_port"
                return
            fi
            kill -0 "$starter" 2>/dev/null || break
            sleep 0.1
        done
        end_asterisk -9
        grep -q 'Address already in use' "$asterisk_dir/log/messages.log" 2>/dev/null || break
    done
    tail -n 20 "$asterisk_dir/log/messages.log" >&2 2>/dev/null || true
    say "Asterisk does not start (try $try, waited $wait times); its words are above"
    stop_asterisk
    return 1
}

# end_asterisk SIGNAL: ends the instance's process, whose id it wrote down itself: sudo's is another. Waits for its end.
end_asterisk() {
    local pid
    pid=$(cat "$asterisk_dir/run/asterisk.pid" 2>/dev/null) || return 0
    as_root kill "$1" "$pid" 2>/dev/null || return 0
    while [ -d "/proc/$pid" ]; do sleep 0.1; done
}

stop_asterisk() {
    [ -n "$asterisk_dir" ] || return 0
    end_asterisk -TERM
    as_root rm -rf "$asterisk_dir"
    asterisk_dir=
}

# True once ARI answers, which is when all modules are loaded. Spoken over bash's own /dev/tcp: curl may be missing.
asterisk_answers() {
    local answer
    answer=$(
        exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$asterisk_http_port" || exit 1
        printf 'GET /ari/asterisk/ping?api_key=outdial:outdial HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
        timeout 1 cat <&3
    ) || true
    [[ $answer == *'"pong"'* ]]
}
