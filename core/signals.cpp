#include "diagrad/core/signals.h"

#include <unistd.h>

#include <csignal>

#include "diagrad/core/error.h"

namespace diagrad {
namespace {

volatile std::sig_atomic_t first_signal = 0;
bool guarded = false;
struct sigaction interrupt_before = {};
struct sigaction terminate_before = {};

void note(int signal) {
  if (first_signal != 0) _exit(128 + signal);
  first_signal = signal;
}

}  // namespace

SignalGuard::SignalGuard() {
  DG_ASSERT(!guarded, "a second SignalGuard");
  guarded = true;
  first_signal = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_before);
  sigaction(SIGTERM, &action, &terminate_before);
}

SignalGuard::~SignalGuard() {
  sigaction(SIGINT, &interrupt_before, nullptr);
  sigaction(SIGTERM, &terminate_before, nullptr);
  guarded = false;
}

int SignalGuard::caught() const {
  return first_signal;
}

}  // namespace diagrad
