// Package quotasim simulates Google's side of limits that nobody can see: the window of an order of
// Provisioned Throughput, and the on-demand capacity of a location. It measures how well the ledger
// and the pacer of package quota follow them.
//
// The tests of package quota run one seed of each simulation. Those of the bench module run many.
package quotasim
