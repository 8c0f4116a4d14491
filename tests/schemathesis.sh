#!/usr/bin/env bash
# Holds a running relay against its own description: schemathesis sends what /openapi.json allows and what it forbids, and
# looks for answers that are not described. Deterministic, bounded by the number of examples and in time.
#
#   tests/schemathesis.sh [FOLDER]      FOLDER keeps the virtual environment between runs (default: a temporary one)
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.32.5

work=$(mktemp -d)
relay=
finish() {
    [ -z "$relay" ] || kill -INT "$relay" 2>/dev/null || true
    [ -z "$relay" ] || wait "$relay" || true
    rm -rf "$work"
}
trap finish EXIT

venv=${1:-$work/venv}
if ! "$venv/bin/schemathesis" --version 2>/dev/null | grep -qF "$version"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

cargo build --quiet --locked -p tacit-server --features tools --bin tacit-relay
target=${CARGO_TARGET_DIR:-target}
RUST_LOG=warn "$target/debug/tacit-relay" --listen 127.0.0.1:0 --database "sqlite://$work/relay.db" --unlimited-rates \
    >"$work/ready" 2>"$work/log" &
relay=$!
for _ in $(seq 100); do
    url=$(sed -n 's/^listening on //p' "$work/ready")
    [ -z "$url" ] || break
    sleep 0.1
done
[ -n "$url" ] || { cat "$work/log" >&2; exit 1; }

# Random bytes are no sealed messages, no cards and no signatures: that what is well-formed by the description is taken is
# for the project's own tests.
timeout 300 "$venv/bin/schemathesis" run "$url/openapi.json" --url "$url" --generation-deterministic \
    --checks all --exclude-checks positive_data_acceptance --phases examples,coverage,fuzzing \
    --max-examples 25 --workers 1 --request-timeout 90 --no-color --continue-on-failure \
    || { status=$?; tail -n 20 "$work/log" >&2; exit "$status"; }
