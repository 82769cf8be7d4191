//go:build unix

package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often a waiting [Lock] looks again. Polling, because a
// blocking flock(2) would not hear ctx.
const lockPoll = 100 * time.Millisecond

// Lock takes the exclusive lock kept in the file at path, which it creates, and
// returns the function that gives it back. While another process (or another
// call in this one) holds it, Lock says so once on log and waits until ctx
// ends. The system drops the lock of a process that dies, so there are no stale
// locks.
func Lock(ctx context.Context, path string, log io.Writer) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w (set XDG_CACHE_HOME to a folder you can write)", err)
	}
	for waiting := false; ; waiting = true {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing gives the lock back
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if !waiting {
			fmt.Fprintf(log, "waiting for another process that holds %s\n", path)
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, ctx.Err()), f.Close())
		case <-time.After(lockPoll):
		}
	}
}
