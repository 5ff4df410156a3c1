package sources

import "github.com/sluicedata/sluice/internal/coco"

// cocoFault is a fault of an annotation, or one of these.
type cocoFault int

const (
	noImage cocoFault = cocoFault(coco.Faults) + iota
	noCategory
	unknownCategory
	noID
	idTwice
	categoryTwice
	namelessCategory
	imageTwice
	fileTwice
	nameless
	imageMissing
	noSize
	cocoFaultCount
)

var cocoFaultTexts = [cocoFaultCount]faultText{
	coco.NoShape:       {"annotation", "neither a box nor a segmentation", "left out: give each a bbox"},
	coco.BadBox:        {"annotation", "a box that isn't four finite numbers", "left out: write bbox as [x, y, width, height]"},
	coco.NoArea:        {"annotation", "a box without width or height", "left out: remove or mend them"},
	coco.OutsideAll:    {"annotation", "a box outside of its image", "left out: mend them, or the height and width of their images"},
	coco.Reversed:      {"annotation", "a box of negative width or height", "left out: write bbox as [x, y, width, height], with the left upper corner"},
	coco.OutsidePart:   {"annotation", "a box that reaches out of its image", "it stays as it is: check whether its image has another size"},
	coco.NoBox:         {"annotation", "no box and a segmentation", "the box is that around it"},
	coco.FlatPolygon:   {"annotation", "a polygon that isn't in a list", "it is taken as the only one: write segmentation as a list of lists"},
	coco.ShortPolygon:  {"polygon", "fewer than three points", "left out; where it was the only one its object has a box alone"},
	coco.BadPolygon:    {"polygon", "an odd number of numbers, or one that isn't finite", "left out; where it was the only one its object has a box alone"},
	coco.BadRLE:        {"annotation", "an RLE that can't be read", "its object has a box alone: make it again, as pycocotools encodes masks"},
	coco.BadArea:       {"annotation", "an area that is no number of at least 0", "that of its polygon or box is taken"},
	coco.BadKeypoint:   {"keypoint", "a number that isn't finite", "taken as not there, v = 0"},
	coco.KeypointCount: {"annotation", "another number of keypoints than its category has names for", "its keypoints are left out: list their names as keypoints of the category, and x, y, v of each in annotations"},

	noImage:          {"annotation", "an image that isn't in the list images", "left out: remove them, or add their images"},
	noCategory:       {"annotation", "no category_id", "left out: give each one"},
	unknownCategory:  {"annotation", "a category that isn't in the list categories", "left out: add it to the list, or remove them"},
	noID:             {"annotation", "no id", "it is 0"},
	idTwice:          {"annotation", "an id that another has", "both stay: number them anew if results are to be told apart by ids"},
	categoryTwice:    {"category", "a name that another has", "it gets its id behind it: rename it, or leave it out if nothing is of it"},
	namelessCategory: {"category", "no name", "it is named by its id"},
	imageTwice:       {"image", "an id that was there before, and the same file", "listed once: remove the second"},
	fileTwice:        {"image", "a file that was there before", "the annotations of both are one sample's: remove one"},
	nameless:         {"image", "neither a file_name nor a coco_url", "left out, with all of their annotations: give each a file_name"},
	imageMissing:     {"image", "no file", missingMeans},
	noSize:           {"image", "no height and width", "what is outside of it can't be told, nor where its annotations belong if it is to be turned"},
}
