import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { mainConfigFile, readConfigLines } from "@sallyport/agent/doctor/sshd-config-lines.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe("sshd's configuration, as doctor reads it", () => {
  const directory = temporaryDirectory();

  const lines = () =>
    readConfigLines(directory.file("sshd_config")).map(({ file, number, keyword, value, conditional }) => [
      `${file.split("/").at(-1)}:${number}`,
      keyword,
      value,
      conditional,
    ]);

  it("has included files in their place, sorted, and a Match in one ends with it", () => {
    mkdirSync(directory.file("conf.d"));
    writeFileSync(directory.file("conf.d/20-b.conf"), "X11Forwarding=no\n");
    writeFileSync(
      directory.file("conf.d/10-a.conf"),
      "# a comment\nMatch Group g\n  ForceCommand /bin/a  b\n",
    );
    const include = `${directory.path}/conf.d/*.conf`;
    writeFileSync(directory.file("sshd_config"), `UsePAM yes\nInclude "${include}"\n\nPort 22\n`);
    assert.deepEqual(lines(), [
      ["sshd_config:1", "usepam", "yes", false],
      ["sshd_config:2", "include", `"${include}"`, false],
      ["10-a.conf:2", "match", "Group g", true],
      ["10-a.conf:3", "forcecommand", "/bin/a  b", true],
      ["20-b.conf:1", "x11forwarding", "no", false],
      ["sshd_config:4", "port", "22", false],
    ]);
  });

  it("holds for some alone behind a Match, in included files too, until Match all", () => {
    writeFileSync(directory.file("more"), "PermitTTY no\nMatch all\nPermitRootLogin no\n");
    const text = `Match User a\nInclude ${directory.file("more")}\nMatch all\nPort 22\n`;
    writeFileSync(directory.file("sshd_config"), text);
    assert.deepEqual(lines(), [
      ["sshd_config:1", "match", "User a", true],
      ["sshd_config:2", "include", directory.file("more"), true],
      ["more:1", "permittty", "no", true],
      ["more:2", "match", "all", true],
      ["more:3", "permitrootlogin", "no", true],
      ["sshd_config:3", "match", "all", false],
      ["sshd_config:4", "port", "22", false],
    ]);
  });

  it("has no end of files that include themselves, and no lines of files that are not there", () => {
    writeFileSync(directory.file("sshd_config"), `Include ${directory.file("sshd_config")}\n`);
    assert.equal(lines().length, 17);
    assert.deepEqual(readConfigLines(directory.file("none")), []);
  });

  it("stands beside the directory of the drop-in", () => {
    assert.equal(mainConfigFile("/etc/ssh/sshd_config.d/10-sallyport.conf"), "/etc/ssh/sshd_config");
  });
});
