// Package faultydisk stands between SQLite and the file system of a test: it counts what SQLite does to its files, makes any of it fail,
// and knows what of it a power cut would leave. Nothing that is shipped imports it.
package faultydisk

import (
	"fmt"
	"path/filepath"
	"sync"
	"unsafe"

	"modernc.org/libc"
	_ "modernc.org/sqlite" // sets the library up
	lib "modernc.org/sqlite/lib"
)

// Disks are the folders that have a Disk. Files elsewhere go to the file system as always.
type Disks struct {
	vfs     uintptr    // ours, in C's memory; it lives as long as the process
	open    vfsOpen    // the file system's own
	remove  vfsDelete  // the same
	called  []any      // keeps alive what C's memory points to
	mu      sync.Mutex // guards what follows
	folders map[string]*Disk
	files   map[uintptr]*file   // the open ones in folders that have a Disk
	tables  map[uintptr]uintptr // our table of methods for each of the file system's
}

// file is an open file, as SQLite knows it.
type file struct {
	disk    *Disk
	name    string
	kind    File
	own     *lib.Tsqlite3_io_methods // the file system's
	syncDir bool                     // its first sync is its folder's, too
}

type (
	vfsOpen   = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	vfsDelete = func(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32
	ioClose   = func(tls *libc.TLS, file uintptr) int32
	ioRead    = func(tls *libc.TLS, file, to uintptr, n int32, offset lib.Tsqlite3_int64) int32
	ioWrite   = func(tls *libc.TLS, file, from uintptr, n int32, offset lib.Tsqlite3_int64) int32
	ioSize    = func(tls *libc.TLS, file uintptr, size lib.Tsqlite3_int64) int32
	ioSizeOf  = func(tls *libc.TLS, file, to uintptr) int32
	ioShare   = func(tls *libc.TLS, file uintptr, region, size, extend int32, to uintptr) int32
)

// at is the C object at an address.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function is the Go function that a pointer of C means, and pointer the way back; the function must be kept alive.
func function[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{pointer})) }

func pointer[F any](d *Disks, f F) uintptr {
	kept := &f
	d.called = append(d.called, kept)
	return *(*uintptr)(unsafe.Pointer(kept))
}

// Install makes every database that the process opens from now on go through Disks. It cannot be taken back, and what it returns must be
// kept as long as the process: SQLite, being C, keeps nothing alive.
func Install() (*Disks, error) {
	tls := libc.NewTLS()
	defer tls.Close()
	original := lib.Xsqlite3_vfs_find(tls, 0)
	if original == 0 {
		return nil, fmt.Errorf("SQLite has no file system")
	}
	d := &Disks{folders: map[string]*Disk{}, files: map[uintptr]*file{}, tables: map[uintptr]uintptr{}}
	name, err := libc.CString("faulty")
	if err != nil {
		return nil, err
	}
	d.vfs = libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	if d.vfs == 0 {
		return nil, fmt.Errorf("no memory")
	}
	vfs := at[lib.Tsqlite3_vfs](d.vfs)
	*vfs = *at[lib.Tsqlite3_vfs](original)
	d.open, d.remove = function[vfsOpen](vfs.FxOpen), function[vfsDelete](vfs.FxDelete)
	vfs.FzName, vfs.FpNext = name, 0
	vfs.FxOpen, vfs.FxDelete = pointer(d, d.xOpen), pointer(d, d.xDelete)
	if code := lib.Xsqlite3_vfs_register(tls, d.vfs, 1); code != lib.SQLITE_OK {
		return nil, fmt.Errorf("SQLite takes no other file system: %d", code)
	}
	return d, nil
}

// At is the disk of a folder, new if it has none. Its power begins now: what its files hold when they are first opened is durable.
func (d *Disks) At(folder string) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	folder = filepath.Clean(folder)
	disk := d.folders[folder]
	if disk == nil {
		disk = newDisk()
		d.folders[folder] = disk
	}
	return disk
}

// Forget gives a folder back to the file system, for files that are opened from now on.
func (d *Disks) Forget(folder string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.folders, filepath.Clean(folder))
}

func (d *Disks) of(path string) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.folders[filepath.Dir(path)]
}

func (d *Disks) file(handle uintptr) *file {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[handle]
}

func (d *Disks) xOpen(tls *libc.TLS, vfs, name, handle uintptr, flags int32, outFlags uintptr) int32 {
	var disk *Disk
	path := ""
	if name != 0 {
		path = libc.GoString(name)
		disk = d.of(path)
	}
	kind := kindOfFile(flags)
	if disk == nil || kind == 0 {
		return d.open(tls, vfs, name, handle, flags, outFlags)
	}
	f := &file{disk: disk, name: filepath.Base(path), kind: kind}
	create := flags&lib.SQLITE_OPEN_CREATE != 0
	f.syncDir = create && kind != Main
	disk.mu.Lock()
	defer disk.mu.Unlock()
	open := func() int32 {
		code := d.open(tls, vfs, name, handle, flags, outFlags)
		if code == lib.SQLITE_OK {
			d.take(tls, handle, f)
			disk.opened(f.name, func() []byte { return readAll(tls, handle, f.own) })
		}
		return code
	}
	if !create {
		return open()
	}
	return disk.do(Operation{Kind: Create, File: kind, Name: f.name, fits: disk.power.names[f.name] != nil}, open)
}

