// Package quota_test measures the ledger and the pacer over ten seeds of each simulation. The tests
// of package quota run one.
package quota_test

import (
	"os"
	"testing"

	"github.com/spillway-go/spillway/internal/quotasim"
)

const seeds = 10

func checkOrders(t *testing.T, orders []quotasim.Order, seeds uint64) {
	t.Helper()
	t.Parallel()
	for _, o := range orders {
		o.Check(t, seeds, 0)
	}
}

func TestLedgerUsesAnOrderAsWellAsAskingFirstOnEveryCall(t *testing.T) {
	checkOrders(t, quotasim.Orders(1), seeds)
}

func TestLedgerCopesWithEstimatesUnlikeOurs(t *testing.T) {
	checkOrders(t, quotasim.OtherEstimates(1), seeds/5)
}

func TestLedgerFollowsAServerThatEstimatesByRecentAnswers(t *testing.T) {
	checkOrders(t, quotasim.RecentAnswers(1), seeds/5)
}

func TestLedgerFollowsAWindowThatShrinksWithinTwoWindows(t *testing.T) {
	for _, o := range quotasim.ShrinkingWindows() {
		o.CheckSum(t, seeds, 0)
	}
}

func TestReplicasUseAnOrderAsWellAsOneProcess(t *testing.T) {
	t.Parallel()
	for _, f := range quotasim.Fleets(1) {
		if measured(f.Replicas) {
			f.Check(t, 3, 0)
		}
	}
}

func TestReplicasUseAnOrderThroughTroublesOfTheStore(t *testing.T) {
	t.Parallel()
	for _, f := range quotasim.Troubled(1) {
		if measured(f.Replicas) {
			f.Check(t, 1, 0.02)
		}
	}
}

func TestPacerFollowsAHiddenCapacity(t *testing.T) {
	for _, p := range quotasim.Paces() {
		t.Run(p.Name, func(t *testing.T) { p.Check(t, seeds) })
	}
}

func TestReplicasPaceThemselvesTogether(t *testing.T) {
	t.Parallel()
	for _, p := range quotasim.FleetPaces() {
		if measured(p.Replicas) {
			p.Check(t, 15)
			p.WithoutStore().Check(t, 5)
		}
	}
}

// measured reports whether a fleet of so many replicas is simulated. Large ones take minutes, and
// miss some figures by a little (see docs/fleet.md): they are for the long run.
func measured(replicas int) bool { return replicas <= 16 || os.Getenv("SPILLWAY_LONG") != "" }
