package pipefile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
)

// foreign is a name that people know from another library. Its equivalent here can be
// pasted and changed: numbers are the other library's defaults, if it has any.
type foreign struct {
	names string // as that library spells them, separated by spaces
	of    string // the library
	write string // its equivalent here, as an item of a file's list of stages; "": there is none
	note  string // what differs, or what to do instead
}

// foreignStages are torchvision's transforms (v2 included), albumentations', and other
// widely known names.
var foreignStages = []foreign{
	{"RandomHorizontalFlip", "torchvision", "flip: {p: 0.5}", ""},
	{"RandomVerticalFlip", "torchvision", "flip: {p: 0.5, direction: vertical}", ""},
	{"RandomRotation", "torchvision", "rotate: {degrees: 30}", ""},
	{"RandomAffine", "torchvision", "affine: {degrees: 30, translate: [0.1, 0.1], scale: [0.9, 1.1]}", "a positive angle is counter-clockwise here"},
	{"RandomPerspective", "torchvision", "perspective: {distortion_scale: 0.5, p: 0.5}", ""},
	{"RandomCrop", "torchvision", "crop: {size: 224}", "for its padding, pad: {padding: 4} before it"},
	{"RandomResizedCrop RandomSizedCrop", "torchvision", "random_resized_crop: {size: 224}", ""},
	{"CenterCrop", "torchvision", "center_crop: {size: 224}", ""},
	{"Resize Scale", "torchvision", "resize: {size: 256}", "size is the shorter side; height and width give both"},
	{"RandomResize", "torchvision", "random_shortest_size: {min: [480, 512, 544]}", "of the lengths in min"},
	{"RandomShortestSize", "torchvision", "random_shortest_size: {min: [480, 512, 544], max: 1333}", ""},
	{"ScaleJitter", "torchvision", "scale_jitter: {target: [1024, 1024]}", "target is height and width"},
	{"Pad", "torchvision", "pad: {padding: [4, 4, 4, 4]}", ""},
	{"RandomZoomOut", "torchvision", "random_zoom_out: {side_range: [1, 4], p: 0.5}", ""},
	{"RandomIoUCrop", "torchvision", "random_iou_crop", "it drops the objects whose centre it cuts off"},
	{"SanitizeBoundingBoxes SanitizeBoundingBox", "torchvision", "sanitize_boxes: {min_size: 1}", "objects at the top of the file does it at the end"},
	{"LetterBox", "ultralytics", "letterbox: {size: 640}", ""},
	{"ColorJitter ColourJitter", "torchvision", "color_jitter: {brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1}", ""},
	{"RandomGrayscale", "torchvision", "grayscale: {p: 0.1}", ""},
	{"ToTensor PILToTensor ToImage ToDtype ConvertImageDtype ToPureTensor", "torchvision", "to_tensor", ""},
	{"Normalize", "torchvision", "normalize: {mean: imagenet, std: imagenet}", ""},
	{"Grayscale", "torchvision", "grayscale", "the picture keeps three channels; decode: {mode: gray} makes pictures of one"},
	{"RandomInvert", "torchvision", "invert: {p: 0.5}", ""},
	{"RandomSolarize", "torchvision", "solarize: {threshold: 128, p: 0.5}", ""},
	{"RandomPosterize", "torchvision", "posterize: {bits: 4, p: 0.5}", ""},
	{"RandomAutocontrast", "torchvision", "autocontrast: {p: 0.5}", ""},
	{"RandomEqualize", "torchvision", "equalize: {p: 0.5}", ""},
	{"RandomAdjustSharpness", "torchvision", "sharpness: {factor: [2, 2], p: 0.5}", "a range of factors"},
	{"MixUp", "torchvision", "mixup: {alpha: 1}", "behind batch"},
	{"CutMix", "torchvision", "cutmix: {alpha: 1}", "behind batch"},
	{"GaussianBlur", "torchvision", "gaussian_blur: {kernel_size: 23, sigma: [0.1, 2]}", ""},
	{"GaussianNoise", "torchvision", "gaussian_noise: {sigma: 0.1}", "it comes before to_tensor"},
	{"RandomErasing", "torchvision", "random_erasing: {p: 0.5}", "behind normalize, where 0 is the mean"},
	{"RandomChoice", "torchvision", "one_of: {stages: [rotate: {degrees: 30}, grayscale]}", ""},
	{"RandAugment", "torchvision", "rand_augment: {num_ops: 2, magnitude: 9, interpolation: nearest}", ""},
	{"TrivialAugmentWide", "torchvision", "trivial_augment_wide: {interpolation: nearest}", ""},
	{"Compose Sequential", "torchvision", "", "the list of stages is one already: write its members there"},
	{"RandomApply", "torchvision", "", "every stage that changes pixels takes p itself"},
	{"FiveCrop TenCrop Lambda LinearTransformation RandomOrder ElasticTransform " +
		"RandomChannelPermutation RandomPhotometricDistort " +
		"AutoAugment AugMix JPEG", "torchvision", "", ""},

	{"HorizontalFlip", "albumentations", "flip: {p: 0.5}", ""},
	{"VerticalFlip", "albumentations", "flip: {p: 0.5, direction: vertical}", ""},
	{"Rotate", "albumentations", "rotate: {degrees: 90, p: 0.5}", ""},
	{"SafeRotate", "albumentations", "rotate: {degrees: 90, expand: true, p: 0.5}", "there the turned picture is squeezed into the old size; here it grows, and a resize behind it gives all pictures one size"},
	{"ShiftScaleRotate", "albumentations", "affine: {degrees: 45, translate: [0.0625, 0.0625], scale: [0.9, 1.1], p: 0.5}", ""},
	{"RandomScale", "albumentations", "affine: {scale: [0.9, 1.1], p: 0.5}", "the picture keeps its size"},
	{"SmallestMaxSize", "albumentations", "resize: {size: 256}", ""},
	{"LongestMaxSize", "albumentations", "", "letterbox: {size: 1024} fills the rest; resize takes height and width, or size, the shorter side, and max_size, the most of the longer"},
	{"RandomBrightnessContrast RandomBrightness RandomContrast", "albumentations", "color_jitter: {brightness: 0.2, contrast: 0.2, p: 0.5}", ""},
	{"HueSaturationValue", "albumentations", "color_jitter: {hue: 0.05, saturation: 0.2, brightness: 0.1, p: 0.5}", "hue is a share of the circle, the others are factors"},
	{"ToGray", "albumentations", "grayscale: {p: 0.5}", ""},
	{"InvertImg", "albumentations", "invert: {p: 0.5}", ""},
	{"Solarize", "albumentations", "solarize: {threshold: 128, p: 0.5}", "its threshold_range is of shares of 255"},
	{"Posterize", "albumentations", "posterize: {bits: 4, p: 0.5}", ""},
	{"RandomGamma", "albumentations", "gamma: {range: [0.8, 1.2], p: 0.5}", "its gamma_limit is in hundredths"},
	{"Equalize", "albumentations", "equalize: {p: 0.5}", "close to its mode 'pil'"},
	{"AutoContrast", "albumentations", "autocontrast: {p: 0.5}", "close to its method 'pil'"},
	{"CoarseDropout Cutout", "albumentations", "coarse_dropout: {num_holes_range: [1, 2], p: 0.5}", ""},
	{"GaussNoise", "albumentations", "gaussian_noise: {sigma: 0.1, p: 0.5}", "sigma is one number, a share of 255"},
	{"ToFloat", "albumentations", "to_tensor", ""},
	{"ToTensorV2", "albumentations", "to_tensor: {dtype: uint8}", "behind Normalize, both are to_tensor and normalize"},
	{"OneOf", "albumentations", "one_of: {stages: [rotate: {degrees: 30}, grayscale], weights: [2, 1], p: 0.5}", "the p of its members are weights there, and chances to act here"},
	{"SomeOf", "albumentations", "some_of: {stages: [rotate: {degrees: 30}, grayscale, equalize], n: 2}", "each at most once, in the order of the list"},
	{"RandomOrder NoOp", "albumentations", "", "every stage that changes pixels takes p itself"},
	{"PadIfNeeded", "albumentations", "pad: {size: [1024, 1024]}", ""},
	{"CropNonEmptyMaskIfExists RandomRotate90 Transpose D4 SquareSymmetry GridDropout Erasing XYMasking ISONoise " +
		"MultiplicativeNoise Blur MotionBlur MedianBlur Defocus ZoomBlur AdvancedBlur GlassBlur CLAHE RandomToneCurve ImageCompression " +
		"JpegCompression Downscale GridDistortion OpticalDistortion ThinPlateSpline RGBShift ChannelShuffle ChannelDropout " +
		"Sharpen Emboss Superpixels FancyPCA Spatter RandomFog RandomRain RandomShadow RandomSnow RandomSunFlare PixelDropout", "albumentations", "", ""},
	{"Mosaic", "albumentations", "mosaic: {p: 0.5}", "behind batch; its donors are samples of the source"},

	{"SimpleCopyPaste CopyPaste CopyAndPaste", "", "copy_paste: {scale: [0.1, 2]}", "behind batch; its donors are samples of the source"},

	{"RandomFlip", "Keras", "flip: {p: 0.5}", ""},
	{"RandomTranslation", "Keras", "affine: {translate: [0.1, 0.1]}", ""},
	{"RandomZoom", "Keras", "affine: {scale: [0.9, 1.1]}", ""},
	{"RandomShear", "Keras", "affine: {shear: 10}", ""},
	{"Rescaling", "Keras", "to_tensor", ""},
	{"Resizing", "Keras", "resize: {height: 224, width: 224}", ""},
	{"Normalization", "Keras", "normalize: {mean: dataset, std: dataset}", ""},

	{"RepeatFactorTrainingSampler RepeatFactorSampler ClassBalancedDataset", "detectron2", "rebalance: {task: boxes, target: {repeat_factor: {threshold: 0.001}}}", ""},
	{"WeightedRandomSampler WeightedSampler ImbalancedDatasetSampler BalancedBatchSampler", "PyTorch", "rebalance: {target: class_balanced}", ""},
	{"RandomSampler", "PyTorch", "shuffle", ""},
	{"BatchSampler DataLoader", "PyTorch", "batch: {size: 32}", ""},
	{"SubsetRandomSampler", "PyTorch", "", "filter and take leave samples out, split divides them"},
	{"oversample undersample oversampling undersampling balance", "", "rebalance: {target: class_balanced}", ""},
	{"imdecode read_image load_image imread", "", "decode", ""},
}

