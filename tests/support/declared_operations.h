#pragma once

#include <map>
#include <set>
#include <string>

namespace diagrad::testing {

/// The functions of a header that give tensors: operations, by the shape of their declaration.
std::set<std::string> operations_in(const std::string& header);

/// Every operation of ops by name, with the header that declares it.
std::map<std::string, std::string> declared_operations();

}  // namespace diagrad::testing
