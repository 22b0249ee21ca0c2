#pragma once

namespace diagrad {

/// While alive, the signals by which people, terminals and batch systems end a program (SIGHUP,
/// SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU) are noted instead, so that the loop can finish its
/// step and save. A second SIGINT or SIGTERM quits at once with exit code 128 + its number; the
/// others may come several times. A signal that was ignored (nohup, a script's background job)
/// stays ignored. One guard at a time; the handlers before it come back at its end.
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
