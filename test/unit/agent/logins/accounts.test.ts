import assert from "node:assert/strict";
import { renameSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { Accounts } from "@sallyport/agent/logins/accounts.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const SHIM = "/usr/lib/sallyport/shim";

describe("accounts", () => {
  const directory = temporaryDirectory();
  const passwd = (...lines: string[]) => {
    writeFileSync(directory.file("passwd"), `${lines.join("\n")}\n`);
    return new Accounts(directory.file("passwd"));
  };

  it("are read as passwd(5) has them", () => {
    const accounts = passwd(
      "root:x:0:0:root:/root:/bin/bash",
      "deploy:x:1001:1002:Deploy,,,:/home/deploy:/bin/dash",
      "plain:x:7:8:::",
    );
    const deploy = { name: "deploy", uid: 1001, gid: 1002, home: "/home/deploy", shell: "/bin/dash" };
    assert.deepEqual(accounts.get("deploy"), deploy);
    assert.equal(accounts.get("plain")?.shell, "/bin/sh", "an empty shell means this one");
    for (const none of ["", "nobody", "x", "constructor", "__proto__"])
      assert.equal(accounts.get(none), undefined);
  });

  it("skip lines that are none", () => {
    const accounts = passwd(
      "",
      "# comment",
      "+::::::",
      "short:x:1",
      "nouid:x::1::/:/bin/sh",
      ":x:5:5::/:/bin/sh",
    );
    for (const name of ["+", "short", "nouid", "", "# comment"])
      assert.equal(accounts.get(name), undefined, name);
  });

  it("that stand there twice are the first: getpwnam(3), and so sshd, take that one", () => {
    const accounts = passwd(`twice:x:0:0::/root:${SHIM}`, `twice:x:1001:1001::/home/twice:${SHIM}`);
    assert.equal(accounts.get("twice")?.uid, 0);
    assert.match(accounts.unsafe("twice", SHIM)?.reason ?? "", /is root/);
  });

  it("are noticed when the file is replaced, also by one of the same size and time", () => {
    const accounts = passwd("deploy:x:1001:1001::/home/deploy:/bin/sh");
    assert.equal(accounts.get("deploy")?.uid, 1001);
    const { atime, mtime } = statSync(directory.file("passwd"));
    writeFileSync(directory.file("new"), "deploy:x:1002:1001::/home/deploy:/bin/sh\n");
    utimesSync(directory.file("new"), atime, mtime);
    renameSync(directory.file("new"), directory.file("passwd"));
    assert.equal(accounts.get("deploy")?.uid, 1002);
  });

  describe("are safe", () => {
    for (const [shell, safe] of [
      [SHIM, true],
      ["/bin/dash", true],
      ["/usr/bin/dash", true],
      ["", true], // /bin/sh, which is dash here
      ["/bin/sh", true],
      ["/bin/bash", false],
      ["/bin/rbash", false],
      ["/usr/bin/zsh", false],
      ["/usr/bin/fish", false],
      ["/bin/ksh", false],
      ["/usr/sbin/nologin", false],
      [`${SHIM}x`, false],
      ["/nowhere/sh", false],
      ["dash", false],
    ] as const) {
      it(`${safe ? "with" : "not with"} ${shell || "no shell"}`, () => {
        const unsafe = passwd(`deploy:x:1001:1001::/home/deploy:${shell}`).unsafe("deploy", SHIM);
        if (safe) assert.equal(unsafe, null);
        else
          assert.deepEqual(unsafe, {
            reason: `login shell ${shell} runs files that the user can write before the recorder starts`,
            acceptable: true,
          });
      });
    }

    it("not with another program under dash's name, nor with dash under another", () => {
      symlinkSync("/bin/bash", directory.file("sh"));
      symlinkSync("/bin/dash", directory.file("zsh"));
      for (const name of ["sh", "zsh"])
        assert.notEqual(passwd(`deploy:x:1:1::/:${directory.file(name)}`).unsafe("deploy", SHIM), null);
      symlinkSync("/bin/dash", directory.file("dash"));
      assert.equal(passwd(`deploy:x:1:1::/:${directory.file("dash")}`).unsafe("deploy", SHIM), null);
    });

    it("not as root, by whatever name, nor when unknown, whoever would accept it", () => {
      const accounts = passwd(`toor:x:0:0::/root:${SHIM}`, `zero:x:00:0::/root:${SHIM}`);
      for (const [name, reason] of [
        ["toor", /^account toor is root$/],
        ["zero", /^account zero is root$/],
        ["nobody", /^account nobody is not in /],
      ] as const) {
        const unsafe = accounts.unsafe(name, SHIM);
        assert.match(unsafe?.reason ?? "", reason);
        assert.equal(unsafe?.acceptable, false);
      }
    });
  });

  it("cannot be had without the file", () => {
    assert.throws(() => new Accounts(directory.file("none")).get("root"), /ENOENT/);
  });
});
