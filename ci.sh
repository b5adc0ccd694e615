#!/usr/bin/env bash
# Everything that must hold, in named steps:
#
#   ./ci.sh                  all steps of the first list in order; stops at the first that fails
#   ./ci.sh test sim         these steps
#
#   fmt           the formatter has nothing to change
#   lint          clippy and rustdoc have nothing to say
#   test          unit, property, black-box and layout tests, and the examples in the documentation
#   loom          every interleaving of the memory that shards share
#   conformance   Autobahn against server and client role; Python, Node and raw sockets against the server; `wsload
#                 conform` on servers of three libraries; 50,000 live connections where a process may have 20,000 open
#                 files
#   browser       headless Chromium on the server's page and on wsload's pages of a report and a comparison
#   sim           whole servers in the seeded simulation, with fresh seeds
#   bench-smoke   every benchmark once, with its answer checked; its figures mean nothing
#
# and, only when it is named:
#
#   conformance-full  all 517 cases of Autobahn against server and client role, every way of compressing among
#                 them: an hour, on a machine with nothing else to do, since the suite gives up after two minutes of a case
#   soak          ten minutes of everything that clients do to a server, with SOAK_SECONDS longer or shorter;
#                 the step test has twelve seconds of it
#
# Needs cargo, python3 with venv, node and npm. Installs Chromium with apt (as root or by sudo), Python and Node
# packages below target/ and tests/. Servers listen on free ports of 127.0.0.1 and end with the script; what they
# and the steps said is kept below target/ci/.

set -euo pipefail
cd "$(dirname "$0")"

STEPS=(fmt lint test loom conformance browser sim bench-smoke)
STEPS_ON_REQUEST=(conformance-full soak)
TARGET="${CARGO_TARGET_DIR:-target}"
# Optimised, with assertions.
PROFILE=checked
BIN="$TARGET/$PROFILE"
LOGS="$TARGET/ci"
SEEDS="${SIM_SEEDS:-3000}"
SOAK_SECONDS="${SOAK_SECONDS:-600}"
ADAPTER=wsring/tokio-uring
LISTEN_SECONDS_MAX=20
STOP_SECONDS_MAX=20

# What the crowd needs: two sockets for each connection with what the kernel and both ends keep for them.
CROWD=50000
CROWD_OPEN_FILES=20000
CROWD_FREE_KIB=$((2 << 20))
CROWD_FILES=$((CROWD * 2 + 10000))

declare -A PIDS=()
PASSED=0
FAILED=0

