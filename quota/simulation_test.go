package quota_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/quotasim"
)

// One seed of an order of 10 GSUs, at half its length, leaves this slack. The bench module runs ten
// seeds of all orders, without slack.
const (
	seeds  = 1
	length = 0.5
	slack  = 0.02
)

func checkOrders(t *testing.T, orders []quotasim.Order) {
	t.Helper()
	t.Parallel()
	for _, o := range orders {
		if o.GSUs == 10 {
			o.Check(t, seeds, slack)
		}
	}
}

func TestLedgerUsesAnOrderAsWellAsAskingFirstOnEveryCall(t *testing.T) {
	checkOrders(t, quotasim.Orders(length))
}

func TestLedgerCopesWithEstimatesUnlikeOurs(t *testing.T) {
	checkOrders(t, quotasim.OtherEstimates(length))
}

func TestLedgerFollowsAServerThatEstimatesByRecentAnswers(t *testing.T) {
	checkOrders(t, quotasim.RecentAnswers(length))
}

func TestLedgerFollowsAWindowThatShrinksWithinTwoWindows(t *testing.T) {
	for _, o := range quotasim.ShrinkingWindows() {
		o.CheckSum(t, seeds, slack)
	}
}

func TestReplicasUseAnOrderAsWellAsOneProcess(t *testing.T) {
	t.Parallel()
	for _, f := range append(quotasim.Fleets(length), quotasim.Troubled(length)...) {
		if f.GSUs == 10 && f.Replicas == 4 {
			f.Check(t, seeds, 2*slack)
		}
	}
}

func TestPacerFollowsAHiddenCapacity(t *testing.T) {
	for _, p := range quotasim.Paces() {
		t.Run(p.Name, func(t *testing.T) { p.Check(t, seeds) })
	}
}

func TestReplicasPaceThemselvesTogether(t *testing.T) {
	for _, p := range quotasim.FleetPaces() {
		if p.Replicas == 16 {
			p.Check(t, 3)
			p.WithoutStore().Check(t, 3)
		}
	}
}
