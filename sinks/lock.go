package sinks

// Lock keeps others off a directory that a process writes to, where they Lock it
// too. It ends with release, or with the process. The directory gets an empty
// file, .lock.
func Lock(dir string) (release func(), err error) {
	l, err := lockDirectory(dir, 0, 1)
	if err != nil {
		return nil, err
	}
	return l.release, nil
}
