package webp

// useAssembly is a variable so that tests can compare assembly with plain Go.
var useAssembly = haveAssembly()
