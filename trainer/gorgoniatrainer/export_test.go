package gorgoniatrainer

// BothKernels is for the tests outside of the package.
var BothKernels = bothKernels
