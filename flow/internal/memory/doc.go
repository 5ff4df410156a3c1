// Package memory bounds what a run has in flight. It knows bytes, rows and batches by
// their numbers alone.
//
//	pool.go    Pool: Arrow's buffers, charged to the budget and used again
//	budget.go  Budget: who is admitted, and when
package memory
