# Shared by the scripts beside it: messages, and the installing of what a fresh Debian machine lacks.
# Sourced, not run. Leaves the working directory at the root of the repository.
# shellcheck shell=bash

set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"

# Tools live outside the repository, so that fresh clones share them and `cargo install`'s own folder is left alone.
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/outdial
nextest_version=0.9.143
deny_version=0.20.2

# A toolchain that was just installed is often not yet in the shell's PATH. What the machine has goes first.
PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$cache/tools/bin:/usr/sbin:/sbin
export PATH

say() { printf '>> %s\n' "$*" >&2; }

fail() {
    printf '\n!! %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo -n "$@"
    else
        say "no permission for: $* (neither root nor sudo)"
        return 1
    fi
}

# apt_install PACKAGE...: true once they are installed. Asks nothing.
apt_install() {
    have apt-get || {
        say "no apt-get here: install by hand what stands for Debian's: $*"
        return 1
    }
    say "installing $*"
    # An update that fails may leave an older, still good package list: the install decides.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null >&2 || say "apt-get update failed; trying without"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" </dev/null >&2
}

# What every build needs: cargo, and a C compiler for the SQLite that is compiled in.
need_build_tools() {
    have cargo || fail "cargo is missing: install a Rust toolchain (https://rustup.rs), then run this again"
    have cc && printf 'int main(void) { return 0; }\n' | cc -x c -include stdio.h -o /dev/null - 2>/dev/null && return
    apt_install gcc libc6-dev || fail "a C compiler is missing and could not be installed: install gcc and libc6-dev"
}

# install_cargo_tool NAME VERSION [cargo install's options...]: `cargo NAME` works afterwards.
# Built without optimisation: a third of the time to wait, and the tools spend their time waiting for others.
install_cargo_tool() {
    local name=$1 version=$2
    shift 2
    say "installing cargo-$name $version (once, some minutes)"
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$cache/tools/target" cargo install "cargo-$name" --version "$version" \
        --locked --debug --root "$cache/tools" "$@" </dev/null >&2 || {
        say "cargo-$name could not be installed"
        return 1
    }
    rm -rf "$cache/tools/target"
}
