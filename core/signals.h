#pragma once

namespace diagrad {

/// While alive, SIGINT and SIGTERM do not end the process but are noted, so that the loop can
/// finish its step and save. A second one quits at once with exit code 128 + its number. One
/// guard at a time; the handlers before it come back at its end.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

  /// The first signal since the guard was made, 0 for none. Cheap.
  int caught() const;
};

}  // namespace diagrad
