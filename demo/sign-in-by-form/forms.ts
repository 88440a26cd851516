/** A form on a page: where it goes, and its fields with the values they come with. */
export type Form = { action: URL; method: "get" | "post"; fields: Map<string, string> };

/** The forms of an HTML page. A submit button counts as a field, so that it is sent as pressed. */
export function findForms(html: string, base: URL): Form[] {
  const forms: Form[] = [];
  for (const [, attributes = "", content = ""] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    const form = readAttributes(attributes);
    const fields = new Map<string, string>();
    for (const [, fieldAttributes = ""] of content.matchAll(/<(?:input|button)\b([^>]*)>/gi)) {
      const field = readAttributes(fieldAttributes);
      const name = field.get("name");
      if (name) fields.set(name, field.get("value") ?? "");
    }
    forms.push({
      action: new URL(form.get("action") ?? "", base),
      method: form.get("method")?.toLowerCase() === "post" ? "post" : "get",
      fields,
    });
  }
  return forms;
}

function readAttributes(text: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name = "", double, single, bare] of text.matchAll(
    /([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g,
  )) {
    attributes.set(name.toLowerCase(), unescapeHtml(double ?? single ?? bare ?? ""));
  }
  return attributes;
}

function unescapeHtml(text: string): string {
  const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"' };
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(amp|lt|gt|quot));/gi, (_all, decimal, hex, name) => {
    if (name) return entities[String(name).toLowerCase()] ?? "";
    return String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
