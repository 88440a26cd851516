import assert from "node:assert/strict";
import type { Context } from "@sallyport/client/context.ts";
import { run } from "@sallyport/client/program.ts";
import { TokenScope } from "@sallyport/control-plane/people/permissions.ts";

interface Transcript {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line in this process, on a machine where nobody has signed in. */
async function transcript(...args: string[]): Promise<Transcript> {
  const result = { status: 0, stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr") => ({
    columns: 100,
    write: (chunk: string | Uint8Array) => {
      result[name] += Buffer.from(chunk).toString("utf8");
      return true;
    },
  });
  const context: Context = {
    home: "/nonexistent/sallyport",
    userHome: "/nonexistent",
    env: {},
    uid: 1000,
    platform: "linux",
    nodePath: "/opt/node",
    mainPath: "/opt/main.ts",
    stdout: output("stdout"),
    stderr: output("stderr"),
    now: () => 1_700_000_000_000,
  };
  result.status = await run(args, context);
  return result;
}

/** What is said to a name behind a group of commands that has no `show`. */
const NO_COMMAND: Record<string, string> = {
  member:
    'sallyport: "x" is no command of sallyport member. To list members: sallyport member list; to invite one: sallyport member invite x --name … --vendor …\n',
  hold: 'sallyport: "x" is no command of sallyport hold. To hold a recording: sallyport hold add x --reason …\n',
  token:
    'sallyport: "x" is no command of sallyport token. To list tokens: sallyport token list; to make one: sallyport token create x --scope …\n',
};

