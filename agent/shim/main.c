#include "shim.h"

#include <string.h>
#include <sys/prctl.h>

int main(int argc, char **argv) {
  /*
   * Nobody of the same uid may trace us or open our file descriptors through /proc. The program is installed without
   * read permission, which makes the kernel do this from the first instruction; this is for where it is not.
   */
  prctl(PR_SET_DUMPABLE, 0);

  if (argc >= 2 && strcmp(argv[1], "principals") == 0) return run_principals(argc, argv);
  return run_session();
}
