#!/bin/bash
# PID 1 of a light host: lays private file systems over the machine's, then starts and stops services as it is told.
#
# Started by demo/light-host/namespace.ts in new mount, UTS, IPC and PID namespaces:
#   light-host-init.sh NAME DIRECTORY KEEP...
# NAME is the host's name, DIRECTORY takes the services' logs, and each KEEP is a path that stays the machine's own.
#
# It takes orders on standard input, one per line, and reports on standard output:
#   start SERVICE COMMAND...   ->  started SERVICE PID, and at its end: ended SERVICE STATUS (then it is started anew)
#   stop SERVICE               ->  ended SERVICE STATUS, stopped SERVICE
# The end of standard input (its owner is gone) ends the host: when PID 1 leaves, the kernel kills all the others.
set -eu
umask 022

name=$1 directory=$2
shift 2

# Where the layers are put together: any directory that always exists and holds none of the paths to keep.
choose_stage() {
  local candidate path
  for candidate in /mnt /media /srv /opt; do
    [ -d "$candidate" ] || continue
    for path in "$@"; do
      case "$path/" in "$candidate"/*) continue 2 ;; esac
    done
    echo "$candidate"
    return
  done
  echo "none of /mnt, /media, /srv and /opt can take the layers" >&2
  return 1
}

stage=$(choose_stage "$directory" "$@")
mount -t tmpfs -o mode=0700 light-host "$stage"

# Hold on to what must stay the machine's own before it is covered.
kept=0
for path in "$@" "$directory"; do
  kept=$((kept + 1))
  mkdir "$stage/kept-$kept"
  mount --rbind "$path" "$stage/kept-$kept"
done

for path in /etc /var /root /usr/local; do
  layer=$stage/$(basename "$path")
  mkdir -p "$layer/upper" "$layer/work"
  # The merged directory shows the upper one's owner and mode.
  chown --reference="$path" "$layer/upper"
  chmod --reference="$path" "$layer/upper"
  mount -t overlay -o "lowerdir=$path,upperdir=$layer/upper,workdir=$layer/work" light-host "$path"
done
mount -t tmpfs -o mode=0755 light-host /home
mount -t tmpfs -o mode=0755 light-host /run
mount -t tmpfs -o mode=1777 light-host /tmp
mount -t tmpfs -o mode=1777 light-host /dev/shm
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 light-host /dev/pts

kept=0
for path in "$@" "$directory"; do
  kept=$((kept + 1))
  # Parents that a fresh file system lacks are root's alone: nothing below them concerns the host's users.
  (umask 077 && mkdir -p "$path")
  mount --rbind "$stage/kept-$kept" "$path"
done
umount -l "$stage"

hostname "$name"
mkdir -m 0755 /run/sshd
mkdir -m 1777 /run/lock
mkdir -m 0700 /run/light-host
cd /
echo up

supervise() { # SERVICE COMMAND
  local service=$1 command=$2 pid status
  while [ ! -e "/run/light-host/$service.stopped" ]; do
    (eval "exec $command") </dev/null >>"$directory/$service.log" 2>&1 &
    pid=$!
    echo "$pid" >"/run/light-host/$service.pid"
    echo "started $service $pid"
    status=0
    wait "$pid" || status=$?
    rm -f "/run/light-host/$service.pid"
    echo "ended $service $status"
    [ -e "/run/light-host/$service.stopped" ] || sleep 0.2
  done
  echo "stopped $service"
}

while read -r verb service command; do
  case $verb in
    start)
      rm -f "/run/light-host/$service.stopped"
      supervise "$service" "$command" &
      ;;
    stop)
      touch "/run/light-host/$service.stopped"
      if pid=$(cat "/run/light-host/$service.pid" 2>/dev/null); then kill -TERM "$pid" 2>/dev/null || true; fi
      ;;
  esac
done
