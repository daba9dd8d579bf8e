package file

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

const (
	packBlock  = 1 << 20  // read and compressed at a time
	packBuffer = 64 << 10 // read or written at a time
	packLevel  = 2        // a fourteenth larger than level 6 and twice as fast, measured on records
)

// errMoved is met when somebody else moves files while they are compressed.
var errMoved = errors.New("a file was moved while it was compressed")

// pack writes a new packed file, of what the old one has (base bytes) and of the lines of
// the sealed file, puts it in place of the old one, and removes the sealed file.
func (k *keeper) pack(ctx context.Context, h hour, sealed string, lines handle, base int64) (err error) {
	if err := k.disk.remove(h.temp()); err != nil {
		return err
	}
	t, err := k.disk.open(h.temp(), os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return err
	}
	err = k.fillTemp(ctx, h, t, lines, base)
	if err == nil {
		err = t.Sync()
	}
	err = errors.Join(err, t.Close())
	if err == nil {
		err = k.inPlace(h, sealed, lines, base)
	}
	if err == nil {
		err = k.disk.rename(h.temp(), h.packed())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("compress file %s: %w", h.plain(), err), k.disk.remove(h.temp()))
	}
	k.settings.Metrics.countCompressed()
	return k.retire(h, sealed)
}

// inPlace reports errMoved unless the files still are what they were: an operator may have
// moved them, and what was moved must not come back.
func (k *keeper) inPlace(h hour, sealed string, lines handle, base int64) error {
	mine, err := lines.Stat()
	if err != nil {
		return err
	}
	there, err := k.disk.stat(sealed)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, there) {
		return errMoved
	}
	if err != nil {
		return err
	}
	size, err := k.packedSize(h)
	if err == nil && size != base {
		return errMoved
	}
	return err
}

// fillTemp writes the whole of the new packed file.
func (k *keeper) fillTemp(ctx context.Context, h hour, t io.Writer, lines handle, base int64) error {
	out := bufio.NewWriterSize(t, packBuffer)
	if base > 0 {
		if err := k.copyPacked(ctx, h.packed(), base, out); err != nil {
			return fmt.Errorf("add to %s: %w", path.Base(h.packed()), err)
		}
	}
	info, err := lines.Stat()
	if err != nil {
		return err
	}
	member, err := k.member(out)
	if err != nil {
		return err
	}
	member.Name = path.Base(h.plain())
	if err := gently(ctx, member, io.NewSectionReader(lines, 0, info.Size())); err != nil {
		return err
	}
	return errors.Join(member.Close(), out.Flush())
}

// member begins a member. There is one writer for all, because each is a megabyte and many
// files are packed in a row.
func (k *keeper) member(out io.Writer) (_ *gzip.Writer, err error) {
	if k.packer != nil {
		k.packer.Reset(out)
		return k.packer, nil
	}
	k.packer, err = gzip.NewWriterLevel(out, packLevel)
	return k.packer, err
}

// copyPacked copies a packed file and makes sure on the way that it is whole: behind a
// damaged member, nobody would find the next.
func (k *keeper) copyPacked(ctx context.Context, packed string, size int64, out io.Writer) (err error) {
	f, err := k.disk.open(packed, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	through := io.TeeReader(io.NewSectionReader(f, 0, size), out)
	members, err := gzip.NewReader(bufio.NewReaderSize(through, packBuffer))
	if err != nil {
		return err
	}
	return gently(ctx, io.Discard, members)
}

// gently copies block by block, and rests after each for as long as it took: at most half
// of one processor is taken from those who deliver.
func gently(ctx context.Context, to io.Writer, from io.Reader) error {
	block := make([]byte, packBuffer)
	for {
		began := time.Now()
		n, err := io.CopyBuffer(to, io.LimitReader(from, packBlock), block)
		if err != nil || n < packBlock {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Since(began)):
		}
	}
}
