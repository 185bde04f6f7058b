// Tests of the rules of fulfilments: every command in every state, for every kind of delivery.
#include "services/checkout/order/fulfilment.h"

#include <string>

#include "gtest/gtest.h"

namespace halles::checkout::order {
namespace {

// Each text has one character per state, in the order of the enum from PROPOSED on: the letter of the next state, or
// '.' if the move is forbidden. The letters are: P proposed, R reserved, p prepared, r ready, c collected, s shipped, C
// completed, e expired, x cancelled.
constexpr char kLetters[] = "?PRprcsCex";

struct Expected {
  Move move;
  const char* carry_out;
  const char* pickup;
  const char* shipment;
};
constexpr Expected kExpected[] = {
    //                PRprcsCex    PRprcsCex    PRprcsCex
    {Move::kPrepare, ".p.......", ".p.......", ".p......."},   //
    {Move::kReady, ".........", ".rr......", "........."},     //
    {Move::kCollect, ".cc......", "..cc.....", "........."},   //
    {Move::kShip, ".........", ".........", ".ss......"},      //
    {Move::kComplete, ".........", ".........", ".....C..."},  //
    {Move::kDelay, ".Rp......", ".Rpr.....", ".Rp..s..."},     //
    {Move::kCancel, ".xx......", ".xxx.....", ".xx......"},    //
    {Move::kReroute, ".RR......", ".RRR.....", ".RR......"},   //
    {Move::kExpire, ".........", "...e.....", "........."},    //
};

std::string RowOf(Move move, const v1::Delivery& delivery) {
  std::string row;
  for (int state = v1::FULFILMENT_STATE_PROPOSED; state < v1::FulfilmentState_ARRAYSIZE; ++state) {
    const auto after = After(move, delivery, static_cast<v1::FulfilmentState>(state));
    row.push_back(after.has_value() ? kLetters[*after] : '.');
  }
  return row;
}

TEST(Fulfilment, AllowsExactlyTheMovesOfTheTable) {
  v1::Delivery carry_out;
  carry_out.mutable_carry_out();
  v1::Delivery pickup;
  pickup.mutable_pickup();
  v1::Delivery shipment;
  shipment.mutable_shipment();
  ASSERT_EQ(std::size(kExpected), kMoves.size());
  for (size_t i = 0; i < kMoves.size(); ++i) {
    const Expected& expected = kExpected[i];
    ASSERT_EQ(expected.move, kMoves[i]);
    EXPECT_EQ(RowOf(expected.move, carry_out), expected.carry_out) << NameOf(expected.move);
    EXPECT_EQ(RowOf(expected.move, pickup), expected.pickup) << NameOf(expected.move);
    EXPECT_EQ(RowOf(expected.move, shipment), expected.shipment) << NameOf(expected.move);
    EXPECT_EQ(RowOf(expected.move, v1::Delivery()), ".........") << NameOf(expected.move);
  }
}

TEST(Fulfilment, IsOpenDoneOrOver) {
  std::string words;
  for (int state = v1::FULFILMENT_STATE_PROPOSED; state < v1::FulfilmentState_ARRAYSIZE; ++state) {
    const auto of = static_cast<v1::FulfilmentState>(state);
    words.push_back(IsOpen(of) ? 'o' : IsDone(of) ? 'd' : IsOver(of) ? 'x' : '.');
  }
  EXPECT_EQ(words, ".oood.dxx");
}

}  // namespace
}  // namespace halles::checkout::order
