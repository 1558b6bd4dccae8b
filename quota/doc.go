// Package quota is the arithmetic of limits: what may be sent now, and when the next moment is.
//
// Four objects, each safe for concurrent use and each made for one subject:
//
//   - [Quota] keeps to limits that are known: requests and tokens a minute, requests a day, calls at once. It holds for one
//     project and one model, whatever number of keys the project has.
//   - [Ledger] follows one Provisioned Throughput order and foresees when Google will refuse a call for it.
//   - [Pacer] finds a capacity that is not public: on-demand Vertex AI, for one project, location and model.
//   - [Ramp] keeps the rate there from rising sharply after a time without traffic.
//
// Nothing here sleeps, starts a goroutine or reads a clock: every method takes the time as an
// argument, so that tests run on a frozen time line. Pass the result of [time.Now]. A time earlier
// than one passed before counts as that earlier one, so a clock that steps back never admits more.
//
// Reserving and settling allocate nothing.
package quota
