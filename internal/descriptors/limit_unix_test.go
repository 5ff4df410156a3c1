//go:build unix

package descriptors

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// asChild has the test's binary, started anew, lower its limit and tell of itself.
const asChild = "SLUICE_DESCRIPTORS_TEST_LIMIT"

func TestMain(m *testing.M) {
	if text := os.Getenv(asChild); text != "" {
		if err := child(text); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child opens a file with each of many goroutines at once, with few descriptors.
func child(text string) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if _, err := fmt.Sscan(text, &l.Cur); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	name, err := os.Executable()
	if err != nil {
		return err
	}
	const readers = 200
	errs := make([]error, readers)
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() {
			release, err := Hold(context.Background())
			if err != nil {
				errs[i] = err
				return
			}
			defer release()
			errs[i] = Retry(context.Background(), func() error {
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				return f.Close()
			})
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	fmt.Println("places:", Places())
	return nil
}

func TestPlacesFollowTheLimit(t *testing.T) {
	for limit, want := range map[int]int{20: 1, 26: 1, 64: 20, 224: 100} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", asChild, limit))
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != fmt.Sprintf("places: %d", want) {
			t.Errorf("with %d descriptors: %s, %v; want %d places", limit, out, err, want)
		}
	}
}
