#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/cli/program.h"

namespace diagrad::testing {

using Words = std::vector<std::string>;

/// `first` and then `more`.
Words joined(Words first, const Words& more);

/// `train` of a ResNet of 8 layers and width 4 on 24 small shapes, an epoch of 3 steps, in one
/// thread: 0.1 s. What `more` says wins.
Words small_train(const std::string& out, const Words& more = {});

/// Runs that and checks that it was done without a word on standard error.
void make_small_run(const std::string& out, const Words& more = {});

/// Every file of a folder and what it holds, to see that nothing was changed.
std::map<std::string, std::string> contents(const std::string& folder);

/// Whether the program ended with this code and one line on standard error that contains `words`,
/// whatever it had written to standard output before.
bool fails(const Words& arguments, int code, const std::string& words,
           const ProgramOptions& options = {});

}  // namespace diagrad::testing
