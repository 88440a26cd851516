import type { KnownProgram } from "./known-program.ts";

const SECURE_LESS = { LESSSECURE: ["1"] };
const NO_PAGER = { PAGER: ["cat", "/usr/bin/cat", "/bin/cat"] };
const NO_SYSTEMD_PAGER = { ...NO_PAGER, SYSTEMD_PAGER: ["", "cat"], SYSTEMD_PAGERSECURE: ["1", "true"] };

const NEVER_PAGED =
  "start stop restart reload try-restart reload-or-restart is-active is-enabled is-failed reset-failed daemon-reload kill";

/** Pagers, editors and other programs with a prompt of their own, from which others can be started. */
export const INTERACTIVE: readonly KnownProgram[] = [
  {
    programs: "less zless",
    risk: "starts",
    always: "by ! | and v at its prompt, and by LESSOPEN",
    closedBy: { environment: SECURE_LESS },
  },
  {
    programs: "less zless",
    risk: "writes",
    always: "by s and o at its prompt, and with -o",
    closedBy: { environment: SECURE_LESS },
  },
  { programs: "more zmore most pg", risk: "starts", always: "by ! and v at its prompt" },
  {
    programs: "man",
    risk: "starts",
    always: "by ! in its pager, and with -P, -H and MANPAGER",
    closedBy: { environment: { MANPAGER: ["cat", "/usr/bin/cat"], ...SECURE_LESS } },
  },
  { programs: "info pinfo", risk: "starts", always: "by ! and M-x at its prompt, and with --restore" },
  {
    programs: "vi vim view ex vimdiff nvim gvim rview rvim",
    risk: "starts",
    always: "by :! and :terminal, by filters, by -c and --cmd, and by a script of a language that it embeds",
  },
  { programs: "nano pico rnano", risk: "starts", always: "by Ctrl-T (speller, formatter), and with -s" },
  {
    programs: "emacs emacsclient zile mg jed joe ne micro",
    risk: "starts",
    always: "by M-! or its own key for a shell",
  },
  { programs: "ed red", risk: "starts", always: "by ! at its prompt" },
  {
    programs: "vi vim view ex vimdiff nvim gvim nano pico emacs emacsclient zile mg jed joe ne micro ed",
    risk: "writes",
    always: "by saving under any name",
  },
  { programs: "mc ranger nnn vifm lf", risk: "starts", always: "by its own command line" },
  {
    programs: "mutt neomutt mail mailx alpine pine",
    risk: "starts",
    always: "by ! or | at its prompt, and its editor",
  },
  { programs: "lynx links elinks w3m", risk: "starts", always: "by ! and its viewers and editor" },
  { programs: "htop", risk: "starts", always: "by s (strace) and l (lsof)" },
  { programs: "screen tmux byobu dtach abduco", risk: "starts", always: "by opening a window" },
  {
    programs: "screen tmux",
    risk: "service",
    always: "by a server that goes on after the session has ended",
  },
  {
    programs: "gdb lldb",
    risk: "starts",
    always: "by shell, !, run and Python at its prompt, and with -ex and -x",
  },
  {
    programs: "gdb lldb",
    risk: "code",
    bare: "in other processes of the account, which are not confined",
    operand: { which: "any", how: "in other processes of the account, which are not confined" },
  },
  {
    programs:
      "systemctl journalctl loginctl machinectl hostnamectl timedatectl localectl resolvectl coredumpctl networkctl",
    risk: "starts",
    always: "by ! in the pager that it starts on a terminal (SYSTEMD_PAGER)",
    closedBy: { words: "--no-pager", subcommands: NEVER_PAGED, environment: NO_SYSTEMD_PAGER },
  },
  { programs: "ftp lftp sftp tnftp telnet", risk: "starts", always: "by ! at its prompt" },
  {
    programs: "psql pgcli",
    risk: "starts",
    always: "by \\! \\o | \\g | \\e and \\copy … program at its prompt, and its pager",
    closedBy: { words: "-c --command" },
  },
  {
    programs: "psql pgcli",
    risk: "remote",
    always:
      "by COPY … PROGRAM on the database's server, where the role is a superuser or pg_execute_server_program",
    closedBy: { words: "-c --command" },
  },
  {
    programs: "mysql mariadb mycli",
    risk: "starts",
    always: "by \\! or system, by pager and edit at its prompt",
    closedBy: { words: "-e --execute" },
  },
  {
    programs: "sqlite sqlite3",
    risk: "starts",
    always: "by .shell, .system, .import | and load_extension()",
  },
  {
    programs: "redis-cli valkey-cli",
    risk: "remote",
    always: "by EVAL, MODULE LOAD and CONFIG SET dir on the server",
  },
  { programs: "mongo mongosh", risk: "code", always: "as JavaScript at its prompt, and with --eval" },
];
