// Package ledgerpage shows a ledger, what each class got, as an HTML page of its own: bars and a
// table by class, and curves by epoch.
//
// The files, each of which uses those below it only:
//
//	page.go    Page.Write: the page
//	plots.go   curves and bars as they are drawn
//	merge.go   Merge: the ledgers of several ranks as one
//	ledger.go  Ledger: what a page shows, and where it can be read from
package ledgerpage
