package jpeg

// useAssembly is a variable so that tests can compare assembly with plain Go.
var useAssembly = haveAssembly()

// noBlock is returned by assembly that has read nothing.
const noBlock = -64
