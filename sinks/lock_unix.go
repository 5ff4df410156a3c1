//go:build unix && !solaris && !illumos && !aix

package sinks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is a file that stays, empty. Shards lock a file of their own beside it.
const lockName = ".lock"

// lock keeps other writers off a directory. It ends with its process, however
// that ends.
type lock struct{ files []*os.File }

// lockDirectory locks a directory: all of it, or one shard, which excludes the
// same shard and whoever writes all of it.
func lockDirectory(dir string, shard, shards int) (*lock, error) {
	l := &lock{}
	how, who := syscall.LOCK_EX, "another process"
	if shards > 1 {
		how = syscall.LOCK_SH
	}
	err := l.add(filepath.Join(dir, lockName), how, who)
	if err == nil && shards > 1 {
		who = fmt.Sprintf("another process with shard %d/%d", shard, shards)
		err = l.add(filepath.Join(dir, lockName+"-"+shardName(shard, shards)), syscall.LOCK_EX, who)
	}
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *lock) add(path string, how int, who string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o666)
	if err != nil {
		return explain("lock", filepath.Base(path), filepath.Dir(path), err)
	}
	l.files = append(l.files, f)
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is %s, not a file: remove it", path, kindOf(info.Mode()))
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s is writing to %s: wait until it is done, or choose another directory", who, filepath.Dir(path))
	}
	return explain("lock", filepath.Base(path), filepath.Dir(path), err)
}

// release is for a process that goes on.
func (l *lock) release() {
	for _, f := range l.files {
		f.Close()
	}
}
