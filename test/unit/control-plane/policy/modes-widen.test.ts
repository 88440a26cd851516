import assert from "node:assert/strict";
import { widens } from "@sallyport/control-plane/policy/widens.ts";
import { Engagement } from "@sallyport/core/policy/engagement.ts";

const ID = (letter: string) => letter.repeat(26);

function engagement(fields: object): Engagement {
  return Engagement.parse({
    ...{ id: `eng_${ID("e")}`, name: "work", vendor: "acme", members: [], hosts: {}, accounts: ["deploy"] },
    ...{ mfa: { level: "mfa", maxAge: null }, hours: null, sources: [], start: 1, end: 2, ended: null },
    ...{ approval: { rule: "none", approved: false }, contact: "", mode: "shell" },
    ...fields,
  });
}

const A = { program: "/bin/a", arguments: ["x"] };
const B = {
  program: "/bin/b",
  timeLimit: 60,
  outputLimit: 1000,
  confine: { write: ["/srv"], execute: ["/bin/c"] },
};
const commands = (rules: object[] = [A, B], rest: object = {}) =>
  engagement({ mode: "commands", commands: { rules, ...rest } });
const dir = (path: string, access = "read", maxFileSize: number | null = null) => ({
  path,
  access,
  maxFileSize,
});
const files = (...directories: object[]) => engagement({ mode: "files", files: { directories } });
const SHELL = engagement({});

const WIDER: [what: string, fields: string[], before: Engagement, after: Engagement][] = [
  ["a shell instead of commands", ["mode"], commands(), SHELL],
  ["a shell instead of files", ["mode"], files(dir("/srv")), SHELL],
  ["commands instead of files", ["mode"], files(dir("/srv")), commands()],
  [
    "commands as another account instead of a shell",
    ["commands"],
    SHELL,
    commands([{ ...A, runAs: "root" }]),
  ],
  ["another rule", ["commands"], commands(), commands([A, B, { program: "id" }])],
  ["other arguments", ["commands"], commands(), commands([{ ...A, arguments: ["y"] }, B])],
  ["rules in another order", ["commands"], commands(), commands([B, A])],
  ["a rule twice", ["commands"], commands(), commands([A, A, B])],
  ["another account", ["commands"], commands(), commands([{ ...A, runAs: "root" }, B])],
  ["other variables", ["commands"], commands(), commands([{ ...A, environment: { X: "1" } }, B])],
  ["another directory", ["commands"], commands(), commands([{ ...A, directory: "/srv" }, B])],
  ["a longer time", ["commands"], commands(), commands([A, { ...B, timeLimit: 61 }])],
  ["no limit of time", ["commands"], commands(), commands([A, { ...B, timeLimit: undefined }])],
  ["more output", ["commands"], commands(), commands([A, { ...B, outputLimit: 1001 }])],
  ["more to write", ["commands"], commands(), commands([A, { ...B, confine: { write: ["/srv", "/tmp"] } }])],
  ["all to read", ["commands"], commands(), commands([{ ...A, confine: { read: "any" } }, B])],
  [
    "confinement that is not required any more",
    ["commands"],
    commands([A], { confinement: "required" }),
    commands([A]),
  ],
  ["files besides commands", ["files"], commands(), { ...commands(), files: files(dir("/srv")).files }],
  ["another directory of files", ["files"], files(dir("/srv")), files(dir("/srv"), dir("/opt"))],
  ["the directory above", ["files"], files(dir("/srv/a")), files(dir("/srv"))],
  ["writing", ["files"], files(dir("/srv")), files(dir("/srv", "read-write"))],
  ["writing instead of reading", ["files"], files(dir("/srv")), files(dir("/srv", "write"))],
  ["larger files", ["files"], files(dir("/srv", "write", 10)), files(dir("/srv", "write", 11))],
  ["files of any size", ["files"], files(dir("/srv", "write", 10)), files(dir("/srv", "write"))],
  [
    "an exception that is gone",
    ["files"],
    files(dir("/srv", "read-write"), dir("/srv/keep", "read")),
    files(dir("/srv", "read-write")),
  ],
  [
    "an exception for homes that is gone",
    ["files"],
    files(dir("/home", "read-write"), dir("~", "read")),
    files(dir("/home", "read-write")),
  ],
  [
    "another protocol",
    ["files"],
    files(dir("/srv")),
    engagement({ mode: "files", files: { protocols: ["sftp", "rsync"], directories: [dir("/srv")] } }),
  ],
];

const NOT_WIDER: [what: string, before: Engagement, after: Engagement][] = [
  ["commands instead of a shell", SHELL, commands()],
  ["commands and files instead of a shell", SHELL, { ...commands(), files: files(dir("/")).files }],
  ["files instead of a shell", SHELL, files(dir("/", "read-write"))],
  [
    "files that could be moved besides commands",
    { ...commands(), files: files(dir("/srv")).files },
    files(dir("/srv")),
  ],
  ["a rule less", commands(), commands([B])],
  ["no rule", commands(), commands([])],
  ["another name and description", commands(), commands([{ ...A, name: "n", description: "d" }, B])],
  [
    "lower limits",
    commands(),
    commands([
      { ...A, timeLimit: 5 },
      { ...B, outputLimit: 1 },
    ]),
  ],
  ["less to write and execute", commands(), commands([A, { ...B, confine: {} }])],
  ["confinement that is required", commands(), commands([A, B], { confinement: "required" })],
  ["no files besides commands", { ...commands(), files: files(dir("/srv")).files }, commands()],
  ["fewer directories", files(dir("/srv"), dir("/opt")), files(dir("/opt"))],
  ["a directory inside", files(dir("/srv", "read-write")), files(dir("/srv/a", "write", 10))],
  ["reading instead of both", files(dir("/srv", "read-write")), files(dir("/srv"))],
  ["smaller files", files(dir("/srv", "write", 10)), files(dir("/srv", "write", 9))],
  ["a new exception", files(dir("/srv", "read-write")), files(dir("/srv", "read-write"), dir("/srv/keep"))],
  ["less of homes", files(dir("~", "read-write")), files(dir("~/in", "write"))],
];

describe("another mode of an engagement, and other commands and files", () => {
  for (const [what, fields, before, after] of WIDER)
    it(`grant more with ${what}`, () => assert.deepEqual(widens(before, after), fields));
  for (const [what, before, after] of NOT_WIDER)
    it(`do not grant more with ${what}`, () => assert.deepEqual(widens(before, after), []));
});
