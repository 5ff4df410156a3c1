//go:build unix

package outfile

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPipesAreWrittenTo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(name, 0o666); err != nil {
		t.Skip("no named pipes: ", err)
	}
	have := read(name)
	if err := note.Write(name, []byte("note: 1")); err != nil {
		t.Fatal(err)
	}
	if text := <-have; text != "note: 1" {
		t.Errorf("%q came out of the pipe", text)
	}
	if info, err := os.Lstat(name); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe was replaced: %v", err)
	}
}

// A device of the test's own, with the numbers of /dev/null on Linux.
func TestDevicesAreWrittenTo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "null")
	if runtime.GOOS != "linux" || unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) != nil {
		t.Skip("cannot make a device")
	}
	if err := note.Write(name, []byte("note: 1")); err != nil && !os.IsPermission(err) { // mounted nodev
		t.Fatal(err)
	}
	if info, err := os.Lstat(name); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("the device was replaced: %v", err)
	}
}

func TestBlockDevicesAndSocketsAreRefused(t *testing.T) {
	dir := t.TempDir()
	names := []string{filepath.Join(dir, "s")}
	l, err := net.Listen("unix", names[0])
	if err != nil {
		t.Skip("no sockets: ", err)
	}
	defer l.Close()
	if disk := filepath.Join(dir, "disk"); runtime.GOOS == "linux" && unix.Mknod(disk, unix.S_IFBLK|0o666, int(unix.Mkdev(7, 250))) == nil {
		names = append(names, disk) // a loop device without a file
	}
	for _, name := range names {
		if err := note.Write(name, []byte("note: 1")); err == nil || !strings.Contains(err.Error(), "device or a socket") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
