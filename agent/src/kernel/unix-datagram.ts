import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const socket = libc.func("int socket(int domain, int type, int protocol)");
const sendto = libc.func(
  "long sendto(int fd, const void *message, size_t length, int flags, const void *address, uint32_t addressLength)",
);
const close = libc.func("int close(int fd)");

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const MSG_NOSIGNAL = 0x4000;
/** Bytes of `sun_path` (unix(7)). */
const MAX_PATH = 108;

/** Sends one datagram to a Unix socket, `@` in front meaning the abstract namespace; nobody there is no error. Node has only streams. */
export function sendDatagram(path: string, message: string): void {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : path);
  if (name.length > MAX_PATH) return;
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  const bytes = Buffer.from(message);
  sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length);
  close(fd);
}
