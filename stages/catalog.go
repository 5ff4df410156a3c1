package stages

import "slices"

// Entry is a stage that pipeline files may name. Its options, their types, the
// JSON schema and the CLI help come from the struct that New returns.
type Entry struct {
	New func() Stage // a pointer to the options with their defaults
	Doc string       // one line
}

// Catalog lists the stages, in the order in which help shows them. Adding a
// stage is one file and one line here.
var Catalog = []Entry{
	{func() Stage { return &Filter{} }, "leave samples out by class or key"},
	{func() Stage { return &Take{} }, "keep the first samples, of all or of each class"},
	{func() Stage { return &Shuffle{} }, "draw every sample once per epoch, in random order"},
	{func() Stage { return &Rebalance{} }, "draw classes in other proportions than they have, shuffled"},
	{func() Stage { return &ClassWeights{} }, "weight each row by its class"},
	{func() Stage { return &Decode{} }, "decode image files to RGB, EXIF orientation applied"},
	{func() Stage { return &Rotate{P: 1} }, "rotate by a random angle, keeping the size or expanding the canvas"},
	{func() Stage { return &Affine{P: 1} }, "rotate, translate, scale and shear by random amounts"},
	{func() Stage { return &Perspective{DistortionScale: 0.5, P: 1} }, "show as a plane seen from a random angle"},
	{func() Stage { return &Crop{P: 1} }, "cut out a window at a random position"},
	{func() Stage { return &CenterCrop{} }, "cut out the centre"},
	{func() Stage { return &RandomResizedCrop{Scale: defaultScale, Ratio: defaultRatio, P: 1} }, "cut out a window of random area, aspect ratio and position, and resize it"},
	{func() Stage { return &Flip{P: 0.5} }, "mirror at random"},
	{func() Stage { return &Resize{} }, "scale to a height and width, or to a length of the shorter side"},
	{func() Stage { return &RandomShortestSize{} }, "scale to a random length of the shorter side"},
	{func() Stage { return &ScaleJitter{Range: defaultJitter} }, "scale by a random factor, keeping the shape"},
	{func() Stage { return &Pad{} }, "add a border: so many pixels, to a size, or to a multiple"},
	{func() Stage { return &Letterbox{} }, "scale until it fits into a size, and fill the rest"},
	{func() Stage { return &RandomZoomOut{SideRange: defaultSideRange, P: 0.5} }, "put the picture somewhere on a larger canvas"},
	{func() Stage {
		return &RandomIoUCrop{Scale: defaultWindowScale, Ratio: defaultWindowRatio, SamplerOptions: slices.Clone(defaultOverlaps), Trials: defaultTrials}
	}, "cut out a window that overlaps an object by a random amount"},
	{func() Stage { return &SanitizeBoxes{MinSize: 1, MinArea: 1} }, "drop objects whose box is small"},
	{func() Stage { return &ColorJitter{P: 1} }, "change brightness, contrast, saturation and hue at random"},
	{func() Stage {
		return &RandAugment{NumOps: defaultNumOps, Magnitude: defaultMagnitude, NumMagnitudeBins: defaultBins, P: 1}
	}, "do a few random operations of one magnitude"},
	{func() Stage { return &TrivialAugmentWide{NumMagnitudeBins: defaultBins, P: 1} }, "do one random operation of a random magnitude"},
	{func() Stage { return &OneOf{P: 1} }, "do what one of some stages does"},
	{func() Stage { return &SomeOf{N: 1, P: 1} }, "do what some of a list of stages do"},
	{func() Stage { return &Grayscale{P: 1} }, "take the colour out, keeping three channels"},
	{func() Stage { return &Invert{P: 1} }, "make a negative"},
	{func() Stage { return &Solarize{Threshold: defaultThreshold, P: 1} }, "invert the bright values"},
	{func() Stage { return &Posterize{Bits: defaultBits, P: 1} }, "keep a few bits of each value"},
	{func() Stage { return &Gamma{Range: defaultGamma, P: 1} }, "raise values to a random power"},
	{func() Stage { return &Autocontrast{P: 1} }, "stretch each channel to all of 0..255"},
	{func() Stage { return &Equalize{P: 1} }, "give all levels about as many pixels"},
	{func() Stage { return &Sharpness{P: 1} }, "blur or sharpen by a random factor"},
	{func() Stage { return &GaussianBlur{Sigma: defaultSigma, P: 1} }, "blur by a random amount"},
	{func() Stage { return &GaussianNoise{Sigma: defaultNoise, P: 1} }, "add noise"},
	{func() Stage {
		return &CoarseDropout{NumHolesRange: defaultHoles, HoleHeightRange: defaultHoleSide, HoleWidthRange: defaultHoleSide, P: 1}
	}, "fill random rectangles with a colour"},
	{func() Stage { return &RandomErasing{Scale: defaultErasedArea, Ratio: defaultErasedRatio, P: 0.5} }, "replace a random rectangle by a value or noise"},
	{func() Stage { return &ToTensor{} }, "convert uint8 pixels to float32 in 0..1, channels first"},
	{func() Stage { return &Normalize{} }, "subtract a mean and divide by a standard deviation, per channel"},
	{func() Stage { return &Batch{} }, "group rows into batches"},
	{func() Stage { return &MixUp{Alpha: defaultAlpha, P: 1} }, "blend each picture of a batch with another one, and their labels"},
	{func() Stage { return &CutMix{Alpha: defaultAlpha, P: 1} }, "paste a box of another picture of the batch into each, and mix their labels"},
	{func() Stage { return &Remix{Alpha: defaultAlpha, Kappa: defaultKappa, Tau: defaultTau, P: 1} }, "mixup whose label is the rarer class's where the other is much commoner"},
	{func() Stage { return &CMO{P: 0.5, Alpha: defaultAlpha, Exponent: 1} }, "paste a box of a sample of a rarer class into each picture, and mix their labels"},
	{func() Stage { return &Mosaic{P: 1, Center: defaultCenter} }, "show parts of four pictures around a random point, with their objects and masks"},
	{func() Stage { return &CopyPaste{P: 1, ObjectP: defaultObjectP, Scale: defaultPasteScale} }, "paste objects of another picture into each, with their masks"},
	{func() Stage { return &MultiScale{} }, "deliver each batch in several sizes"},
}
