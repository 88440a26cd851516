#!/bin/sh
# What `npm test` runs. In the foreground everything with SQLite; beside it, with what processor time is left over, the fuzz
# tests and then once more what has a control plane, with PostgreSQL. What those print comes at the end.
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
  echo "=== fuzz tests"
  nice mocha --config test/fuzz.mocharc.json || status=$?
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
