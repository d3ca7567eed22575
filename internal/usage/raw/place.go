package raw

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"causeway/internal/fault"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/s3blob"    // s3://
	"gocloud.dev/gcerrors"
)

// place is where files lie; names have slashes. A file is there whole or not at all.
type place interface {
	put(ctx context.Context, name string, fill func(io.Writer) error) error
	open(ctx context.Context, name string) (io.ReadCloser, error)
	list(ctx context.Context, folder string) ([]string, error)
	remove(ctx context.Context, name string) error
	close() error
}

func open(ctx context.Context, address string) (place, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	switch {
	case address == "":
		return nil, fault.Field("exports", "There is no place for Microsoft's exports.", "Give a folder, azblob://container or s3://bucket.")
	case !ok:
		return folder(address), nil
	case scheme == "file":
		u, err := url.Parse(address)
		if err != nil || u.Host != "" || u.Path == "" {
			return nil, fault.Field("exports", "This is no address of a folder.", "Write it like file:///var/lib/causeway/exports.")
		}
		return folder(filepath.FromSlash(u.Path)), nil
	case scheme != "azblob" && scheme != "s3":
		return nil, fault.Field("exports", fmt.Sprintf("Exports cannot be kept at an address that begins with %s://.", scheme), "Give a folder, azblob://container or s3://bucket.")
	}
	if name, _, _ := strings.Cut(rest, "?"); name == "" {
		return nil, fault.Field("exports", "The place of the exports has no name.", "Give azblob://container or s3://bucket.")
	}
	b, err := blob.OpenBucket(ctx, address)
	if err != nil { // it may name the account's key
		return nil, fault.Field("exports", fmt.Sprintf("The place of the exports, %s://…, cannot be opened.", scheme),
			"Check its name, and the variables that name account and key: AZURE_STORAGE_ACCOUNT, AWS_REGION and their like.").Because(err)
	}
	return bucket{b}, nil
}

// folder is a folder of this machine.
type folder string

func (d folder) path(name string) (string, error) {
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) {
		return "", fmt.Errorf("%q is no name of a file", name)
	}
	return filepath.Join(string(d), local), nil
}

func (d folder) put(_ context.Context, name string, fill func(io.Writer) error) (err error) {
	to, err := d.path(name)
	if err != nil {
		return err
	}
	dir := filepath.Dir(to)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("folder of the exports: %w", err)
	}
	f, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return fmt.Errorf("folder of the exports: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what is left is removed by Clean
		}
	}()
	if err := fill(f); err != nil {
		_ = f.Close() // nobody wants it
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write a file of an export: %w", err)
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return fmt.Errorf("write a file of an export: %w", err)
	}
	parent, err := os.Open(dir) // #nosec G304 -- below the folder that the operator names
	if err != nil {
		return fmt.Errorf("write a file of an export: %w", err)
	}
	return errors.Join(parent.Sync(), parent.Close()) // a name is on the disk only then
}

func (d folder) open(_ context.Context, name string) (io.ReadCloser, error) {
	from, err := d.path(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(from) // #nosec G304 -- below the folder that the operator names
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotThere(name)
	}
	return f, err
}

func (d folder) list(_ context.Context, below string) ([]string, error) {
	dir, err := d.path(below)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	for _, e := range entries {
		if !e.IsDir() {
			all = append(all, path.Join(below, e.Name()))
		}
	}
	return all, err
}

func (d folder) remove(_ context.Context, name string) error {
	file, err := d.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d folder) close() error { return nil }

// bucket is a container of S3 or Azure Blob.
type bucket struct{ b *blob.Bucket }

// put gives the library a reader, not its writer: that one of Azure Blob may panic when
// an upload fails (gocloud.dev v0.47).
func (k bucket) put(ctx context.Context, name string, fill func(io.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, to := io.Pipe()
	var refused error // by fill
	filled := make(chan struct{})
	go func() {
		defer close(filled)
		refused = fill(to)
		_ = to.CloseWithError(refused) // so that the half makes no file; nil is the end
	}()
	err := k.b.Upload(ctx, name, from, &blob.WriterOptions{ContentType: "application/octet-stream"})
	_ = from.CloseWithError(errNotTaken) // what is still filled in goes nowhere
	<-filled
	if refused != nil && !errors.Is(refused, errNotTaken) {
		return refused
	}
	return outside(err)
}

var errNotTaken = errors.New("the place of the exports does not take a file")

func (k bucket) open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := k.b.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, errNotThere(name)
	}
	if err != nil {
		return nil, outside(err)
	}
	return r, nil
}

func (k bucket) list(ctx context.Context, below string) ([]string, error) {
	var all []string
	for i := k.b.List(&blob.ListOptions{Prefix: below + "/", Delimiter: "/"}); ; {
		o, err := i.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, outside(err)
		}
		if !o.IsDir {
			all = append(all, o.Key)
		}
	}
}

func (k bucket) remove(ctx context.Context, name string) error {
	err := k.b.Delete(ctx, name)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return outside(err)
}

func (k bucket) close() error { return k.b.Close() }

// outside is an error of the place itself: it may pass.
func outside(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "The place of the exports does not take or give a file.").Because(err)
}
