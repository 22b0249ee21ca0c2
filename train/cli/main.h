#pragma once

namespace diagrad::cli {

/// The whole command line, for diagrad's own program and for a user's program that registers
/// variants of its own. Returns the exit code; never throws.
int main(int argc, char** argv);

}  // namespace diagrad::cli
