// Package preview makes a page of what a plan draws: for each class some draws,
// before and after, with the parameters that were drawn and the boxes, polygons,
// keypoints and masks over both pictures; the classes before and
// after the samplers; and the plan's operators. The page is one HTML file that
// refers to nothing else. The same plan gives the same bytes.
//
//	plan, err := pipe.Plan(ctx)
//	...
//	report, err := preview.Page{Title: "training"}.Write(ctx, file, plan)
//
//	preview.go    Page and its Report: what is shown, and what became of the draws
//	content.go    which draws are chosen, and how each is shown
//	overlay.go    boxes, polygons, keypoints and masks over pictures
//	histogram.go  the classes before and after the samplers
//	drawing.go    the plan's operators, as boxes and arrows
//	preview.html  the page's template
package preview
