#!/usr/bin/env bash
# The demonstration: builds Outdial, loads a demo list, dials it with simulated people and agents, keeps serving.
# Arguments go to `outdial demo --serve`; `make run ARGS='--speed 60'` passes them on.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

need_build_tools

# The development profile: an optimised build makes a newcomer wait several times as long, and the hot parts
# (SQLite, phone numbers, hashing) are optimised in it anyway.
# A second run must work without a network, and cargo asks for none when nothing is missing.
say "building (the first time takes some minutes)"
cargo build --locked --package outdial </dev/null ||
    fail "the build failed; the lines above say why"

exec "${CARGO_TARGET_DIR:-target}/debug/outdial" demo --serve "$@"
