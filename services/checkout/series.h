// The key of a site's series of order numbers.
#ifndef HALLES_SERVICES_CHECKOUT_SERIES_H_
#define HALLES_SERVICES_CHECKOUT_SERIES_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "libs/base/ids.h"

namespace halles::checkout {

inline constexpr absl::string_view kSeriesPrefix = "numbers/";

// The key of a site's series, and the site of such a key.
inline std::string SeriesOf(absl::string_view site_id) { return absl::StrCat(kSeriesPrefix, site_id); }
inline SiteId SiteOf(absl::string_view series) { return SiteId::FromString(absl::StripPrefix(series, kSeriesPrefix)); }

}  // namespace halles::checkout

#endif  // HALLES_SERVICES_CHECKOUT_SERIES_H_
