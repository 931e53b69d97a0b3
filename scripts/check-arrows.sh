#!/usr/bin/env bash
# The arrows between crates point down, as ARCHITECTURE.md draws them: each crate's dependencies on other crates of the
# workspace must be among those listed here. `engine`, where all decisions are, must also stay free of I/O.
# A new arrow is a decision: change the table here together with ARCHITECTURE.md.

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# crate: the crates it may depend on, directly or through others.
declare -A allowed=(
    [engine]=''
    [contacts]='engine'
    [simulator]='engine'
    [scripting]='engine'
    [sinks]='engine'
    [store]='engine'
    [telephony]='engine simulator'
    [app]='contacts engine scripting simulator sinks store telephony'
    [web]='app contacts engine scripting simulator sinks store telephony'
    [outdial]='app contacts engine scripting simulator sinks store telephony web'
)
# crate: the crates it may name in its own manifest, where that is stricter than the above. HTTP must go through
# the use cases, never past them to the database or the lines.
declare -A allowed_direct=(
    [app]='contacts engine scripting sinks store telephony'
    [web]='app contacts engine'
)
# What would let a decision wait, read a clock or reach the world.
impure='async-std axum crossbeam-channel futures-util hyper mio mysql_async reqwest rusqlite smol socket2 tokio tokio-postgres tracing'
# The pure crates: a seeded run of them gives the same result on every machine.
pure='engine simulator'

violations=0
violation() {
    say "arrow: $*"
    violations=$((violations + 1))
}

contains() { [[ " $1 " == *" $2 "* ]]; }

# tree CRATE [OPTION...]: the names of the packages it depends on, itself left out. Its tests may use more.
tree() {
    cargo tree --locked --package "$1" --edges normal,build --prefix none --format '{p}' "${@:2}" |
        awk -v self="$1" '$1 != self { print $1 }' | sort -u
}

members=$(cargo tree --locked --workspace --depth 0 --prefix none --format '{p}' | awk 'NF { print $1 }' | sort -u)
[ -n "$members" ] || fail "cargo tree names no crates"
for member in $members; do
    [ -n "${allowed[$member]+listed}" ] || {
        violation "the crate $member is not in the table of scripts/check-arrows.sh"
        continue
    }
    reached=$(tree "$member") || fail "cargo tree failed for $member"
    direct=$(tree "$member" --depth 1)
    for other in $members; do
        [ "$other" != "$member" ] || continue
        if contains "$(echo $reached)" "$other" && ! contains "${allowed[$member]}" "$other"; then
            violation "$member must not depend on $other"
        elif contains "$(echo $direct)" "$other" && ! contains "${allowed_direct[$member]-${allowed[$member]}}" "$other"; then
            violation "$member must not name $other in its manifest"
        fi
    done
    contains "$pure" "$member" || continue
    for crate in $impure; do
        if contains "$(echo $reached)" "$crate"; then
            violation "$member is pure and must not depend on $crate"
        fi
    done
done

for crate in "${!allowed[@]}"; do
    contains "$(echo $members)" "$crate" || violation "the table of scripts/check-arrows.sh names $crate, which is no crate"
done

# The same law for what no dependency list shows: SQL in the store alone. The statements of customers' scripts, for
# customers' own databases, are not Outdial's.
if strays=$(grep -rnE --include='*.rs' '\b(mysql_async|rusqlite|tokio_postgres)::' crates --exclude-dir=store --exclude-dir=scripting); then
    printf '%s\n' "$strays" >&2
    violation "a database driver is named outside crates/store"
fi

[ "$violations" -eq 0 ] || fail "$violations arrows point the wrong way"
say "the arrows between $(wc -w <<<"$members") crates point down"
