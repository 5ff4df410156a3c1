package warp

// useAssembly chooses between two ways to the same bytes.
var useAssembly = haveAssembly()
