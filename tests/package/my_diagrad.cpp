// diagrad's whole command line, knowing the variants that this program is linked with.
#include "diagrad/train/cli/main.h"

int main(int argc, char** argv) {
  return diagrad::cli::main(argc, argv);
}
