// Progress of long work: a bar with rate and remaining time on a terminal, plain lines elsewhere.
#ifndef HALLES_SERVICES_HALLESCTL_PROGRESS_H_
#define HALLES_SERVICES_HALLESCTL_PROGRESS_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "libs/base/clock.h"

namespace halles::hallesctl {

// Draws at most ten times a second on a terminal, and a line every five seconds elsewhere.
// Lifetime: `out` and `clock` outlive it; the destructor removes the bar from the terminal.
class Progress {
 public:
  // `width` is that of the terminal, 0 when `out` is no terminal. `what` names the work, `unit` the things counted.
  Progress(std::ostream& out, int width, Clock& clock, std::string what, std::string unit);
  ~Progress();

  // `done` of `total` is the share of the work that is done, in any measure; `count` is the number of finished units.
  void Update(uint64_t done, uint64_t total, uint64_t count);
  // Prints a line above the bar.
  void Say(absl::string_view line);
  // Removes the bar and prints duration and rate.
  void Finish();

  double seconds() const;

 private:
  std::string Line() const;
  void Clear();

  std::ostream& out_;
  const int width_;
  Clock& clock_;
  const std::string what_;
  const std::string unit_;
  const int64_t began_us_;
  int64_t drawn_us_;
  bool on_screen_ = false;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
  uint64_t count_ = 0;
};

}  // namespace halles::hallesctl

#endif  // HALLES_SERVICES_HALLESCTL_PROGRESS_H_
