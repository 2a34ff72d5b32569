package sqlite

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"headway/fault"
)

// lockFile is the file in a data folder that the folder's server holds.
const lockFile = "server.lock"

// DirIsLocked tells whether a server holds the data folder. It asks for a share of the lock and lets go of it at once.
func DirIsLocked(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return false // there has never been one
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// LockDir makes this process the only server on a data folder, until release or its end, however that comes. Refused, with a
// sentence that names the other one, if there is a server already. It does not keep other programs, such as an import, from appending.
func LockDir(dir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Unreachable(err, "The data folder %s cannot be used.", dir)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 20)) // only to be helpful: without it the sentence names nobody
		f.Close()
		who := "Another server"
		if pid, err := strconv.Atoi(strings.TrimSpace(string(holder))); err == nil {
			who += " (process " + strconv.Itoa(pid) + ")"
		}
		return nil, fault.Errorf(fault.Refused, "%s is using the data folder %s. Stop it first, or choose another folder.", who, dir)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fault.Unreachable(err, "The data folder %s cannot be locked.", dir)
	}
	return func() { f.Close() }, nil // closing lets go of the lock
}
