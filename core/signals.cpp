#include "diagrad/core/signals.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>

#include "diagrad/core/error.h"

namespace diagrad {
namespace {

constexpr std::array kSignals = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};

volatile std::sig_atomic_t first_signal = 0;
volatile std::sig_atomic_t is_told_to_end = 0;
bool guarded = false;
std::array<struct sigaction, kSignals.size()> before;

/// A terminal that closes sends SIGHUP twice (the shell and the system), SIGXCPU comes once a
/// second, and a batch system sends SIGTERM some time after its warning by SIGUSR1: none of these
/// is somebody who does not want to wait for the run to be saved.
void note(int signal) {
  if (signal == SIGINT || signal == SIGTERM) {
    if (is_told_to_end != 0) _exit(128 + signal);
    is_told_to_end = 1;
  }
  if (first_signal == 0) first_signal = signal;
}

}  // namespace

SignalGuard::SignalGuard() {
  DG_ASSERT(!guarded, "a second SignalGuard");
  guarded = true;
  first_signal = 0;
  is_told_to_end = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &before[i]);
    if (before[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
  guarded = false;
}

int SignalGuard::caught() const {
  return first_signal;
}

}  // namespace diagrad
