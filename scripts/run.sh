#!/usr/bin/env bash
# The demonstration: builds Outdial, loads a demo list, dials it with simulated people and agents, keeps serving.
# Arguments go to `outdial demo --serve`; `make run ARGS='--speed 60'` passes them on. With --telephony=asterisk the calls
# are real ones: an Asterisk is made and started, and SIPp plays the carrier, the called people and the agents' phones.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/lab.sh

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

trap stop_lab EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start_lab demo || fail "no Asterisk can be had here; the reason is above"
"$outdial" --config "$lab_dir/outdial.toml" demo --serve "$@"
