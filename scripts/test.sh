#!/bin/sh
# What `npm test` runs. In the foreground what waits for hosts most of the time, and measures some of it; beside it, with what
# processor time is left over, fuzz tests, the command line and the demo, and then once more what has a control plane, with
# PostgreSQL. What those print comes at the end.
# With arguments: only mocha with these, as in `npm test -- -g revocation`.
set -u

if [ $# -gt 0 ]; then exec mocha "$@"; fi

beside=$(mktemp)
lane=
trap 'rm -f "$beside"; [ -z "$lane" ] || kill "$lane" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

in_the_background() {
  status=0
  echo "=== fuzz tests, the command line, the demo"
  nice mocha --config test/beside.mocharc.json || status=$?
  echo "=== the control plane, with PostgreSQL"
  SALLYPORT_TEST_DATABASE=postgres nice mocha --config test/postgres.mocharc.json || status=$?
  return "$status"
}
in_the_background >"$beside" 2>&1 </dev/null &
lane=$!

status=0
echo "=== everything else, with SQLite"
mocha || status=$?
wait "$lane" || status=$?
lane=
cat "$beside"
exit "$status"
