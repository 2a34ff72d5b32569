package faultydisk

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

const (
	pageSize   = 4096 // what the system writes to the disk, in any order, in the time between two syncs
	sectorSize = 512  // what the disk itself writes whole
)

// power is what a disk holds once the power is gone: the pages that were synced, and of the others some, as chance has it.
type power struct {
	names   map[string]*platter // the folder as programs see it
	durable map[string]*platter // the folder as of its last sync
	chance  *rand.Rand
}

func newPower() power {
	return power{names: map[string]*platter{}, durable: map[string]*platter{}, chance: rand.New(rand.NewPCG(1, 1))}
}

// platter is a file.
type platter struct {
	seen  []byte       // what programs read
	kept  []byte       // what is on the disk
	dirty map[int]bool // pages that are to be written
}

func page(content []byte, n int) []byte {
	return content[min(n*pageSize, len(content)):min((n+1)*pageSize, len(content))]
}

// opened notes a file when it is first heard of. One that was not there before is in the folder only after that was synced.
func (d *Disk) opened(name string, content func() []byte) {
	if d.power.names[name] != nil {
		return
	}
	p := &platter{seen: content(), dirty: map[int]bool{}}
	p.kept = slices.Clone(p.seen)
	d.power.names[name] = p
	if len(p.seen) > 0 || filepath.Ext(name) == ".db" {
		d.power.durable[name] = p
	}
}

func (d *Disk) deleted(name string, synced bool) {
	delete(d.power.names, name)
	if synced {
		d.power.durable = maps.Clone(d.power.names)
	}
}

func (d *Disk) wrote(name string, data []byte, offset int) {
	p := d.power.names[name]
	if p == nil {
		return // it was deleted
	}
	if end := offset + len(data); end > len(p.seen) {
		p.seen = append(p.seen, make([]byte, end-len(p.seen))...)
	}
	copy(p.seen[offset:], data)
	for n := offset / pageSize; n*pageSize < offset+len(data); n++ {
		p.dirty[n] = true
	}
	if d.power.chance.IntN(8) == 0 { // the system writes pages whenever it likes
		for _, n := range slices.Sorted(maps.Keys(p.dirty)) {
			if d.power.chance.IntN(2) == 0 {
				p.kept = put(p.kept, n*pageSize, page(p.seen, n))
			}
		}
	}
}

func put(content []byte, offset int, data []byte) []byte {
	if len(data) == 0 {
		return content
	}
	content = resized(content, max(len(content), offset+len(data)))
	copy(content[offset:], data)
	return content
}

func (d *Disk) truncated(name string, size int) {
	p := d.power.names[name]
	if p == nil || size >= len(p.seen) {
		return
	}
	for n := size / pageSize; n*pageSize < len(p.seen); n++ {
		p.dirty[n] = true
	}
	p.seen = slices.Clone(p.seen[:size])
}

// synced is a sync that worked: of every page that is to be written. A page that an earlier sync has lost is none.
func (d *Disk) synced(name string, folder bool) {
	if folder {
		d.power.durable = maps.Clone(d.power.names)
	}
	p := d.power.names[name]
	if p == nil {
		return
	}
	for n := range p.dirty {
		p.kept = put(p.kept, n*pageSize, page(p.seen, n))
	}
	p.kept = resized(p.kept, len(p.seen))
	clear(p.dirty)
}

// Rewritten tells the disk that a program has written a whole file again and synced it, which it does not see by itself unless it was
// SQLite.
func (d *Disk) Rewritten(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.power.names[name]; p != nil {
		p.kept = slices.Clone(p.seen)
		clear(p.dirty)
	}
}

// lost is a sync that failed: some pages were written, and the system holds the others to be written, too, so that the next sync, which
// works, says nothing of them. That is what Linux does.
func (d *Disk) lost(name string) {
	p := d.power.names[name]
	if p == nil {
		return
	}
	for _, n := range slices.Sorted(maps.Keys(p.dirty)) {
		if d.power.chance.IntN(2) == 0 {
			p.kept = put(p.kept, n*pageSize, page(p.seen, n))
		}
	}
	p.kept = resized(p.kept, len(p.seen))
	clear(p.dirty)
}

func resized(content []byte, size int) []byte {
	if size <= len(content) {
		return content[:size]
	}
	return append(content, make([]byte, size-len(content))...)
}

// Image is the folder after a power cut.
type Image map[string][]byte

// Cut is what the disk would hold if the power went now. What was not synced is there, or not, or in part, as the seed has it. It is for a
// function that watches, or while nothing happens.
func (d *Disk) Cut(seed uint64) Image {
	chance := rand.New(rand.NewPCG(seed, 2))
	image := Image{}
	names := maps.Clone(d.power.names)
	maps.Copy(names, d.power.durable)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p := d.power.names[name]
		if old := d.power.durable[name]; old != p && chance.IntN(2) == 0 {
			p = old // the folder was not synced since
		}
		if p != nil {
			image[name] = p.after(chance)
		}
	}
	return image
}

func (p *platter) after(chance *rand.Rand) []byte {
	content := bytes.Clone(p.kept)
	for _, n := range slices.Sorted(maps.Keys(p.dirty)) {
		data := page(p.seen, n)
		switch chance.IntN(3) {
		case 0: // nothing of it
		case 1:
			content = put(content, n*pageSize, data)
		case 2:
			for at := 0; at < len(data); at += sectorSize {
				if chance.IntN(2) == 0 {
					content = put(content, n*pageSize+at, data[at:min(at+sectorSize, len(data))])
				}
			}
		}
	}
	if len(content) > len(p.seen) && chance.IntN(2) == 0 {
		content = content[:len(p.seen)]
	}
	return content
}

// Put writes the image into an empty folder.
func (i Image) Put(folder string) error {
	for name, content := range i {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
