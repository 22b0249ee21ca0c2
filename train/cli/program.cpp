#include "diagrad/train/cli/main.h"

int main(int argc, char** argv) {
  return diagrad::cli::main(argc, argv);
}
