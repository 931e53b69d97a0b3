#!/usr/bin/env bash
# The benchmarks, on SQLite and on a throw-away PostgreSQL: one JSON line a result on standard output.
# Arguments go to `outdial bench`, after its databases; TEST_PG_URL, when set, names the PostgreSQL to measure.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/postgres.sh
source scripts/lab.sh

finish() {
    stop_lab
    stop_postgres
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

need_build_tools
# Simulations need no database.
databases=()
if [ "$*" != pacing ]; then
    [ -n "${TEST_PG_URL:-}" ] || start_postgres || fail "the benchmarks need PostgreSQL"
    databases=(--db sqlite --db "$TEST_PG_URL")
fi
say "building with optimisation (the first time takes some minutes)"
cargo build --locked --release --package outdial </dev/null || fail "the build failed; the lines above say why"
lab=()
case " $* " in
*" calls "*)
    # Enough for thousands of calls at once, below all ports that free_port gives.
    asterisk_rtp=10000-19999
    start_lab bench || fail "the bench of real calls needs an Asterisk; the reason why there is none is above"
    lab=(--config "$lab_dir/outdial.toml")
    set -- "$@" --carrier-log "$lab_dir/carrier.log"
    ;;
esac
"${CARGO_TARGET_DIR:-target}/release/outdial" "${lab[@]}" bench "${databases[@]}" "$@"
