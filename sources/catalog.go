package sources

// Entry is a source that pipeline files may name. Its options, their types, the
// JSON schema and the CLI help are read off the struct that New returns.
type Entry struct {
	New func() Source // a pointer to the options with their defaults
	Doc string        // one line
}

// Catalog lists the sources, in the order in which help shows them. Adding a
// source is one file and one line here. Split is not among them: it wraps a
// source, and has a key of its own in pipeline files.
var Catalog = []Entry{
	{func() Source { return &Folder{} }, "a folder of images, or an archive of one (.tar, .tar.gz, .tar.zst, .zip); the innermost folders are the labels"},
	{func() Source { return &WebDataset{} }, "shards of a WebDataset: tars in which a sample is members of one name (0001.jpg, 0001.cls)"},
	{func() Source { return &Manifest{} }, "a CSV or JSONL file that lists images with their labels"},
	{func() Source { return &Coco{} }, "images with boxes, polygons and keypoints, from an annotation file of COCO's or LVIS's form"},
	{func() Source { return &VOC{} }, "images with boxes in XML files of PASCAL VOC, one for each image"},
	{func() Source { return &YOLO{} }, "images with boxes, polygons or keypoints in a text file each, from a data.yaml or folders"},
	{func() Source { return &Arrow{} }, "Arrow files: what sluice materialize wrote, as encoded images or pixels, or files of others"},
	{func() Source { return &HuggingFace{} }, "a data set of Hugging Face's datasets, as save_to_disk wrote it"},
	{func() Source { return &Concat{} }, "several sources as one, each under a name"},
}
