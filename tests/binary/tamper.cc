// Changes the state of a halles that is not running: `format` marks it as written by a newer build, `row` alters one
// order in one table.
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "halles/checkout/v1/import_events.pb.h"
#include "libs/base/slot.h"
#include "libs/store/alter_rows.h"
#include "libs/store/store.h"
#include "libs/store/store_format.h"
#include "rocksdb/db.h"

namespace halles {
namespace {

constexpr uint16_t kSlots = 8;  // as in the programs of the tests

bool RaiseFormat(const std::string& state_dir) {
  std::string generation;
  std::ifstream(state_dir + "/CURRENT") >> generation;
  const std::string path = absl::StrCat(state_dir, "/", generation);
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path, &names).ok()) return false;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(rocksdb::DBOptions(), path, families, &handles, &opened).ok()) return false;
  const std::unique_ptr<rocksdb::DB> db(opened);
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  std::string bytes;
  if (!db->Get(rocksdb::ReadOptions(), store::IdentityKey(), &bytes).ok()) return false;
  std::optional<store::Identity> identity = store::DecodeIdentity(bytes);
  if (!identity.has_value()) return false;
  identity->format = store::kStoreFormatVersion + 1;
  return db->Put(rocksdb::WriteOptions(), store::IdentityKey(), store::EncodeIdentity(*identity)).ok();
}

// Adds one cent to the first order that is found.
bool AlterOrder(const std::string& state_dir) {
  bool altered = false;
  for (uint16_t slot = 0; slot < kSlots && !altered; ++slot) {
    const auto alter = [&altered](absl::string_view, std::string* value) {
      checkout::v1::OrderImported order;
      if (altered || !order.ParseFromString(*value) || order.sale().lines().empty()) return false;
      order.mutable_sale()->mutable_net()->set_minor_units(order.sale().net().minor_units() + 1);
      *value = order.SerializeAsString();
      return altered = true;
    };
    store::AlterRows(state_dir, store::RowSpace::State({ServiceId::kCheckout, slot}), alter);
  }
  return altered;
}

int Run(const std::string& state_dir, const std::string& what) {
  if (what == "format") return RaiseFormat(state_dir) ? 0 : 1;
  if (what == "row") return AlterOrder(state_dir) ? 0 : 1;
  std::cerr << "format or row, not " << what << "\n";
  return 2;
}

}  // namespace
}  // namespace halles

int main(int argc, char** argv) { return argc == 3 ? halles::Run(argv[1], argv[2]) : 2; }