// foreignSources are other names of what our sources read.
var foreignSources = []foreign{
	{"ImageFolder DatasetFolder image_dataset_from_directory directory dir", "", "folder: {path: data/train}", ""},
	{"tar webdataset wds", "", "folder: {path: train.tar}", "the folders in it are the labels"},
	{"csv tsv json jsonl list", "", "manifest: {path: train.csv}", ""},
	{"VOCDetection pascal_voc pascal PascalVOC", "", "voc: {path: VOCdevkit/VOC2012}", ""},
	{"YOLODataset ultralytics yolov5 yolov8 darknet", "", "yolo: {data: coco8.yaml}", ""},
	{"CocoDetection CocoCaptions lvis register_coco_instances", "", "coco: {file: instances.json, images: train2017}", ""},
}

// foreignSinks are other names of what arrow writes.
var foreignSinks = []foreign{
	{"ipc arrow_ipc arrow_file feather datasets", "", "arrow", ""},
	{"stream arrow_stream", "", "", "sluice stream FILE writes one, to stdout"},
}

// foreignNames are the tables by kind, as errors call it.
var foreignNames = map[string][]foreign{"stage": foreignStages, "source": foreignSources, "sink": foreignSinks}

// foreignOption is an option that has another name in other libraries, or by habit.
type foreignOption struct {
	of    string // the stages, sources or parts of a file, separated by spaces; "*": any stage or source
	names string
	meant string // the option; "": there is none
	note  string
}