main() {
  local steps=("$@") step
  [ $# -gt 0 ] || steps=("${STEPS[@]}")
  for step in "${steps[@]}"; do
    [[ " ${STEPS[*]} ${STEPS_ON_REQUEST[*]} " == *" $step "* ]] || {
      echo "no step is called $step; there are: ${STEPS[*]} ${STEPS_ON_REQUEST[*]}" >&2
      exit 2
    }
  done
  mkdir -p "$LOGS"
  for step in "${steps[@]}"; do
    run_step "$step"
  done
  echo
  echo "$PASSED passed, $FAILED failed"
}

# Runs one step in a shell of its own, shows what it says, and counts the tests that its last lines report.
run_step() {
  local step="$1" log="$LOGS/$1.log" started=$SECONDS status=0
  echo
  echo "=== $step"
  set +e
  ( set -e; trap stop_all EXIT; "step_$step" ) 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  read -r passed failed < <(tally "$log")
  if [ "$status" -eq 0 ]; then
    [ "$passed" -gt 0 ] || passed=1 # a step that counts nothing counts as one
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    echo "=== $step: passed in $((SECONDS - started)) s"
    return
  fi
  [ "$failed" -gt 0 ] || failed=1
  echo "=== $step: FAILED after $((SECONDS - started)) s; its output is in $log; to run it again: ./ci.sh $step"
  echo
  echo "$((PASSED + passed)) passed, $((FAILED + failed)) failed"
  exit 1
}

# Adds up the results in a log: of cargo test, of nextest, of criterion, and of the programs below tests/.
tally() {
  sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^test result:/ { passed += $4; failed += $6 }
    /^ *Summary \[/ && match($0, /[0-9]+ passed/) { passed += substr($0, RSTART) }
    /^ *Summary \[/ && match($0, /[0-9]+ failed/) { failed += substr($0, RSTART) }
    /^Success$/ { passed += 1 }
    /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
    END { print passed + 0, failed + 0 }'
}

step_fmt() {
  cargo fmt --all --check
}

step_lint() {
  cargo clippy --workspace --all-targets --all-features -- -D warnings
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --features "$ADAPTER"
}

step_test() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --features "$ADAPTER"
    cargo test --workspace --doc --features "$ADAPTER"
  else
    cargo test --workspace --features "$ADAPTER"
  fi
}

# With a target directory of its own: everything is compiled anew for the flag.
step_loom() {
  CARGO_TARGET_DIR="$TARGET/loom" RUSTFLAGS="--cfg loom" cargo test -p wsring-io --test segment_loom
}

# The small set of Autobahn's cases has the quick one in it. The testee compresses with takeover, the server without.
step_conformance() {
  need python3 node npm
  build_servers
  start_server
  start_testee
  start_patient_testee
  local autobahn=(python3 tests/autobahn/run.py)
  "${autobahn[@]}" server --url "ws://127.0.0.1:$SERVER_PORT/echo" --cases small --jobs 2
  "${autobahn[@]}" server --url "ws://127.0.0.1:$PATIENT_PORT/deflate" --cases small --jobs 2
  "${autobahn[@]}" server --url "ws://127.0.0.1:$SERVER_PORT/echo" --cases core --jobs 2 --chop 7
  "${autobahn[@]}" client --command "$BIN/echo-client {url}" --cases small --jobs 2
  python3 tests/clients/run.py --url "http://127.0.0.1:$SERVER_PORT" \
    --testee "http://127.0.0.1:$TESTEE_PORT" --pid "${PIDS[server]}" --wsload "$BIN/wsload"
  stop_in_order server
  hold_a_crowd
}

# With takeover on both sides, and the server's role again as the server is by default.
step_conformance-full() {
  need python3
  build_servers
  start_server
  start_patient_testee
  local autobahn=(python3 tests/autobahn/run.py) jobs
  jobs=$(nproc)
  "${autobahn[@]}" server --url "ws://127.0.0.1:$PATIENT_PORT/deflate" --cases full --jobs "$jobs"
  "${autobahn[@]}" client --command "$BIN/echo-client {url}" --cases full --jobs "$jobs"
  "${autobahn[@]}" server --url "ws://127.0.0.1:$SERVER_PORT/echo" --cases full --jobs "$jobs"
  stop_in_order server
}

# More connections than a process may have open files: all open, all alive, and each still answers.
hold_a_crowd() {
  local port missing
  missing=$(lacking_for_a_crowd)
  if [ -n "$missing" ]; then
    echo "!!! NOT TESTED: $CROWD connections at once; $missing"
    return
  fi
  port=$(free_port)
  start crowd "$port" limited "$BIN/wsring" serve --listen "127.0.0.1:$port" \
    --connections-max 60000 --handshake-timeout 60s --ping-interval 0
  (limited "$BIN/wsload" idle "ws://127.0.0.1:$port/echo" --connections "$CROWD" --rate 8000 \
    --hold 3s --ping-at-end --echo-at-end --connect-timeout 60s --echo-timeout 60s)
  stop_in_order crowd
  echo "1 passed, 0 failed"
}

# Becomes a program that may have so many files open and no more; for a shell of its own.
limited() {
  ulimit -n "$CROWD_OPEN_FILES"
  exec "$@"
}

# What this machine lacks for the crowd; nothing when it has all.
lacking_for_a_crowd() {
  local free_kib files_max
  free_kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  files_max=$(cat /proc/sys/fs/file-max)
  if ! (ulimit -n "$CROWD_OPEN_FILES") 2>/dev/null; then
    echo "ulimit -Hn is $(ulimit -Hn), and it takes $CROWD_OPEN_FILES"
  elif [ "$free_kib" -lt "$CROWD_FREE_KIB" ]; then
    echo "$((free_kib >> 10)) MiB of memory are free, and it takes $((CROWD_FREE_KIB >> 10)) MiB"
  elif [ "$files_max" -lt "$CROWD_FILES" ]; then
    echo "fs.file-max is $files_max, and it takes $CROWD_FILES"
  fi
}

step_browser() {
  need node npm
  ensure_chromium
  ensure_node_packages tests/browser
  build_servers
  start_server
  start_testee
  node tests/browser/browser.mjs --url "http://127.0.0.1:$SERVER_PORT" \
    --testee "http://127.0.0.1:$TESTEE_PORT" --server "$BIN/wsring" --screenshots "$TARGET/browser"
  stop_in_order server
  node tests/browser/report.mjs --wsload "$BIN/wsload" --report loadgen/tests/fixtures/echo.json \
    --screenshots "$TARGET/browser"
}

step_sim() {
  SIM_SEEDS="$SEEDS" cargo test --profile "$PROFILE" -p wsring-tests --test simulation
}

step_bench-smoke() {
  cargo bench --profile "$PROFILE" -p wsring-benches --bench '*' -- --test
  cargo build --profile "$PROFILE" -p wsring --example echo
  cargo build --profile "$PROFILE" -p wsring-benches --bin floor --bin load --bin compare
  "$BIN/compare" floor wsring --rounds 1 --warmup 0.2 --seconds 0.5 --connections 20 --payload 20 --verify
}

step_soak() {
  SOAK_SECONDS="$SOAK_SECONDS" cargo test --profile "$PROFILE" -p wsring-tests --test soak -- --nocapture
}

build_servers() {
  cargo build --profile "$PROFILE" -p wsring-push
  cargo build --profile "$PROFILE" -p wsring-tests --bins
  cargo build --profile "$PROFILE" -p wsload
}

start_server() {
  SERVER_PORT=$(free_port)
  start server "$SERVER_PORT" "$BIN/wsring" serve --listen "127.0.0.1:$SERVER_PORT"
}

# A test server whose pings come soon, so that a frozen browser is found out soon.
start_testee() {
  TESTEE_PORT=$(free_port)
  start testee "$TESTEE_PORT" "$BIN/testee" --listen "127.0.0.1:$TESTEE_PORT"
}

# One for Autobahn, which is busy with a message for longer than that.
start_patient_testee() {
  PATIENT_PORT=$(free_port)
  start patient "$PATIENT_PORT" "$BIN/testee" --listen "127.0.0.1:$PATIENT_PORT" \
    --ping-interval 30000 --pong-timeout 30000
}

# Starts a server (a name, its port, its command) and waits until it listens.
start() {
  local name="$1" port="$2" deadline=$((SECONDS + LISTEN_SECONDS_MAX))
  shift 2
  "$@" >"$LOGS/$name.log" 2>&1 &
  PIDS[$name]=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    if ! kill -0 "${PIDS[$name]}" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      echo "$name does not listen on port $port: $*"
      cat "$LOGS/$name.log"
      return 1
    fi
    sleep 0.1
  done
}

# Asks a server to stop and fails unless it drains and exits with 0.
stop_in_order() {
  local name="$1" pid="${PIDS[$1]}" deadline=$((SECONDS + STOP_SECONDS_MAX)) status=0
  kill -TERM "$pid"
  while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null && { echo "$name did not stop within $STOP_SECONDS_MAX s"; return 1; }
  wait "$pid" || status=$?
  unset "PIDS[$name]"
  if [ "$status" -ne 0 ]; then
    echo "$name ended with status $status when it was asked to stop:"
    tail -n 20 "$LOGS/$name.log"
    return 1
  fi
}

stop_all() {
  local pid
  for pid in "${PIDS[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install python3-venv nodejs npm"; return 1; }
  done
}

ensure_chromium() {
  [ -x /usr/bin/chromium ] && return
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
}

# Installs what a folder's package-lock.json names, unless that was done.
ensure_node_packages() {
  local folder="$1"
  cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed" && return
  npm ci --silent --prefix "$folder"
  cp "$folder/package-lock.json" "$folder/node_modules/.installed"
}

main "$@"
