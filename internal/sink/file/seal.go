package file

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// seal takes the hour's file out of the writer's reach, under a name that says how long the
// packed file is now. It reports whether there is something to finish.
func (k *keeper) seal(ctx context.Context, h hour) (base int64, sealed bool, err error) {
	err = k.alone(ctx, h.folder, func(w *writer) error {
		if !k.over(h, grace) {
			return errNotOver
		}
		if err := w.release(h.plain()); err != nil {
			return err
		}
		info, err := k.disk.stat(h.plain())
		if err != nil {
			return err
		}
		if info.Size() == 0 {
			return k.disk.remove(h.plain())
		}
		if base, err = k.packedSize(h); err != nil {
			return err
		}
		sealed = true
		return k.move(h, h.plain(), h.closing(base))
	})
	return base, sealed && err == nil, err
}

// packedSize returns how long the packed file is, 0 if there is none.
func (k *keeper) packedSize(h hour) (int64, error) {
	info, err := k.disk.stat(h.packed())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("file %s: is no regular file", h.packed())
	}
	return info.Size(), nil
}

// move renames a file of the hour, for good, to a name that must be free.
func (k *keeper) move(h hour, from, to string) error {
	if _, err := k.disk.stat(to); err == nil {
		return fmt.Errorf("file %s: stands in the way of %s", to, path.Base(from))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := k.disk.rename(from, to); err != nil {
		return err
	}
	return k.disk.syncDir(h.day())
}

// finish makes a sealed file the last member of the packed file. However often it is begun,
// the lines are in the packed file once: the name of the sealed file says where.
func (k *keeper) finish(ctx context.Context, h hour, base int64) (err error) {
	name := h.closing(base)
	f, err := k.disk.open(name, os.O_RDWR)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := k.repair(name, f); err != nil { // what broke a write may have kept the writer from it
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size, err := k.packedSize(h)
	if err != nil {
		return err
	}
	if size > base && info.Size() > 0 {
		there, err := k.holds(ctx, h.packed(), base, io.NewSectionReader(f, 0, info.Size()))
		if err != nil {
			return fmt.Errorf("file %s: compare with %s: %w", h.packed(), path.Base(name), err)
		}
		if there {
			return k.retire(h, name)
		}
	}
	if info.Size() == 0 {
		return k.disk.remove(name)
	}
	if size != base { // an operator has exchanged the packed file
		if err := k.move(h, name, h.closing(size)); err != nil {
			return err
		}
		name = h.closing(size)
	}
	return k.pack(ctx, h, name, f, size)
}

// retire removes a sealed file once the packed file that has its lines is sure to stay.
func (k *keeper) retire(h hour, name string) error {
	if err := k.disk.syncDir(h.day()); err != nil {
		return err
	}
	return k.disk.remove(name)
}

// holds reports whether the member that begins there in the packed file has these lines.
func (k *keeper) holds(ctx context.Context, packed string, from int64, lines io.Reader) (_ bool, err error) {
	f, err := k.disk.open(packed, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	member, err := gzip.NewReader(bufio.NewReaderSize(io.NewSectionReader(f, from, info.Size()-from), packBuffer))
	if err == nil {
		member.Multistream(false)
		return same(ctx, member, lines)
	}
	return false, unlessDamaged(err)
}

// same reports whether both have the same bytes. What is damaged in packed differs.
func same(ctx context.Context, packed, lines io.Reader) (bool, error) {
	a, b := make([]byte, packBuffer), make([]byte, packBuffer)
	for ctx.Err() == nil {
		n, end, err := fill(packed, a)
		if err != nil {
			return false, unlessDamaged(err)
		}
		m, endToo, err := fill(lines, b)
		if err != nil || !bytes.Equal(a[:n], b[:m]) || end != endToo {
			return false, err
		}
		if end {
			return true, nil
		}
	}
	return false, ctx.Err()
}

// fill reads until p is full or r ends.
func fill(r io.Reader, p []byte) (n int, end bool, err error) {
	for n < len(p) {
		m, err := r.Read(p[n:])
		n += m
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// unlessDamaged drops an error that tells that something is no member of a packed file, and
// keeps one that tells that it cannot be read.
func unlessDamaged(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	for _, damage := range []error{gzip.ErrHeader, gzip.ErrChecksum, io.EOF, io.ErrUnexpectedEOF} {
		corrupt = corrupt || errors.Is(err, damage)
	}
	if corrupt {
		return nil
	}
	return err
}
