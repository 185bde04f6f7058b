// Tests of inventory's definition: each command has its SKU as key, and timers expire holds.
#include "services/inventory/definition.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "halles/inventory/v1/inventory_internal.pb.h"
#include "halles/inventory/v1/inventory_service.pb.h"
#include "libs/base/identifiers/identifier.h"
#include "libs/base/status.h"
#include "services/inventory/test_builders.h"

namespace halles::inventory {
namespace {

host::Definitions Defined() {
  host::Definitions definitions;
  Define(&definitions);
  return definitions;
}

TEST(Define, RegistersEachCommandWithItsSkuAsKey) {
  const host::Definitions definitions = Defined();
  for (const auto& [name, command] : definitions.services.at(0).commands) {
    const std::unique_ptr<google::protobuf::Message> request = command->NewRequest();
    const google::protobuf::FieldDescriptor* sku = request->GetDescriptor()->FindFieldByName("sku");
    ASSERT_NE(sku, nullptr) << name;
    request->GetReflection()->SetString(request.get(), sku, "boot");
    EXPECT_EQ(command->KeyOf(*request), "boot") << name;
    EXPECT_EQ(command->aggregate_type(), kStockItem.type) << name;
  }
}

TEST(Define, ExpiresAHoldByItsTimer) {
  const host::Definitions definitions = Defined();
  const partition::TimerKey timer{1, "", kStockItem.type, "boot", "h/1"};
  const auto request = definitions.services.at(0).Find(kStockItem.type)->on_timer(timer);
  const auto& expire = static_cast<const v1::ExpireHoldRequest&>(*request);
  EXPECT_EQ(expire.sku(), "boot");
  EXPECT_EQ(expire.hold_id(), "h/1");
}

}  // namespace
}  // namespace halles::inventory
