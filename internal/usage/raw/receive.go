package raw

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"causeway/internal/usage"

	"github.com/klauspost/compress/gzip"
)

// Received is a file of an export that is here and readable to its end.
type Received struct {
	Blob
	Lines int64
	First []byte // the first record, JSON; nil of an empty file
}

// recordLimit bounds the first record that is looked at; Azure's tags and additional
// info make a few KiB.
const recordLimit = 1 << 20

// Receive keeps a file that fill writes, if it is gzip that can be read to its end;
// else nothing is kept, and *usage.Damaged says where it breaks off.
func (s *Store) Receive(ctx context.Context, name, place string, fill func(io.Writer) error) (Received, error) {
	var look *inspector
	b, err := s.Put(ctx, place, func(w io.Writer) error {
		look = inspect(name)
		if err := fill(io.MultiWriter(w, look)); err != nil {
			look.stop(err)
			return err
		}
		return look.end()
	})
	if err != nil {
		return Received{}, err
	}
	return Received{b, look.lines, look.first}, nil
}

// inspector unpacks what is written to it and forgets it again.
type inspector struct {
	name  string
	in    *io.PipeWriter
	done  chan struct{}
	lines int64
	first []byte
	err   error // of the file
}

func inspect(name string) *inspector {
	r, w := io.Pipe()
	i := &inspector{name: name, in: w, done: make(chan struct{})}
	go func() {
		defer close(i.done)
		if err := i.read(r); err != nil {
			i.err = &usage.Damaged{File: name, Line: i.lines + 1, Reason: fmt.Sprintf("it cannot be unpacked: %v", err)}
		}
		_, _ = io.Copy(io.Discard, r) // all of it is taken: what is known goes into one place
	}()
	return i
}

func (i *inspector) Write(b []byte) (int, error) { return i.in.Write(b) }

// end tells what is wrong with the file, once all of it was written.
func (i *inspector) end() error {
	i.stop(nil)
	return i.err
}

// stop ends the look at a file, of which no more comes because of err.
func (i *inspector) stop(err error) {
	_ = i.in.CloseWithError(err) // never fails; nil is the file's end
	<-i.done
}

func (i *inspector) read(r io.Reader) error {
	z, err := gzip.NewReader(r)
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	if err != nil {
		return err
	}
	text := bufio.NewReaderSize(z, 128<<10)
	for len(i.first) < recordLimit {
		part, err := text.ReadSlice('\n')
		i.first = append(i.first, part...)
		if err == nil {
			i.lines++
			break
		}
		if errors.Is(err, io.EOF) {
			if len(bytes.TrimSpace(i.first)) > 0 {
				i.lines++
			}
			return nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	buf := make([]byte, 256<<10)
	open := false // the last line has no end yet
	for {
		n, err := text.Read(buf)
		i.lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		if n > 0 {
			open = !bytes.HasSuffix(buf[:n], []byte{'\n'})
		}
		if errors.Is(err, io.EOF) {
			if open {
				i.lines++
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}
