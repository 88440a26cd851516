import { join } from "node:path";
import type { Addresses } from "./files.ts";
import { DEMO_CODE } from "./identity-provider.ts";
import { shellWords } from "./light-host/shell-words.ts";
import { CONTACT, CONTRACTOR_ACCOUNT, type DemoPerson, HOST_NAME } from "./seed.ts";

export type GuideInput = {
  directory: string;
  clone: string;
  /** Whether this machine can show a browser window. */
  browser: boolean;
};

/** What the demo prints when it is ready: commands to copy and paste, in their order. */
export function guideText(
  { directory, clone, browser }: GuideInput,
  addresses: Addresses,
  people: readonly DemoPerson[],
): string {
  const quoted = (path: string) => (/^[\w./@+-]+$/.test(path) ? path : shellWords([path]));
  const enter = (name: string) => {
    const lines = [`cd ${quoted(clone)}`, `export SALLYPORT_HOME=${quoted(join(directory, name))}`];
    if (!browser) lines.push(`export BROWSER=${quoted(join(directory, "browser", name))}`);
    return lines.join("\n    ");
  };
  const login = `npx sallyport login --server ${addresses.console}`;
  const widest = Math.max(...people.map((person) => person.name.length));
  const table = people.map(
    (person) =>
      `    ${person.name.padEnd(widest)}  ${person.password.padEnd(widest + 5)}  ${person.role.padEnd(10)}  ${person.note}`,
  );
  return `
Sallyport demo is ready.  Control plane ${addresses.console}, identity provider ${addresses.issuer}, host ${HOST_NAME}.

  Who can sign in (name, password; the one-time code is always ${DEMO_CODE}):

${table.join("\n")}

  1. As the contractor alice, in a second terminal:

    ${enter("alice")}
    ${login}
    npx sallyport ssh ${HOST_NAME}                 # a shell as ${CONTRACTOR_ACCOUNT}, recorded; leave it with "exit"
    npx sallyport config ssh                # from here on plain ssh, scp, rsync and git know ${HOST_NAME}
    ssh ${HOST_NAME} 'hostname; id -un'

  2. As the security engineer sam, in a third terminal:

    ${enter("sam")}
    ${login}
    npx sallyport sessions                  # newest first; take an ID from it
    npx sallyport play ID
    npx sallyport export ID --format text
    npx sallyport verify ID
    npx sallyport web --link                # the same as a page; open the link within a minute
    npx sallyport engagement list           # what the contractors are engaged for; "engagement --help" changes it

  3. Have alice open a shell again (npx sallyport ssh ${HOST_NAME}), and as sam cut her off:

    npx sallyport revoke --member alice@acme.test --reason "end of the demo"

    Her shell ends at once; her next login says why, and that ${CONTACT} can help; so does:  npx sallyport why
    A member stays revoked until the demo is started again.

  4. bob, carol and dave sign in the same way, each with a SALLYPORT_HOME of their own, and are told why ${HOST_NAME} refuses them.

  To take alice's line out of your ~/.ssh/config again:  npx sallyport config ssh --remove

  ${
    browser
      ? "No browser window? Add --no-browser to the login and open the address that it prints."
      : `This machine has no $BROWSER and no display, so BROWSER above names a program that types into the sign-in form.
  To type yourself, add --no-browser to the login and open the address that it prints in a browser on this machine.`
  }
  Everything is also in ${directory}/demo.json. Ctrl-C ends the demo.
`;
}
