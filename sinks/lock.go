package sinks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// lockName is an empty file, which stays. Shards also lock files of their own.
const lockName = ".lock"

// Lock locks a directory against other processes that Lock it, until release or the
// end of the process. It creates an empty file in it, .lock.
func Lock(dir string) (release func(), err error) {
	l, err := lockDirectory(dir, 0, 1)
	if err != nil {
		return nil, err
	}
	return l.release, nil
}

// lock excludes other writers from a directory. It ends with its process, however
// that ends.
type lock struct{ files []*flock.Flock }

// lockDirectory locks a whole directory, or one shard of it against the same shard and
// against whole-directory locks.
func lockDirectory(dir string, shard, shards int) (*lock, error) {
	l := &lock{}
	how, who := (*flock.Flock).TryLock, "another process"
	if shards > 1 {
		how = (*flock.Flock).TryRLock
	}
	err := l.add(filepath.Join(dir, lockName), how, who)
	if err == nil && shards > 1 {
		who = fmt.Sprintf("another process with shard %d/%d", shard, shards)
		err = l.add(filepath.Join(dir, lockName+"-"+shardName(shard, shards)), (*flock.Flock).TryLock, who)
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// add locks a file. It neither follows symlinks nor waits for pipes.
func (l *lock) add(path string, how func(*flock.Flock) (bool, error), who string) error {
	f := flock.New(path, flock.SetFlag(os.O_RDWR|os.O_CREATE|asIs), flock.SetPermissions(0o666))
	locked, err := how(f)
	for errors.Is(err, syscall.EINTR) {
		locked, err = how(f)
	}
	if err != nil {
		return explain("lock", filepath.Base(path), filepath.Dir(path), err)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		f.Close()
		return fmt.Errorf("%s is %s, not a file: remove it", path, kindOf(info.Mode()))
	}
	if !locked {
		return fmt.Errorf("%s is writing to %s: wait until it is done, or choose another directory", who, filepath.Dir(path))
	}
	l.files = append(l.files, f)
	return nil
}

// release unlocks.
func (l *lock) release() {
	for _, f := range l.files {
		f.Close()
	}
}
