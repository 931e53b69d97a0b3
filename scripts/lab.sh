# A lab with real calls: an Asterisk and, played by SIPp, a carrier with everybody behind it and four agents' phones.
# Sourced after common.sh.
# shellcheck shell=bash

source scripts/asterisk.sh

lab_dir=
lab_port=
lab_pids=()

# stop_lab: ends everything that start_lab started.
stop_lab() {
    [ ${#lab_pids[@]} -eq 0 ] || kill "${lab_pids[@]}" 2>/dev/null || true
    stop_asterisk
    [ -z "$lab_dir" ] || rm -rf "$lab_dir"
}

# lab_play SCENARIO LOG [OPTION...]: one SIPp, on a port of its own, which lab_port tells. False when none starts.
lab_play() {
    local scenario=$1 log=$2 try pid
    shift 2
    for try in 1 2 3 4 5 6 7 8; do
        lab_port=$(free_port)
        (cd "$cache/telephony-sounds" && exec sipp -sf "$repository/crates/cli/tests/telephony/sipp/$scenario" "$@" \
            -i 127.0.0.1 -p "$lab_port" -mi 127.0.0.1 -mp $(($(free_port) / 2 * 2)) -trace_logs \
            -log_file "$lab_dir/$log" -nostdin </dev/null >"$lab_dir/$log.words" 2>&1) &
        pid=$!
        # One whose port is taken ends at once.
        sleep 0.5
        if kill -0 "$pid" 2>/dev/null; then
            lab_pids+=("$pid")
            return
        fi
    done
    tail -n 5 "$lab_dir/$log.words" >&2
    say "SIPp does not start ($try tries); its words are above"
    return 1
}

# start_lab NAME: sets lab_dir, which holds outdial.toml for this Asterisk and carrier.log. False, with the reason said,
# when it cannot.
start_lab() {
    local name=$1 carrier number
    local -a phones=()
    make_asterisk_root && need_sipp || return 1
    lab_dir=$(mktemp -d)
    bash "$repository/crates/cli/tests/telephony/sounds.sh" "$cache/telephony-sounds"
    lab_play carrier.xml carrier.log || return 1
    carrier=$lab_port
    for number in 1 2 3 4; do
        lab_play phone.xml "phone$number.log" -set answer 0 || return 1
        phones+=("$lab_port")
    done
    start_asterisk "$name" "$carrier" "${phones[@]}" || {
        say "Asterisk does not start; its words are above"
        return 1
    }
    # Asterisk plays the messages that Outdial writes there.
    mkdir -p "$asterisk_dir/outdial/messages"
    cat >"$lab_dir/outdial.toml" <<EOF
[node]
data_dir = "$asterisk_dir/outdial"
[telephony]
driver = "asterisk"
sounds = "/run/outdial/$name/outdial/messages"
[[telephony.asterisk]]
name = "$name"
url = "http://127.0.0.1:$asterisk_http_port"
user = "outdial"
password = "outdial"
lines_max = 1000
calls_per_second_max = 100
[[telephony.trunks]]
name = "carrier"
dial = "PJSIP/{number}@carrier"
lines_max = 1000
calls_per_second_max = 100
EOF
}