describe("the command line", () => {
  it("lists the scopes that the control plane has, and takes no other", async () => {
    const help = await transcript("token", "create", "--help");
    const listed = /^Scopes:\n((?: {2}\S+\n)+)/m.exec(help.stdout)?.[1]?.trim().split(/\s+/);
    assert.deepEqual(listed, TokenScope.options);
    const other = await transcript("token", "create", "ci", "--scope", "nope");
    assert.equal(other.status, 2);
    assert.match(other.stderr, /^sallyport: There is no scope "nope"\. There are: engagements:read, /);
  });

  it("takes a reason for an answer to a request, as it does everywhere, and a note", async () => {
    for (const option of ["--reason", "--note"]) {
      const { status, stderr } = await transcript("approvals", "deny", "apr_1", option, "not now");
      assert.deepEqual([status, stderr.includes("not signed in")], [3, true], stderr);
    }
  });

  it("names the help of the command that was called wrongly", async () => {
    const { status, stderr } = await transcript("engagement", "extend", "acme-db");
    assert.equal(status, 2);
    assert.match(stderr, /--until.*not specified\n\(see: sallyport engagement extend --help\)\n$/);
  });

  it("shows its commands, exit codes and environment", async () => {
    const { status, stdout, stderr } = await transcript("--help");
    assert.deepEqual([status, stderr], [0, ""]);
    assert.equal(
      stdout,
      `Usage: sallyport [options] [command]

SSH access for as long as an engagement lasts, signed in with your identity provider.

Options:
  -V, --version                   print the version
  -h, --help                      display help for command

For contractors:
  login [options]                 sign in with your identity provider
  ssh [args...]                   connect to a host, signing in first if need be
  config                          set up other programs
  hosts [options]                 the hosts that your engagements give you
  status [options]                who you are, until when, and where you may go
  why [options]                   why the last login was refused, and what to do
  request [options] <engagement>  ask for the approval that an engagement needs
  logout                          remove your key and end the sign-in

For the security team:
  sessions [options]              list recorded sessions
  play [options] <id>             replay a recording in this terminal
  export [options] <id>           write a recording in another format
  verify [options] [id]           check that a recording is whole and unaltered
  web [options]                   list and play sessions in the browser
  hold|holds                      keep recordings past their retention
  audit                           export and verify the audit log
  revoke [options] [id]           take access away, now
  unrevoke [options] [id]         let somebody sign in again
  revocations|revocation          list revocations, and which hosts have them
  idp                             how it stands with the identity providers
  token                           make, list and revoke API tokens for programs
  engagement|engagements          create, change, list and end engagements
  member|members                  invite people, and list them
  apply [options]                 apply a policy file
  diff [options]                  what applying a policy file would change
  policy                          check and try a policy file, without a server
  approvals|approval              list and answer requests for approval

Commands:
  help [command]                  display help for command

Exit codes:
  0  done
  1  something else went wrong
  2  the command line is wrong, or a file that it names
  3  not signed in, or the sign-in has expired
  4  the control plane or the identity provider cannot be reached
  5  the sign-in failed
  6  refused: you may not do this; "policy test": it would be refused
  7  a recording or the audit log does not verify
  8  "diff": applying the file would change something; "policy lint": look at it
  9  "revoke --wait": not every host has it yet
  "sallyport ssh" ends with ssh's own exit status.

Environment:
  SALLYPORT_HOME    where state is kept (~/.config/sallyport)
  SALLYPORT_TOKEN   an API token instead of a sign-in, for programs; with SALLYPORT_SERVER
  SALLYPORT_SERVER  the control plane that SALLYPORT_TOKEN is for
  SALLYPORT_DEBUG   show where an error came from
  BROWSER           the program that opens an address
  SSH_AUTH_SOCK     the ssh-agent that keeps your key; without one it is in a file in memory
`,
    );
  });

  it("shows a command's options and examples", async () => {
    const { stdout } = await transcript("play", "--help");
    assert.equal(
      stdout,
      `Usage: sallyport play [options] <id>

Replay a recording in this terminal, in its own time; into a file or a pipe at once. What would make
a terminal answer or act (clipboard, queries, mouse) is left out; export --format raw has every
byte.

Arguments:
  id                      the session

Options:
  --speed <factor>        2 is twice as fast (default: 1)
  --idle-limit <seconds>  shorten longer pauses to this
  -h, --help              display help for command

Examples:
  sallyport play ses_…
  sallyport play ses_… --speed 4 --idle-limit 2
`,
    );
  });

  const commands = [
    ...[
      "login",
      "ssh",
      "config ssh",
      "hosts",
      "status",
      "why",
      "logout",
      "sessions",
      "play",
      "export",
      "verify",
    ],
    ...["audit", "audit checkpoint", "audit export", "audit verify"],
    ...["policy", "policy lint", "policy test", "policy explain"],
    ...["revoke", "unrevoke", "revocations", "revocations list", "revocations show"],
    ...["idp", "idp list"],
    ...["engagement", "engagement list", "engagement show", "engagement end"],
  ];
  for (const command of commands) {
    it(`has examples: ${command} --help`, async () => {
      const { status, stdout } = await transcript(...command.split(" "), "--help");
      assert.equal(status, 0);
      assert.match(stdout, /^Examples:\n {2}sallyport /m);
    });
  }

  const complaints: [string, number, string][] = [
    ["logn", 2, "sallyport: unknown command 'logn'\n(Did you mean login?)\n(see: sallyport --help)\n"],
    ["play", 2, "sallyport: missing required argument 'id'\n(see: sallyport play --help)\n"],
    ["status --nonsense", 2, "sallyport: unknown option '--nonsense'\n(see: sallyport status --help)\n"],
    ["login", 2, "sallyport: Say where to sign in: sallyport login --server https://sallyport.example.com\n"],
    [
      "login --server http://x.example",
      2,
      "sallyport: The server's address must begin with https://, not http://\n",
    ],
    ["play x --speed fast", 2, 'sallyport: --speed takes a number of at least 0.01, not "fast".\n'],
    [
      "engagement acme-db",
      2,
      'sallyport: "acme-db" is no command of sallyport engagement. To see one: sallyport engagement show acme-db\n',
    ],
    [
      "approvals list $(id)",
      2,
      'sallyport: "$(id)" is no command of sallyport approvals. To see one: sallyport approvals show NAME\n',
    ],
    ...["member x", "hold x", "token x"].map((line): [string, number, string] => {
      const group = line.split(" ")[0] ?? "";
      return [line, 2, NO_COMMAND[group] ?? ""];
    }),
    ["ssh", 2, "sallyport: Name the host: sallyport ssh HOST [command…]\n"],
    ["status", 3, "sallyport: You are not signed in; run: sallyport login --server URL\n"],
    ["sessions", 3, "sallyport: You are not signed in; run: sallyport login --server URL\n"],
    ["config ssh", 3, "sallyport: You are not signed in; run: sallyport login --server URL\n"],
  ];
  for (const [line, status, stderr] of complaints) {
    it(`complains in one place: sallyport ${line}`, async () => {
      assert.deepEqual(await transcript(...line.split(" ")), { status, stdout: "", stderr });
    });
  }
});
