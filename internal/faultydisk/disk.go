package faultydisk

import (
	"sync"

	lib "modernc.org/sqlite/lib"
)

// Kind is what SQLite does to a file. Kinds can be joined by |.
type Kind uint8

// What is counted and can fail. Reads cannot.
const (
	Write    Kind = 1 << iota
	Sync          // nothing is written after it in its place until it has worked, as fsync has it
	Truncate      //
	Delete        //
	Create        // a log or a journal is opened that need not be there
	Grow          // the index of the log is mapped, and longer than before
	Any      = Write | Sync | Truncate | Delete | Create | Grow
)

// File is one of the files of a database. Files can be joined by |.
type File uint8

// The files of a database that a disk knows.
const (
	Main File = 1 << iota
	Log
	Journal
	AnyFile = Main | Log | Journal
)

// Operation is one thing that SQLite does, from 1 since the disk was last asked to count or to fail.
type Operation struct {
	N    int
	Kind Kind
	File File
	Name string // of the file
	fits bool   // it needs no room
	half func() // what is done of it when it fails half-way
}

// Fault is what goes wrong.
type Fault struct {
	N     int  // it begins with the n-th operation from now, from 1, of those that Kinds and Files name
	Kinds Kind // none means all
	Files File // the same
	Stays bool // all the following of that kind fail, too, until Mend
	Full  bool // there is no room: what needs more fails, and nothing else
	Half  bool // of what fails, a part is done: a half of a write; of a sync some pages, and the system forgets the others
}

// Disk is what one folder's databases are on.
type Disk struct {
	mu      sync.Mutex
	fault   *Fault
	matched int // operations that the fault names
	hit     int // those that failed
	count   int
	shared  map[string]int32 // regions of each log's index that are mapped
	before  func(Operation)
	after   func(Operation)
	power   power
}

func newDisk() *Disk { return &Disk{power: newPower(), shared: map[string]int32{}} }

// Break has something go wrong from now on.
func (d *Disk) Break(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.Kinds == 0 {
		f.Kinds = Any
	}
	if f.Files == 0 {
		f.Files = AnyFile
	}
	d.fault, d.matched, d.hit, d.count = &f, 0, 0, 0
}

// Mend ends the fault, and tells how many operations failed by it.
func (d *Disk) Mend() (hit int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hit = d.hit
	d.fault, d.hit = nil, 0
	return hit
}

// Hit is how many operations have failed since the last Break.
func (d *Disk) Hit() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hit
}

// Count is how many operations there were since it was asked last, or the disk was broken.
func (d *Disk) Count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.count
	d.count = 0
	return n
}

// Watch has functions called before and after each operation; either may be nil. They must not use the disk, but for Cut.
func (d *Disk) Watch(before, after func(Operation)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before, d.after, d.count = before, after, 0
}

// do does an operation, or has it fail.
func (d *Disk) do(o Operation, operate func() int32) int32 {
	d.count++
	o.N = d.count
	if d.before != nil {
		d.before(o)
	}
	if code := d.fails(o); code != lib.SQLITE_OK {
		return code
	}
	code := operate()
	if d.after != nil {
		d.after(o)
	}
	return code
}

func (d *Disk) fails(o Operation) int32 {
	f := d.fault
	if f == nil || f.Kinds&o.Kind == 0 || f.Files&o.File == 0 || f.Full && o.fits {
		return lib.SQLITE_OK
	}
	d.matched++
	if d.matched < f.N || d.matched > f.N && !f.Stays {
		return lib.SQLITE_OK
	}
	d.hit++
	if o.half != nil && f.Half {
		o.half()
	}
	return codeOf(o.Kind, f.Full)
}

func codeOf(kind Kind, full bool) int32 {
	switch kind {
	case Write:
		if full {
			return lib.SQLITE_FULL
		}
		return lib.SQLITE_IOERR_WRITE
	case Sync:
		return lib.SQLITE_IOERR_FSYNC
	case Truncate:
		return lib.SQLITE_IOERR_TRUNCATE
	case Delete:
		return lib.SQLITE_IOERR_DELETE
	case Create:
		return lib.SQLITE_CANTOPEN
	default:
		return lib.SQLITE_IOERR_SHMSIZE
	}
}
