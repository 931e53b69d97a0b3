#!/usr/bin/env bash
# Every test, PostgreSQL's included; with the argument `telephony`, those with real calls alone. The last line is `N passed, N failed`; the exit status is 0 if nothing failed.
# TEST_PG_URL, when set, names a PostgreSQL superuser to use instead of a cluster of this script's own; TEST_NATS_URL
# a NATS server with JetStream, TEST_MYSQL_URL a MariaDB or MySQL user who may do everything, TEST_ASTERISK_ROOT a tree that
# make_asterisk_root made.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/postgres.sh
source scripts/nats.sh
source scripts/asterisk.sh
source scripts/mariadb.sh

only=
case ${1:-} in
'') ;;
telephony) only='package(outdial) & binary(telephony)' ;;
*) fail "usage: scripts/test.sh [telephony]" ;;
esac

passed=0
failed=0
logs=$(mktemp -d)

finish() {
    stop_mariadb
    stop_nats
    stop_postgres
    rm -rf "$logs"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# One thing that the tests need is not there: the tests that need it fail, and so does the run.
missing() {
    say "MISSING: $*"
    failed=$((failed + 1))
}

# attribute NAME LINE: the number in NAME="…"; 0 if there is none.
attribute() {
    local number
    number=$(sed -n "s/.*[[:space:]]$1=\"\([0-9][0-9]*\)\".*/\1/p" <<<"$2")
    echo "${number:-0}"
}

# Unit and integration tests, counted from the JUnit report: its first element has the totals.
run_nextest() {
    local report=${CARGO_TARGET_DIR:-target}/nextest/ci/junit.xml status=0 totals failures
    rm -f "$report"
    local filter='all()'
    [ -n "${TEST_ASTERISK_ROOT:-}" ] || filter='not (package(outdial) & binary(telephony))'
    [ -z "${only:-}" ] || filter=$only
    cargo nextest run --locked --workspace --profile ci -E "$filter" </dev/null >&2 || status=$?
    totals=$(grep -m 1 '<testsuites ' "$report" 2>/dev/null || true)
    failures=$(($(attribute failures "$totals") + $(attribute errors "$totals")))
    passed=$((passed + $(attribute tests "$totals") - failures))
    failed=$((failed + failures))
    if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then
        missing "tests that could not be built or run (cargo nextest ended with $status)"
    elif [ -z "$totals" ]; then
        missing "the report of cargo nextest, $report"
    fi
}

# Examples in the documentation, counted from each crate's `test result:` line.
run_doctests() {
    local status=0 counts failures
    cargo test --locked --workspace --doc --no-fail-fast </dev/null >"$logs/doctests" 2>&1 || status=$?
    counts=$(awk '/^test result:/ {
        for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i - 1); if ($i ~ /^failed/) f += $(i - 1) }
    } END { print p + 0, f + 0 }' "$logs/doctests")
    failures=${counts#* }
    passed=$((passed + ${counts% *}))
    failed=$((failed + failures))
    if [ "$status" -ne 0 ]; then
        cat "$logs/doctests" >&2
        [ "$failures" -gt 0 ] || missing "documentation examples that could not be built (cargo test --doc ended with $status)"
    fi
}

need_build_tools
if [ -n "${TEST_PG_URL:-}" ]; then
    say "using the PostgreSQL of TEST_PG_URL"
else
    start_postgres || missing "PostgreSQL: the tests that need it will fail"
fi
if [ -n "$only" ]; then
    say "without NATS and MariaDB, which tests with real calls do not need"
elif [ -n "${TEST_NATS_URL:-}" ]; then
    say "using the NATS server of TEST_NATS_URL"
else
    start_nats || missing "NATS: the tests that need it will fail"
fi
if [ -n "$only" ]; then
    :
elif [ -n "${TEST_MYSQL_URL:-}" ]; then
    say "using the MariaDB or MySQL server of TEST_MYSQL_URL"
else
    start_mariadb || missing "MariaDB: the tests that need it will fail"
fi
# Real calls need a machine that lets us make and enter a tree of its own. Where that is forbidden the tests with real
# calls are left out, which nobody may take for a pass: the end says so.
not_checked=
if [ -z "${TEST_ASTERISK_ROOT:-}" ] && ! { make_asterisk_root && need_sipp; }; then
    not_checked="real calls (no Asterisk here; the reason is above)"
    export TEST_ASTERISK_ROOT=
fi
if have cargo-nextest || install_cargo_tool nextest "$nextest_version" --no-default-features --features default-no-update; then
    run_nextest
else
    missing "cargo-nextest, which runs the tests"
fi
[ -n "$only" ] || run_doctests

finish
[ -z "$not_checked" ] || printf '\n!! NOT CHECKED: %s\n\n' "$not_checked" >&2
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
