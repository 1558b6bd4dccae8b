// Package pace sends a file of requests, one a line, and writes a line for each response. It goes on
// where an earlier run has stopped, however that ended.
package pace
