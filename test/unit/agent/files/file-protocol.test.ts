import assert from "node:assert/strict";
import { fileProtocolOf, SFTP_SERVERS } from "@sallyport/agent/files/file-protocol.ts";

describe("a command that moves files", () => {
  const rows: [command: string, protocol: ReturnType<typeof fileProtocolOf>][] = [
    ["/usr/lib/openssh/sftp-server", "sftp"],
    ["internal-sftp", "sftp"],
    ["/usr/lib/openssh/sftp-server -e", null],
    ["internal-sftp -d /etc", null],
    ["/tmp/sftp-server", null],
    ["scp -t /srv", "legacy-scp"],
    ["scp -v -r -p -f /srv/a", "legacy-scp"],
    ["scp -rt .", "legacy-scp"],
    ["scp a b", null],
    ["scp -r a -t", null],
    ["scp -- -t", null],
    ["rsync --server -logDtpre.iLsfxCIvu . /srv", "rsync"],
    ["rsync -a --server", null],
    ["rsync", null],
    ["xscp -t /srv", null],
    ["", null],
  ];
  for (const [command, protocol] of rows) {
    it(`is ${protocol} for ${JSON.stringify(command)}`, () =>
      assert.equal(fileProtocolOf(command, SFTP_SERVERS), protocol));
  }
});
