#!/usr/bin/env bash
# The demonstration: builds Outdial, loads a demo list, dials it with simulated people and agents, keeps serving.
# Arguments go to `outdial demo --serve`; `make run ARGS='--speed 60'` passes them on. With --telephony=asterisk the calls
# are real ones: an Asterisk is made and started, and SIPp plays the carrier, the called people and the agents' phones.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/asterisk.sh

need_build_tools

# The development profile: an optimised build makes a newcomer wait several times as long, and the hot parts
# (SQLite, phone numbers, hashing) are optimised in it anyway.
# A second run must work without a network, and cargo asks for none when nothing is missing.
say "building (the first time takes some minutes)"
cargo build --locked --package outdial </dev/null ||
    fail "the build failed; the lines above say why"
outdial=${CARGO_TARGET_DIR:-target}/debug/outdial

case " $* " in
*" --telephony=asterisk "* | *" --telephony asterisk "*) ;;
*) exec "$outdial" demo --serve "$@" ;;
esac

lab=
sipp_pids=()
finish() {
    [ ${#sipp_pids[@]} -eq 0 ] || kill "${sipp_pids[@]}" 2>/dev/null || true
    stop_asterisk
    [ -z "$lab" ] || rm -rf "$lab"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

make_asterisk_root && need_sipp || fail "no Asterisk can be had here; the reason is above"
lab=$(mktemp -d)
sounds=$cache/telephony-sounds
scripts=$repository/crates/cli/tests/telephony
bash "$scripts/sounds.sh" "$sounds"

# play SCENARIO PORT LOG [OPTION...]: one SIPp, on a port of its own.
play() {
    local scenario=$1 port=$2 log=$3
    shift 3
    (cd "$sounds" && exec sipp -sf "$scripts/sipp/$scenario" "$@" -i 127.0.0.1 -p "$port" -mi 127.0.0.1 \
        -mp $(($(free_port) / 2 * 2)) -trace_logs -log_file "$lab/$log" -nostdin </dev/null >/dev/null 2>&1) &
    sipp_pids+=($!)
}
carrier=$(free_port)
play carrier.xml "$carrier" carrier.log
phones=()
for number in 1 2 3 4; do
    phones+=("$(free_port)")
    play phone.xml "${phones[-1]}" "phone$number.log" -set answer 0
done
start_asterisk demo "$carrier" "${phones[@]}" || fail "Asterisk does not start; its words are above"
mkdir -p "$asterisk_dir/sounds"
espeak-ng -w "$lab/spoken.wav" "Hello. This is Outdial's demonstration. Nobody is free to talk to you. To be called no more, press one." &&
    sox -q "$lab/spoken.wav" -r 8000 -c 1 -b 16 "$asterisk_dir/sounds/safe-harbour.wav" ||
    say "no message could be made for people whom nobody is free for"

cat >"$lab/outdial.toml" <<EOF
[telephony]
driver = "asterisk"
sounds = "/run/outdial/demo/sounds"
[[telephony.asterisk]]
name = "demo"
url = "http://127.0.0.1:$asterisk_http_port"
user = "outdial"
password = "outdial"
[[telephony.trunks]]
name = "carrier"
dial = "PJSIP/{number}@carrier"
EOF
"$outdial" --config "$lab/outdial.toml" demo --serve "$@"
