import { DEMO_CODE } from "./users.ts";

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 12vh auto; padding: 0 1rem; }
  label { display: block; margin: 1rem 0; } input { display: block; width: 100%; padding: .5rem; font: inherit; box-sizing: border-box; }
  button { padding: .5rem 1.25rem; font: inherit; margin-right: .5rem; }
  [role=alert] { color: #a4001d; font-weight: 600; } .hint { color: #555; }
  @media (prefers-color-scheme: dark) { body { background: #16181d; color: #e8e8e8; } .hint { color: #aaa; } [role=alert] { color: #ff8095; } }`;

/** The first form: user name and password. `error` says what was wrong with the last try. */
export function loginPage(path: string, error?: string): string {
  return page(
    "Sign in",
    `${alert(error)}
    <form method="post" action="${escapeHtml(path)}/login">
      <label>User name <input name="username" autocomplete="username" autocapitalize="none" required autofocus></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <button type="submit">Sign in</button>
    </form>
    ${cancelForm(path)}`,
  );
}

/** The second form: the one-time code. */
export function codePage(path: string, error?: string): string {
  return page(
    "One more step",
    `${alert(error)}
    <form method="post" action="${escapeHtml(path)}/code">
      <label>One-time code <input name="code" inputmode="numeric" autocomplete="one-time-code" required autofocus></label>
      <p class="hint">There is no phone in a demo; demo code: ${DEMO_CODE}</p>
      <button type="submit">Continue</button>
    </form>
    ${cancelForm(path)}`,
  );
}

/** Asks whether to sign out; `form` is oidc-provider's own, with what proves that it was asked here. */
export function signOutPage(form: string): string {
  return page(
    "Sign out",
    `${form}
    <p>Signing out here ends what you signed in for.</p>
    <button type="submit" form="op.logoutForm" name="logout" value="yes">Sign me out</button>`,
  );
}

/** A page that only tells something. */
export function messagePage(title: string, message: string): string {
  return page(title, `<p>${escapeHtml(message)}</p>`);
}

function cancelForm(path: string): string {
  return `<form method="post" action="${escapeHtml(path)}/cancel"><button type="submit" name="cancel" value="yes">Cancel</button></form>`;
}

function alert(error: string | undefined): string {
  return error === undefined ? "" : `<p role="alert">${escapeHtml(error)}</p>`;
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escapeHtml(title)} - Demo IdP</title>
    <style>${STYLE}</style>
  </head>
  <body>
    <h1>${escapeHtml(title)}</h1>
    ${body}
  </body>
</html>
`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
