#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * landlock(7) by its system calls, for C libraries and headers that do not know it: numbers and structures as in
 * linux/landlock.h and linux/openat2.h, the same on every architecture.
 */
#define SYS_OPENAT2 437
#define SYS_LANDLOCK_CREATE_RULESET 444
#define SYS_LANDLOCK_ADD_RULE 445
#define SYS_LANDLOCK_RESTRICT_SELF 446
#define PATH_BENEATH 1
#define NO_SYMLINKS 4u /* RESOLVE_NO_SYMLINKS */
/* What there is to allow on what is no directory: execute, write, read, truncate, ioctl of a device. */
#define FILE_RIGHTS (1u << 0 | 1u << 1 | 1u << 2 | 1u << 14 | 1u << 15)

static uint64_t get_u64(const char *bytes) {
  const uint8_t *at = (const uint8_t *)bytes;
  return ((uint64_t)get_u32(at) << 32) | get_u32(at + 4);
}

/* A path that is not there, or is another by now (the agent says where symbolic links lead), gives nothing. */
static int add_rule(int ruleset, uint64_t allowed, const char *path) {
  struct {
    uint64_t allowed;
    int32_t fd;
  } __attribute__((packed)) rule = {.allowed = allowed};
  struct {
    uint64_t flags, mode, resolve;
  } how = {.flags = O_PATH | O_CLOEXEC, .resolve = NO_SYMLINKS};
  struct stat status;
  rule.fd = (int32_t)syscall(SYS_OPENAT2, AT_FDCWD, path, &how, sizeof how);
  if (rule.fd < 0) return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP ? 0 : -1;
  int result = fstat(rule.fd, &status);
  if (result == 0 && !S_ISDIR(status.st_mode)) rule.allowed &= FILE_RIGHTS;
  if (result == 0 && rule.allowed != 0)
    result = (int)syscall(SYS_LANDLOCK_ADD_RULE, ruleset, PATH_BENEATH, &rule, 0);
  int failure = errno;
  close(rule.fd);
  errno = failure;
  return result;
}

/* A path alone, or a directory and the names in it that are meant. */
static int add_rules(int ruleset, const struct field *field) {
  uint64_t allowed = get_u64(field->bytes);
  const char *path = field->bytes + 8, *end = field->bytes + field->length;
  const char *name = path + strlen(path) + 1;
  if (name > end) return add_rule(ruleset, allowed, path);
  for (; name < end; name += strlen(name) + 1) {
    char whole[PATH_MAX];
    int length = snprintf(whole, sizeof whole, "%s/%s", path, name);
    if (length < 0 || (size_t)length >= sizeof whole) continue;
    if (add_rule(ruleset, allowed, whole) < 0) return -1;
  }
  return 0;
}

int enforce_layers(const struct field *fields, size_t count) {
  for (size_t i = 0; i < count;) {
    if (fields[i].kind != 'L') {
      i++;
      continue;
    }
    const char *bytes = fields[i].bytes;
    uint64_t handled[3] = {get_u64(bytes), get_u64(bytes + 8), get_u64(bytes + 16)};
    int ruleset = (int)syscall(SYS_LANDLOCK_CREATE_RULESET, handled, sizeof handled, 0);
    if (ruleset < 0) return -1;
    for (i++; i < count && fields[i].kind != 'L'; i++) {
      if (fields[i].kind == 'P' && add_rules(ruleset, &fields[i]) < 0) return -1;
    }
    if (syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) < 0) return -1;
    close(ruleset);
  }
  return 0;
}
