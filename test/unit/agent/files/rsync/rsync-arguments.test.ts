import assert from "node:assert/strict";
import { parseRsyncArguments } from "@sallyport/agent/files/rsync/rsync-arguments.ts";
import { LONG_OPTIONS, REFUSED_OPTIONS } from "@sallyport/agent/files/rsync/rsync-options.ts";

describe("the arguments of a far-side rsync", () => {
  const parsed = (line: string) => parseRsyncArguments(line.split(" "));

  it("are what rsync sends", () => {
    const push = parsed(
      "rsync --server -vvlogDtprze.iLsfxCIvu --log-format=%i --delete-during --partial-dir .part --info=progress2 . /srv/x/",
    );
    assert.ok(!("detail" in push));
    assert.equal(push.direction, "write");
    assert.deepEqual(push.options, [
      "-vvlogDtprze.iLsfxCIvu",
      "--log-format=%i",
      "--delete-during",
      "--info=progress2",
    ]);
    assert.deepEqual(push.directories, [{ option: "partial-dir", path: ".part" }]);
    assert.deepEqual(push.paths, ["/srv/x/"]);
    const pull = parsed("rsync --server --sender -logDtpRe.LsfxCIvu --files-from=- --from0 . a b");
    assert.ok(!("detail" in pull));
    assert.equal(pull.direction, "read");
    assert.deepEqual(pull.paths, ["a", "b"]);
  });

  const hostile = [
    // Not the far side.
    "rsync -a /etc host:",
    "rsync --daemon --server .",
    "rsync --server --daemon . /srv",
    "rsync --config=/tmp/c --server . /srv",
    // Programs and files of the host's.
    "rsync --server -e /bin/sh . /srv",
    "rsync --server -re --log-file=/srv/x . /srv",
    "rsync --server -e/bin/sh . /srv",
    "rsync --server -rse.iLsfxCIvu . /srv",
    "rsync --server --rsh=/bin/sh -r . /srv",
    "rsync --server --rsync-path=/bin/sh -r . /srv",
    "rsync --server --log-file=/srv/x -r . /srv",
    "rsync --server --log-file-format=%n -r . /srv",
    "rsync --server --no-log-file -r . /srv",
    "rsync --server --out-format=%n -r . /srv",
    "rsync --server --log-format=%n%f -r . /srv",
    "rsync --server --files-from=/etc/passwd --sender . /srv",
    "rsync --server --sender --files-from=/etc/passwd . /srv",
    "rsync --server --sender --files-from=host:x . /srv",
    "rsync --server --sender --exclude-from=/etc/passwd . /srv",
    "rsync --server --sender --include-from /etc/passwd . /srv",
    "rsync --server --sender --filter=merge,/etc/passwd . /srv",
    "rsync --server --write-batch=/srv/x -r . /srv",
    "rsync --server --read-batch=/srv/x -r . /srv",
    "rsync --server --only-write-batch=X -r . /srv",
    "rsync --server --password-file=/etc/passwd -r . /srv",
    // Rights.
    "rsync --server --super -r . /srv",
    "rsync --server --fake-super -r . /srv",
    "rsync --server --usermap=*:root -r . /srv",
    "rsync --server --groupmap=*:root -r . /srv",
    "rsync --server --chown=root -r . /srv",
    "rsync --server --chmod=u+s -r . /srv",
    "rsync --server --copy-as=root -r . /srv",
    "rsync --server --write-devices -r . /srv",
    // Symbolic links.
    "rsync --server --sender -rL . /srv",
    "rsync --server --sender -rk . /srv",
    "rsync --server -rK . /srv",
    "rsync --server --sender --copy-unsafe-links -r . /srv",
    "rsync --server --insecure-links -r . /srv",
    "rsync --server --no-safe-links -r . /srv",
    "rsync --server --no-munge-links -r . /srv",
    // Unseen, and unmeasured.
    "rsync --server -s",
    "rsync --server --secluded-args . /srv",
    "rsync --server --iconv=UTF-8 -r . /srv",
    "rsync --server --debug=ALL9 -r . /srv",
    "rsync --server --msgs2stderr -r . /srv",
    "rsync --server --max-alloc=0 -r . /srv",
    "rsync --server --compress-threads=256 -r . /srv",
    "rsync --server --delay-updates -r . /srv",
    "rsync --server --max-size=-1x -r . /srv",
    "rsync --server --max-delete=1;id -r . /srv",
    "rsync --server --suffix=/../x -r . /srv",
    "rsync --server --bwlimit",
    "rsync --server --fuz -r . /srv",
    "rsync --server --delete=1 -r . /srv",
    // Changing what only is sent.
    "rsync --server --sender --remove-source-files -r . /srv",
    "rsync --server --sender --delete -r . /srv",
    "rsync --server --sender --backup-dir /srv -r . /srv",
    // Paths.
    "rsync --server -r .",
    "rsync --server -r /srv",
    "rsync --server -r . /srv /etc",
  ];
  for (const line of hostile) it(`are refused as ${line}`, () => assert.ok("detail" in parsed(line)));

  it("know no option that is allowed and refused", () => {
    assert.deepEqual(
      [...REFUSED_OPTIONS.keys()].filter((name) => LONG_OPTIONS.has(name)),
      [],
    );
  });
});
