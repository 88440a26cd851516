import type { KnownProgram } from "./known-program.ts";

const OPERAND = { which: "any", how: "as its operand" } as const;

/** Programs whose use it is to start others, and options that make other programs do so. */
export const LAUNCHERS: readonly KnownProgram[] = [
  {
    programs:
      "env nice ionice nohup timeout time stdbuf setsid setarch unshare nsenter chroot chrt taskset flock parallel xargs watch " +
      "strace ltrace perf script scriptreplay unbuffer rlwrap entr start-stop-daemon capsh runuser setpriv dbus-run-session " +
      "faketime cpulimit prlimit numactl logsave chpst softlimit firejail bwrap xvfb-run sg newgrp catchsegv fakeroot aa-exec",
    risk: "starts",
    operand: OPERAND,
    bare: "by default",
  },
  { programs: "script unbuffer", risk: "starts", options: [["-c --command", "as its value"]] },
  { programs: "flock", risk: "starts", options: [["-c --command", "as its value"]] },
  { programs: "env", risk: "starts", options: [["-S --split-string", "as its value"]] },
  {
    programs: "strace ltrace gcore perf",
    risk: "code",
    options: [["-p --attach --pid", "inside other processes of the account"]],
  },
  {
    programs: "busybox toybox",
    risk: "starts",
    operand: { which: "first", how: "as its applet (sh is one)" },
    bare: "as its applet",
    subcommands: [["sh ash hush vi awk find xargs env", "as its applet"]],
  },
  {
    programs: "sudo su doas pkexec run0",
    risk: "service",
    always: "as another account, which nothing here confines; use runAs, which takes a fixed command",
  },
  {
    programs: "find",
    risk: "starts",
    options: [["-exec -execdir -ok -okdir", "for each file that it finds"]],
  },
  {
    programs: "find",
    risk: "writes",
    options: [["-delete -fprint -fprint0 -fprintf -fls", "by deleting, or by writing a list"]],
  },
  {
    programs: "fd fdfind",
    risk: "starts",
    options: [["-x --exec -X --exec-batch", "for each file that it finds"]],
  },
  {
    programs: "rg",
    risk: "starts",
    options: [["--pre --hostname-bin -z --search-zip", "for each file that it searches"]],
  },
  {
    programs: "tar bsdtar gtar",
    risk: "starts",
    options: [
      [
        "--checkpoint-action --to-command --rsh-command --rmt-command -I --use-compress-program -F --info-script --new-volume-script",
        "as its value",
      ],
      [
        "-z -j -J --gzip --bzip2 --xz --zstd --lzma -a --auto-compress",
        "the compressor; name it in confine.execute",
      ],
    ],
  },
  {
    programs: "tar bsdtar gtar cpio unzip 7z 7za",
    risk: "writes",
    options: [
      [
        "-x --extract --get -c --create -r -u -o -i --overwrite",
        "what is in an archive, under the names in it",
      ],
    ],
  },
  { programs: "zip", risk: "starts", options: [["-TT --unzip-command -T --test", "with -TT, as its value"]] },
  {
    programs: "unzip 7z 7za rar unrar",
    risk: "writes",
    always: "what is in an archive, under the names in it",
  },
  {
    programs: "git",
    risk: "starts",
    always:
      "by pager, editor, hooks, aliases, filters, credential helpers and transports (ext::) of a repository's configuration",
  },
  {
    programs: "git",
    risk: "code",
    options: [["-c --config-env --exec-path --upload-pack --receive-pack -u", "as a setting or a value"]],
  },
  {
    programs: "hg svn cvs bzr fossil",
    risk: "starts",
    always: "by hooks, editor, external diff and ssh settings",
  },
  {
    programs: "make gmake ninja cmake rake ant mvn gradle meson scons just",
    risk: "code",
    always: "as the recipes of the file that it reads, in the directory where it runs",
  },
  {
    programs: "npm npx yarn pnpm corepack",
    risk: "code",
    always: "as the scripts of the packages that it installs or runs",
  },
  {
    programs: "pip pipx uv poetry gem bundle cargo go composer cpan luarocks conda",
    risk: "code",
    always: "as the build scripts of the packages that it installs",
  },
  {
    programs: "apt apt-get aptitude dpkg dnf yum zypper rpm apk pacman snap flatpak",
    risk: "code",
    always: "as the maintainer scripts of packages, and by options (-o APT::…, --root, --eval)",
  },
  {
    programs: "apt apt-get aptitude",
    risk: "starts",
    options: [["-o --option -c --config-file", "as a setting: Pre-Invoke, Dpkg::Options"]],
    subcommands: [["changelog", "in a pager"]],
  },
  {
    programs: "openssl",
    risk: "code",
    options: [["-engine -provider -provider-path -config", "from a library that it loads"]],
    subcommands: [["engine", "from a library that it loads"]],
  },
  { programs: "openssl", risk: "writes", options: [["-out -keyout -writerand", "as its value"]] },
  {
    programs: "nmap",
    risk: "code",
    options: [["--script --script-args --interactive --datadir", "as a Lua script"]],
  },
  { programs: "tcpdump tshark dumpcap", risk: "starts", options: [["-z", "as its value, after each file"]] },
  { programs: "tcpdump tshark", risk: "writes", options: [["-w -W -Z", "what it captures"]] },
  {
    programs: "curl wget aria2c",
    risk: "writes",
    options: [
      [
        "-o -O --output --remote-name -K --config -c --cookie-jar -D --dump-header --trace --trace-ascii --post-file --input-file -i -P --directory-prefix --stderr",
        "or reads files that are named there, from anywhere",
      ],
    ],
    operand: { which: "any", how: "from any address, file:// ones too (curl)" },
  },
  { programs: "wget", risk: "starts", options: [["--use-askpass -e --execute --rsh", "as its value"]] },
  {
    programs: "aria2c",
    risk: "starts",
    options: [["--on-download-complete --on-download-start --on-download-error", "as its value"]],
  },
  { programs: "split", risk: "starts", options: [["--filter", "as its value"]] },
  { programs: "sort", risk: "starts", options: [["--compress-program", "as its value"]] },
  { programs: "sort", risk: "writes", options: [["-o --output", "as its value"]] },
  { programs: "logrotate", risk: "starts", always: "by prerotate and mail settings of its file" },
  { programs: "run-parts", risk: "starts", always: "each file of a directory" },
  {
    programs: "ip",
    risk: "starts",
    options: [["-b -batch", "by netns exec in its file"]],
    subcommands: [["netns vrf", "with exec"]],
    operand: { which: "first", how: "by netns exec" },
  },
  {
    programs: "setcap mount umount fusermount",
    risk: "starts",
    always: "helpers (mount.*), and it changes what files mean",
  },
  {
    programs: "tee dd cp mv install ln truncate touch rm rmdir mkdir chmod chown shred rename patch",
    risk: "writes",
    always: "what it is named",
  },
  { programs: "patch", risk: "starts", options: [["-e --ed", "ed(1)"]] },
  {
    programs: "vipe vidir visudo vipw vigr sudoedit",
    risk: "starts",
    always: "an editor, by EDITOR and VISUAL",
  },
];
