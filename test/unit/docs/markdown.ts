import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Root of the repository. */
export const ROOT = join(import.meta.dirname, "../../..");

/** The Markdown files of the repository, relative to its root. */
export const PAGES: readonly string[] = globSync(
  "{*.md,docs/**/*.md,*/README.md,packaging/ansible/README.md}",
  { cwd: ROOT },
)
  .filter((page) => !page.includes("node_modules"))
  .sort();

/** Text of a file of the repository. */
export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The page without its code blocks, fenced or indented. */
export function prose(markdown: string): string {
  return markdown.replace(/^( *)```[\s\S]*?^\1```$/gm, "").replace(/(?<=\n\n)(?: {4}.*\n)+/g, "");
}

/** Anchors of a page's headings, as forges make them. */
export function anchors(markdown: string): string[] {
  return [...prose(markdown).matchAll(/^#+ +(.+)$/gm)].map((match) =>
    String(match[1])
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
