#include "diagrad/core/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <limits>
#include <string>

namespace diagrad {
namespace {

double seconds_of(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double ticks_per_second() {
  return static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// What all processors worked, for whomever: user, nice, system, irq, softirq and steal.
std::optional<double> busy_seconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  double user = 0;
  double nice = 0;
  double system = 0;
  double idle = 0;
  double waiting = 0;
  double irq = 0;
  double softirq = 0;
  double steal = 0;
  file >> name >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> steal;
  if (!file || name != "cpu") return std::nullopt;
  return (user + nice + system + irq + softirq + steal) / ticks_per_second();
}

}  // namespace

ForeignCpu::ForeignCpu()
    : busy_(busy_seconds()),
      own_(seconds_of(CLOCK_PROCESS_CPUTIME_ID)),
      start_(seconds_of(CLOCK_MONOTONIC)) {}

std::optional<double> ForeignCpu::share() const {
  const std::optional<double> busy = busy_seconds();
  if (!busy_ || !busy) return std::nullopt;
  const double own = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - own_;
  const double all = (seconds_of(CLOCK_MONOTONIC) - start_) *
                     static_cast<double>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  if (all <= 0.0) return std::nullopt;
  return std::clamp((*busy - *busy_ - own) / all, 0.0, 1.0);
}

int64_t peak_resident_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

std::optional<double> seconds_since_process_start() {
  std::ifstream file("/proc/self/stat");
  // The second field is the program's name, in brackets, and may hold anything.
  file.ignore(std::numeric_limits<std::streamsize>::max(), ')');
  std::string skipped;
  for (int field = 3; field < 22; ++field) file >> skipped;
  double ticks = 0.0;
  if (!(file >> ticks)) return std::nullopt;
  return seconds_of(CLOCK_BOOTTIME) - ticks / ticks_per_second();
}

}  // namespace diagrad
