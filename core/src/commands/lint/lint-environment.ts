import type { Finding, Severity } from "./finding.ts";
import type { RuleView } from "./rule-view.ts";

/** Variables that make programs load code or start others; the first that fits counts. */
const LOADING: readonly (readonly [pattern: RegExp, severity: Severity, how: string])[] = [
  [/^(LESSSECURE|SYSTEMD_PAGERSECURE)$/, "note", ""],
  [
    /^(LD_|GLIBC_TUNABLES$|GCONV_PATH$|LOCPATH$|NLSPATH$|MALLOC_)/,
    "danger",
    "the dynamic loader and libc load code by it",
  ],
  [
    /^(BASH_ENV|ENV|ZDOTDIR|BASH_FUNC_.*|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|IFS|CDPATH)$/,
    "danger",
    "shells run code by it",
  ],
  [
    /^PYTHON(PATH|HOME|STARTUP|INSPECT|USERBASE|BREAKPOINT|WARNINGS|EXECUTABLE|PLATLIBDIR)$/,
    "danger",
    "Python runs code by it",
  ],
  [/^(PERL5?(LIB|OPT|DB)|PERL_MB_OPT|PERL_HASH_SEED_DEBUG)$/, "danger", "Perl runs code by it"],
  [/^(RUBYOPT|RUBYLIB|GEM_HOME|GEM_PATH|BUNDLE_.*)$/, "danger", "Ruby runs code by it"],
  [/^(NODE_OPTIONS|NODE_PATH|NPM_CONFIG_.*|npm_config_.*)$/, "danger", "Node.js runs code by it"],
  [
    /^(JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|JAVA_HOME)$/,
    "danger",
    "Java runs code by it",
  ],
  [
    /^(LUA_(INIT|PATH|CPATH).*|PHPRC|PHP_INI_SCAN_DIR|TCLLIBPATH|R_PROFILE.*|AWKPATH|AWKLIBPATH)$/,
    "danger",
    "a language runs code by it",
  ],
  [
    /^GIT_/,
    "warning",
    "git starts programs by some of them (GIT_SSH, GIT_PAGER, GIT_EDITOR, GIT_EXEC_PATH, GIT_CONFIG_…)",
  ],
  [
    /^(LESSOPEN|LESSCLOSE|LESSEDIT|LESSKEY.*|LESS|MORE)$/,
    "warning",
    "a pager starts programs by it, or is set by it",
  ],
  [/PAGER(_.*)?$/, "warning", "programs start their pager by it"],
  [
    /^(EDITOR|VISUAL|SYSTEMD_EDITOR|SUDO_EDITOR|FCEDIT|BROWSER|SHELL|TERMCMD)$/,
    "warning",
    "programs start others by it",
  ],
  [
    /^(SSH_ASKPASS|SUDO_ASKPASS|RSYNC_RSH|CVS_RSH|ANSIBLE_.*|DOCKER_HOST|KUBECONFIG|TAR_OPTIONS|RSYNC_.*)$/,
    "warning",
    "programs start others by it, or take options from it",
  ],
  [
    /^(OPENSSL_(CONF|ENGINES|MODULES)|TERMINFO.*|TERMCAP|XDG_.*|HOME)$/,
    "warning",
    "programs read settings, or load libraries, by it",
  ],
  [/(^|_)PATH$|^PATH/, "warning", "programs, or what they load, are looked for there"],
];

const HARMLESS =
  /^(|cat|\/usr\/bin\/cat|\/bin\/cat|less|\/bin\/false|\/usr\/bin\/false|true|\/usr\/bin\/true)$/;

/** Variables of a rule by which a program loads code or starts others. */
export function lintEnvironment({ rule, path }: RuleView): Finding[] {
  return Object.entries(rule.environment).flatMap(([name, value]): Finding[] => {
    const [, severity = "note", how = ""] = LOADING.find(([pattern]) => pattern.test(name)) ?? [];
    if (how === "" || (severity === "warning" && HARMLESS.test(value))) return [];
    const message = `${name} is not harmless: ${how}. What it names must not be writable by contractors.`;
    return [{ severity, code: "environment", path: [...path, "environment", name], message }];
  });
}
