// Names a field of a request in an error.
#ifndef HALLES_SERVICES_CHECKOUT_FIELD_PATH_H_
#define HALLES_SERVICES_CHECKOUT_FIELD_PATH_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/status.h"

namespace halles::checkout {

// The path of a field. It is built only for an error, because a valid record has thousands of fields.
// Lifetime: its arguments outlive it.
class Path {
 public:
  explicit Path(absl::string_view name, int index = -1) : name_(name), index_(index) {}
  Path(const Path& parent, absl::string_view name, int index = -1) : parent_(&parent), name_(name), index_(index) {}

  std::string ToString() const {
    const std::string parent = parent_ == nullptr ? std::string() : absl::StrCat(parent_->ToString(), ".");
    return index_ < 0 ? absl::StrCat(parent, name_) : absl::StrCat(parent, name_, "[", index_, "]");
  }

 private:
  const Path* parent_ = nullptr;
  absl::string_view name_;
  int index_ = -1;
};

inline absl::Status Invalid(const Path& path, absl::string_view description) {
  return InvalidField(path.ToString(), description);
}

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_FIELD_PATH_H_
