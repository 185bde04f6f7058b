// Prints progress.
#include "services/hallesctl/progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

constexpr int64_t kDrawEveryUs = 100'000;
constexpr int64_t kLineEveryUs = 5'000'000;
constexpr int kBarMin = 10;
constexpr int kBarMax = 40;

std::string Minutes(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::ostream& out, int width, Clock& clock, std::string what, std::string unit)
    : out_(out),
      width_(width),
      clock_(clock),
      what_(std::move(what)),
      unit_(std::move(unit)),
      began_us_(clock.MonotonicMicros()),
      drawn_us_(began_us_) {}

Progress::~Progress() { Clear(); }

double Progress::seconds() const { return static_cast<double>(clock_.MonotonicMicros() - began_us_) / 1e6; }

std::string Progress::Line() const {
  const double elapsed = std::max(seconds(), 1e-3);
  const double fraction = total_ == 0 ? 0.0 : std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  std::string text = absl::StrFormat("%3d%%  %s %s  %s/s", static_cast<int>(fraction * 100), Thousands(count_), unit_,
                                     Thousands(static_cast<int64_t>(static_cast<double>(count_) / elapsed)));
  if (fraction > 0) absl::StrAppend(&text, "  ETA ", Minutes(elapsed / fraction - elapsed));
  const int bar = std::min(kBarMax, width_ - static_cast<int>(what_.size() + text.size()) - 7);
  if (bar < kBarMin) return absl::StrCat(what_, "  ", text);
  const int full = static_cast<int>(fraction * bar);
  return absl::StrCat(what_, "  [", std::string(static_cast<size_t>(full), '#'),
                      std::string(static_cast<size_t>(bar - full), '-'), "]  ", text);
}

void Progress::Clear() {
  if (on_screen_) out_ << "\r\x1b[K" << std::flush;
  on_screen_ = false;
}

void Progress::Update(uint64_t done, uint64_t total, uint64_t count) {
  done_ = done;
  total_ = total;
  count_ = count;
  const int64_t now_us = clock_.MonotonicMicros();
  if (now_us - drawn_us_ < (width_ > 0 ? kDrawEveryUs : kLineEveryUs)) return;
  drawn_us_ = now_us;
  if (width_ > 0) {
    out_ << "\r" << Line().substr(0, static_cast<size_t>(width_ - 1)) << "\x1b[K" << std::flush;
    on_screen_ = true;
  } else {
    out_ << Line() << "\n" << std::flush;
  }
}

void Progress::Say(absl::string_view line) {
  Clear();
  out_ << line << "\n" << std::flush;
}

void Progress::Finish() {
  const double elapsed = std::max(seconds(), 1e-3);
  Say(absl::StrFormat("%s: %s %s in %.1f s, %s/s", what_, Thousands(static_cast<int64_t>(count_)), unit_, elapsed,
                      Thousands(static_cast<int64_t>(static_cast<double>(count_) / elapsed))));
}

}  // namespace halles::hallesctl