var foreignOptions = []foreignOption{
	{"*", "prob probability", "p", ""},
	{"*", "always_apply", "", "leave it out: without p a stage always applies, flip but every second time"},
	{"*", "resample interp filter", "interpolation", ""},
	{"*", "value cval fill_value fillcolor border_value", "fill", ""},
	{"rotate affine perspective", "border_mode mode padding_mode mask_value cval_mask", "", "what the picture doesn't cover is of the colour fill"},
	{"*", "seed random_state generator", "", "seed at the top of the file, or --seed, holds for all random numbers"},
	{"rotate", "limit angle angles angle_range", "degrees", ""},
	{"rotate", "center rotate_method crop_border", "", ""},
	{"affine", "rotate rotate_limit limit angle angles", "degrees", ""},
	{"affine", "translate_percent shift_limit shift", "translate", ""},
	{"affine", "shift_limit_x shift_limit_y translate_px", "translate", "shares of width and height, [0.1, 0.1]"},
	{"affine", "scale_limit", "scale", "a limit of 0.1 is the range [0.9, 1.1]"},
	{"perspective", "scale", "distortion_scale", ""},
	{"flip", "axis orientation dir", "direction", ""},
	{"crop center_crop random_resized_crop", "output_size crop_size", "size", ""},
	{"crop", "padding pad_if_needed", "", "it doesn't pad: resize before it"},
	{"resize", "output_size shape smallest_side shorter_side shortest_edge min_size", "size", "the shorter side; or height and width"},
	{"resize", "longest_side longest_edge", "max_size", "it goes with size, the shorter side"},
	{"color_jitter", "brightness_limit brightness_range", "brightness", ""},
	{"color_jitter", "contrast_limit contrast_range", "contrast", ""},
	{"color_jitter", "saturation_limit saturation_range sat_shift_limit", "saturation", "a factor"},
	{"color_jitter", "hue_limit hue_range hue_shift_limit", "hue", "a share of the circle, at most 0.5"},
	{"solarize", "threshold_range threshold_limit thresholds", "threshold", "a level of 0..255"},
	{"posterize", "num_bits nbits", "bits", ""},
	{"sharpness", "sharpness sharpness_factor alpha strength", "factor", "[2, 2] is always 2, 1 changes nothing"},
	{"gamma", "gamma gamma_limit gamma_range power", "range", "a range of powers: 1 changes nothing"},
	{"gaussian_blur", "kernel ksize blur_limit radius", "kernel_size", "an odd number of pixels"},
	{"gaussian_blur", "sigma_limit sigma_range", "sigma", "a range"},
	{"gaussian_noise", "std std_range var_limit noise_scale_factor", "sigma", "a share of 255"},
	{"gaussian_noise", "clip", "", "values always stay within 0..255: leave it out"},
	{"coarse_dropout", "max_holes min_holes num_holes", "num_holes_range", "the least and the largest number"},
	{"coarse_dropout", "max_height min_height hole_height", "hole_height_range", "shares, or pixels"},
	{"coarse_dropout", "max_width min_width hole_width", "hole_width_range", "shares, or pixels"},
	{"coarse_dropout", "fill_mask mask_fill_value", "", "masks stay as they are: leave it out"},
	{"random_erasing", "inplace", "", "leave it out"},
	{"random_erasing", "mode fill", "value", "a number, [r, g, b] or random"},
	{"to_tensor", "channel_order data_format format channels_first transpose_mask", "layout", ""},
	{"to_tensor", "type", "dtype", ""},
	{"normalize", "means mu avg average image_mean", "mean", ""},
	{"normalize", "stds sd stdev stddev sigma deviation standard_deviation image_std", "std", ""},
	{"normalize", "max_pixel_value", "", "mean and std are of pixels in 0..1: leave it out"},
	{"normalize", "inplace", "", "leave it out"},
	{"batch", "batch_size n rows", "size", ""},
	{"batch", "num_workers workers", "", "--workers says how many decode"},
	{"batch", "shuffle", "", "shuffle is a stage of its own"},
	{"rebalance", "num_samples samples epoch_size length size", "draws", ""},
	{"rebalance", "strategy method sampling mode sampler", "target", ""},
	{"rebalance", "alpha exponent q", "power", "with target: power"},
	{"rebalance", "label label_column column", "task", ""},
	{"rebalance", "replacement", "", "a class that is drawn more often than it has samples gives each in turn"},
	{"shuffle", "buffer buffer_size", "", "shuffle draws from all samples, at no cost: leave it out"},
	{"folder", "root dir directory folder data", "path", ""},
	{"folder", "labels target label_names", "tasks", ""},
	{"folder", "class_names", "classes", ""},
	{"folder", "transform target_transform", "", "what is done to pictures stands under stages"},
	{"manifest", "file csv list root annotations", "path", ""},
	{"manifest", "image_column filename_column image file_name filename image_path path_col", "path_column", ""},
	{"manifest", "label_column labels label target class columns label_columns", "tasks", "a list, such as [class]"},
	{"manifest", "weight weights sample_weight", "weight_column", ""},
	{"manifest", "class_names", "classes", ""},
	{"voc", "root dir directory folder", "path", ""},
	{"voc", "image_set imageset split", "set", "a file, such as ImageSets/Main/train.txt"},
	{"yolo", "path yaml file data_yaml", "data", ""},
	{"yolo", "names class_names", "classes", ""},
	{"coco", "path annotation_file annFile ann_file json instances", "file", ""},
	{"coco", "root img_folder image_dir img_dir img_prefix folder", "images", ""},
	{"coco", "classes class_names categories", "", "they are the categories of the file, in the order of their ids"},
	{"coco", "tasks", "", "the labels are those of the objects: leave it out"},
	{"arrow", "compression compress", "codec", ""},
	{"arrow", "rows_per_file rows_per_part max_rows_per_file shard_size", "part_rows", "a number of rows"},
	{"arrow", "path dir directory out", "", "sluice materialize FILE -o DIR says where to write"},
	{"split", "test_size val_size validation_split validation valid fraction ratio share", "val", ""},
	{"split", "subset part side", "use", "train or val"},
	{"split", "stratified", "stratify", ""},
	{"split", "groups group_by", "group", ""},
	{"split", "seed random_state shuffle", "", "a sample's key says on which side it is: leave it out"},
	{"objects", "min_visible visibility", "min_visibility", ""},
	{"objects", "mirrored swap", "mirror", ""},
	{"on_error", "mode action", "policy", ""},
	{"on_error", "limit max_errors budget", "max", ""},
	{"top", "transforms transform pipeline steps augmentations operations ops", "stages", ""},
	{"top", "data dataset datasets input", "source", ""},
	{"top", "random_seed random_state", "seed", ""},
	{"top", "num_epochs n_epochs max_epochs epoch", "epochs", ""},
	{"top", "errors error onerror", "on_error", ""},
	{"top", "batch_size batch shuffle rebalance decode resize", "", "it is a stage: write it under stages"},
	{"top", "num_workers workers budget params exec", "", "it is a flag of the command: --workers, --budget, --params, --exec"},
	{"top", "output out", "", "sluice materialize FILE -o DIR says where to write, and sink in which format"},
	{"top", "format writer sinks", "sink", ""},
	{"adam", "learning_rate learningrate rate", "lr", ""},
	{"adam", "decay l2 wd", "weight_decay", ""},
}

