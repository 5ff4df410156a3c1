package sinks

// Entry is a format that pipeline files and `sluice materialize --format` may
// name. Its options, their types, the JSON schema and the CLI help are read off
// the struct that New returns.
type Entry struct {
	New func() Format // a new one each time: a pointer to the options with their defaults
	Doc string        // one line
}

// Catalog lists the formats in the order in which help shows them; the first is the
// default. Adding one takes one file, and one line here. IPCStream, Discard and
// Trainer are not listed: they write no data set, and have commands of their own.
var Catalog = []Entry{
	{func() Format { return &ArrowParts{} }, "Arrow IPC files with a manifest; resumes after a crash"},
	{func() Format { return &WebDataset{} }, "tars of samples for webdataset and load_dataset(\"webdataset\"); resumes after a crash"},
	{func() Format { return &Folder{} }, "image files in folders of classes, or with metadata.csv, as ImageFolder and imagefolder read; resumes after a crash"},
	{func() Format { return &Parquet{} }, "Parquet files for pyarrow, DuckDB, Polars and load_dataset(\"parquet\"); resumes after a crash"},
	{func() Format { return &COCO{} }, "image files and instances.json, as pycocotools and torchvision's CocoDetection read; resumes after a crash"},
	{func() Format { return &YOLO{} }, "image files, a text of objects beside each, and data.yaml, as ultralytics reads; resumes after a crash"},
	{func() Format { return &Masks{} }, "image files and a PNG mask of class numbers beside each; resumes after a crash"},
}
