/** What the browser shows at the end of a sign-in. `sentence` may hold text from outside. */
export function callbackPage(title: string, sentence: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)} – Sallyport</title>
<style>
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto 0; padding: 0 1rem; color-scheme: light dark }
</style>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(sentence)}</p>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
