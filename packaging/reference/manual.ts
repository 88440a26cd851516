import type { ConfigFile } from "./files.ts";

/** A man page of section 5, in man(7)'s roff. */
export function manual({ name, path, purpose, about, seeAlso, keys }: ConfigFile): string {
  const lines = [
    `.\\" Made from the schema by npm run docs:config; changes made here are lost.`,
    `.TH ${name.toUpperCase()} 5 "" "Sallyport" "Sallyport"`,
    ".SH NAME",
    `${name} \\- ${purpose}`,
    ".SH SYNOPSIS",
    `.I ${path}`,
    ".SH DESCRIPTION",
    ...about.flatMap((paragraph) => [".PP", ...sentences(paragraph)]),
    ".PP",
    ...sentences("`a[].b` is the key `b` of each entry of the list `a`."),
    ".SH KEYS",
    ...keys.flatMap(({ path: key, form, byDefault, description }) => [
      ".TP",
      `\\fB${escaped(key)}\\fR`,
      ...sentences(`${upperFirst(form)}${defaultOf(byDefault)}.`),
      ".br",
      ...sentences(description),
    ]),
    ".SH FILES",
    `.I ${path}`,
    ".SH SEE ALSO",
    seeAlso.map((page) => `.BR ${page.replace("(", " (")}`).join(" ,\n"),
    "",
  ];
  return lines.join("\n");
}

function defaultOf(byDefault: string): string {
  if (byDefault === "required") return "; required";
  return byDefault === "" ? "" : `; default \`${byDefault}\``;
}

/** One sentence a line, as man(7) has it. A line never begins with what roff takes for a request. */
function sentences(text: string): string[] {
  return text.split(/(?<=[.:;?]) (?=[A-Z`])/).map((sentence) => inline(sentence));
}

function inline(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith("`") ? `\\fB${escaped(part.slice(1, -1))}\\fR` : escaped(part)))
    .join("")
    .replace(/\bDanger\b/, "\\fBDanger\\fR")
    .replace(/^(?=[.'])/, "\\&");
}

/** `-` is a hyphen in words and a minus in what is typed; the latter is right for both. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "\\&...")
    .replaceAll("§", "\\(sc");
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
