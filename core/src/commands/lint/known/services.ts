import type { KnownProgram } from "./known-program.ts";

/** Programs that have something done by a daemon or another machine, where no confinement of ours reaches. */
export const SERVICES: readonly KnownProgram[] = [
  {
    programs: "systemctl",
    risk: "service",
    subcommands: [
      [
        "edit link enable set-property set-environment import-environment revert preset mask",
        "by units and settings of the contractor's own",
      ],
      ["isolate reboot poweroff halt kexec rescue emergency switch-root", "by taking the host down"],
    ],
    options: [["-H --host -M --machine --root --image", "on another machine or root"]],
    operand: { which: "any", how: "by any unit that it can name; write the units out, or one of" },
  },
  {
    programs: "systemd-run systemd-nspawn machinectl busctl gdbus dbus-send loginctl",
    risk: "service",
    always: "by systemd or another service on the bus",
  },
  {
    programs: "docker podman nerdctl",
    risk: "service",
    subcommands: [
      [
        "run exec create cp build buildx compose commit import load plugin swarm service stack context volume attach start update save export",
        "in containers, with the daemon's rights: root's on the host",
      ],
    ],
    options: [
      [
        "-v --volume --mount --privileged --device --pid --net --network -H --host --context --config --cap-add --security-opt",
        "with parts of the host, or at another daemon",
      ],
    ],
    operand: { which: "first", how: "by any sub-command; write it out" },
  },
  {
    programs: "docker-compose podman-compose",
    risk: "service",
    always: "in containers that its file describes, with parts of the host",
  },
  {
    programs: "lxc lxd incus virsh qemu-system-x86_64 vagrant ctr crictl nomad",
    risk: "service",
    always: "in machines or containers, with parts of the host",
  },
  {
    programs: "kubectl oc k3s",
    risk: "remote",
    subcommands: [
      [
        "exec run attach debug cp apply create edit patch replace proxy port-forward delete set plugin krew",
        "in pods, or by changing what runs",
      ],
    ],
    options: [
      [
        "--kubeconfig --server --token --as --context",
        "as somebody else, or at another cluster (a kubeconfig names programs to start)",
      ],
    ],
    operand: { which: "first", how: "by any sub-command; write it out" },
  },
  {
    programs: "helm terraform tofu pulumi packer",
    risk: "remote",
    always: "by plugins, hooks and what its files describe",
  },
  {
    programs: "ansible ansible-playbook ansible-pull ansible-console ansible-galaxy",
    risk: "starts",
    always: "ssh, Python and modules; name them in confine.execute",
    itself: true,
  },
  {
    programs: "ansible ansible-console ansible-pull",
    risk: "remote",
    always: "any module on any host of its inventory",
  },
  {
    programs: "ansible-playbook",
    risk: "code",
    operand: { which: "any", how: "as the playbook that is named" },
    options: [
      [
        "-e --extra-vars -i --inventory -M --module-path --ssh-common-args --ssh-extra-args --sftp-extra-args --scp-extra-args --vault-password-file --private-key -c --connection",
        "as a variable, an inventory (which may be a program) or an option of ssh",
      ],
    ],
  },
  {
    programs: "salt salt-call salt-ssh puppet chef-client fab cap",
    risk: "remote",
    always: "by what its files describe, or as its operand",
  },
  {
    programs: "at batch atq crontab",
    risk: "service",
    always: "later, by cron or atd, outside of the session",
    closedBy: { words: "-l" },
  },
  {
    programs: "ssh slogin autossh mosh dbclient",
    risk: "starts",
    options: [["-o -F -S -J", "ProxyCommand, LocalCommand and KnownHostsCommand"]],
    operand: { which: "first", how: "by options that a host's name in ~/.ssh/config has" },
  },
  {
    programs: "ssh slogin autossh mosh dbclient",
    risk: "remote",
    always: "on the other machine, with the account's keys; that is not recorded as a session of its own",
  },
  {
    programs: "scp sftp",
    risk: "starts",
    options: [["-S -o -F -J -D", "as its value, or as ProxyCommand"]],
    bare: "ssh(1)",
  },
  {
    programs: "scp sftp rsync rclone lftp s3cmd aws gsutil mc-client",
    risk: "remote",
    always: "files from and to other machines",
  },
  {
    programs: "rsync",
    risk: "starts",
    options: [["-e --rsh --rsync-path --daemon --config", "as its value"]],
    operand: { which: "any", how: "ssh, where the name has a colon" },
  },
  {
    programs: "ssh-keygen ssh-add ssh-agent",
    risk: "code",
    options: [["-D -s -w -I", "from a library that it loads"]],
  },
  { programs: "ssh-agent", risk: "starts", operand: { which: "any", how: "as its operand" } },
  {
    programs: "nc ncat netcat socat",
    risk: "starts",
    options: [["-e -c --exec --sh-exec --lua-exec", "for a connection"]],
  },
  { programs: "socat", risk: "starts", always: "by EXEC: and SYSTEM: addresses" },
  {
    programs: "nc ncat netcat socat chisel",
    risk: "remote",
    always: "a connection to anywhere, past what forwarding grants",
  },
  {
    programs: "mysqldump pg_dump pg_basebackup pg_restore mysqlimport",
    risk: "writes",
    options: [["-f --file -r --result-file -T --tab -D", "as its value"]],
  },
  {
    programs: "psql",
    risk: "starts",
    byValue: true,
    options: [
      [
        "-c --command -f --file -v --set --variable -o --output -P",
        "by \\! and \\copy … program in its value",
      ],
    ],
  },
  {
    programs: "mysql mariadb",
    risk: "starts",
    byValue: true,
    options: [["-e --execute --pager --init-command --tee", "by \\! and pager in its value"]],
  },
  {
    programs: "nginx apache2 apachectl httpd",
    risk: "code",
    options: [["-c -g -f -p -C -d", "as its configuration, which may load modules"]],
  },
  {
    programs: "usermod useradd adduser passwd chpasswd chsh chfn gpasswd groupmod",
    risk: "service",
    always: "by changing accounts: a password or a key of one opens it",
  },
  {
    programs: "modprobe insmod kexec sysctl debugfs nft iptables ip6tables",
    risk: "service",
    always: "by the kernel",
  },
  {
    programs: "consul vault etcdctl zkCli.sh kafka-console-consumer.sh rabbitmqctl",
    risk: "remote",
    always: "by a service that others read their settings from",
  },
];