// take puts our methods in the place of a file's own.
func (d *Disks) take(tls *libc.TLS, handle uintptr, f *file) {
	d.mu.Lock()
	defer d.mu.Unlock()
	object := at[lib.Tsqlite3_file](handle)
	own := object.FpMethods
	f.own = at[lib.Tsqlite3_io_methods](own)
	d.files[handle] = f
	if d.tables[own] == 0 {
		address := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(*f.own)))
		table := at[lib.Tsqlite3_io_methods](address)
		*table = *f.own
		table.FxClose = pointer(d, d.xClose)
		table.FxWrite = pointer(d, d.xWrite)
		table.FxTruncate = pointer(d, d.xTruncate)
		table.FxSync = pointer(d, d.xSync)
		if table.FiVersion >= 2 {
			table.FxShmMap = pointer(d, d.xShmMap)
		}
		d.tables[own] = address
	}
	object.FpMethods = d.tables[own]
}

func readAll(tls *libc.TLS, handle uintptr, own *lib.Tsqlite3_io_methods) []byte {
	to := libc.Xcalloc(tls, 1, 8)
	defer libc.Xfree(tls, to)
	if function[ioSizeOf](own.FxFileSize)(tls, handle, to) != lib.SQLITE_OK {
		return nil
	}
	size := *at[lib.Tsqlite3_int64](to)
	if size == 0 {
		return nil
	}
	buffer := libc.Xcalloc(tls, 1, libc.Tsize_t(size))
	defer libc.Xfree(tls, buffer)
	function[ioRead](own.FxRead)(tls, handle, buffer, int32(size), 0)
	return append([]byte(nil), bytesAt(buffer, int(size))...)
}

func bytesAt(address uintptr, n int) []byte { return unsafe.Slice(at[byte](address), n) }

func (d *Disks) xDelete(tls *libc.TLS, vfs, name uintptr, syncDir int32) int32 {
	path := libc.GoString(name)
	disk := d.of(path)
	if disk == nil {
		return d.remove(tls, vfs, name, syncDir)
	}
	kind := Journal
	if filepath.Ext(path) == ".db-wal" {
		kind = Log
	}
	disk.mu.Lock()
	defer disk.mu.Unlock()
	return disk.do(Operation{Kind: Delete, File: kind, Name: filepath.Base(path), fits: true}, func() int32 {
		code := d.remove(tls, vfs, name, syncDir)
		if code == lib.SQLITE_OK {
			disk.deleted(filepath.Base(path), syncDir != 0)
		}
		return code
	})
}

func (d *Disks) xClose(tls *libc.TLS, handle uintptr) int32 {
	f := d.file(handle)
	d.mu.Lock()
	delete(d.files, handle)
	d.mu.Unlock()
	return function[ioClose](f.own.FxClose)(tls, handle)
}

func (d *Disks) xWrite(tls *libc.TLS, handle, from uintptr, n int32, offset lib.Tsqlite3_int64) int32 {
	f := d.file(handle)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	write := func(n int32) int32 {
		code := function[ioWrite](f.own.FxWrite)(tls, handle, from, n, offset)
		if code == lib.SQLITE_OK {
			f.disk.wrote(f.name, bytesAt(from, int(n)), int(offset))
		}
		return code
	}
	return f.disk.do(Operation{Kind: Write, File: f.kind, Name: f.name, half: func() { write(n / 2) }}, func() int32 { return write(n) })
}

func (d *Disks) xTruncate(tls *libc.TLS, handle uintptr, size lib.Tsqlite3_int64) int32 {
	f := d.file(handle)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.do(Operation{Kind: Truncate, File: f.kind, Name: f.name, fits: true}, func() int32 {
		code := function[ioSize](f.own.FxTruncate)(tls, handle, size)
		if code == lib.SQLITE_OK {
			f.disk.truncated(f.name, int(size))
		}
		return code
	})
}

func (d *Disks) xSync(_ *libc.TLS, handle uintptr, _ int32) int32 {
	f := d.file(handle)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.do(Operation{Kind: Sync, File: f.kind, Name: f.name, half: func() { f.disk.lost(f.name) }}, func() int32 {
		f.disk.synced(f.name, f.syncDir) // the file system is not asked to: the power goes here only
		f.syncDir = false
		return lib.SQLITE_OK
	})
}

func (d *Disks) xShmMap(tls *libc.TLS, handle uintptr, region, size, extend int32, to uintptr) int32 {
	f := d.file(handle)
	share := func() int32 {
		code := function[ioShare](f.own.FxShmMap)(tls, handle, region, size, extend, to)
		if code == lib.SQLITE_OK {
			f.disk.shared[f.name] = max(f.disk.shared[f.name], region+1)
		}
		return code
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if extend == 0 {
		return share()
	}
	return f.disk.do(Operation{Kind: Grow, File: f.kind, Name: f.name, fits: region < f.disk.shared[f.name]}, share)
}

func kindOfFile(flags int32) File {
	switch {
	case flags&lib.SQLITE_OPEN_MAIN_DB != 0:
		return Main
	case flags&lib.SQLITE_OPEN_WAL != 0:
		return Log
	case flags&lib.SQLITE_OPEN_MAIN_JOURNAL != 0:
		return Journal
	}
	return 0
}
