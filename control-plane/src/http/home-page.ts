/** The page at `/`: what this is, and how to sign in. Works without JavaScript. */
export function homePage(url: string): string {
  const shown = url.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sallyport</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1.25rem; }
  h1 { font-size: 1.6rem; }
  code, pre { font: .95rem/1.5 ui-monospace, monospace; }
  pre { padding: .8rem 1rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .4rem; overflow-x: auto; }
</style>
<main>
  <h1>Sallyport</h1>
  <p>This server gives contractors SSH access to Linux servers for as long as an engagement lasts. Every session is
  recorded; access ends by itself, and at once when it is revoked.</p>
  <h2>Sign in</h2>
  <p>On your own computer, with the <code>sallyport</code> command:</p>
  <pre>sallyport login --server ${shown}
sallyport ssh HOST</pre>
  <p>Your browser opens at your organisation's sign-in page. <code>sallyport status</code> lists the hosts that you may
  reach, <code>sallyport why</code> explains the last refusal.</p>
</main>
</html>
`;
}