// fold maps spellings of a name to one: RandomHorizontalFlip, A.random_horizontal_flip.
func fold(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

func (f foreign) has(folded string) bool { return hasName(f.names, folded) }

func hasName(names, folded string) bool {
	return slices.ContainsFunc(strings.Fields(names), func(n string) bool { return fold(n) == folded })
}

// meantComponent is the hint in an error about an unknown name: what was probably meant,
// or that there is no equivalent.
func meantComponent(written string, names []string, table []foreign) string {
	folded := fold(written)
	for _, name := range names {
		if fold(name) == folded {
			return options.DidYouMean(name)
		}
	}
	for _, f := range table {
		if !f.has(folded) {
			continue
		}
		here, _, _ := strings.Cut(f.write, ":")
		switch {
		case f.write == "":
			return ": " + cmp.Or(f.note, "it has no equivalent here")
		case !slices.Contains(names, here):
			continue // catalogues of somebody's own
		}
		whose := "as in"
		if f.of != "" {
			whose = f.of + " " + written[strings.LastIndexByte(written, '.')+1:] + " is here"
		}
		text := options.DidYouMean(here)
		if f.write != here || f.of != "" {
			text += fmt.Sprintf(" %s: %s", whose, f.write)
		}
		if f.note != "" {
			text += " (" + f.note + ")"
		}
		return text
	}
	return options.DidYouMean(options.Nearest(written, names))
}

// meantOption is the option of who that was probably meant, and a remark; known is false
// if no other library is known to use the name. An entry for who takes precedence over one
// for all.
func meantOption(who, written string, names []string) (meant, note string, known bool) {
	folded := fold(written)
	for _, name := range names {
		if fold(name) == folded {
			return name, "", true
		}
	}
	for _, of := range []string{who, "*"} {
		for _, o := range foreignOptions {
			if hasName(o.of, fold(of)) && hasName(o.names, folded) && (o.meant == "" || slices.Contains(names, o.meant)) && (of != "*" || !slices.Contains(topParts, who)) {
				return o.meant, o.note, true
			}
		}
	}
	return "", "", false
}

// meantKey is the top-level key that was probably meant, or "", and the hint for the
// error.
func meantKey(written string, keys []string) (meant, text string) {
	meant, note, known := meantOption("top", written, keys)
	if !known {
		meant = options.Nearest(written, keys)
	}
	if text = options.DidYouMean(meant); text == "" && note != "" {
		text = ": " + note
	}
	return meant, text
}

// topParts are not stages or sources: entries for "*" don't apply to them.
var topParts = []string{"top", "split", "on_error", "objects"}
