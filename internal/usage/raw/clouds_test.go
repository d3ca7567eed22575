package raw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/store/storetest"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// everywhere runs f on a folder, on Azurite (Microsoft's own Azure Blob for one machine)
// and on a server that speaks S3: each by its address, over the wire.
func everywhere(t *testing.T, f func(*testing.T, *Store)) {
	t.Helper()
	for name, address := range map[string]func(*testing.T) string{
		"folder": func(t *testing.T) string { return filepath.Join(t.TempDir(), "exports") },
		"azure":  azure,
		"s3":     s3,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(t.Context(), storetest.SQLite(t), time.Now, address(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			f(t, s)
		})
	}
}

// The account that every Azurite has; it is in Microsoft's documents.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==" // #nosec G101 -- public
)

var containers atomic.Int64

// azure is the address of an empty container.
func azure(t *testing.T) string {
	t.Helper()
	host, err := azurite()
	if err != nil {
		t.Fatalf("Azurite for tests: %v", err)
	}
	key, err := azblob.NewSharedKeyCredential(azuriteAccount, azuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := azblob.NewClientWithSharedKeyCredential("http://"+host+"/"+azuriteAccount, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("exports-%d", containers.Add(1))
	if _, err := c.CreateContainer(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_STORAGE_ACCOUNT", azuriteAccount)
	t.Setenv("AZURE_STORAGE_KEY", azuriteKey)
	return "azblob://" + name + "?localemu=true&protocol=http&domain=" + host
}

// azurite is started once and dies with the test program.
var azurite = sync.OnceValues(func() (string, error) {
	main, err := filepath.Abs("testdata/azurite/node_modules/azurite/dist/src/blob/main.js")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(main); err != nil {
		return "", errors.New("it is not installed: run tools/need")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	host := l.Addr().String()
	_, port, err := net.SplitHostPort(host)
	if err = errors.Join(err, l.Close()); err != nil {
		return "", err
	}
	var said bytes.Buffer
	c := exec.CommandContext(context.Background(), "node", main, "--blobPort", port, "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck", "--silent")
	c.Stdout, c.Stderr, c.SysProcAttr = &said, &said, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, gone := make(chan error), make(chan struct{})
	// Pdeathsig is sent when the thread that started a process ends, so it stays with it.
	go func() {
		runtime.LockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait() // what it said tells why
		}
		close(gone)
	}()
	if err := <-started; err != nil {
		return "", err
	}
	for until := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", host, time.Second)
		if err == nil {
			return host, conn.Close()
		}
		select {
		case <-gone:
			return "", fmt.Errorf("it ended: %s", said.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			return "", err
		}
	}
})

// s3 is the address of an empty bucket.
func s3(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/exports", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("make a bucket: %s (%v)", answer.Status, err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	return "s3://exports?region=eu-central-1&use_path_style=true&endpoint=" + server.URL
}

// A file of many blocks comes back byte by byte. Until its last one is there, or when it
// never comes, there is no file.
func TestALargeFileIsThereWholeOrNotAtAll(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		large := make([]byte, 12<<20)
		source := rand.NewChaCha8([32]byte{1})
		_, _ = source.Read(large) // it never fails
		nothing := func(when string) {
			t.Helper()
			if all := s.lying(t); len(all) != 0 {
				t.Errorf("%s: there lie %v", when, all)
			}
			if _, err := s.files.open(t.Context(), "a/b/0"); !errors.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", when, err)
			}
		}
		lost := errors.New("lost")
		for _, failure := range []error{lost, nil} {
			b, err := s.Put(t.Context(), "a/b/0", func(w io.Writer) error {
				if _, err := w.Write(large[:9<<20]); err != nil {
					return err
				}
				if !strings.HasPrefix(t.Name(), "TestALargeFileIsThereWholeOrNotAtAll/folder") {
					nothing("in the middle")
				}
				if failure != nil {
					return failure
				}
				_, err := w.Write(large[9<<20:])
				return err
			})
			if failure != nil {
				if !errors.Is(err, failure) {
					t.Errorf("broken off: %v", err)
				}
				nothing("broken off")
			} else if err != nil || b.Size != int64(len(large)) {
				t.Fatalf("%+v (%v)", b, err)
			}
		}
		if all := s.lying(t); len(all) != 1 || all[0] != "a/b/0" {
			t.Errorf("there lie %v", all)
		}
		in, err := s.files.open(t.Context(), "a/b/0")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err != nil || !bytes.Equal(got, large) {
			t.Errorf("%d bytes came back (%v)", len(got), err)
		}
	})
}
