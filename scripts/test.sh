#!/bin/sh
# What `npm test` runs, in three lanes beside one another. In the foreground what has hosts, which wait most of the time and measure some
# of it; with what processor time is left over, the parts by themselves with fuzz tests, the command line and the demo, and then some
# more hosts; and what has a control plane, with SQLite and then with PostgreSQL. What those two print comes at the end.
# With arguments: only mocha with these, as in `npm test -- -g revocation`.
set -u

if [ $# -gt 0 ]; then exec mocha "$@"; fi

parts=$(mktemp)
control_plane=$(mktemp)
lanes=
# shellcheck disable=SC2086 # process ids, to be split
trap 'rm -f "$parts" "$control_plane"; [ -z "$lanes" ] || kill $lanes 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

test_parts() {
  status=0
  echo "=== each part by itself"
  nice mocha --config test/parts.mocharc.json || status=$?
  echo "=== fuzz tests, the command line, the demo"
  nice mocha --config test/beside.mocharc.json || status=$?
  echo "=== hosts that lose something, and whole ones"
  mocha --config test/loss.mocharc.json || status=$?
  return "$status"
}
test_control_plane() {
  status=0
  echo "=== the control plane, with SQLite"
  nice mocha --config test/control-plane.mocharc.json || status=$?
  echo "=== the control plane, with PostgreSQL"
  SALLYPORT_TEST_DATABASE=postgres nice mocha --config test/control-plane.mocharc.json \
    test/integration/client/audit.test.ts || status=$?
  return "$status"
}
test_parts >"$parts" 2>&1 </dev/null &
first=$!
test_control_plane >"$control_plane" 2>&1 </dev/null &
second=$!
lanes="$first $second"

status=0
echo "=== hosts"
mocha --config test/hosts.mocharc.json || status=$?
wait "$first" || status=$?
wait "$second" || status=$?
lanes=
cat "$parts" "$control_plane"
exit "$status"
